"""Connections: addresses, failing over, trying again, forking."""

from __future__ import annotations

import copy
import gc
import inspect
import os
import pickle
import socket
import threading
import weakref
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kombu import BrokerConnection, Connection, Consumer, Exchange, Producer, Queue
from kombu import connection as connection_module
from kombu._lifecycle import is_asked_for
from kombu.connection import (
    ChannelPool,
    ConnectionPool,
    PooledConnection,
    failover_strategies,
    is_connection,
    maybe_channel,
)
from kombu.exceptions import (
    ChannelLimitExceeded,
    ConnectionLimitExceeded,
    InvalidURL,
    KombuError,
    OperationalError,
    RecoverableChannelError,
    TransportNotFound,
)
from kombu.simple import SimpleBuffer, SimpleQueue
from kombu.transport import TRANSPORT_ALIASES, memory
from kombu.transport import _transport_cache as transport_cache
from t.unit.fakes import BrokerLost, Network

texts = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=12)


class RabbitLike(memory.Transport):
    """Has defaults for what an address leaves out, as AMQP brokers have."""

    default_port = 5672

    @property
    def default_connection_params(self):
        return {
            "userid": "guest",
            "password": "guest",
            "port": 5671 if self.client.ssl else 5672,
            "hostname": "localhost",
            "login_method": "PLAIN",
        }


class WholeURL(memory.Transport):
    can_parse_url = True


@pytest.fixture
def transports(monkeypatch):
    for name in ("amqp", "pyamqp", "amqps"):
        monkeypatch.setitem(TRANSPORT_ALIASES, name, f"{__name__}:RabbitLike")
        monkeypatch.setitem(transport_cache, name, RabbitLike)
    monkeypatch.setitem(TRANSPORT_ALIASES, "whole", f"{__name__}:WholeURL")


@pytest.fixture
def logs(monkeypatch, caplog):
    monkeypatch.setenv("KOMBU_LOG_DEBUG", "1")
    caplog.set_level("DEBUG")
    is_asked_for.cache_clear()
    yield
    is_asked_for.cache_clear()


