from __future__ import annotations

import sys
from collections import namedtuple
from types import ModuleType

import pytest

from kombu import Connection, Queue
from kombu.exceptions import DriverNotInstalled
from kombu.transport import librabbitmq

Declared = namedtuple("Declared", "queue message_count consumer_count")


class DriverChannel:
    """What the driver's channel does, with one queue."""

    def __init__(self, connection):
        self.connection = connection
        self.is_open = True
        self.published = []
        self.acknowledged = []

    def queue_declare(self, queue="", **options):
        return Declared(queue, len(self.published), 0)

    def basic_publish(
        self,
        body,
        exchange="",
        routing_key="",
        mandatory=False,
        immediate=False,
        **properties,
    ):
        self.published.append((body, properties))

    def basic_get(self, queue="", no_ack=False):
        if not self.published:
            return None
        body, properties = self.published.pop(0)
        info = {"delivery_tag": 1, "exchange": "", "routing_key": queue}
        return self.Message(self, properties, info, memoryview(body))

    def basic_ack(self, delivery_tag, multiple=False):
        self.acknowledged.append(delivery_tag)

    def close(self):
        self.is_open = False


class DriverConnection:
    def __init__(self, **parameters):
        self.parameters = parameters
        self.connected = True
        self.server_properties = {"product": "RabbitMQ", "version": "3.12.1"}

    def channel(self):
        return self.Channel(self)

    def close(self):
        self.connected = False


@pytest.fixture
def driver(monkeypatch):
    module = ModuleType("librabbitmq")
    module.Channel, module.Connection = DriverChannel, DriverConnection
    module.ConnectionError = type("ConnectionError", (Exception,), {})
    module.ChannelError = type("ChannelError", (Exception,), {})
    module.__version__ = "9.9"
    monkeypatch.setitem(sys.modules, "librabbitmq", module)
    librabbitmq._driver.cache_clear()
    yield module
    librabbitmq._driver.cache_clear()


@pytest.fixture
def _no_driver(monkeypatch):
    monkeypatch.setitem(sys.modules, "librabbitmq", None)
    librabbitmq._driver.cache_clear()


def test_messages(driver):
    with Connection("librabbitmq://me:secret@host//v") as connection:
        channel = connection.default_channel
        connection.Producer().publish(
            {"a": 1}, routing_key="q", headers={"h": 1}, priority=3
        )
        message = Queue("q")(channel).get()
        message.ack()

    assert message.payload == {"a": 1}
    assert message.headers == {"h": 1}
    assert message.properties["priority"] == 3
    assert channel.acknowledged == [1]


def test_text_and_bytes(driver):
    with Connection("librabbitmq://") as connection:
        channel = connection.default_channel
        for body in ("täxt", b"\xff"):
            connection.Producer().publish(body, routing_key="q")
            assert Queue("q")(channel).get(no_ack=True).payload == body


def test_parameters(driver):
    options = {"frame_max": 4096}
    with Connection("librabbitmq://me:secret@host//v", transport_options=options) as c:
        assert c.connection.parameters == {
            "host": "host",
            "userid": "me",
            "password": "secret",
            "virtual_host": "/v",
            "port": 5672,
            "frame_max": 4096,
        }
        assert c.connected
        assert not c.qos_semantics_matches_spec
        assert c.transport.driver_version() == "9.9"


def test_errors(driver):
    connection = Connection("librabbitmq://")

    assert driver.ConnectionError in connection.connection_errors
    assert driver.ChannelError in connection.channel_errors
    assert issubclass(librabbitmq.Channel, DriverChannel)
    assert issubclass(librabbitmq.Connection, DriverConnection)


def test_tls_is_refused(driver):
    with pytest.raises(NotImplementedError, match="amqps://"):
        Connection("librabbitmq://", ssl=True).connect()


def test_queue_arguments(driver):
    with Connection("librabbitmq://") as connection:
        prepare = connection.default_channel.prepare_queue_arguments

        assert prepare({}, message_ttl=2) == {"x-message-ttl": 2000}


@pytest.mark.usefixtures("_no_driver")
def test_without_the_package():
    connection = Connection("librabbitmq://")

    assert OSError in connection.connection_errors
    with pytest.raises(DriverNotInstalled, match="pip install"):
        connection.connect()


def test_no_such_name():
    with pytest.raises(AttributeError, match="colour"):
        librabbitmq.colour  # noqa: B018
