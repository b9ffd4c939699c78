from __future__ import annotations

from io import BytesIO
from struct import unpack

import pytest
from amqp.serialization import loads
from hypothesis import given
from hypothesis import strategies as st

from kombu.exceptions import EncodeError
from kombu.transport._amqp.frames import (
    PublishFrames,
    ack_frame,
    confirm_select_frame,
    nack_frame,
    reject_frame,
)


def frames_in(data):
    """Return kind, channel and payload of each frame."""
    stream, found = BytesIO(data), []
    while head := stream.read(7):
        kind, channel, size = unpack(">BHI", head)
        found.append((kind, channel, stream.read(size)))
        assert stream.read(1) == b"\xce"
    return found


def published(*args, frame_max=4096, **options):
    parts = PublishFrames(7, frame_max).make(*args, **options)
    return frames_in(b"".join(parts))


def test_method_header_and_body():
    method, header, body = published("ex", "a.b", b"\0\0", b"hello", mandatory=True)

    assert method[:2] == (1, 7)
    assert method[2][:4] == b"\0\x3c\0\x28"
    assert loads("Bssbb", method[2], 4)[0] == [0, "ex", "a.b", True, False]
    assert header == (2, 7, b"\0\x3c\0\0" + b"\0" * 7 + b"\5" + b"\0\0")
    assert body == (3, 7, b"hello")


def test_immediate():
    assert published("", "", b"\0\0", b"", immediate=True)[0][2][-1] == 2


def test_empty_body_has_no_frame():
    assert len(published("", "q", b"\0\0", b"")) == 2


@given(st.binary(max_size=500), st.integers(60, 120))
def test_body_is_split_as_was_agreed(body, frame_max):
    _, _, *bodies = published("", "q", b"\0\0", body, frame_max=frame_max)

    assert b"".join(payload for _, _, payload in bodies) == body
    assert all(len(payload) <= frame_max - 8 for _, _, payload in bodies)


def test_without_a_limit_a_body_is_one_frame():
    assert len(published("", "q", b"\0\0", b"x" * 200_000, frame_max=0)) == 3


def test_routing_keys_without_number():
    frames = PublishFrames(1, 0)

    for number in range(2000):
        parts = frames.make("", f"key{number}", b"\0\0", b"")
        assert f"key{number}".encode() in parts[0]

    assert len(frames._methods) <= PublishFrames._KEPT


@pytest.mark.parametrize("names", [("x" * 256, "q"), ("", "é" * 128)])
def test_names_that_are_too_long(names):
    with pytest.raises(EncodeError, match="255 bytes"):
        published(*names, b"\0\0", b"")


def test_headers_that_fit_no_frame():
    with pytest.raises(EncodeError, match="frame_max"):
        published("", "q", b"x" * 5000, b"")


def test_settling():
    [(_, _, acked)] = frames_in(ack_frame(3, 9, True))
    [(_, _, rejected)] = frames_in(reject_frame(3, 9, True))
    [(_, channel, nacked)] = frames_in(nack_frame(3, 9, True, True))

    assert acked[:4] == b"\0\x3c\0\x50"
    assert loads("Lb", acked, 4)[0] == [9, True]
    assert rejected[:4] == b"\0\x3c\0\x5a"
    assert loads("Lb", rejected, 4)[0] == [9, True]
    assert nacked[:4] == b"\0\x3c\0\x78"
    assert loads("Lbb", nacked, 4)[0] == [9, True, True]
    assert channel == 3


def test_confirm_select():
    assert frames_in(confirm_select_frame(5)) == [(1, 5, b"\0\x55\0\x0a\1")]
