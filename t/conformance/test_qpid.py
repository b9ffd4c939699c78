"""The AMQP 1.0 transport keeps what every transport promises, as far as a broker can.

What is offered depends on the broker: the harness asks a connection, not the class.
"""

from __future__ import annotations

import proton
import pytest

from kombu.connection import Connection
from kombu.entity import Exchange
from kombu.exceptions import NotFound
from kombu.testing import Harness
from kombu.testing.conformance import *  # noqa: F403
from kombu.transport._capabilities import EMULATED
from kombu.transport._qpid.dialects import Target
from t.brokers.fixtures import broker_j, rabbitmq_amqp1  # noqa: F401


class QpidHarness(Harness):
    """A broker that speaks AMQP 1.0."""

    #: There is none in AMQP 1.0: each link has its own credit.
    has_channel_prefetch = False

    def __init__(self, server, url):
        # Each publish waits for its outcome: what was published is there.
        super().__init__(
            url,
            # A broker that answers no more is to be an error that says so.
            {"confirm_publish": True, "read_timeout": 60, "blocked_timeout": 60},
            patience=20.0,
            idle=0.2,
        )
        # Not gathered: the broker reads them when it can, and forgets what it has not
        # read when the system resets the connection of a consumer that was killed.
        self.gathered_acks = 64
        self._server = server

    @property
    def _offered(self):
        self.connection.connect()
        return self.connection.transport.implements

    def supports(self, ability):
        return bool(self._offered.support(ability))

    def emulates(self, ability):
        return self._offered.support(ability).level == EMULATED

    def kill_broker(self):
        self._server.kill()

    def start_broker(self):
        self._server.start()

    def put_raw(self, queue, data):
        with self.connect() as connection:
            channel = connection.channel()
            target = channel.dialect.target("", queue, False)
            message = proton.Message(
                body=data, inferred=True, content_type="application/x-python-serialize"
            )
            sender = channel._sender(target)
            with channel.connection.lock:
                sender.send("raw", message.encode(), True)
            channel.connection.flush()
            assert isinstance(target, Target)


class RabbitMQHarness(QpidHarness):
    """RabbitMQ with its plug-in, which declares nothing but plain queues.

    What a test wants to be there is declared by AMQP 0-9-1, as users have to.
    """

    def _begin(self):
        super()._begin()
        self._amqp = Connection(self.url.replace("qpid://", "amqp://"))

    def exchange(self, name="exchange", type="direct", *, connection=None, **options):
        options = {"durable": False, "delivery_mode": "transient", **options}
        exchange = Exchange(self.unique(name), type, **options)
        exchange(self._amqp.default_channel).declare()
        return exchange((connection or self.connection).default_channel)

    def queue(
        self, name="queue", exchange=None, routing_key="", *, connection=None, **options
    ):
        queue = self.undeclared_queue(name, exchange, routing_key, **options)
        queue(self._amqp.default_channel).declare()
        return queue((connection or self.connection).default_channel)

    def size(self, queue):
        name = getattr(queue, "name", queue)
        with self._amqp.channel() as channel:
            return channel.queue_declare(name, passive=True).message_count

    def exists(self, queue):
        name = getattr(queue, "name", queue)
        with self._amqp.channel() as channel:
            try:
                channel.queue_declare(name, passive=True)
            except NotFound:
                return False
        return True

    def cleanup(self):
        super().cleanup()
        self._amqp.close()


#: What a broker does not do as other transports do, and why.
BROKER_J = {
    "test_queue_that_is_consumed_elsewhere_is_not_deleted_if_unused_is_asked": (
        "it refuses with PRECONDITION_FAILED, as RabbitMQ does"
    ),
    "test_deleted_queue_is_declared_again_by_who_publishes": (
        "it says that a message reached no queue only if it is mandatory"
    ),
    "test_what_reached_no_callback_comes_back_unmarked": (
        "it marks what it has sent, whoever saw it"
    ),
    "test_queue_that_may_hold_nothing": "it takes 0 for no limit: that is refused",
    "test_queues_that_are_not_full_have_what_another_refused": (
        "it does not say which queue refused"
    ),
    "test_full_queue_takes_back_what_was_in_hand": "what is in hand counts for it",
    "test_names_may_hold_anything[a/b]": "it takes a/b for key b of exchange a",
    "test_topic_exchange_matches_words[*--False]": "its * matches an empty word",
    "test_headers_exchange_matches_headers[arguments8-headers8-False]": (
        "it knows all and any, not all-with-x"
    ),
    "test_headers_exchange_matches_headers[arguments10-headers10-True]": (
        "it knows all and any, not any-with-x"
    ),
    "test_stranger_knows_the_type_of_the_exchange[headers]": (
        "a binding without arguments matches nothing"
    ),
    "test_other_queues_of_the_owner_stay": (
        "a declaration that says nothing is of a queue that goes with its consumers"
    ),
    "test_all_that_amqp_allows_are_told_apart": "above 127 it takes them for low ones",
    "test_above_the_highest_counts_as_the_highest": (
        "it tells ten priorities apart, if fewer are asked for"
    ),
}