@pytest.mark.usefixtures("transports")
class test_address:
    @pytest.mark.parametrize(
        ("url", "shown", "with_password"),
        [
            ("amqp://u:p@h:1/v", "amqp://u:**@h:1/v", "amqp://u:p@h:1/v"),
            ("amqp://u:p@h//v", "amqp://u:**@h:5672//v", "amqp://u:p@h:5672//v"),
            (
                "amqp://u%40x:p%2Fq@h/%2Fv",
                "amqp://u%40x:**@h:5672//v",
                "amqp://u%40x:p%2Fq@h:5672//v",
            ),
            ("amqp://u:p@h/", "amqp://u:**@h:5672//", "amqp://u:p@h:5672//"),
            (
                "amqp://",
                "amqp://guest:**@localhost:5672//",
                "amqp://guest:guest@localhost:5672//",
            ),
            ("h", "amqp://guest:**@h:5672//", "amqp://guest:guest@h:5672//"),
            (
                "pyamqp://h//",
                "amqp://guest:**@h:5672//",
                "amqp://guest:guest@h:5672//",
            ),
            ("memory://", "memory://localhost//", "memory://localhost//"),
        ],
    )
    def test_as_uri(self, url, shown, with_password):
        connection = Connection(url)
        assert connection.as_uri() == shown
        assert connection.as_uri(include_password=True) == with_password
        assert connection.as_uri(mask="XX") == shown.replace("**", "XX")

    def test_as_uri_of_a_class(self):
        connection = Connection("h", transport=RabbitLike)
        assert connection.as_uri().startswith(f"{__name__}:RabbitLike://guest:**@h")

    def test_as_uri_of_what_parses_it_by_itself(self):
        connection = Connection("whole://u:secret@h1,h2/db?x=1")
        assert connection.hostname == "whole://u:secret@h1,h2/db?x=1"
        assert "secret" not in connection.as_uri()
        assert "secret" in connection.as_uri(include_password=True)

    def test_prefixed_schemes(self):
        connection = Connection("whole+mysql://u:secret@h/db")
        assert (connection.transport_cls, connection.uri_prefix) == ("whole", "whole")
        assert connection.hostname == "mysql://u:secret@h/db"
        assert connection.as_uri() == "whole+mysql://u:**@h/db"
        assert connection.clone().hostname == connection.hostname
        assert connection.info()["hostname"] == "whole+mysql://u:secret@h/db"

    @pytest.mark.parametrize(
        ("path", "virtual_host"),
        [
            ("", "/"),
            ("/", "/"),
            ("//", "/"),
            ("/foo", "foo"),
            ("//foo", "/foo"),
            ("/%2Ffoo", "/foo"),
            ("/a%20b", "a b"),
        ],
    )
    def test_virtual_hosts(self, path, virtual_host):
        assert Connection(f"amqp://h{path}").virtual_host == virtual_host

    def test_parameters_of_the_url(self):
        connection = Connection("amqp://h//?heartbeat=10&connect_timeout=3")
        assert (connection.heartbeat, connection.connect_timeout) == (10.0, 3.0)

    def test_unknown_parameters(self):
        with pytest.raises(InvalidURL, match="'foo'") as caught:
            Connection("amqp://h//?foo=1")
        assert isinstance(caught.value, TypeError)  # as it was raised before

    def test_parameters_that_are_no_numbers(self):
        with pytest.raises(InvalidURL, match="'heartbeat' must be a number"):
            Connection("amqp://h//?heartbeat=often")

    def test_class_paths_are_no_schemes(self):
        with pytest.raises(ValueError, match="Invalid transport scheme"):
            Connection("a.b.c://h//")

    def test_keywords_go_with_urls(self):
        connection = Connection("amqp://h//", userid="joe", password="x", port=7)
        assert connection.as_uri(include_password=True) == "amqp://joe:x@h:7//"

    def test_anything_else_is_swallowed(self):
        assert Connection("memory://", bogus=1).transport_cls == "memory"

    def test_class_transports(self):
        assert Connection("h", transport=memory.Transport).get_transport_cls() is (
            memory.Transport
        )

    def test_unknown_transport(self):
        with pytest.raises(KeyError, match="Did you mean memory") as caught:
            Connection(transport="memry").transport
        assert isinstance(caught.value, TransportNotFound)

    def test_info(self):
        assert Connection("amqp://a//").info() == {
            "hostname": "a",
            "userid": "guest",
            "password": "guest",
            "virtual_host": "/",
            "port": 5672,
            "insist": False,
            "ssl": False,
            "transport": "amqp",
            "connect_timeout": 5,
            "transport_options": {},
            "login_method": "PLAIN",
            "uri_prefix": None,
            "heartbeat": 0,
            "failover_strategy": "round-robin",
            "alternates": [],
            "credential_provider": None,
        }

    def test_info_of_what_is_not_installed(self):
        connection = Connection("h", transport="nosuch")
        assert connection.info()["hostname"] == "h"
        assert repr(connection).startswith("<Connection: nosuch://h// at 0x")

    def test_repr_has_no_secrets(self):
        assert "hush" not in repr(Connection("amqp://u:hush@h//"))

    def test_host(self):
        assert Connection("amqp://h:1//").host == "h:1"
        assert Connection("amqp://").host == "localhost:None"

    def test_password_that_is_called(self):
        connection = Connection("amqp://u@h", password=lambda: "token")
        assert "token" not in connection.as_uri()

    def test_options_are_copied_and_never_written_to(self):
        options = {"polling_interval": 1}
        connection = Connection("memory://", transport_options=options)
        with connection:
            connection.default_channel
            connection.transport_options["mine"] = 2
        assert options == {"polling_interval": 1}

    @pytest.mark.parametrize(
        "duplicate",
        [
            copy.copy,
            copy.deepcopy,
            lambda connection: connection.clone(),
            lambda connection: pickle.loads(pickle.dumps(connection)),
        ],
        ids=["copy", "deepcopy", "clone", "pickle"],
    )
    def test_copies(self, duplicate):
        connection = Connection(
            "amqp://u:p@h:1//v",
            transport_options={"polling_interval": 1},
            heartbeat=4,
            connect_timeout=2,
            ssl={"x": 1},
        )
        copied = duplicate(connection)
        assert copied is not connection
        assert copied.info() == connection.info()
        assert not copied.connected

    def test_clone_with_changes(self):
        clone = Connection("amqp://u:p@h:1//v").clone(virtual_host="w", heartbeat=3)
        assert (clone.virtual_host, clone.heartbeat, clone.userid) == ("w", 3, "u")

    def test_equal_ones_share_pools(self):
        one, other = Connection("amqp://u:p@h//"), Connection("amqp://u:p@h//")
        assert one.__eqhash__() == other.__eqhash__()
        assert hash(one.__eqhash__()) == hash(other.__eqhash__())
        third = Connection("amqp://u:p@h//", transport_options={"a": 1})
        assert one.__eqhash__() != third.__eqhash__()

    def test_tls_options(self):
        url = "amqp://h//?ssl_ca_certs=ca.pem"
        first, second = Connection(url), Connection(url)
        assert first.ssl == {"ssl_ca_certs": "ca.pem"}
        first.ssl["mine"] = 1
        assert "mine" not in second.ssl

    @given(
        userid=texts,
        password=texts,
        virtual_host=texts,
        port=st.none() | st.integers(1, 65535),
    )
    @settings(max_examples=40, suppress_health_check=list(HealthCheck))
    def test_any_parameters_survive_a_url(self, userid, password, virtual_host, port):
        connection = Connection(
            "amqp://h",
            userid=userid,
            password=password,
            virtual_host=virtual_host,
            port=port,
        )
        again = Connection(connection.as_uri(include_password=True))
        assert (again.userid, again.password) == (userid, password)
        assert again.virtual_host == virtual_host
        assert again.port == (port or 5672)
        shown = Connection(connection.as_uri(mask="hidden"))
        assert (shown.userid, shown.password) == (userid, "hidden")

    def test_old_name(self):
        assert BrokerConnection is Connection


