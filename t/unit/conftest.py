"""Fixtures of the unit tests: a broker for each, and a clock that they turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from kombu import Connection
from t.unit.fakes import Clock, FakeChannel, Network

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def connection() -> Iterator[Connection]:
    """A connection to a broker that no other test has."""
    with Connection(f"memory://{uuid4()}") as connection:
        yield connection


@pytest.fixture
def channel() -> FakeChannel:
    """A channel that records what is called."""
    return FakeChannel()


@pytest.fixture
def network() -> Network:
    """One broker that dies on demand."""
    return Network()


@pytest.fixture
def clock(monkeypatch: Any) -> Clock:
    """A clock that only sleeping advances."""
    return Clock().install(monkeypatch)
