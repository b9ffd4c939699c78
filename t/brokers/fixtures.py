"""Fixtures: one instance of each server for a pytest process, started when asked for.

Import them into a ``conftest.py``.  Where a server is missing, tests skip; with
``CI=true`` in the environment they fail, so that an install step that was forgotten
shows.
"""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, TypeVar

import pytest

from t.brokers.mariadb import MariaDB
from t.brokers.postgresql import PostgreSQL
from t.brokers.rabbitmq import RabbitMQ, RunningRabbitMQ
from t.brokers.server import Missing
from t.brokers.sql import RunningServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from t.brokers.sql import SqlServer

T = TypeVar("T", bound="SqlServer | RunningServer | RabbitMQ | RunningRabbitMQ")

__all__ = ("mariadb", "postgresql", "rabbitmq")


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