@pytest.mark.usefixtures("transports")
class test_failover_lists:
    def hosts(self, connection, count):
        hosts = [connection.hostname]
        for _ in range(count - 1):
            connection.maybe_switch_next()
            hosts.append(connection.hostname)
        return "".join(hosts)

    @pytest.mark.parametrize(
        "arguments",
        [
            {"hostname": "amqp://a//;amqp://b//;amqp://c//"},
            {"hostname": "amqp://a//;amqp://b//;amqp://c//;"},
            {"hostname": ["amqp://a//", "amqp://b//", "amqp://c//"]},
            {"hostname": ("a", "b", "c")},
            {"hostname": "a;b;c"},
        ],
    )
    def test_in_turn(self, arguments):
        connection = Connection(**arguments)
        assert self.hosts(connection, 5) == "abcab"
        assert len(connection.alt) == 3

    def test_alternates(self):
        connection = Connection("amqp://a//", alternates=["amqp://b//", "amqp://c//"])
        assert connection.alt == ["amqp://b//", "amqp://c//"]
        assert self.hosts(connection, 4) == "acbc"

    def test_a_single_host_has_no_cycle(self):
        connection = Connection("amqp://a//")
        assert (connection.alt, connection.cycle) == ([], None)
        connection.maybe_switch_next()
        assert connection.hostname == "a"
        assert [connection.completes_cycle(n) for n in range(3)] == [True] * 3

    def test_completes_cycle(self):
        connection = Connection("a;b;c")
        assert [connection.completes_cycle(n) for n in range(6)] == (
            [False, False, True] * 2
        )

    def test_shuffled(self):
        connection = Connection("a;b;c", failover_strategy="shuffle")
        assert {connection.hostname, *self.hosts(connection, 30)} == {"a", "b", "c"}
        assert set(failover_strategies) == {"round-robin", "shuffle"}

    def test_a_strategy_of_ones_own(self):
        connection = Connection("a;b;c", failover_strategy=lambda urls: iter("abcc"))
        assert self.hosts(connection, 4) == "abcc"

    def test_unknown_strategy(self):
        with pytest.raises(KombuError, match="'bogus'") as caught:
            Connection("a;b", failover_strategy="bogus")
        assert isinstance(caught.value, TypeError)

    def test_switch(self):
        connection = Connection("amqp://u:p@a:1/v")
        connection.switch("amqp://b//")
        assert (connection.hostname, connection.port, connection.userid) == (
            "b",
            None,
            None,
        )
        assert connection.virtual_host == "/"

    def test_keywords_hold_for_all_hosts(self):
        connection = Connection("amqp://a;amqp://b", userid="joe", password="x")
        connection.maybe_switch_next()
        assert (connection.hostname, connection.userid, connection.password) == (
            "b",
            "joe",
            "x",
        )

    @pytest.mark.parametrize(
        "duplicate",
        [
            lambda connection: connection.clone(),
            lambda connection: pickle.loads(pickle.dumps(connection)),
            lambda connection: connection.Pool(1).acquire(),
        ],
        ids=["clone", "pickle", "pool"],
    )
    def test_what_one_url_says_is_not_for_the_others(self, duplicate):
        connection = Connection("amqp://u:secret@a:5673/v1;amqp://b/;memory://c")
        copied = duplicate(connection)
        copied.maybe_switch_next()
        assert copied.hostname == "b"
        assert (copied.userid, copied.password, copied.port, copied.virtual_host) == (
            None,
            None,
            None,
            "/",
        )
        copied.maybe_switch_next()
        assert (copied.hostname, copied.transport_cls) == ("c", "memory")
        copied.maybe_switch_next()
        assert copied.as_uri(True) == "amqp://u:secret@a:5673/v1"

    def test_errors_are_those_of_the_transport_in_use(self, monkeypatch):
        class Other(memory.Transport):
            connection_errors = (BrokerLost,)

        monkeypatch.setitem(transport_cache, "amqp", Other)
        connection = Connection("memory://a;amqp://b")
        assert BrokerLost not in connection.connection_errors
        connection.maybe_switch_next()
        assert BrokerLost in connection.connection_errors


