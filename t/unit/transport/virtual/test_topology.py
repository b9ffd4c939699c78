"""Tests of kombu.transport.virtual.topology, by transports that share their records."""

from __future__ import annotations

import pytest

from kombu import Connection
from kombu.exceptions import NotFound, RecoverableConnectionError, ResourceLocked
from kombu.transport import virtual
from kombu.transport.virtual.foreign_records import NoTopologyStore
from kombu.transport.virtual.local_records import LocalRecords
from kombu.transport.virtual.records import BINDING, EXCHANGE, QUEUE
from kombu.utils import waiting


class SharedRecords(LocalRecords):
    """Records that several transports have, as those of a store are."""


class Store:
    def __init__(self):
        self.records = SharedRecords()
        self.queues = {}


@pytest.fixture
def store(monkeypatch):
    store = Store()
    # What is shared is no LocalRecords to the kernel.
    monkeypatch.setattr(
        "kombu.transport.virtual.leasing_transport.LocalRecords", type("Other", (), {})
    )
    return store


@pytest.fixture
def make_channel(store):
    made = []

    class Channel(virtual.Channel):
        def _put(self, queue, message, **kwargs):
            store.queues.setdefault(queue, []).append(message)

        def _get(self, queue, timeout=None):
            if not store.queues.get(queue):
                raise virtual.Empty
            return store.queues[queue].pop(0)

        def _size(self, queue):
            return len(store.queues.get(queue, ()))

        def _purge(self, queue):
            return len(store.queues.pop(queue, ()))

        def _has_queue(self, queue, **kwargs):
            return queue in store.queues

    channel_cls = Channel

    class Transport(virtual.Transport):
        Channel = channel_cls

        def _make_records(self):
            return store.records

        def _needs_keeper(self):
            return False

    def make():
        connection = Connection(transport=Transport)
        made.append(connection)
        return connection.channel()

    yield make
    for connection in made:
        connection.close()


@pytest.fixture
def here(make_channel):
    return make_channel()


@pytest.fixture
def there(make_channel):
    return make_channel()


def publish(channel, exchange, key, headers=None):
    message = channel.prepare_message("body", headers=headers)
    channel.basic_publish(message, exchange, key)


class test_what_one_declares_another_knows:
    @pytest.mark.parametrize(
        ("type", "binding", "key"),
        [("direct", "k", "k"), ("topic", "a.#", "a.b.c"), ("fanout", "", "any")],
    )
    def test_bindings(self, here, there, store, type, binding, key):
        here.exchange_declare("ex", type)
        here.queue_declare("q")
        here.queue_bind("q", "ex", binding)

        publish(there, "ex", key)

        assert len(store.queues["q"]) == 1

    def test_arguments_of_bindings(self, here, there, store):
        here.exchange_declare("ex", "headers")
        here.queue_bind("q", "ex", "", {"x-match": "all", "a": 1})

        publish(there, "ex", "", {"a": 1})
        publish(there, "ex", "", {"a": 2})

        assert len(store.queues["q"]) == 1

    def test_bindings_between_exchanges(self, here, there, store):
        for name in ("from", "to"):
            here.exchange_declare(name)
        here.exchange_bind("to", "from", "k")
        here.queue_bind("q", "to", "k")

        publish(there, "from", "k")

        assert len(store.queues["q"]) == 1

    def test_arguments_of_queues(self, here, there, store):
        here.queue_declare("q", arguments={"x-max-length": 2})

        for _ in range(5):
            publish(there, "", "q")

        assert len(store.queues["q"]) == 2

    def test_exclusive_queues(self, here, there):
        here.queue_declare("q", exclusive=True)

        with pytest.raises(ResourceLocked):
            there.queue_purge("q")

    def test_exclusive_queue_passes_to_who_declares_it(self, here, there, store):
        here.queue_declare("q", exclusive=True)
        here.basic_publish(here.prepare_message("kept"), "", "q")
        here.basic_consume("q", False, print, "tag")

        there.queue_declare("q", exclusive=True)

        assert there.queue_declare("q", passive=True) == ("q", 1, 0)
        with pytest.raises(ResourceLocked):
            here.queue_purge("q")

    def test_strict_connection_gets_none_that_is_another_ones(self, here, there):
        here.queue_declare("q", exclusive=True)
        there.connection.client.strict = True

        with pytest.raises(ResourceLocked):
            there.queue_declare("q", exclusive=True)

    def test_closing_leaves_what_was_taken_over(self, here, there, store):
        here.queue_declare("q", exclusive=True)
        there.queue_declare("q", exclusive=True)
        there.basic_publish(there.prepare_message("kept"), "", "q")

        here.connection.close_connection(here.connection)

        assert there.queue_declare("q", passive=True).message_count == 1


