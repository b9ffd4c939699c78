from __future__ import annotations

import os.path
from types import SimpleNamespace

import pytest

from kombu.utils.imports import symbol_by_name


@pytest.mark.parametrize("name", ["os.path:join", "os.path.join"])
def test_attributes(name):
    assert symbol_by_name(name) is os.path.join


@pytest.mark.parametrize("name", ["os", "os:"])
def test_modules(name):
    assert symbol_by_name(name) is os


@pytest.mark.parametrize("thing", [5, object, None])
def test_objects_are_returned_as_they_are(thing):
    assert symbol_by_name(thing) is thing


def test_aliases():
    assert symbol_by_name("join", {"join": "os.path:join"}) is os.path.join
    assert symbol_by_name("os.path:join", {"other": "x"}) is os.path.join


def test_names_within_a_package():
    import kombu.utils.url

    found = symbol_by_name(".url:parse_url", package="kombu.utils")

    assert found is kombu.utils.url.parse_url
    assert symbol_by_name("any", package="kombu.utils") is kombu.utils


def test_another_separator():
    assert symbol_by_name("os.path/join", sep="/") is os.path.join


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("no_such_module:X", ImportError),
        ("os:nothing", AttributeError),
        ("os.nothing", AttributeError),
        (".x", ImportError),
    ],
)
def test_what_is_missing_raises_unless_there_is_a_default(name, error):
    with pytest.raises(error):
        symbol_by_name(name)
    assert symbol_by_name(name, default=3) == 3


def test_an_empty_name():
    with pytest.raises(ValueError, match="Couldn't import '': Empty module name"):
        symbol_by_name("")


def test_another_importer():
    calls = []

    def imp(*args, **kwargs):
        calls.append((args, kwargs))
        return SimpleNamespace(c=1)

    assert symbol_by_name("a.b:c", imp=imp, package="p", extra=2) == 1
    assert calls == [(("a.b",), {"package": "p", "extra": 2})]