class test_life:
    def test_connects_when_needed(self, network):
        connection = network.connect()
        assert not connection.connected
        assert connection.connection is connection.connection
        assert connection.connected
        assert network.established == 1

    def test_connect(self, network):
        connection = network.connect()
        connection.connect()
        assert connection.connected

    def test_release(self, network):
        with network.connect() as connection:
            channel = connection.default_channel
        assert channel.closed
        assert connection.connection is None
        assert network.closed == 1
        connection.release()  # once more does no harm
        assert network.closed == 1

    def test_a_closed_one_opens_no_channel(self, connection):
        connection.release()
        with pytest.raises(OperationalError, match=r"connect\(\)") as caught:
            connection.channel()
        assert isinstance(caught.value, AttributeError)  # as it was raised before

    def test_a_closed_one_opens_again(self, connection):
        connection.release()
        assert connection.default_channel is not None
        assert connection.connected
        connection.release()
        assert connection.connect() is not None

    def test_default_channel(self, connection):
        assert connection.default_channel is connection.default_channel
        assert connection.channel() is not connection.default_channel
        assert maybe_channel(connection) is connection.default_channel
        assert maybe_channel("other") == "other"
        assert is_connection(connection)
        assert not is_connection(connection.default_channel)

    def test_closing_a_lost_connection(self, network):
        class Lossy(network.transport):
            def close_connection(self, connection):
                raise OSError("gone")

        connection = Connection(network.hosts[0], transport=Lossy)
        connection.connect()
        connection.release()
        assert connection.connection is None

    def test_closing_a_lost_channel(self, network):
        connection = network.connect()

        class Channel:
            def close(self):
                raise BrokerLost("gone")

        connection.maybe_close_channel(Channel())

    def test_revive_forgets_the_old_channel(self, connection):
        before, after = connection.default_channel, connection.channel()
        connection.revive(before)
        assert connection.default_channel is before
        connection.revive(after)
        assert before.closed
        assert connection.default_channel is not before

    def test_collect_says_nothing_to_the_broker(self, network):
        collected = []

        class Collecting(network.transport):
            def _collect(self, connection):
                collected.append(connection)
                raise OSError("not even that works")

        connection = Connection(network.hosts[0], transport=Collecting)
        driver_connection = connection.connect()
        connection.default_channel
        connection.declared_entities.add(Queue("q"))
        connection.collect()
        assert collected == [driver_connection]
        assert network.closed == 0
        assert not connection.connected
        assert len(connection.declared_entities) == 0
        assert connection.default_channel is not None

    def test_collect_before_connecting(self, network):
        network.connect().collect()
        assert network.closed == 0

    def test_drain_events_times_out(self, connection, clock):
        with pytest.raises(socket.timeout):
            connection.drain_events(timeout=3)
        assert clock.now == 1003.0

    def test_the_transport_is_made_once_for_all_threads(self, network):
        made = []

        class Slow(network.transport):
            def __init__(self, *args, **kwargs):
                made.append(self)
                super().__init__(*args, **kwargs)

        connection = Connection(network.hosts[0], transport=Slow)
        barrier = threading.Barrier(4)

        def use():
            barrier.wait()
            connection.default_channel

        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(made) == network.established == 1

    @pytest.mark.usefixtures("logs")
    def test_logging(self, network, caplog):
        with network.connect() as connection:
            channel = connection.channel()
            channel.queue_declare(queue="q")
        assert "establishing connection" in caplog.text
        assert "queue_declare" in caplog.text
        assert "closed" in caplog.text

    def test_unknown_name_in_module(self):
        with pytest.raises(AttributeError, match="Bogus"):
            connection_module.Bogus

    def test_transports_that_name_no_recoverable_errors(self):
        class Old(memory.Transport):
            connection_errors = (BrokerLost,)
            channel_errors = (KeyError,)
            recoverable_connection_errors = None
            recoverable_channel_errors = ()

        connection = Connection("h", transport=Old)
        assert connection.recoverable_connection_errors == (BrokerLost, KeyError)
        assert connection.recoverable_channel_errors == ()


class test_passes_on:
    """What the transport says, and the objects that are made on a connection."""

    def test_heartbeats(self, network):
        checked = []

        class Beating(network.transport):
            implements = network.transport.implements.extend(heartbeats=True)

            def heartbeat_check(self, connection, rate=2):
                checked.append((connection, rate))

            def get_heartbeat_interval(self, connection):
                return 7

        connection = Connection(network.hosts[0], transport=Beating, heartbeat="14")
        assert connection.heartbeat == 14.0
        connection.heartbeat_check(rate=3)
        assert checked == [(connection.connection, 3)]
        assert connection.get_heartbeat_interval() == 7
        assert connection.supports_heartbeats
        assert not network.connect().supports_heartbeats

    def test_abilities(self, connection):
        assert connection.supports_exchange_type("topic")
        assert not connection.supports_exchange_type("x-random")
        assert connection.is_evented
        assert connection.qos_semantics_matches_spec in (True, False)

    def test_manager(self, network):
        class Managed(network.transport):
            def get_manager(self, *args, **kwargs):
                return args, kwargs

        connection = Connection(network.hosts[0], transport=Managed)
        assert connection.get_manager(1, a=2) == ((1,), {"a": 2})
        assert connection.manager is connection.manager

    def test_event_loop(self, network):
        registered = []

        class Looping(network.transport):
            def register_with_event_loop(self, connection, loop):
                registered.append((connection, loop))

        connection = Connection(network.hosts[0], transport=Looping)
        connection.register_with_event_loop("loop")
        assert registered == [(connection.connection, "loop")]

    def test_producers_and_consumers(self, connection):
        channel = connection.channel()
        queue = Queue("q")
        assert isinstance(connection.Producer(), Producer)
        assert connection.Producer().channel is connection.default_channel
        assert connection.Producer(channel, serializer="yaml").channel is channel
        consumer = connection.Consumer(queue, channel, no_ack=True)
        assert isinstance(consumer, Consumer)
        assert (consumer.channel, consumer.no_ack) == (channel, True)

    @pytest.mark.parametrize("name", ["SimpleQueue", "SimpleBuffer"])
    def test_simple_queues(self, connection, name):
        channel = connection.channel()
        made = getattr(connection, name)(
            "s",
            no_ack=True,
            queue_opts={"max_length": 3},
            queue_args={"x": 1},
            exchange_opts={"delivery_mode": 1},
            channel=channel,
            serializer="yaml",
        )
        assert (
            type(made)
            is {"SimpleQueue": SimpleQueue, "SimpleBuffer": SimpleBuffer}[name]
        )
        assert (made.channel, made.no_ack) == (channel, True)
        assert (made.queue.max_length, made.queue.queue_arguments) == (3, {"x": 1})
        assert made.producer.exchange.delivery_mode == 1
        assert made.producer.serializer == "yaml"


