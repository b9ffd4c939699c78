"""Tests of kombu.transport.virtual.wire."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kombu.transport.virtual.codecs import Base64
from kombu.transport.virtual.wire import pack, unpack

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def envelope(body, encoding="base64", **headers):
    return {
        "body": body,
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": headers,
        "properties": {"body_encoding": encoding, "delivery_tag": "t"},
    }


@given(st.binary(), st.dictionaries(st.text(), VALUES))
def test_is_the_text_that_the_json_module_writes(body, headers):
    found = envelope(Base64().encode(body), **headers)

    text = pack(found)

    assert text == json.dumps(found)
    assert unpack(text) == unpack(text.encode()) == found
    assert list(unpack(text)) == list(found)


@given(st.text())
def test_a_body_that_has_to_be_escaped(body):
    found = envelope(body, encoding="utf-8")

    assert unpack(pack(found)) == found


@given(st.text(alphabet='{}[]",: \\body"properties\n\x00', max_size=60))
def test_a_claim_to_be_base64_is_not_believed(body):
    found = envelope(body, encoding="base64")

    again = unpack(pack(found))

    assert again == found
    assert unpack(pack(again)) == found


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xfe", b"{", '{"body": "', '{"body": "a", ', "no", b"[" * 100_000],
)
def test_what_is_no_json_comes_back_as_it_is(data):
    assert unpack(data) == data


@pytest.mark.parametrize("text", ['{"body": "a"}', "{}", "[]", "null", "1"])
def test_any_json_is_read(text):
    assert unpack(text) == json.loads(text)


@pytest.mark.parametrize("found", [None, [], {"body": "a"}, {"body": 1, "x": 2}])
def test_anything_can_be_written(found):
    assert json.loads(pack(found)) == found