class test_what_one_undoes_is_undone_for_another:
    @pytest.fixture(autouse=True)
    def bound(self, here, there):
        here.exchange_declare("ex")
        here.queue_declare("q")
        here.queue_bind("q", "ex", "k")
        there._refresh()

    def test_unbinding(self, here, there, store):
        there.queue_unbind("q", "ex", "k")

        publish(here, "ex", "k")

        assert "q" not in store.queues

    def test_unbinding_at_once(self, make_channel, store):
        # Before the one that has bound has read the records again.
        one, two = make_channel(), make_channel()
        one.queue_bind("other", "ex", "k2")
        two.queue_unbind("other", "ex", "k2")

        publish(one, "ex", "k2")

        assert "other" not in store.queues

    def test_deleting_the_queue(self, here, there, store):
        there.queue_delete("q")

        publish(here, "ex", "k")

        assert "q" not in store.queues
        assert store.records.read(QUEUE) == {}
        assert store.records.read(BINDING) == {}
        with pytest.raises(NotFound):
            here.queue_declare("q", passive=True)

    def test_deleting_the_exchange(self, here, there, store):
        there.exchange_delete("ex")

        with pytest.raises(NotFound):
            here.exchange_declare("ex", passive=True)
        assert store.records.read(EXCHANGE) == {}
        assert store.records.read(BINDING) == {}

    def test_deleting_and_declaring_in_another_way(self, here, there, store):
        there.exchange_delete("ex")
        there.exchange_declare("ex", "topic")
        there.queue_bind("q", "ex", "a.*")

        publish(here, "ex", "a.b")
        publish(here, "ex", "k")

        assert len(store.queues["q"]) == 1

    def test_deleting_tells_consumers(self, here, there):
        cancelled = []
        here.basic_consume("q", True, print, "tag", on_cancel=cancelled.append)

        there.queue_delete("q")
        here._refresh()
        with pytest.raises(virtual.Empty):
            here.drain_events()

        assert cancelled == ["tag"]

    def test_who_was_taken_for_dead_has_lost_the_connection(self, here, there):
        cancelled = []
        here.basic_consume("q", True, print, "tag", on_cancel=cancelled.append)
        transport = here.connection
        transport.own_records.retire(transport.owner)

        there.queue_delete("q")
        transport._renew()
        here._refresh()

        with pytest.raises(RecoverableConnectionError, match=r"lease .* deleted: q$"):
            here.drain_events()
        assert cancelled == []

    def test_who_has_not_noticed_yet_has_too(self, here, there):
        here.basic_consume("q", True, print, "tag")
        transport = here.connection
        transport._keeper = Keeper()
        transport._renewed_at = waiting.monotonic() - transport.visibility_timeout - 1

        there.queue_delete("q")
        here._refresh()

        with pytest.raises(RecoverableConnectionError):
            here.drain_events()


class Keeper:
    """Stands for the thread that keeps the lease."""

    def stop(self):
        pass


class test_at_the_same_time:
    def test_exchanges_declared_in_another_way_are_refused(self, here, there):
        here.exchange_declare("ex", "direct")

        with pytest.raises(virtual.NotEquivalentError):
            there.exchange_declare("ex", "topic")

    def test_the_first_declaration_of_a_queue_holds(self, here, there, store):
        here.queue_declare("q", arguments={"x-max-length": 2})
        there.queue_declare("q", arguments={"x-max-length": 9})

        assert store.records.read(QUEUE)["q"]["arguments"] == {"x-max-length": 2}
        assert there.state.policies["q"].max_length == 2


class test_consumers_of_others:
    def test_are_counted(self, here, there):
        here.queue_declare("q")
        here.basic_consume("q", True, print, "one")
        there.basic_consume("q", True, print, "one")

        assert here.queue_declare("q", passive=True).consumer_count == 2
        there.basic_cancel("one")
        assert here.queue_declare("q", passive=True).consumer_count == 1

    def test_keep_a_queue_that_goes_with_its_last_one(self, here, there, store):
        here.queue_declare("q", auto_delete=True)
        for channel in (here, there):
            channel.basic_consume("q", True, print, "tag")

        here.basic_cancel("tag")
        assert "q" in store.records.read(QUEUE)
        there.basic_cancel("tag")
        assert "q" not in store.records.read(QUEUE)

    def test_keep_a_queue_that_is_to_go_if_unused(self, here, there, store):
        here.queue_declare("q")
        there.basic_consume("q", True, print, "tag")

        assert here.queue_delete("q", if_unused=True) == 0
        assert "q" in store.records.read(QUEUE)


class test_topology_store:
    def connect(self, tmp_path):
        arguments = {
            "hostname": "filesystem://",
            "transport_options": {
                name: str(tmp_path / "store")
                for name in ("data_folder_in", "data_folder_out", "control_folder")
            },
        }
        return Connection(
            "memory://borrowing", transport_options={"topology_store": arguments}
        )

    def test_borrows_the_records_of_another_transport(self, tmp_path):
        with self.connect(tmp_path) as here, self.connect(tmp_path) as there:
            here.channel().queue_declare("q", arguments={"x-max-length": 1})
            channel = there.channel()
            channel._refresh()

            assert channel.state.policies["q"].max_length == 1
            channel.queue_delete("q")

    def test_that_shares_nothing_is_refused(self):
        options = {"topology_store": "memory://another"}
        connection = Connection("memory://borrowing", transport_options=options)

        with pytest.raises(NoTopologyStore, match="memory://another"):
            connection.channel().queue_declare("q")