class test_ensure_connection:
    def test_returns_the_connection(self, network):
        connection = network.connect()
        assert connection.ensure_connection() is connection
        assert connection.connected
        assert connection.ensure_connection() is connection
        assert network.established == 1

    @pytest.mark.parametrize(
        ("max_retries", "pauses"), [(0, []), (1, [2]), (2, [2, 4]), (3, [2, 4, 6])]
    )
    def test_tries(self, network, clock, max_retries, pauses):
        network.kill()
        told = []
        with pytest.raises(OperationalError, match="a is dead") as caught:
            network.connect().ensure_connection(
                lambda error, pause: told.append((type(error), pause)),
                max_retries=max_retries,
            )
        assert network.tried() == "a" * (max_retries + 1)
        assert told == [(BrokerLost, pause) for pause in pauses]
        assert clock.sleeps == pauses
        assert isinstance(caught.value.__cause__, BrokerLost)

    def test_raw_errors(self, network, clock):
        network.kill()
        with pytest.raises(BrokerLost):
            network.connect().ensure_connection(
                max_retries=1, reraise_as_library_errors=False
            )

    def test_pauses_grow_up_to_a_limit(self, network, clock):
        network.kill()
        with pytest.raises(OperationalError):
            network.connect().ensure_connection(
                max_retries=5, interval_start=1, interval_step=3, interval_max=6
            )
        assert clock.sleeps == [1, 4, 6, 6, 6]

    def test_timeout(self, network, clock):
        network.kill()
        with pytest.raises(OperationalError):
            network.connect().ensure_connection(timeout=7)
        assert clock.now == 1007.0
        assert network.tried() == "aaaa"

    def test_callback_each_second(self, network, clock):
        network.kill()
        called = []
        with pytest.raises(OperationalError):
            network.connect().ensure_connection(
                max_retries=2, callback=lambda: called.append(clock.now)
            )
        assert len(called) == 8  # after each of 2 failures, and 2 + 4 seconds

    def test_a_callback_may_give_up(self, network, clock):
        network.kill()

        class Stop(Exception):
            pass

        def callback():
            raise Stop

        with pytest.raises(Stop):
            network.connect().ensure_connection(callback=callback)
        assert network.tried() == "a"

    def test_until_the_broker_is_back(self, network, clock):
        network.kill()

        def errback(error, pause):
            if len(network.attempts) == 4:
                network.revive()

        connection = network.connect()
        connection.ensure_connection(errback)
        assert connection.connected
        assert network.tried() == "aaaaa"

    def test_errors_that_retrying_does_not_help(self, network):
        class Broken(network.transport):
            def establish_connection(self):
                raise ZeroDivisionError

        connection = Connection(network.hosts[0], transport=Broken)
        with pytest.raises(ZeroDivisionError):
            connection.ensure_connection()

    def test_all_hosts_are_tried_before_there_is_a_pause(self, clock):
        network = Network("abc")
        network.kill()
        told = []
        with pytest.raises(OperationalError):
            network.connect().ensure_connection(
                lambda error, pause: told.append(pause), max_retries=6
            )
        assert network.tried() == "abcabca"
        assert told == [0, 0, 2, 0, 0, 4]

    @pytest.mark.parametrize("dead", ["ab", "bc", "ac", "a", "b", ""])
    def test_any_living_host_is_found(self, clock, dead):
        network = Network("abc")
        network.kill(*dead or "x")
        connection = network.connect()
        connection.ensure_connection(max_retries=2)
        assert connection.hostname[0] not in dead
        assert clock.sleeps == []

    def test_limits_for_the_default_channel_are_options(self, network, clock):
        network.kill()
        told = []
        connection = network.connect(
            transport_options={
                "max_retries": 2,
                "interval_start": 1,
                "interval_step": 0,
                "interval_max": 1,
                "errback": lambda error, pause: told.append(pause),
            }
        )
        with pytest.raises(OperationalError):
            connection.default_channel
        assert network.tried() == "aaa"
        assert told == [1, 1]

    def test_the_default_channel_waits_as_long_as_connecting_may_take(
        self, network, clock
    ):
        network.kill()
        with pytest.raises(OperationalError):
            network.connect(connect_timeout=4).default_channel
        assert clock.now == 1004.0

    def test_anything_else_tries_twice(self, network, clock):
        network.kill()
        for use in (
            lambda c: c.connect(),
            lambda c: c.connection,
            lambda c: c.channel(),
            lambda c: c.drain_events(timeout=1),
        ):
            with pytest.raises(BrokerLost):
                use(network.connect())
            assert network.tried() == "aa"


class Worker:
    """Something that works with a channel, and fails as often as told."""

    def __init__(self, failures, error):
        self.failures = failures
        self.error = error
        self.calls = 0
        self.revived = []

    def revive(self, channel):
        self.revived.append(channel)

    def work(self, value="done"):
        """Do it."""
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error
        return value


def ensured(connection, worker, **options):
    return connection.ensure(worker, worker.work, **options)


