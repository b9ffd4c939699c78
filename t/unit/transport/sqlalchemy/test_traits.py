from __future__ import annotations

import pytest
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.schema import CreateTable

from kombu.transport.sqlalchemy._claims import ClaimStatements
from kombu.transport.sqlalchemy._looks import LookStatements
from kombu.transport.sqlalchemy._puts import PutStatements
from kombu.transport.sqlalchemy._queues import QueueStatements
from kombu.transport.sqlalchemy._settling import SettleStatements
from kombu.transport.sqlalchemy._tables import Tables
from kombu.transport.sqlalchemy._traits import Traits, now_in_milliseconds


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


def tables(dialect):
    return Tables.named(kind=dialect.name)


def of(kind, dialect, topic=""):
    return kind(tables(dialect), Traits.of(dialect, topic))


class test_postgresql:
    def test_claims_in_one_statement_passing_over_what_is_locked(self):
        dialect = postgresql.dialect()

        found = text(of(ClaimStatements, dialect).claim, dialect)

        assert found.startswith("WITH chosen AS (SELECT kombu_message.id")
        assert "ORDER BY kombu_message.place, kombu_message.id" in found
        assert "FOR UPDATE SKIP LOCKED) UPDATE kombu_message SET" in found
        assert "RETURNING kombu_message.id" in found

    def test_puts_and_notifies_in_one_statement(self):
        dialect = postgresql.dialect()

        found = text(of(PutStatements, dialect, "kombu_message").put, dialect)

        assert "nextval('message_id_sequence')" in found
        assert "SELECT pg_notify('kombu_message', kombu_queue.name)" in found

    def test_puts_without_notifying(self):
        dialect = postgresql.dialect()

        found = of(PutStatements, dialect).put
        assert "pg_notify" not in text(found, dialect)
        # Whether the queue was there is known by the count alone.
        assert found.get_execution_options()["preserve_rowcount"]

    def test_guard_lets_others_refer_to_the_queue(self):
        dialect = postgresql.dialect()

        found = text(QueueStatements(tables(dialect)).lock, dialect)

        assert found.endswith("FOR NO KEY UPDATE")

    def test_asks_for_the_server_time(self):
        assert "clock_timestamp()" in str(now_in_milliseconds(postgresql.dialect()))


class test_mysql:
    @pytest.mark.parametrize("dialect", [mariadb(), mysql_8()])
    def test_locks_by_the_right_index_passing_over_what_is_locked(self, dialect):
        found = of(ClaimStatements, dialect)

        claim = text(found.claim, dialect)
        assert not found.returns_updates
        assert "FORCE INDEX (ix_kombu_message_ready)" in claim
        assert claim.endswith("FOR UPDATE SKIP LOCKED")

    def test_old_release_waits_for_locks(self):
        dialect = mariadb((10, 5, 0))

        assert text(of(ClaimStatements, dialect).claim, dialect).endswith("FOR UPDATE")

    def test_topic_has_no_effect(self):
        dialect = mariadb()

        found = of(PutStatements, dialect, "topic")

        assert not found.tells
        assert "notify" not in text(found.put, dialect)

    def test_payload_may_be_long_and_names_compare_exactly(self):
        dialect = mysql_8()
        found = tables(dialect)

        assert "payload LONGTEXT" in text(CreateTable(found.message), dialect)
        assert "utf8mb4_bin" in text(CreateTable(found.queue), dialect)

    def test_what_is_ready_has_an_index_that_kombu_57_can_not_use(self):
        dialect = mariadb()
        found = tables(dialect)

        table = text(CreateTable(found.message), dialect)
        assert (
            "ready_in INTEGER GENERATED ALWAYS AS "
            "(CASE WHEN visible THEN queue_id END) STORED"
        ) in table
        (index,) = (i for i in found.message.indexes if i.name.endswith("_ready"))
        assert [column.name for column in index.columns] == ["ready_in", "place", "id"]
        claim = text(of(ClaimStatements, dialect).claim, dialect)
        assert "WHERE kombu_message.ready_in = (SELECT kombu_queue.id" in claim

    @pytest.mark.parametrize("dialect", [mariadb(), mysql_8()])
    def test_settles_in_the_order_of_locks_of_kombu_57(self, dialect):
        settle = text(of(SettleStatements, dialect).settle, dialect)

        assert settle.startswith(
            "DELETE kombu_message FROM kombu_message "
            "FORCE INDEX (ix_kombu_message_timestamp_id) WHERE"
        )
        assert "kombu_message.timestamp IS NULL" in settle
        # What is claimed is found there.
        mark = text(of(ClaimStatements, dialect).mark, dialect)
        assert "timestamp=NULL" in mark

    def test_locks_what_is_due_in_that_order(self):
        dialect = mariadb()
        found = of(LookStatements, dialect)

        assert "FOR UPDATE" not in text(found.find_due, dialect)
        lock = text(found.lock_due, dialect)
        assert "FORCE INDEX (ix_kombu_message_timestamp_id)" in lock
        assert lock.endswith("FOR UPDATE")

    def test_table_with_an_odd_name_is_quoted(self):
        dialect = mariadb()
        found = Tables.named("the queue", "a`b", dialect.name)

        settle = text(SettleStatements(found, Traits.of(dialect)).settle, dialect)

        assert settle.startswith(
            "DELETE `a``b` FROM `a``b` FORCE INDEX (`ix_a``b_timestamp_id`)"
        )


class test_sqlite:
    @pytest.mark.skipif(
        not hasattr(sqlite.dialect(), "update_returning"), reason="SQLAlchemy 1.4"
    )
    def test_claims_in_one_statement(self):
        dialect = sqlite_of((3, 40, 0))

        found = text(of(ClaimStatements, dialect).claim, dialect)

        assert found.startswith("UPDATE kombu_message SET")
        assert "RETURNING id, payload, version, deliveries, place" in found

    def test_old_release_claims_in_two(self):
        dialect = sqlite_of((3, 34, 0))

        found = of(ClaimStatements, dialect)

        assert not found.returns_updates
        assert text(found.claim, dialect).startswith("SELECT")

    def test_plans_use_an_index(self, channel):
        broker = channel.connection.broker
        statements = LookStatements(broker.tables, Traits.of(broker.database.dialect))
        found, values = statements.look(["q"])
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
    found = of(LookStatements, postgresql.dialect())

    first, values = found.look(["a", "b"])
    second, _ = found.look(["c", "d"])

    assert first is second
    assert values == {"name_0": "a", "name_1": "b"}
    assert text(first, postgresql.dialect()).count("UNION ALL") == 1


def test_version_is_counted_as_the_database_does():
    assert ClaimStatements.version_after(1) == 2
    assert ClaimStatements.version_after(30000) == 1


class test_tables:
    @pytest.mark.parametrize(
        "dialect", [postgresql.dialect(), mysql_8(), sqlite.dialect()]
    )
    def test_columns_of_kombu_57_come_first(self, dialect):
        found = text(CreateTable(tables(dialect).message), dialect)

        names = ("id", "visible", "timestamp", "payload", "version", "queue_id")
        places = [found.index(f"{name} ") for name in names]
        assert places == sorted(places)

    def test_columns_that_are_added_need_no_value(self):
        for dialect in (postgresql.dialect(), mysql_8()):
            found = tables(dialect)
            for name in found.added:
                column = found.message.c[name]
                assert column.nullable or column.server_default is not None
