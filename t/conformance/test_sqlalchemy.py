"""The SQLAlchemy transport keeps what every transport promises, on SQLite."""

from __future__ import annotations

import pytest

from kombu.testing.conformance import *  # noqa: F403
from kombu.testing.conformance.paused import *  # noqa: F403
from t.conformance.sql import SqlHarness


class SqliteHarness(SqlHarness):
    lease = 0.6  # one process at a time may write


@pytest.fixture
def harness(tmp_path):
    with SqliteHarness(f"sqla+sqlite:///{tmp_path}/kombu.db", idle=0.1) as harness:
        yield harness
