from __future__ import annotations

import pytest
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.schema import CreateTable

from kombu.transport.sqlalchemy._statements import Statements, now_in_milliseconds
from kombu.transport.sqlalchemy._tables import Tables


def mariadb(version=(10, 11, 6)):
    dialect = mysql.dialect()
    dialect.is_mariadb = True
    dialect.server_version_info = version
    return dialect


def mysql_8():
    dialect = mysql.dialect()
    dialect.server_version_info = (8, 0, 30)
    return dialect


def sqlite_of(version):
    import types

    dialect = sqlite.dialect()
    dialect.dbapi = types.SimpleNamespace(sqlite_version_info=version)
    return dialect


def text(statement, dialect):
    return " ".join(str(statement.compile(dialect=dialect)).split())


def statements(dialect, topic=""):
    return Statements(Tables.named(), dialect, topic)


class test_postgresql:
    def test_claims_in_one_statement_passing_over_what_is_locked(self):
        dialect = postgresql.dialect()

        found = text(statements(dialect).claim, dialect)

        assert found.startswith("WITH chosen AS (SELECT kombu_message.id")
        assert "ORDER BY kombu_message.place, kombu_message.id" in found
        assert "FOR UPDATE SKIP LOCKED) UPDATE kombu_message SET" in found
        assert "RETURNING kombu_message.id" in found

    def test_puts_and_notifies_in_one_statement(self):
        dialect = postgresql.dialect()

        found = text(statements(dialect, "kombu_message").put, dialect)

        assert "nextval('message_id_sequence')" in found
        assert "SELECT pg_notify('kombu_message', kombu_queue.name)" in found

    def test_puts_without_notifying(self):
        dialect = postgresql.dialect()

        assert "pg_notify" not in text(statements(dialect).put, dialect)

    def test_guard_lets_others_refer_to_the_queue(self):
        dialect = postgresql.dialect()

        found = text(statements(dialect).lock_queue, dialect)

        assert found.endswith("FOR NO KEY UPDATE")

    def test_asks_for_the_server_time(self):
        assert "clock_timestamp()" in str(now_in_milliseconds(postgresql.dialect()))


class test_mysql:
    @pytest.mark.parametrize("dialect", [mariadb(), mysql_8()])
    def test_locks_by_the_right_index_passing_over_what_is_locked(self, dialect):
        found = statements(dialect)

        claim = text(found.claim, dialect)
        assert not found.returns_updates
        assert "FORCE INDEX (ix_kombu_message_ready)" in claim
        assert claim.endswith("FOR UPDATE SKIP LOCKED")

    def test_old_release_waits_for_locks(self):
        dialect = mariadb((10, 5, 0))

        assert text(statements(dialect).claim, dialect).endswith("FOR UPDATE")

    def test_topic_has_no_effect(self):
        dialect = mariadb()

        found = statements(dialect, "topic")

        assert not found.tells
        assert "notify" not in text(found.put, dialect)

    def test_payload_may_be_long_and_names_compare_exactly(self):
        tables = Tables.named()

        assert "payload LONGTEXT" in text(CreateTable(tables.message), mysql_8())
        assert "utf8mb4_bin" in text(CreateTable(tables.queue), mysql_8())


class test_sqlite:
    @pytest.mark.skipif(
        not hasattr(sqlite.dialect(), "update_returning"), reason="SQLAlchemy 1.4"
    )
    def test_claims_in_one_statement(self):
        dialect = sqlite_of((3, 40, 0))

        found = text(statements(dialect).claim, dialect)

        assert found.startswith("UPDATE kombu_message SET")
        assert "RETURNING id, payload, version, deliveries, place" in found

    def test_old_release_claims_in_two(self):
        dialect = sqlite_of((3, 34, 0))

        found = statements(dialect)

        assert not found.returns_updates
        assert text(found.claim, dialect).startswith("SELECT")

    def test_plans_use_an_index(self, channel):
        broker = channel.connection.broker
        found, values = broker.statements.look(["q"])
        query = text(found, broker.database.dialect)

        def plan(connection):
            explained = f"EXPLAIN QUERY PLAN {query}"
            marks = tuple(values.values()) * 3 + ("q", 0) * 9
            wanted = query.count("?")
            return connection.exec_driver_sql(explained, marks[:wanted]).all()

        steps = [row[-1] for row in broker.database.run(plan)]

        for name in ("ready", "deliver_at", "expires_at"):
            assert any(f"ix_kombu_message_{name}" in step for step in steps)
        assert not any(step.startswith("SCAN kombu_message") for step in steps)
        assert not any("TEMP B-TREE" in step for step in steps)


def test_look_is_built_once_for_a_number_of_queues():
    found = statements(postgresql.dialect())

    first, values = found.look(["a", "b"])
    second, _ = found.look(["c", "d"])

    assert first is second
    assert values == {"name_0": "a", "name_1": "b"}
    assert text(first, postgresql.dialect()).count("UNION ALL") == 1


def test_version_is_counted_as_the_database_does():
    assert Statements.version_after(1) == 2
    assert Statements.version_after(30000) == 1


class test_tables:
    @pytest.mark.parametrize(
        "dialect", [postgresql.dialect(), mysql_8(), sqlite.dialect()]
    )
    def test_columns_of_kombu_57_come_first(self, dialect):
        found = text(CreateTable(Tables.named().message), dialect)

        names = ("id", "visible", "timestamp", "payload", "version", "queue_id")
        places = [found.index(f"{name} ") for name in names]
        assert places == sorted(places)

    def test_columns_that_are_added_need_no_value(self):
        tables = Tables.named()

        for name in tables.added:
            column = tables.message.c[name]
            assert column.nullable or column.server_default is not None
