from __future__ import annotations

import logging

import pytest

from kombu.transport.filesystem._aside import Aside


@pytest.fixture
def aside(tmp_path):
    return Aside(f"{tmp_path}/bad/")


def test_file_is_kept_and_told_of_once(aside, tmp_path, caplog):
    path = tmp_path / "x.q.msg"
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            path.write_text("?")
            aside.put(str(path), "x", "it is no message")

    assert (tmp_path / "bad" / "x").read_text() == "?"
    assert not path.exists()
    (record,) = caplog.records
    assert f"{path} can not be read (it is no message): kept as" in record.getMessage()


def test_file_that_is_gone_is_nobodys_business(aside, tmp_path, caplog):
    aside.put(f"{tmp_path}/gone", "gone", "it is no message")

    assert not caplog.records


def test_what_can_not_be_moved_is_left(aside, tmp_path, caplog):
    (tmp_path / "bad" / "x").mkdir(parents=True)
    path = tmp_path / "x.q.msg"
    path.write_text("?")

    with caplog.at_level(logging.WARNING):
        aside.put(str(path), "x", "it is no message")

    assert path.exists()
    assert "left there" in caplog.text
