from __future__ import annotations

import io
import logging
import os
import pickle

import pytest

from kombu.utils.div import emergency_dump_state


@pytest.fixture
def path_of():
    """Return what gives the path of a dump, which is removed at the end."""
    paths = []

    def dump(*args, **kwargs):
        paths.append(emergency_dump_state(*args, **kwargs))
        return paths[-1]

    yield dump
    for path in paths:
        os.remove(path)


def test_pickles_the_state(path_of):
    stderr = io.StringIO()

    path = path_of({"a": 1}, stderr=stderr)

    with open(path, "rb") as file:
        assert pickle.load(file) == {"a": 1}
    assert stderr.getvalue() == f"EMERGENCY DUMP STATE TO FILE -> {path} <-\n"


def test_shows_what_can_not_be_pickled(path_of):
    stderr = io.StringIO()

    path = path_of({"key\ud800": lambda: 1}, stderr=stderr)

    with open(path, encoding="utf-8") as file:
        assert "<function" in file.read()
    assert "Cannot pickle state" in stderr.getvalue()


def test_says_so_in_the_log(path_of, caplog):
    with caplog.at_level(logging.ERROR, "kombu.utils.div"):
        path = path_of([])

    assert path in caplog.text


def test_other_files_and_dumps(path_of):
    opened, dumped = [], []

    class Kept(io.StringIO):
        def close(self):
            opened.append(self.getvalue())
            super().close()

    def dump(state, file, protocol):
        dumped.append((state, protocol))
        raise ValueError("no")

    path_of([1], open_file=lambda path, mode: Kept(), dump=dump, stderr=io.StringIO())

    assert dumped == [([1], 0)]
    assert opened == ["", "[1]"]
