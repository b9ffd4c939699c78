from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kombu.utils.text import (
    escape_regex,
    fmatch_best,
    fmatch_iter,
    version_string_as_tuple,
)


@pytest.mark.parametrize(
    ("text", "white", "escaped"),
    [
        ("a.b*c #", "", "a\\.b\\*c\\ \\#"),
        ("a.b*c#", "*#", "a\\.b*c#"),
        ("a\0b-_ü", "", "a\\000b\\-\\_ü"),
        ("", "", ""),
    ],
)
def test_escape_regex(text, white, escaped):
    assert escape_regex(text, white=white) == escaped


@settings(max_examples=50)
@given(st.text(alphabet=st.characters(max_codepoint=0x7F)))
def test_what_is_escaped_matches_itself(text):
    assert re.fullmatch(escape_regex(text), text, re.DOTALL)


def test_fmatch():
    names = ["redis", "amqp", "rediss"]

    assert [name for _, name in fmatch_iter("redsi", names)] == ["redis", "rediss"]
    assert fmatch_best("redsi", names) == "redis"
    assert fmatch_best("redis", names, min_ratio=0.99) == "redis"
    assert fmatch_best("zzz", names) is None


@pytest.mark.parametrize(
    ("version", "parts"),
    [
        ("1.2.3", (1, 2, 3, "", "")),
        ("1.2", (1, 2, 0, "", "")),
        ("1", (1, 0, 0, "", "")),
        ("1.2.3a1", (1, 2, 3, "a1", "")),
        ("1.2.3-foo", (1, 2, 3, "", "foo")),
        ("1.2.3.foo", (1, 2, 3, "foo", "")),
        ("3.1.2b2.x", (3, 1, 2, "b2", "")),
        ("10.20.30", (10, 20, 30, "", "")),
        ("1.2.3.4.5.6", (1, 2, 3, "4", "5")),
    ],
)
def test_version_string_as_tuple(version, parts):
    assert tuple(version_string_as_tuple(version)) == parts


def test_parts_of_a_version_have_names():
    version = version_string_as_tuple("5.7.1rc2")

    assert (version.major, version.minor, version.micro) == (5, 7, 1)
    assert version.releaselevel == "rc2"


@pytest.mark.parametrize("version", ["2.x", "1.2.foo", "", "a"])
def test_a_bad_version(version):
    with pytest.raises(ValueError):
        version_string_as_tuple(version)
