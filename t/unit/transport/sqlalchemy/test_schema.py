from __future__ import annotations

import sqlite3
import threading

import pytest
from sqlalchemy import event
from sqlalchemy import exc as sql_errors

from kombu.transport.sqlalchemy._database import Database
from kombu.transport.sqlalchemy._errors import DatabaseRefused
from kombu.transport.sqlalchemy._schema import prepare
from kombu.transport.sqlalchemy._tables import Tables
from t.unit.transport.sqlalchemy.envelopes import bodies, envelope

#: What kombu 5.7 has in a file of SQLite: two messages, one of which it has taken.
OLD = (
    "CREATE TABLE kombu_queue (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, "
    "name VARCHAR(200), UNIQUE (name))",
    "CREATE TABLE kombu_message (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, "
    "visible BOOLEAN, timestamp DATETIME, payload TEXT NOT NULL, "
    "version SMALLINT NOT NULL, queue_id INTEGER, "
    'CONSTRAINT "FK_kombu_message_queue" FOREIGN KEY(queue_id) '
    "REFERENCES kombu_queue (id))",
    "CREATE INDEX ix_kombu_message_visible ON kombu_message (visible)",
    "CREATE INDEX ix_kombu_message_timestamp_id ON kombu_message (timestamp, id)",
    "CREATE INDEX ix_kombu_message_timestamp ON kombu_message (timestamp)",
    "INSERT INTO kombu_queue VALUES (1, 'q')",
    "INSERT INTO kombu_message VALUES "
    "(1, 0, '2026-11-25 17:25:39.639323', '{\"body\": \"taken\"}', 2, 1)",
    'INSERT INTO kombu_message VALUES (2, 1, NULL, \'{"body": "ready"}\', 1, 1)',
)
OLD_GET = (
    "SELECT payload FROM kombu_message WHERE queue_id = 1 AND visible != 0 "
    "ORDER BY timestamp, id LIMIT 1"
)


@pytest.fixture
def old(store):
    for statement in OLD:
        store.rows(statement)
    return store


class test_tables_of_kombu_57:
    def test_what_is_ready_is_delivered_and_what_was_taken_is_not(self, old):
        channel = old.channel()

        assert channel._size("q") == 1
        assert bodies(channel._claim(["q"], 5)) == ["ready"]

    def test_old_peers_see_what_is_ready_and_nothing_else(self, old):
        channel = old.channel()
        later = int(channel._store_time() + 100) * 1000
        claims = channel._claim(["q"], 5)
        channel._put("q", envelope("rests", **{"x-deliver-at": later}))

        assert old.rows(OLD_GET) == []
        channel._release(claims)
        assert old.rows(OLD_GET) == [('{"body": "ready"}',)]

    def test_what_they_took_is_neither_reaped_nor_made_ready(self, old):
        channel = old.channel()

        assert channel._reap() == set()
        assert channel._claim_expired("q", 5) == []
        assert channel._next_due(["q"]) is None

    def test_what_they_took_goes_with_a_purge(self, old):
        assert old.channel()._purge("q") == 1

        assert old.rows("SELECT * FROM kombu_message") == []

    def test_their_inserts_need_none_of_our_columns(self, store):
        channel = store.channel()
        channel._new_queue("q")
        store.rows(
            "INSERT INTO kombu_message (visible, timestamp, payload, version, queue_id)"
            ' VALUES (1, NULL, \'{"body": "theirs"}\', 1, 1)'
        )

        (claim,) = channel._claim(["q"], 5)

        assert (claim.envelope["body"], claim.deliveries) == ("theirs", 0)
        assert channel._size_bytes("q") == 0

    def test_what_they_requeued_is_known_to_have_been_delivered(self, old):
        old.rows(
            "UPDATE kombu_message SET payload = "
            '\'{"body": "ready", "properties": {}, "redelivered": true}\''
        )

        (claim,) = old.channel()._claim(["q"], 5)

        assert claim.deliveries == 1


class test_making:
    def test_several_at_once(self, old):
        barrier, errors = threading.Barrier(4), []

        def connect():
            barrier.wait()
            try:
                old.channel()._put("q", envelope("x"))
            except Exception as exc:
                errors.append(exc)

        threads = [threading.Thread(target=connect) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert errors == []
        assert old.channel()._size("q") == 5

    def test_names_can_be_chosen(self, store):
        channel = store.channel(queue_tablename="qq", message_tablename="mm")
        channel._put("q", envelope("x"))

        found = store.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
        names = {name for (name,) in found} - {"sqlite_sequence"}
        assert names == {"qq", "mm", "mm_record", "mm_owner"}
        assert store.channel()._size("q") == 0

    def test_who_may_not_is_told_what_to_execute(self, old):
        database = Database(old.url, {})

        @event.listens_for(database.engine(), "before_cursor_execute")
        def forbid(connection, cursor, statement, *rest):
            if statement.startswith("ALTER"):
                orig = sqlite3.OperationalError("not allowed")
                raise sql_errors.OperationalError(statement, {}, orig)

        with pytest.raises(DatabaseRefused) as caught:
            prepare(database, Tables.named())

        assert "not allowed" in str(caught.value)
        assert "ALTER TABLE kombu_message ADD COLUMN claim_owner" in str(caught.value)

    def test_table_that_is_in_use_is_waited_for_and_then_named(self, old, clock):
        database = Database(old.url, {})

        @event.listens_for(database.engine(), "before_cursor_execute")
        def keep(connection, cursor, statement, *rest):
            if statement.startswith("ALTER"):
                orig = sqlite3.OperationalError("database is locked")
                raise sql_errors.OperationalError(statement, {}, orig)

        before = clock.now
        with pytest.raises(DatabaseRefused, match="keeps the table as it is: end it"):
            prepare(database, Tables.named())

        assert clock.now - before == pytest.approx(30, abs=1)