_DELETES = "its plug-in deletes no queue: AbilityNotOffered"
_DECLARES = "its plug-in declares plain queues alone: AbilityNotOffered"
_BINDS = "its plug-in declares and binds no exchange: AbilityNotOffered"
_COUNTS = "its plug-in does not tell how many consumers and messages there are"

RABBITMQ = {
    **dict.fromkeys(
        (
            "test_declaring_again_does_not_double_what_is_bound",
            "test_bindings_may_change_while_others_publish",
            "test_bindings_of_other_keys_stay",
            "test_connections_that_declare_the_same_at_once",
            "test_deleted_exchange_routes_no_more",
            "test_deleted_queue_is_declared_again_by_who_publishes",
            "test_messages_of_several_queues_go_back_to_their_own",
            "test_stranger_binds_what_others_declared",
            "test_stranger_deletes_the_exchange",
            "test_stranger_that_has_published_learns_of_bindings_that_went",
            "test_stranger_unbinds",
            "test_they_go_to_the_queue_they_came_from",
            "test_threads_declare_the_same",
            "test_unbound_queue_gets_nothing_more",
            # Those of a SimpleQueue, which has an exchange of its own.
            "test_empty_queue_raises",
            "test_size_and_clear",
            "test_waiting_get_is_woken_by_a_put",
            "test_what_is_put_is_got_in_order",
            "test_what_was_not_got_goes_back_when_it_is_closed",
        ),
        _BINDS,
    ),
    **dict.fromkeys(
        (
            "test_deleted_queue_is_bound_no_more",
            "test_deleted_queue_is_gone_with_its_messages",
            "test_deleting_a_queue_that_is_not_there_is_no_error",
            "test_empty_unused_queue_is_deleted",
            "test_messages_of_a_deleted_queue_do_not_bring_it_back",
            "test_queue_that_is_consumed_elsewhere_is_not_deleted_if_unused_is_asked",
            "test_queue_with_consumers_is_not_deleted_if_unused_is_asked",
            "test_queue_with_messages_is_not_deleted_if_empty_is_asked",
            "test_stranger_deletes_the_queue",
            "test_what_is_in_hand_of_a_deleted_queue_does_not_come_back",
            "test_what_is_in_hand_of_a_deleted_queue_is_not_its_successors",
        ),
        _DELETES,
    ),
    **dict.fromkeys(
        (
            "test_other_queues_of_the_owner_stay",
            "test_queue_without_a_name_gets_one",
            "test_twisted_envelope_can_be_put_back",
        ),
        _DECLARES,
    ),
    **dict.fromkeys(
        (
            "test_consumer_of_another_process_counts_until_it_is_killed",
            "test_consumers_of_all_connections_count",
            "test_declaration_tells_name_messages_and_consumers",
        ),
        _COUNTS,
    ),
    **dict.fromkeys(
        ("test_closing_hands_back_at_once", "test_deliveries_are_counted"),
        "its plug-in does not count deliveries",
    ),
    "test_names_may_hold_anything[\\xfcmlaut]": "it takes UTF-8 for Latin-1",
    "test_what_reached_no_callback_comes_back_unmarked": (
        "it marks what it has sent, whoever saw it"
    ),
}

DIFFERENT = {"broker-j": BROKER_J, "rabbitmq": RABBITMQ}


@pytest.fixture(params=["broker-j", "rabbitmq"])
def broker(request):
    return request.param


@pytest.fixture(autouse=True)
def _is_the_same(request, broker):
    name = request.node.name.replace(f"{broker}-", "").replace(f"-{broker}", "")
    name = name.replace(f"[{broker}]", "")
    known = DIFFERENT[broker]
    reason = known.get(name) or known.get(request.node.originalname)
    if reason:
        pytest.skip(f"{broker}: {reason}")


@pytest.fixture
def harness(request, broker):
    if broker == "broker-j":
        server = request.getfixturevalue("broker_j")
        with QpidHarness(server, server.url) as harness:
            yield harness
        return
    server = request.getfixturevalue("rabbitmq_amqp1")
    url = server.new_vhost()
    with RabbitMQHarness(server, url.replace("amqp://", "qpid://")) as harness:
        yield harness
    server.delete_vhost(url)
