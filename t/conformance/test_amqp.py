"""The AMQP transport keeps what every transport promises, on RabbitMQ."""

from __future__ import annotations

from urllib.error import HTTPError
from urllib.parse import quote

import amqp
import pytest

from kombu.connection import Connection
from kombu.testing import Harness
from kombu.testing.conformance import *  # noqa: F403
from kombu.transport._amqp.options import Options
from t.brokers.fixtures import rabbitmq  # noqa: F401


class RabbitMQHarness(Harness):
    """The virtual host *url* of the node *server*."""

    def __init__(self, server, url):
        # Each publish waits for its confirmation: what was published is there.
        options = {"confirm_publish": True}
        super().__init__(url, options, patience=20.0, idle=0.2)
        self.gathered_acks = Options.gathered_acks
        self._server = server

    def kill_broker(self):
        self._server.kill()

    def start_broker(self):
        self._server.start()

    def exists(self, queue):
        # A passive declaration counts as a use of the queue.
        name = quote(getattr(queue, "name", queue), safe="")
        vhost = Connection(self.url).virtual_host
        try:
            self._server.manage("GET", f"queues/{vhost}/{name}")
        except HTTPError as exc:
            if exc.code != 404:
                raise
            return False
        return True

    def put_raw(self, queue, data):
        address = Connection(self.url)
        with amqp.Connection(
            f"{address.hostname}:{address.port}", virtual_host=address.virtual_host
        ) as connection:
            message = amqp.Message(data, content_type="application/x-python-serialize")
            connection.channel().basic_publish(message, routing_key=queue)


#: What RabbitMQ does not do as the other transports do, and why.
DIFFERENT = {
    "test_queue_that_is_consumed_elsewhere_is_not_deleted_if_unused_is_asked": (
        "it refuses with PRECONDITION_FAILED"
    ),
    "test_stopped_consumer_keeps_only_what_it_has_got[flow]": (
        "it has no channel.flow, and closes the connection"
    ),
    "test_deleted_queue_is_declared_again_by_who_publishes": (
        "it says that a message reached no queue only if it is mandatory"
    ),
    "test_deliveries_are_counted": "only quorum queues count",
    "test_closing_hands_back_at_once": "only quorum queues count",
    "test_what_reached_no_callback_comes_back_unmarked": (
        "it marks what it has sent, whoever saw it"
    ),
    "test_queues_that_are_not_full_have_what_another_refused": (
        "it does not say which queue refused"
    ),
    "test_highest_priority_is_active": "3.10 takes the first consumer as the active one",
    "test_dead_letters_fill_a_queue_with_a_limit": "it dead-letters a moment later",
    "test_other_queues_of_the_owner_stay": (
        "a queue can not be declared again with other arguments"
    ),
}


@pytest.fixture(autouse=True)
def _is_the_same(request):
    if request.node.name in DIFFERENT:
        pytest.skip(f"RabbitMQ: {DIFFERENT[request.node.name]}")


@pytest.fixture
def harness(rabbitmq):  # noqa: F811
    url = rabbitmq.new_vhost()
    with RabbitMQHarness(rabbitmq, url) as harness:
        yield harness
    rabbitmq.delete_vhost(url)
