"""One tree of errors, catchable under the old names."""

from __future__ import annotations

import queue
import socket
import subprocess
import sys

import amqp
import pytest

from kombu import exceptions
from kombu.exceptions import KombuError

OWN = [
    name
    for name in exceptions.__all__
    if isinstance(getattr(exceptions, name), type)
    and getattr(exceptions, name).__module__.startswith("kombu")
]


class test_tree:
    @pytest.mark.parametrize("name", OWN)
    def test_all_errors_of_ours_are_in_one_tree(self, name):
        assert issubclass(getattr(exceptions, name), KombuError)

    def test_nothing_is_missing(self):
        assert len(OWN) >= 24

    @pytest.mark.parametrize(
        ("name", "old"),
        [
            ("TimeoutError", socket.timeout),
            ("AMQPError", amqp.AMQPError),
            ("ChannelError", amqp.ChannelError),
            ("ConnectionError", amqp.ConnectionError),
            ("RecoverableChannelError", amqp.RecoverableChannelError),
            ("RecoverableConnectionError", amqp.RecoverableConnectionError),
            ("ResourceError", amqp.ResourceError),
        ],
    )
    def test_names_of_other_libraries(self, name, old):
        assert getattr(exceptions, name) is old

    @pytest.mark.parametrize(
        ("name", "olds"),
        [
            ("NotFound", [amqp.NotFound, amqp.ChannelError]),
            ("PreconditionFailed", [amqp.PreconditionFailed, amqp.ChannelError]),
            ("ResourceLocked", [amqp.ResourceLocked, amqp.ChannelError]),
            ("InconsistencyError", [amqp.ConnectionError]),
            ("UnboundEntityError", [amqp.ChannelError, exceptions.NotBoundError]),
            ("ContentDisallowed", [exceptions.SerializerNotInstalled]),
            ("EncodeError", [exceptions.SerializationError]),
            ("DecodeError", [exceptions.SerializationError]),
            ("ConnectionLimitExceeded", [exceptions.LimitExceeded]),
            ("ChannelLimitExceeded", [exceptions.LimitExceeded]),
            ("DriverNotInstalled", [ImportError]),
            ("InvalidURL", [ValueError]),
            ("TransportNotFound", [KeyError]),
        ],
    )
    def test_catchable_as(self, name, olds):
        for old in olds:
            assert issubclass(getattr(exceptions, name), old)

    @pytest.mark.parametrize(
        "name",
        [
            "NotFound",
            "PreconditionFailed",
            "ResourceLocked",
            "InconsistencyError",
            "UnboundEntityError",
        ],
    )
    def test_protocol_errors_show_their_text(self, name):
        assert str(getattr(exceptions, name)("queue q is gone")) == "queue q is gone"

    def test_unknown_name(self):
        with pytest.raises(AttributeError, match="has no attribute 'Bogus'"):
            exceptions.Bogus

    def test_amqp_is_not_imported_before_it_is_needed(self):
        code = (
            "import sys, kombu.exceptions as e; assert 'amqp' not in sys.modules;"
            "e.OperationalError; assert 'amqp' not in sys.modules;"
            "assert issubclass(e.NotFound, e.ChannelError); assert 'amqp' in sys.modules"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


class test_texts:
    def test_transport_not_found_is_not_quoted(self):
        assert str(exceptions.TransportNotFound("No such transport: x")) == (
            "No such transport: x"
        )
        assert str(exceptions.TransportNotFound()) == ""

    def test_http_error(self):
        error = exceptions.HttpError(404, "Not Found", response="r")
        assert str(error) == "HTTP 404: Not Found"
        assert (error.code, error.message, error.response) == (404, "Not Found", "r")

    def test_unroutable(self):
        error = exceptions.UnroutableError("ex", "key")
        assert (error.exchange, error.routing_key) == ("ex", "key")
        assert (error.reply_code, error.reply_text) == (312, "NO_ROUTE")
        assert "'ex'" in str(error)
        assert "'key'" in str(error)
        assert "declare" in str(error)


class test_reraise:
    def test_raises_the_same_error(self):
        error = ValueError("x")
        with pytest.raises(ValueError) as caught:
            exceptions.reraise(ValueError, error)
        assert caught.value is error

    def test_with_another_traceback(self):
        try:
            raise KeyError("inner")
        except KeyError as exc:
            traceback = exc.__traceback__
        with pytest.raises(ValueError) as caught:
            exceptions.reraise(ValueError, ValueError("x"), traceback)
        assert traceback in _tracebacks(caught.value.__traceback__)


def _tracebacks(traceback):
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def test_simple_queues_raise_the_standard_empty():
    from kombu.simple import SimpleQueue

    assert SimpleQueue.Empty is queue.Empty
