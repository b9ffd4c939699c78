"""Whatever process is killed, and be it the server: no message is lost, none doubled."""

from __future__ import annotations

import os

import pytest

from t.brokers.sql import execute
from t.integration.crash.fleet import Fleet

MESSAGES = int(os.environ.get("KOMBU_TEST_CRASH_MESSAGES", "5000"))

#: Seconds of a lease: more than a busy machine keeps a living process waiting.
LEASE = 4.0


def run(fleet, lost_acks=0):
    fleet.run()
    ledger = fleet.account()
    print(f"{fleet.kills} kills: {ledger}")
    ledger.check(lost_acks)
    assert len(ledger.numbers("published")) > MESSAGES * 0.9
    return ledger


def test_filesystem(tmp_path):
    data = tmp_path / "data"
    options = {
        "data_folder_in": str(data),
        "data_folder_out": str(data),
        "control_folder": str(tmp_path / "control"),
        "visibility_timeout": LEASE,
        "polling_interval": 0.2,
    }
    (tmp_path / "logs").mkdir()
    fleet = Fleet("filesystem://", options, tmp_path / "logs", MESSAGES)

    run(fleet)

    # What a producer was killed over while it wrote was not published; it is
    # cleared away when it is old.
    left = [p for p in data.rglob("*.msg") if p.is_file() and ".tmp" not in p.parts]
    assert not left, f"settled messages are still there: {left[:5]}"


class Server:
    """Kills a server at some of the kills of workers, and starts it again."""

    def __init__(self, server):
        self.server = server

    def __call__(self, kills):
        if kills % 25 == 10:
            self.server.kill()
            self.server.start()


def run_on_sql(url, folder, on_kill=None):
    options = {"visibility_timeout": LEASE, "polling_interval": 0.2}
    (folder / "logs").mkdir()

    run(Fleet(f"sqla+{url}", options, folder / "logs", MESSAGES, on_kill))

    [[left]] = execute(url, "SELECT count(*) FROM kombu_message")
    assert left == 0, "rows of settled messages are still there"


def test_sqlite(tmp_path):
    run_on_sql(f"sqlite:///{tmp_path / 'broker.db'}", tmp_path)


@pytest.mark.parametrize("name", ["postgresql", "mariadb"])
def test_server(name, request, tmp_path):
    server = request.getfixturevalue(name)

    run_on_sql(server.new_database(), tmp_path, Server(server))
