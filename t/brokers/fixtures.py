"""Fixtures: one instance of each server for a pytest process, started when asked for.

Import them into a ``conftest.py``.  Where a server is missing, tests skip; with
``CI=true`` in the environment they fail, so that an install step that was forgotten
shows.
"""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Protocol, TypeVar

import pytest

from t.brokers.broker_j import BrokerJ, RunningBrokerJ
from t.brokers.mariadb import MariaDB
from t.brokers.postgresql import PostgreSQL
from t.brokers.rabbitmq import RabbitMQ, RunningRabbitMQ
from t.brokers.redis import Redis, RunningRedis
from t.brokers.redis_cluster import RedisCluster
from t.brokers.redis_secured import SecuredRedis
from t.brokers.redis_sentinel import SentinelRedis
from t.brokers.server import Missing
from t.brokers.sql import RunningServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from t.brokers.sql import SqlServer

    class Closable(Protocol):
        def close(self) -> None: ...

    class Startable(Closable, Protocol):
        def start(self) -> None: ...


S = TypeVar("S", bound="Startable")
T = TypeVar("T", bound="Closable")

__all__ = (
    "broker_j",
    "mariadb",
    "postgresql",
    "rabbitmq",
    "rabbitmq_amqp1",
    "redis_cluster",
    "redis_secured",
    "redis_sentinel",
    "redis_server",
)


@functools.cache
def instance(kind: type[SqlServer]) -> SqlServer | RunningServer:
    """Return the server of this process, however many conftests import the fixtures."""
    url = os.environ.get(kind.variable)
    if url:
        return RunningServer(kind.name, url)
    server = kind()
    server.start()
    return server


def _served(start: Callable[[], T]) -> Iterator[T]:
    problem = ""
    try:
        server = start()
    except Missing as exc:
        problem = str(exc)
    if problem and os.environ.get("CI") == "true":
        pytest.fail(problem, pytrace=False)
    if problem:
        pytest.skip(problem)
    yield server
    server.close()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[SqlServer | RunningServer]:
    """A PostgreSQL, for the whole session; a test that kills it starts it again."""
    yield from _served(functools.partial(instance, PostgreSQL))


@pytest.fixture(scope="session")
def mariadb() -> Iterator[SqlServer | RunningServer]:
    """A MariaDB, for the whole session; a test that kills it starts it again."""
    yield from _served(functools.partial(instance, MariaDB))


@functools.cache
def _rabbitmq() -> RabbitMQ | RunningRabbitMQ:
    url = os.environ.get(RabbitMQ.variable)
    if url:
        return RunningRabbitMQ(url)
    server = RabbitMQ()
    server.start()
    return server


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQ | RunningRabbitMQ]:
    """A RabbitMQ, for the whole session; a test that kills it starts it again."""
    yield from _served(_rabbitmq)


@functools.cache
def _redis() -> Redis | RunningRedis:
    url = os.environ.get(Redis.variable)
    if url:
        return RunningRedis(url)
    return _started(Redis)


@functools.cache
def _started(kind: Callable[[], S]) -> S:
    server = kind()
    server.start()
    return server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis | RunningRedis]:
    """A Redis, for the whole session; a test that kills it starts it again."""
    yield from _served(_redis)


@pytest.fixture(scope="session")
def redis_secured() -> Iterator[SecuredRedis]:
    """A Redis with TLS and users."""
    yield from _served(functools.partial(_started, SecuredRedis))


@pytest.fixture(scope="session")
def redis_sentinel() -> Iterator[SentinelRedis]:
    """A Redis with a replica and a Sentinel; who killed the master starts it again."""
    yield from _served(functools.partial(_started, SentinelRedis))


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[RedisCluster]:
    """A Redis Cluster; a test that kills a node starts it again."""
    yield from _served(functools.partial(_started, RedisCluster))


@functools.cache
def _rabbitmq_amqp1() -> RabbitMQ | RunningRabbitMQ:
    url = os.environ.get("KOMBU_TEST_RABBITMQ_AMQP1_URL")
    if url:
        return RunningRabbitMQ(url)
    return _started(functools.partial(RabbitMQ, plugins=("rabbitmq_amqp1_0",)))


@pytest.fixture(scope="session")
def rabbitmq_amqp1() -> Iterator[RabbitMQ | RunningRabbitMQ]:
    """A RabbitMQ that speaks AMQP 1.0 too."""
    yield from _served(_rabbitmq_amqp1)


@functools.cache
def _broker_j() -> BrokerJ | RunningBrokerJ:
    url = os.environ.get(BrokerJ.variable)
    if url:
        return RunningBrokerJ(url)
    return _started(BrokerJ)


@pytest.fixture(scope="session")
def broker_j() -> Iterator[BrokerJ | RunningBrokerJ]:
    """A Qpid Broker-J, for the whole session; a test that kills it starts it again."""
    yield from _served(_broker_j)
