"""Frames as a broker sends them, for tests."""

from __future__ import annotations

from struct import pack

from amqp.serialization import dumps


def frame(kind, channel, payload):
    return pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


def method(channel, numbers, form="", arguments=()):
    return frame(1, channel, pack(">HH", *numbers) + dumps(form, list(arguments)))


def deliver(channel=1, tag=1, body=b"", properties=b"\0\0", piece=1 << 20, key="key"):
    """Return the frames of a delivery, its body in pieces of *piece* bytes."""
    begin = method(channel, (60, 60), "sLbss", ("consumer", tag, False, "ex", key))
    header = frame(2, channel, pack(">HHQ", 60, 0, len(body)) + properties)
    pieces = [
        frame(3, channel, body[at : at + piece]) for at in range(0, len(body), piece)
    ]
    return b"".join([begin, header, *pieces])


def ack(channel=1, tag=1, multiple=False):
    return method(channel, (60, 80), "Lb", (tag, multiple))


def nack(channel=1, tag=1, multiple=False):
    return method(channel, (60, 120), "Lb", (tag, multiple))
