from __future__ import annotations

import io
import sys

import pytest

from kombu.utils import encoding


class Unshowable:
    def __repr__(self):
        raise ValueError("no form")


class UnshowableError(Exception):
    def __repr__(self):
        raise RuntimeError("not even the error")


@pytest.fixture
def no_default_file():
    yield
    encoding.set_default_encoding_file(None)


@pytest.mark.parametrize(
    ("function", "given", "expected"),
    [
        (encoding.str_to_bytes, "é", b"\xc3\xa9"),
        (encoding.str_to_bytes, b"x", b"x"),
        (encoding.str_to_bytes, 5, 5),
        (encoding.bytes_to_str, b"a\xc3\xa9", "aé"),
        (encoding.bytes_to_str, "x", "x"),
        (encoding.bytes_to_str, None, None),
        (encoding.bytes_to_str, b"\xff", "\ufffd"),
        (encoding.ensure_bytes, "é", b"\xc3\xa9"),
        (encoding.ensure_bytes, b"x", b"x"),
        (encoding.from_utf8, "x", "x"),
        (encoding.default_encode, b"x", b"x"),
    ],
)
def test_conversions_leave_other_types_alone(function, given, expected):
    result = function(given)

    assert result == expected
    assert type(result) is type(expected)


def test_str_to_bytes_refuses_lone_surrogates():
    with pytest.raises(UnicodeEncodeError):
        encoding.str_to_bytes("\ud800")


def test_default_encoding_is_that_of_the_interpreter():
    assert encoding.default_encoding() == sys.getfilesystemencoding()


def test_default_encoding_is_that_of_the_file_set(no_default_file):
    file = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")

    encoding.set_default_encoding_file(file)

    assert encoding.get_default_encoding_file() is file
    assert encoding.default_encoding() == "latin-1"


def test_default_encoding_of_an_ascii_file_is_wider():
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")

    assert encoding.default_encoding(file) == "utf-8"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("é", "é"),
        (b"b\xff", "b\ufffd"),
        (5, "5"),
        (["é"], "['é']"),
        ("\ud800", "\ud800"),
    ],
)
def test_safe_str(given, expected):
    assert encoding.safe_str(given) == expected


def test_safe_str_shows_what_can_not_be_shown():
    text = encoding.safe_str(Unshowable())

    assert "Unrepresentable" in text
    assert "no form" in text


def test_safe_repr_survives_an_error_without_repr():
    class Broken:
        def __repr__(self):
            raise UnshowableError

    assert "UnshowableError" in encoding.safe_repr(Broken())


def test_safe_repr_falls_back_to_str():
    class OnlyStr:
        def __repr__(self):
            raise ValueError

        def __str__(self):
            return "shown"

    assert encoding.safe_repr(OnlyStr()) == "shown"
    assert encoding.safe_repr("x") == "'x'"
