"""The SQLAlchemy transport keeps what every transport promises, on servers."""

from __future__ import annotations

import pytest

from kombu.testing.conformance import *  # noqa: F403
from kombu.testing.conformance.network import *  # noqa: F403
from t.brokers.fixtures import mariadb, postgresql  # noqa: F401
from t.conformance.sql import SqlHarness


@pytest.fixture(params=["postgresql", "mariadb"])
def harness(request):
    server = request.getfixturevalue(request.param)
    with SqlHarness(f"sqla+{server.new_database()}", idle=0.1) as harness:
        harness.server = server
        yield harness
