"""Helpers that know nothing of messaging.

Importing this package is cheap: the names below are loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

# Not on first use: importing the module of that name would hide the function.
from kombu.utils.uuid import uuid

if TYPE_CHECKING:
    from kombu.utils.collections import EqualityDict
    from kombu.utils.compat import (
        fileno,
        maybe_fileno,
        nested,
        register_after_fork,
    )
    from kombu.utils.div import emergency_dump_state
    from kombu.utils.functional import (
        fxrange,
        fxrangemax,
        maybe_list,
        reprcall,
        reprkwargs,
        retry_over_time,
    )
    from kombu.utils.imports import symbol_by_name
    from kombu.utils.objects import cached_property

__all__ = (
    "EqualityDict",
    "cached_property",
    "emergency_dump_state",
    "fileno",
    "fxrange",
    "fxrangemax",
    "maybe_fileno",
    "maybe_list",
    "nested",
    "register_after_fork",
    "reprcall",
    "reprkwargs",
    "retry_over_time",
    "symbol_by_name",
    "uuid",
)

_HOMES = {
    "EqualityDict": "collections",
    "cached_property": "objects",
    "emergency_dump_state": "div",
    "fileno": "compat",
    "fxrange": "functional",
    "fxrangemax": "functional",
    "maybe_fileno": "compat",
    "maybe_list": "functional",
    "nested": "compat",
    "register_after_fork": "compat",
    "reprcall": "functional",
    "reprkwargs": "functional",
    "retry_over_time": "functional",
    "symbol_by_name": "imports",
}

#: Modules that used to be loaded by importing this package.
_MODULES = frozenset(
    {"collections", "compat", "div", "encoding", "functional", "imports", "objects"}
)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        home = __import__(f"{__name__}.{_HOMES[name]}", fromlist=[name])
        value = globals()[name] = getattr(home, name)
        return value
    if name in _MODULES:
        return __import__(f"{__name__}.{name}", fromlist=[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
