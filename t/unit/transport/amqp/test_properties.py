from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from amqp.basic_message import Message
from amqp.serialization import decode_properties_basic, dumps
from hypothesis import given
from hypothesis import strategies as st

from kombu.exceptions import EncodeError
from kombu.transport._amqp.errors import BrokenFrame
from kombu.transport._amqp.message import Outgoing
from kombu.transport._amqp.properties import (
    NAMES,
    decode_properties,
    encode_properties,
)

SHORT = st.text(max_size=60)
KEYS = st.text(st.characters(codec="ascii"), max_size=20)
SIMPLE = st.one_of(
    SHORT, st.booleans(), st.none(), st.integers(-(2**31), 2**31 - 1), st.binary()
)
RARE = st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
VALUES = st.recursive(
    SIMPLE | RARE,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_leaves=5,
)
KINDS = {
    "s": SHORT,
    "o": st.integers(0, 255),
    "L": st.integers(0, 2**63),
    "F": st.dictionaries(KEYS, VALUES, max_size=4),
}
PROPERTIES = st.fixed_dictionaries(
    {}, optional={name: KINDS[kind] for name, kind in NAMES}
)


def as_text(value):
    """Return *value* as it comes back: the library has one type of text and bytes."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    if isinstance(value, dict):
        return {key: as_text(item) for key, item in value.items()}
    return [as_text(item) for item in value] if isinstance(value, list) else value


@given(PROPERTIES)
def test_what_is_written_is_read(properties):
    found = decode_properties(encode_properties(properties))

    assert found == {key: as_text(value) for key, value in properties.items()}


@given(PROPERTIES)
def test_the_amqp_library_reads_the_same(properties):
    found, _ = decode_properties_basic(encode_properties(properties), 0)

    assert found == decode_properties(encode_properties(properties))


@given(PROPERTIES)
def test_we_read_what_the_amqp_library_writes(properties):
    message = Message("", **properties)

    assert decode_properties(message._serialize_properties()) == {
        key: as_text(value) for key, value in properties.items()
    }


@pytest.mark.parametrize("value", [Decimal("-1.25"), datetime.datetime(2030, 1, 2)])
def test_rare_values_of_headers(value):
    block = encode_properties({"application_headers": {"a": 1, "x": value}})

    assert decode_properties(block)["application_headers"] == {"a": 1, "x": value}


def test_unknown_names_are_left_out():
    assert encode_properties({"colour": "red"}) == b"\0\0"


@pytest.mark.parametrize(
    "properties",
    [
        {"correlation_id": "x" * 256},
        {"priority": 256},
        {"priority": "high"},
        {"application_headers": {"x": object()}},
        {"application_headers": {"x": 1 << 70}},
        {"application_headers": {"k" * 256: 1}},
    ],
    ids=range(6),
)
def test_what_can_not_be_sent_is_named(properties):
    [name] = properties

    with pytest.raises(EncodeError, match=name):
        encode_properties(properties)


def test_flags_that_no_property_has():
    with pytest.raises(BrokenFrame, match="unknown properties"):
        decode_properties(b"\0\1")


@given(PROPERTIES.filter(bool), st.data())
def test_cut_short(properties, data):
    block = encode_properties(properties)
    length = data.draw(st.integers(0, len(block) - 1))

    with pytest.raises(BrokenFrame):
        decode_properties(block[:length])


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(block):
    try:
        found = decode_properties(block)
    except BrokenFrame:
        return
    assert found.keys() <= {name for name, _ in NAMES}


def test_table_that_is_longer_than_it_says():
    table = dumps("F", [{"a": 1.5}])
    wrong = table[:3] + bytes((table[3] - 1,)) + table[4:]

    with pytest.raises(BrokenFrame):
        decode_properties(b"\x20\0" + wrong)


def test_a_message_of_ours_can_be_sent_by_the_library():
    properties = {"content_type": "text/plain", "application_headers": {"a": 1}}
    ours, theirs = Outgoing(b"x", **properties), Message(b"x", **properties)
    assert ours._serialize_properties() == theirs._serialize_properties()
