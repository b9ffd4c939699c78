from __future__ import annotations

import importlib.metadata

import pytest

from kombu import matcher
from kombu.exceptions import KombuError
from kombu.matcher import MatcherNotInstalled, MatcherRegistry, match, registry


class Entry:
    def __init__(self, name, function):
        self.name = name
        self.function = function

    def load(self):
        return (self.function,)


@pytest.fixture(autouse=True)
def registry_as_it_was():
    before = dict(vars(registry), _matchers=dict(registry._matchers))
    yield
    vars(registry).update(before)


@pytest.fixture
def plugins(monkeypatch):
    installed = []
    monkeypatch.setattr(
        importlib.metadata,
        "entry_points",
        lambda group: installed if group == "kombu.matchers" else [],
    )
    registry._has_plugins = False
    return installed


@pytest.mark.parametrize(
    ("data", "pattern", "expected"),
    [
        ("abc", "a*", True),
        (b"abc", "a*", True),
        ("abc", b"a?c", True),
        ("a[b]", "a[[]b]", True),
        ("abc", "b", False),
        ("", "*", True),
        ("", "", True),
        ("a", "", False),
    ],
)
def test_glob_is_the_default(data, pattern, expected):
    assert match(data, pattern) is expected


def test_regular_expressions():
    assert match("abc", "a.c", "pcre")
    assert not match("abc", "b", "pcre")
    assert match("ABC", "abc", "pcre", {"flags": 2})


def test_registering():
    calls = []
    matcher.register("mine", lambda *args, **kwargs: calls.append((args, kwargs)))

    match("data", "pattern", "mine")
    match("data", "pattern", "mine", {"k": 1})
    matcher.unregister("mine")

    assert calls == [(("data", "pattern"), {}), (("data", "pattern"), {"k": 1})]
    with pytest.raises(MatcherNotInstalled):
        match("data", "pattern", "mine")


def test_an_unknown_matcher_is_named_with_the_known_ones():
    with pytest.raises(MatcherNotInstalled, match="for nope. There are: glob, pcre"):
        match("data", "pattern", "nope")
    with pytest.raises(MatcherNotInstalled):
        matcher.unregister("nope")
    with pytest.raises(MatcherNotInstalled):
        registry._set_default_matcher("nope")
    assert registry.MatcherNotInstalled is MatcherNotInstalled
    assert issubclass(MatcherNotInstalled, KombuError)


def test_the_default_may_change():
    registry._set_default_matcher("pcre")

    assert match("abc", "a.c")
    assert not match("abc", "a?d")


def test_a_registry_of_its_own():
    own = MatcherRegistry()
    with pytest.raises(MatcherNotInstalled, match="none was named"):
        own.match("a", "a")
    own.register("equal", str.__eq__)

    assert own.match("a", "a", "equal")
    assert repr(own) == "<MatcherRegistry: equal>"


def test_plugins_are_looked_for_only_when_needed(plugins):
    plugins.append(Entry("plugged", lambda data, pattern: "plugged"))

    match("a", "a", "pcre")
    assert "plugged" not in registry._matchers

    assert match("a", "a", "plugged") == "plugged"
    assert match("a", "a", "plugged") == "plugged"


def test_plugins_do_not_replace_what_is_registered(plugins):
    plugins.append(Entry("glob", lambda data, pattern: "plugged"))

    with pytest.raises(MatcherNotInstalled):
        match("a", "a", "nope")

    assert match("a", "a", "glob") is True
