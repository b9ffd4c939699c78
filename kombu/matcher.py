"""Deciding whether a name is meant by a pattern.

Used for broadcast commands that go to some of the processes only.  Matchers
that installed packages offer, in the entry point group ``kombu.matchers``, are
looked for only when an unknown one is asked for.
"""

from __future__ import annotations

from fnmatch import fnmatch
from re import match as rematch
from typing import TYPE_CHECKING, Any

from kombu.exceptions import KombuError
from kombu.utils.encoding import bytes_to_str

if TYPE_CHECKING:
    from collections.abc import Callable

    MatcherFunction = Callable[..., Any]

__all__ = (
    "MatcherNotInstalled",
    "MatcherRegistry",
    "match",
    "register",
    "register_glob",
    "register_pcre",
    "registry",
    "unregister",
)

_ENTRY_POINT_GROUP = "kombu.matchers"


class MatcherNotInstalled(KombuError):
    """There is no matcher of that name."""


class MatcherRegistry:
    """The known matchers, by name."""

    MatcherNotInstalled = MatcherNotInstalled
    #: Matchers that take the pattern as the first argument.
    matcher_pattern_first = ["pcre"]

    def __init__(self) -> None:
        self._matchers: dict[str, MatcherFunction] = {}
        self._default_matcher: MatcherFunction | None = None
        self._default_name: str | None = None
        self._has_plugins = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {', '.join(self._matchers)}>"

    def register(self, name: str, matcher: MatcherFunction) -> None:
        """Add a matcher, or replace it.

        Args:
            name: Its name.
            matcher: Called with the data and the pattern; what it returns is
                true if they match.
        """
        self._matchers[name] = matcher

    def unregister(self, name: str) -> None:
        """Remove a matcher.

        Raises:
            MatcherNotInstalled: If there is none of that name.
        """
        self._get(name)
        self._matchers.pop(name, None)

    def _set_default_matcher(self, name: str) -> None:
        """Set the matcher used when none is asked for.

        Raises:
            MatcherNotInstalled: If there is none of that name.
        """
        self._default_matcher = self._get(name)
        self._default_name = name

    def _get(self, name: str) -> MatcherFunction:
        if name not in self._matchers:
            self._look_for_plugins()
        try:
            return self._matchers[name]
        except KeyError:
            raise MatcherNotInstalled(
                f"No matcher installed for {name}. There are: "
                f"{', '.join(self._matchers)}"
            ) from None

    def _look_for_plugins(self) -> None:
        """Register what installed packages offer, once."""
        if self._has_plugins or self is not registry:
            return
        self._has_plugins = True
        from kombu.utils.compat import plugins

        for name, args in plugins(_ENTRY_POINT_GROUP):
            if name not in self._matchers:
                self.register(name, *args)

    def match(
        self,
        data: bytes | str,
        pattern: bytes | str,
        matcher: str | None = None,
        matcher_kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Match *data* against *pattern*.

        Args:
            data: A name.
            pattern: The pattern.
            matcher: Name of the matcher: ``glob``, ``pcre`` or a registered
                one; the default one (glob) if None.
            matcher_kwargs: More arguments for the matcher.

        Returns:
            Something true if they match.

        Raises:
            MatcherNotInstalled: If there is no matcher of that name.
        """
        match_func = self._get(matcher) if matcher else self._default_matcher
        if match_func is None:
            raise MatcherNotInstalled("No matcher is installed, and none was named")
        first, second = bytes_to_str(data), bytes_to_str(pattern)
        if (matcher or self._default_name) in self.matcher_pattern_first:
            first, second = second, first
        return match_func(first, second, **(matcher_kwargs or {}))


#: The matchers of this process.
registry = MatcherRegistry()
match = registry.match
register = registry.register
unregister = registry.unregister


def register_glob() -> None:
    """Register the matcher ``glob``: ``*``, ``?`` and ``[...]``."""
    registry.register("glob", fnmatch)


def register_pcre() -> None:
    """Register the matcher ``pcre``: regular expressions of Python."""
    registry.register("pcre", rematch)


register_glob()
register_pcre()
registry._set_default_matcher("glob")
