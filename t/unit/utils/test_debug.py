from __future__ import annotations

import logging

import pytest

from kombu.utils.debug import Logwrapped, setup_logging


class Channel:
    number = 5

    def publish(self, body, priority=0):
        return body

    def __repr__(self):
        return "<Channel>"


class Managed(Channel):
    entered = left = None

    def __enter__(self):
        self.entered = True
        return "not the wrapper"

    def __exit__(self, *exc_info):
        self.left = exc_info[0]
        return True


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.DEBUG, "some.channel")
    return caplog


class test_Logwrapped:
    def test_logs_calls(self, log):
        wrapped = Logwrapped(Channel(), "some.channel", "[{0}] ")

        assert wrapped.publish("100%s", priority=1) == "100%s"

        assert log.messages == ["[<Channel>] publish('100%s', priority=1)"]

    def test_without_ident(self, log):
        Logwrapped(Channel(), logging.getLogger("some.channel")).publish(1)

        assert log.messages == ["publish(1)"]

    def test_logs_nothing_when_nobody_wants_it(self, log):
        log.set_level(logging.INFO, "some.channel")

        assert Logwrapped(Channel(), "some.channel").publish(1) == 1

        assert log.messages == []

    def test_without_logger(self):
        assert Logwrapped(Channel()).publish(1) == 1

    def test_looks_like_the_object(self, log):
        wrapped = Logwrapped(Channel(), "some.channel")

        assert wrapped.number == 5
        assert repr(wrapped) == "<Channel>"
        assert "publish" in dir(wrapped)
        assert wrapped.publish.__name__ == "publish"
        assert log.messages == []
        with pytest.raises(AttributeError, match="'Channel' object has no"):
            wrapped.nothing

    def test_callables_without_name(self, log):
        class Half:
            def __call__(self, number):
                return number / 2

        class Object:
            half = Half()

        assert Logwrapped(Object(), "some.channel").half(2) == 1
        assert log.messages == ["half(2)"]

    def test_context_manager(self, log):
        managed = Managed()
        wrapped = Logwrapped(managed, "some.channel")

        with wrapped as entered:
            assert entered is wrapped
            raise ZeroDivisionError

        assert managed.entered
        assert managed.left is ZeroDivisionError

    def test_no_context_manager(self):
        with pytest.raises(AttributeError, match="'Channel' object.*__enter__"):
            Logwrapped(Channel()).__enter__()


@pytest.fixture
def clean_loggers():
    loggers = [
        logging.getLogger(name) for name in ("kombu.connection", "kombu.channel", "zz")
    ]
    before = [(logger.level, list(logger.handlers)) for logger in loggers]
    yield loggers
    for logger, (level, handlers) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = handlers


def test_setup_logging(clean_loggers):
    setup_logging()
    setup_logging(logging.INFO, ["zz"])
    connection, channel, other = clean_loggers

    assert connection.level == channel.level == logging.DEBUG
    assert other.level == logging.INFO
    for logger in clean_loggers:
        assert logging.StreamHandler in map(type, logger.handlers)
