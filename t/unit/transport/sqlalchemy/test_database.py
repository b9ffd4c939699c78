from __future__ import annotations

import os
import sqlite3

import pytest
from sqlalchemy import exc as sql_errors

from kombu.exceptions import (
    ChannelError,
    ConnectionError,
    DriverNotInstalled,
    InvalidURL,
)
from kombu.transport.sqlalchemy import _engines
from kombu.transport.sqlalchemy._database import Database
from kombu.transport.sqlalchemy._errors import (
    DatabaseLost,
    DatabaseRefused,
    is_lost,
    is_transient,
    translated,
)


def busy():
    orig = sqlite3.OperationalError("database is locked")
    return sql_errors.OperationalError("UPDATE x", {}, orig)


def of_server(*arguments, sqlstate=None, statement="SELECT 1", lost=False):
    orig = Exception(*arguments)
    orig.sqlstate = sqlstate
    return sql_errors.OperationalError(statement, {}, orig, connection_invalidated=lost)


class test_errors:
    @pytest.mark.parametrize("state", ["40001", "40P01", "55P03"])
    def test_postgresql_says_try_again(self, state):
        assert is_transient(of_server("deadlock", sqlstate=state))

    @pytest.mark.parametrize("number", [1205, 1213, 1020])
    def test_mysql_says_try_again(self, number):
        assert is_transient(of_server(number, "deadlock"))

    def test_sqlite_says_try_again(self):
        assert is_transient(busy())

    def test_anything_else_is_final(self):
        error = of_server("no such table")

        assert not is_transient(error)
        assert not is_lost(error)

    @pytest.mark.parametrize(
        "error",
        [
            of_server("gone", lost=True),
            of_server("shutting down", sqlstate="57P01"),
            of_server("broken", sqlstate="08006"),
            of_server(2006, "gone away"),
            of_server("refused", statement=None),
            sql_errors.TimeoutError("pool"),
        ],
    )
    def test_lost(self, error):
        found = translated(error, "db")

        assert isinstance(found, DatabaseLost)
        assert isinstance(found, (ConnectionError, sql_errors.OperationalError))

    def test_refused(self):
        found = translated(of_server("no such table: x"), "db")

        assert isinstance(found, DatabaseRefused)
        assert isinstance(found, ChannelError)
        assert isinstance(found, sql_errors.DatabaseError)
        assert str(found) == "db refuses: no such table: x (Exception)"

    def test_is_translated_once(self):
        found = translated(of_server("x"), "db")

        assert translated(found, "db") is found

    def test_shows_no_password(self):
        found = translated(of_server("login of u:hunter2 failed"), "db", "hunter2")

        assert "hunter2" not in str(found) + repr(found)


class test_url:
    def test_password_is_hidden(self):
        database = Database("postgresql://me:hunter2@host/db?sslmode=require", {})

        assert "hunter2" not in repr(database)
        assert "host" in database.name

    @pytest.mark.parametrize("url", ["nonsense", "://x", "a:b:c", "x://h:port/d"])
    def test_nonsense(self, url):
        with pytest.raises(InvalidURL):
            Database(url, {}).engine()

    def test_unknown_database(self):
        with pytest.raises(InvalidURL, match="nosuchdb"):
            Database("nosuchdb://host/x", {}).engine()

    def test_missing_driver_is_named(self, monkeypatch):
        def create_engine(*args, **kwargs):
            raise ModuleNotFoundError("No module named 'psycopg2'", name="psycopg2")

        monkeypatch.setattr(_engines, "create_engine", create_engine)

        with pytest.raises(DriverNotInstalled, match="psycopg2"):
            Database("postgresql+psycopg2://host/x", {}).engine()


@pytest.fixture
def database(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/x.db", {})
    yield database
    database.close()


def count(connection):
    return connection.exec_driver_sql("SELECT count(*) FROM t").scalar()


def make(connection):
    connection.exec_driver_sql("CREATE TABLE t (n INTEGER)")


def insert(connection):
    connection.exec_driver_sql("INSERT INTO t VALUES (1)")


class test_running:
    def test_what_is_busy_is_tried_again(self, database, clock):
        tries = []

        def work(connection):
            tries.append(1)
            if len(tries) < 4:
                raise busy()
            return "done"

        assert database.run(work) == "done"

    def test_not_for_ever(self, database, clock):
        def work(connection):
            raise busy()

        before = clock.now
        with pytest.raises(DatabaseRefused, match="locked"):
            database.run(work)

        assert clock.now - before == pytest.approx(30, abs=1)

    def test_nothing_is_left_of_what_failed(self, database):
        database.run(make)

        def work(connection):
            insert(connection)
            connection.exec_driver_sql("nonsense")

        with pytest.raises(DatabaseRefused):
            database.run(work)

        assert database.run(count) == 0

    def test_other_errors_pass_and_undo(self, database):
        database.run(make)

        def work(connection):
            insert(connection)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            database.run(work)

        assert database.run(count) == 0

    def test_sqlite_is_set_up(self, database):
        def ask(name):
            return database.run(lambda c: c.exec_driver_sql(f"PRAGMA {name}").scalar())

        assert [ask("journal_mode"), ask("synchronous"), ask("foreign_keys")] == [
            "wal",
            2,
            1,
        ]

    def test_database_in_memory_is_one_for_all_threads(self):
        import threading

        database = Database("sqlite://", {})
        database.run(make)
        threads = [
            threading.Thread(target=lambda: [database.run(insert) for _ in range(20)])
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert database.is_in_memory
        assert database.path is None
        assert database.run(count) == 60


class test_holding:
    def test_is_one_transaction(self, database):
        database.run(make)

        with pytest.raises(ZeroDivisionError):
            with database.holding(insert):
                database.run(insert)
                assert database.run(count) == 2
                raise ZeroDivisionError

        assert database.run(count) == 0

    def test_what_fails_within_undoes_itself_alone(self, database):
        database.run(make)

        with database.holding(insert):
            with pytest.raises(DatabaseRefused):
                database.run(lambda c: [insert(c), c.exec_driver_sql("nonsense")])
            database.run(insert)

        assert database.run(count) == 2

    def test_lock_is_tried_again(self, database, clock):
        database.run(make)
        tries = []

        def lock(connection):
            tries.append(1)
            if len(tries) < 3:
                raise busy()

        with database.holding(lock):
            database.run(insert)

        assert database.run(count) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_child_has_connections_of_its_own(database):
    database.run(make)
    engine = database.engine()
    reader, writer = os.pipe()

    pid = os.fork()
    if pid == 0:
        try:
            database.run(insert)
            answer = b"same" if database.engine() is engine else b"own"
            database.close()
        except BaseException as exc:
            answer = repr(exc).encode()
        os.write(writer, answer)
        os._exit(0)
    os.waitpid(pid, 0)

    assert os.read(reader, 1000) == b"own"
    assert database.engine() is engine
    assert database.run(count) == 1
