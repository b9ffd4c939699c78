"""Matching of messages by their headers (exchange type ``headers``).

A binding's arguments name the headers to look at; ``x-match`` says whether
``all`` (the default) or ``any`` of them must match.  A header whose wanted
value is :const:`None` need only be there.  Names beginning with ``x-`` do not
count, unless ``x-match`` is ``all-with-x`` or ``any-with-x`` (RabbitMQ's
extension of AMQP 0-9-1, section 3.1.3.4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.exceptions import KombuError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("check_arguments", "matches")

_MISSING = object()
_MODES = {"all": (all, False), "any": (any, False)}
_MODES |= {f"{mode}-with-x": (test, True) for mode, (test, _) in _MODES.items()}


class InvalidBinding(KombuError, ValueError):
    """Arguments of a binding that the exchange's type does not understand."""


def check_arguments(arguments: Mapping[str, Any] | None) -> None:
    """Raise InvalidBinding if ``x-match`` is none of the known modes."""
    mode = (arguments or {}).get("x-match", "all")
    if not isinstance(mode, str) or mode not in _MODES:
        raise InvalidBinding(
            f"x-match {mode!r} is unknown: use one of {', '.join(_MODES)}"
        )


def matches(arguments: Mapping[str, Any] | None, headers: Mapping[str, Any]) -> bool:
    """Return whether *headers* are what a binding with *arguments* wants."""
    arguments = arguments or {}
    test, counts_x = _MODES[arguments.get("x-match", "all")]
    wanted = [
        (name, value)
        for name, value in arguments.items()
        if name != "x-match" and (counts_x or not name.startswith("x-"))
    ]
    return test(_has(headers, name, value) for name, value in wanted)


def _has(headers: Mapping[str, Any], name: str, wanted: Any) -> bool:
    value = headers.get(name, _MISSING)
    if value is _MISSING:
        return False
    return wanted is None or bool(value == wanted)
