from __future__ import annotations

import os
import re
import threading

import pytest

from kombu.utils import identity
from kombu.utils.identity import unique_id

SHAPE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}")


def test_has_the_shape_of_a_uuid():
    assert SHAPE.fullmatch(unique_id())
    assert len(unique_id()) == 36


def test_ids_of_a_process_count_up():
    first, second = unique_id(), unique_id()

    assert first[:24] == second[:24]
    assert int(second[24:], 16) == int(first[24:], 16) + 1


def test_threads_never_get_the_same_id():
    made = []

    def make():
        made.extend([unique_id() for _ in range(2000)])

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(made)) == len(made) == 8000


def test_a_new_prefix_begins_to_count_again(monkeypatch):
    monkeypatch.setattr(identity, "_prefix", identity._prefix)
    monkeypatch.setattr(identity, "_numbers", identity._numbers)
    before = unique_id()

    identity._begin()

    assert unique_id()[:24] != before[:24]
    assert unique_id().endswith("-000000000002")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_another_prefix():
    unique_id()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, unique_id().encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        id_of_child = pipe.read()

    assert SHAPE.fullmatch(id_of_child)
    assert id_of_child[:24] != unique_id()[:24]
