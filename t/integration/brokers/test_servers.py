"""Every server of `t.brokers` starts, answers, and keeps its data when it is killed."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from t.brokers.sql import execute


@pytest.fixture(params=["postgresql", "mariadb"])
def server(request):
    return request.getfixturevalue(request.param)


def test_answers(server):
    assert execute(server.url, "SELECT 6 * 7") == [(42,)]


def test_new_databases_are_empty_and_apart(server):
    one, other = server.new_database(), server.new_database()
    for url in (one, other):
        execute(url, "CREATE TABLE things (name VARCHAR(9))")
    execute(one, "INSERT INTO things VALUES ('bell')")

    assert execute(one, "SELECT * FROM things") == [("bell",)]
    assert execute(other, "SELECT * FROM things") == []


def insert_until_it_fails(url, committed):
    """Add to *committed* each number whose row is committed."""
    from sqlalchemy import create_engine

    with create_engine(url).connect() as connection:
        for number in count():
            connection.exec_driver_sql(f"INSERT INTO things VALUES ({number})")
            connection.commit()
            committed.append(number)


def test_what_was_committed_survives_a_kill(server):
    from sqlalchemy.exc import DBAPIError

    url = server.new_database()
    execute(url, "CREATE TABLE things (id INTEGER)")
    committed = []
    with ThreadPoolExecutor() as threads:
        writing = threads.submit(insert_until_it_fails, url, committed)
        while len(committed) < 100 and not writing.done():
            time.sleep(0.01)
        server.kill()
        with pytest.raises(DBAPIError):
            writing.result()

    with pytest.raises(DBAPIError):
        execute(url, "SELECT 1")
    server.start()

    found = {id for (id,) in execute(url, "SELECT id FROM things")}
    assert len(committed) >= 100
    assert found >= set(committed)
    execute(url, "INSERT INTO things VALUES (-1)")


def test_stop_keeps_data_too(server):
    url = server.new_database()
    execute(url, "CREATE TABLE things (id INTEGER)")
    server.stop()
    server.start()

    assert execute(url, "SELECT count(*) FROM things") == [(0,)]