class test_ensure:
    def test_name_and_docs(self, network):
        connection = network.connect()
        call = ensured(connection, Worker(0, None))
        assert call.__name__ == "work(ensured)"
        assert call.__doc__ == "Do it."
        assert repr(call) == "<work(ensured)>"

    def test_success_needs_nothing(self, network):
        worker = Worker(0, None)
        assert ensured(network.connect(), worker)("value") == "value"
        assert network.attempts == []

    @pytest.mark.parametrize(
        "error",
        [BrokerLost("x"), RecoverableChannelError("x")],
        ids=["conn", "channel"],
    )
    def test_calls_again(self, network, clock, error):
        connection = network.connect()
        connection.connect()
        told, revived = [], []
        worker = Worker(3, error)
        call = ensured(
            connection,
            worker,
            errback=lambda exc, pause: told.append((exc, pause)),
            max_retries=3,
            interval_start=1,
            interval_step=1,
            interval_max=3,
            on_revive=revived.append,
        )
        assert call() == "done"
        assert worker.calls == 4
        assert told == [(error, 0), (error, 1), (error, 2)]
        assert clock.sleeps == [1, 2]
        assert len(worker.revived) == len(set(worker.revived)) == 3
        assert revived == worker.revived
        assert revived[-1] is connection.default_channel

    def test_connection_errors_connect_anew(self, network, clock):
        connection = network.connect()
        connection.connect()
        ensured(connection, Worker(2, BrokerLost("x")))()
        assert network.tried() == "aaa"

    def test_channel_errors_do_not(self, network, clock):
        connection = network.connect()
        connection.connect()
        ensured(connection, Worker(2, RecoverableChannelError("x")))()
        assert network.tried() == "a"

    def test_failed_connects_are_told_and_count(self, network, clock):
        connection = network.connect()
        connection.connect()
        network.kill()
        told = []
        with pytest.raises(OperationalError):
            ensured(
                connection,
                Worker(1, BrokerLost("lost")),
                errback=lambda error, pause: told.append((str(error), pause)),
                max_retries=3,
                interval_max=1,
            )()
        assert told == [("lost", 0), ("a is dead", 1), ("a is dead", 1)]
        assert network.tried() == "aaaa"

    @pytest.mark.parametrize("max_retries", [0, 1, 3])
    def test_limit(self, network, clock, max_retries):
        worker = Worker(99, BrokerLost("x"))
        with pytest.raises(OperationalError, match="^x$") as caught:
            ensured(network.connect(), worker, max_retries=max_retries)()
        assert worker.calls == max_retries + 1
        assert caught.value.__cause__ is worker.error

    @pytest.mark.parametrize(
        "error", [ValueError("v"), OperationalError("o"), KeyboardInterrupt()]
    )
    def test_other_errors_pass(self, network, error):
        worker = Worker(1, error)
        with pytest.raises(type(error)) as caught:
            ensured(network.connect(), worker)()
        assert caught.value is error
        assert worker.calls == 1

    def test_errors_that_can_not_heal(self, network):
        from amqp.exceptions import AccessRefused

        class Refusing(network.transport):
            recoverable_connection_errors = (AccessRefused,)

        worker = Worker(1, AccessRefused("no"))
        connection = Connection(network.hosts[0], transport=Refusing)
        with pytest.raises(OperationalError):
            ensured(connection, worker)()
        assert worker.calls == 1

    def test_further_errors_by_wish(self, network, clock):
        worker = Worker(2, ValueError("v"))
        connection = network.connect()
        assert ensured(connection, worker, retry_errors=(ValueError,))() == "done"
        assert network.attempts == []
        assert worker.revived == []

    def test_autoretry(self, network, clock):
        connection = network.connect()
        seen = []

        def work(number, channel):
            """Docs."""
            seen.append(channel)
            if len(seen) < 3:
                raise BrokerLost("x")
            return number

        call = connection.autoretry(work)
        assert call(5) == (5, connection.default_channel)
        assert len(set(seen)) == 3
        assert call.__name__ == "work(ensured)"
        assert call.__doc__ == "Docs."

    def test_autoretry_begins_with_the_channel_given(self, network):
        connection = network.connect()
        channel = connection.channel()
        call = connection.autoretry(lambda channel: channel, channel)
        assert call() == (channel, channel)


class test_retries_never_multiply:
    @pytest.mark.parametrize("max_retries", [0, 1, 3])
    def test_publishing_while_the_broker_is_down(self, network, clock, max_retries):
        network.kill()
        policy = {
            "max_retries": max_retries,
            "interval_start": 0,
            "interval_step": 0.2,
            "interval_max": 0.2,
        }
        producer = network.connect().Producer(exchange=Exchange("e"))
        for _ in range(10):
            with pytest.raises(OperationalError):
                producer.publish(
                    "x",
                    routing_key="k",
                    retry=True,
                    retry_policy=policy,
                    declare=[Queue("q", Exchange("e2"), "k")],
                )
            assert network.tried() == "a" * (max_retries + 1)
        assert sum(clock.sleeps) <= 10 * 0.2 * max_retries

    @pytest.mark.parametrize("options", [{"max_retries": 1}, {"max_retries": 99}])
    def test_limits_of_the_caller_count(self, network, clock, options):
        network.kill()
        connection = network.connect(transport_options=options)
        for use in (
            lambda: connection.default_channel,
            lambda: connection.channel(),
            lambda: connection.connection,
        ):
            with pytest.raises(OperationalError):
                connection.ensure(connection, use, max_retries=3)()
            assert network.tried() == "aaaa"

    def test_losing_the_broker_while_declaring(self, network, clock):
        producer = network.connect().Producer(exchange=Exchange("e"))
        producer.channel

        def lost(*args, **kwargs):
            raise BrokerLost("x")

        producer.channel.exchange_declare = lost
        network.tried()
        network.kill()
        with pytest.raises(OperationalError):
            producer.publish("x", retry=True, retry_policy={"max_retries": 3})
        assert network.tried() == "aaa"  # the failed call was the first try

    def test_one_thread_does_not_shorten_the_tries_of_another(self, network, clock):
        network.kill()
        connection = network.connect()
        tried = []

        def within():
            thread = threading.Thread(target=other)
            thread.start()
            thread.join()

        def other():
            with pytest.raises(OperationalError):
                connection.default_channel
            tried.append(network.tried())

        connection.ensure(connection, within)()
        assert tried == ["aaa"]


