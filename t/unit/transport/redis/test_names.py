from __future__ import annotations

import pytest
from redis import exceptions
from redis.sentinel import SentinelManagedSSLConnection

from kombu.transport import redis as module


class Lock:
    """A lock of redis-py's, held or not."""

    def __init__(self, is_free=True, has_expired=False):
        self.is_free = is_free
        self.has_expired = has_expired

    def lock(self, name, timeout):
        self.asked = (name, timeout)
        return self

    def acquire(self, blocking):
        was_free, self.is_free = self.is_free, False
        return was_free

    def release(self):
        self.is_free = True
        if self.has_expired:
            raise exceptions.LockNotOwnedError("it is somebody else's")


class test_mutex:
    def test_is_held_meanwhile(self):
        client = Lock()

        with module.Mutex(client, "name", 7):
            assert not client.is_free

        assert client.is_free
        assert client.asked == ("name", 7)

    def test_is_let_go_of_after_an_error(self):
        client = Lock()

        with pytest.raises(ValueError), module.Mutex(client, "name", 7):
            raise ValueError

        assert client.is_free

    def test_held_by_somebody_else(self):
        with pytest.raises(module.MutexHeld, match="'name'"):
            with module.Mutex(Lock(is_free=False), "name", 7):
                raise AssertionError("it is not ours")

    def test_that_has_expired(self):
        with module.Mutex(Lock(has_expired=True), "name", 7):
            pass


def test_errors():
    found = module.get_redis_error_classes()

    assert isinstance(found, module.error_classes_t)
    assert exceptions.ConnectionError in found.connection_errors
    assert exceptions.ResponseError in found.channel_errors
    assert module.get_redis_ConnectionError() is exceptions.ConnectionError


def test_constants():
    assert module.PRIORITY_STEPS == [0, 3, 6, 9]
    assert (module.DEFAULT_PORT, module.DEFAULT_DB) == (6379, 0)
    assert module.QoS is module.Channel.QoS


def test_of_the_driver():
    assert module.SentinelManagedSSLConnection is SentinelManagedSSLConnection
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = module.Nothing


def test_all_names_are_there():
    for name in module.__all__:
        assert getattr(module, name) is not None
