from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kombu.transport.redis.resp import Part, bulk, command, part
from t.unit.transport.redis.server import commands_in


def test_what_is_sent():
    assert command(part("SET", "k"), part(1)) == (
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\n1\r\n"
    )


def test_length_is_in_bytes():
    assert bulk("é") == b"$2\r\n\xc3\xa9\r\n"
    assert bulk(b"\r\n") == b"$2\r\n\r\n\r\n"


def test_numbers_can_be_read_by_the_server():
    assert bulk(0.25) == b"$4\r\n0.25\r\n"
    assert bulk(-3) == b"$2\r\n-3\r\n"


def test_parts_are_added():
    assert part("a") + part("b", "c") == part("a", "b", "c")
    assert part() == Part(0, b"")


@given(st.lists(st.lists(st.binary()), min_size=1))
def test_arguments_come_as_they_were_given(groups):
    sent = command(part("X"), *(part(*group) for group in groups))

    assert list(commands_in(sent)) == [[b"X", *(x for group in groups for x in group)]]