class test_failing_over_while_in_use:
    @pytest.mark.parametrize("dead", ["ab", "bc", "ac"])
    def test_publish(self, clock, dead):
        network = Network("abc")
        connection = network.connect()
        producer = connection.Producer()
        queue = Queue("q")
        network.kill(*dead)
        producer.publish(
            "x",
            routing_key="q",
            declare=[queue],
            retry=True,
            retry_policy={"max_retries": 3},
        )
        assert connection.hostname[0] not in dead
        assert queue(connection).get().payload == "x"

    @pytest.mark.parametrize("dead", ["ab", "bc", "ac", "a"])
    def test_publish_after_the_first_one_died(self, clock, dead):
        network = Network("abc")
        connection = network.connect()
        producer = connection.Producer()
        publish = {
            "routing_key": "q",
            "declare": [Queue("q")],
            "retry": True,
            "retry_policy": {"max_retries": 3},
        }
        producer.publish("one", **publish)
        network.kill(*dead)
        producer.publish("two", **publish)
        assert connection.hostname[0] not in dead

    @pytest.mark.parametrize("dead", ["ab", "bc", "ac"])
    def test_pool(self, clock, dead):
        network = Network("abc")
        pool = network.connect().Pool(2)
        with pool.acquire() as connection:
            connection.ensure_connection()
        network.kill(*dead)
        with pool.acquire() as connection:
            connection.ensure_connection(max_retries=3)
            assert connection.hostname[0] not in dead

    def test_consuming_goes_on(self, clock):
        network = Network("abc")
        connection = network.connect()
        got = []
        consumer = connection.Consumer(
            Queue("q"), callbacks=[lambda body, message: got.append(body)], no_ack=True
        )
        consumer.consume()
        network.kill("a", "b")
        drain = connection.ensure(
            consumer, lambda: connection.drain_events(timeout=1), max_retries=3
        )
        with pytest.raises(socket.timeout):
            drain()
        assert connection.hostname.startswith("c")
        connection.Producer().publish("after", routing_key="q")
        drain()
        assert got == ["after"]


class test_recovery_is_flat:
    def test_ten_thousand_failures_do_not_recurse(self, network, clock):
        depths = set()

        class Failing(Worker):
            def work(self):
                depths.add(len(inspect.stack(0)) if self.calls % 1000 == 0 else None)
                return super().work()

        connection = network.connect()
        worker = Failing(10_000, RecoverableChannelError("x"))
        connection._forget_default_channel = lambda: None  # closing costs time
        assert ensured(connection, worker)() == "done"
        assert len(depths - {None}) <= 2  # the first call is one frame up

    def test_a_thousand_reconnects_leave_nothing_behind(self, network, clock):
        connection = network.connect()
        producer = connection.Producer(exchange=Exchange("e"))

        def reconnect(times):
            worker = Worker(times, BrokerLost("x"))
            ensured(connection, worker, on_revive=producer.revive)()
            worker.revived.clear()

        reconnect(3)
        gc.collect()
        before = len(gc.get_objects())
        reconnect(1000)
        network.attempts.clear()
        clock.sleeps.clear()
        gc.collect()
        assert network.established > 1000
        assert abs(len(gc.get_objects()) - before) < 200

    def test_errors_that_are_over_do_not_live_on(self, network, clock):
        class Witness(BrokerLost):
            def __init__(self, text=""):
                super().__init__(text)
                alive.add(self)

        class Transport(network.transport):
            def establish_connection(self):
                fail()
                return super().establish_connection()

        def fail():
            if failures:
                failures.pop()
                raise Witness

        alive = weakref.WeakSet()
        connection = Connection(network.hosts[0], transport=Transport)
        gc.disable()  # nothing is to be left that had to be collected
        try:
            failures = [1, 1]
            connection.ensure_connection()
            assert len(alive) == 0
            failures = [1, 1, 1, 1]
            connection.ensure(connection, fail)()
            assert len(alive) == 0
        finally:
            gc.enable()
        assert not failures

    def test_ten_thousand_failed_connects(self, network, clock):
        network.kill()

        def errback(error, pause):
            if len(network.attempts) > 10_000:
                network.revive()

        connection = network.connect()
        connection.ensure_connection(errback)
        assert connection.connected


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
class test_fork:
    def in_child(self, check):
        """Run *check* in a child; return whether it was true."""
        pid = os.fork()
        if not pid:
            status = 1
            try:
                status = 0 if check() else 2
            finally:
                os._exit(status)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

    def test_a_child_connects_by_itself(self, network):
        connection = network.connect()
        channel = connection.default_channel

        def check():
            return (
                not connection.connected
                and connection.default_channel is not channel
                and not channel.closed
                and network.established == 2
                and network.closed == 0
            )

        assert self.in_child(check)
        assert connection.default_channel is channel
        assert network.closed == 0

    @pytest.mark.parametrize("close", ["release", "collect"])
    def test_a_child_does_not_close_what_its_parent_has(self, network, close):
        connection = network.connect()
        channel = connection.default_channel

        def check():
            getattr(connection, close)()
            return network.closed == 0 and not channel.closed

        assert self.in_child(check)
        assert connection.connected

    def test_draining_in_a_child(self, network):
        connection = network.connect()
        connection.connect()

        def check():
            with pytest.raises(socket.timeout):
                connection.drain_events(timeout=0.001)
            return network.established == 2

        assert self.in_child(check)

    def test_a_warm_pool(self, network):
        pool = network.connect().Pool(2)
        with pool.acquire() as connection:
            inherited = connection.connect()

        def check():
            with pool.acquire() as connection:
                return (
                    connection.connect() is not inherited
                    and network.established == 2
                    and network.closed == 0
                )

        assert self.in_child(check)
        with pool.acquire() as connection:
            assert connection.connection is inherited


