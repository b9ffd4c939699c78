from __future__ import annotations

from contextlib import suppress
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kombu.transport._amqp.errors import BrokenFrame
from kombu.transport._amqp.frames import HEARTBEAT
from kombu.transport._amqp.parser import Confirmed, Delivered, OtherFrame, Parser
from t.unit.transport.amqp.frames import ack, deliver, frame, method, nack

CLOSE = method(1, (20, 40), "BsBB", (404, "NOT_FOUND", 60, 40))

RECORDED = b"".join(
    [
        HEARTBEAT,
        deliver(tag=1, body=b"hello"),
        deliver(tag=2),
        ack(2, 7),
        nack(2, 9, True),
        deliver(tag=3, body=b"x" * 10, piece=3),
        method(1, (50, 11), "sll", ("queue", 3, 0)),
    ]
)
EVENTS = [
    OtherFrame(8, 0, b""),
    Delivered(1, "consumer", 1, False, "ex", "key", b"\0\0", b"hello"),
    Delivered(1, "consumer", 2, False, "ex", "key", b"\0\0", b""),
    Confirmed(2, 7, False, False),
    Confirmed(2, 9, True, True),
    Delivered(1, "consumer", 3, False, "ex", "key", b"\0\0", b"x" * 10),
    OtherFrame(1, 1, b"\0\x32\0\x0b\x05queue\0\0\0\3\0\0\0\0"),
]


def received(*pieces, frame_max=0):
    parser = Parser(frame_max)
    return [event for piece in pieces for event in parser.receive(piece)]


def test_all_at_once():
    assert received(RECORDED) == EVENTS


@pytest.mark.parametrize("at", range(len(RECORDED) + 1))
def test_split_at_every_byte(at):
    assert received(RECORDED[:at], RECORDED[at:]) == EVENTS


def test_byte_by_byte():
    assert received(*(bytes((byte,)) for byte in RECORDED)) == EVENTS


def test_channels_take_turns():
    one, other = deliver(1, 1, b"aabb", piece=2), deliver(2, 5, b"cc")
    cut = len(one) - 10

    bodies = [(e.channel, e.body) for e in received(one[:cut] + other + one[cut:])]

    assert bodies == [(2, b"cc"), (1, b"aabb")]


def test_says_how_much_it_wants():
    parser = Parser()
    data = deliver(body=b"x" * 5000)

    parser.receive(data[:1000])

    assert parser.wanted == len(data) - 1000
    assert parser.receive(data[1000:])[0].body == b"x" * 5000
    assert parser.wanted == 0


def test_content_of_others_is_passed_on():
    header = frame(2, 1, pack(">HHQ", 60, 0, 2) + b"\0\0")

    assert received(header, frame(3, 1, b"hi")) == [
        OtherFrame(2, 1, pack(">HHQ", 60, 0, 2) + b"\0\0"),
        OtherFrame(3, 1, b"hi"),
    ]


def test_channel_that_is_closed_forgets_what_was_coming():
    begun = deliver(body=b"xxxx", piece=2)[:-10]

    events = received(begun, CLOSE, deliver(tag=1, body=b"new"))

    assert [type(event) for event in events] == [OtherFrame, Delivered]
    assert events[1].body == b"new"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"AMQP\0\0\x09\x01", "unknown kind"),
        (frame(1, 1, b"\0\x0a\0\x0a")[:-1] + b"\0", "ends with 0x00"),
        (frame(3, 1, b"x" * 200), "were agreed"),
        (method(1, (60, 60), "s", ("tag",)), "too short"),
        (frame(1, 1, b"\0\x3c\0\x50\0"), "too short"),
        (deliver(body=b"xx")[:-10] + deliver(), "within another"),
        (deliver(body=b"xx")[:-10] + frame(3, 1, b"xxx"), "more of a body"),
        (
            method(1, (60, 60), "sLbss", ("c", 1, False, "", "")) + frame(3, 1, b"x"),
            "more of a body",
        ),
        (
            method(1, (60, 60), "sLbss", ("c", 1, False, "", "")) + frame(2, 1, b"xx"),
            "header",
        ),
    ],
)
def test_broken_frames(data, text):
    with pytest.raises(BrokenFrame, match=text):
        received(data, frame_max=150)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data):
    with suppress(BrokenFrame):
        received(data, frame_max=4096)


@given(st.integers(0, len(RECORDED) - 1), st.integers(1, 255))
def test_one_wrong_byte_is_read_or_refused(at, change):
    wrong = bytearray(RECORDED)
    wrong[at] ^= change

    with suppress(BrokenFrame):
        received(bytes(wrong), frame_max=4096)


@given(
    st.lists(st.binary(max_size=50), max_size=6),
    st.integers(1, 60),
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
)
def test_bodies_however_they_come(bodies, piece, cuts):
    data = b"".join(
        deliver(tag=tag, body=body, piece=piece) for tag, body in enumerate(bodies)
    )
    parser = Parser()
    events = []
    while data:
        for cut in cuts:
            events += parser.receive(data[:cut])
            data = data[cut:]

    assert [event.body for event in events] == bodies
    assert repr(parser) == "<Parser: 0 bytes wait for more>"