class test_Pool:
    def test_limit(self, network):
        pool = network.connect().Pool(2)
        assert isinstance(pool, ConnectionPool)
        one, other = pool.acquire(), pool.acquire()
        assert one is not other
        with pytest.raises(ConnectionLimitExceeded):
            pool.acquire()
        one.release()
        assert pool.acquire() is one
        assert repr(pool) == "<ConnectionPool: 2 in use, 0 idle, limit 2>"

    def test_with_gives_it_back(self, network):
        pool = network.connect().Pool(1)
        with pool.acquire() as connection:
            driver_connection = connection.connect()
        with pool.acquire() as again:
            assert again is connection
            assert again.connection is driver_connection
        assert network.closed == 0

    def test_without_a_limit_nothing_is_kept(self, network):
        pool = network.connect().Pool()
        with pool.acquire() as connection:
            connection.connect()
        assert network.closed == 1

    def test_preload(self, network):
        network.connect().Pool(3, preload=2)
        assert network.established == 2

    def test_closed(self, network):
        pool = network.connect().Pool(2)
        in_use = pool.acquire()
        in_use.connect()
        with pool.acquire() as idle:
            idle.connect()
        pool.force_close_all()
        assert network.closed == 2
        with pytest.raises(RuntimeError, match="closed pool"):
            pool.acquire()
        in_use.release()

    def test_broken_ones_are_replaced_when_given_out(self, network):
        pool = network.connect().Pool(1)
        with pool.acquire() as connection:
            lost = connection.connect()
        network.kill()
        with pool.acquire() as connection:
            assert connection._connection is None
        network.revive()
        with pool.acquire() as connection:
            assert connection.connect() is not lost

    def test_one_that_was_lost_in_the_block_connects_anew(self, network):
        pool = network.connect().Pool(1)
        with pytest.raises(BrokerLost):
            with pool.acquire() as connection:
                connection.connect()
                raise BrokerLost
        with pool.acquire() as again:
            assert again is connection
            again.connect()
        assert network.established == 2

    @pytest.mark.parametrize("error", [ValueError, FileNotFoundError])
    def test_errors_of_the_block_itself_leave_it_as_it_is(self, network, error):
        pool = network.connect().Pool(1)
        with pytest.raises(error):
            with pool.acquire() as connection:
                connection.connect()
                raise error
        with pool.acquire() as again:
            again.connect()
        assert network.established == 1

    def test_acquire_channel(self, network):
        pool = network.connect().Pool(1)
        with pool.acquire_channel(block=True) as (connection, channel):
            assert isinstance(connection, PooledConnection)
            assert channel is connection.default_channel
        assert pool.acquire() is connection

    def test_acquire_channel_gives_back_after_an_error(self, network):
        network.kill()
        pool = network.connect(transport_options={"max_retries": 0}).Pool(1)
        with pytest.raises(OperationalError):
            with pool.acquire_channel():
                pytest.fail("there is no channel")
        assert len(pool._dirty) == 0

    def test_copies_belong_to_no_pool(self, network):
        connection = network.connect().Pool(1).acquire()
        for copied in (connection.clone(), copy.copy(connection)):
            assert type(copied) is Connection
            assert copied.hostname == connection.hostname

    def test_pickled_ones_belong_to_no_pool(self):
        pool = Connection(f"memory://{uuid4()}").Pool(1)
        copied = pickle.loads(pickle.dumps(pool.acquire()))
        assert type(copied) is Connection

    @pytest.mark.usefixtures("logs")
    def test_logs(self, network, caplog):
        with network.connect().Pool(1).acquire():
            pass
        assert "acquired" in caplog.text
        assert "released" in caplog.text


class test_ChannelPool:
    def test_limit(self, connection):
        pool = connection.ChannelPool(1)
        assert isinstance(pool, ChannelPool)
        channel = pool.acquire()
        with pytest.raises(ChannelLimitExceeded):
            pool.acquire()
        channel.release()
        assert pool.acquire() is channel

    def test_closed_ones_are_replaced(self, connection):
        pool = connection.ChannelPool(1)
        channel = pool.acquire()
        channel.release()
        channel.close()
        again = pool.acquire()
        assert again is not channel
        assert not again.closed


def test_many_connections_are_many_brokers():
    one, other = f"memory://{uuid4()}", f"memory://{uuid4()}"
    with Connection(one) as here, Connection(other) as there:
        here.Producer().publish("x", routing_key="q", declare=[Queue("q")])
        Queue("q")(there).declare()
        assert Queue("q")(there).get() is None
        assert Queue("q")(here).get().payload == "x"
