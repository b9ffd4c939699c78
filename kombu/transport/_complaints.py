"""What is said when an application asks for what its transport does not offer."""

from __future__ import annotations

import threading
import warnings
from typing import Any

from kombu.exceptions import AbilityNotOffered
from kombu.transport._capabilities import ABILITIES

__all__ = ("AbilityWarning", "complain")


class AbilityWarning(UserWarning):
    """Something was asked of a transport that it does not offer."""


class _Said:
    """What was said before in this process: each thing is said once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: set[tuple[str, str]] = set()

    def is_new(self, transport: str, ability: str) -> bool:
        """Return whether it was not said before; from now on it was."""
        with self._lock:
            is_new = (transport, ability) not in self._said
            self._said.add((transport, ability))
            return is_new

    def forget(self) -> None:
        """Say everything again."""
        with self._lock:
            self._said.clear()


said = _Said()


def complain(transport: Any, ability: str) -> None:
    """Say that *transport* does not offer *ability*, as its connection wants it.

    A transport that does not describe itself may well offer it: it is taken to
    task only by a strict connection.

    Raises:
        AbilityNotOffered: The connection is strict.
    """
    strict = getattr(transport.client, "strict", "warn")
    name = transport.driver_type
    if name == "N/A":
        name = f"{type(transport).__module__}:{type(transport).__name__}"
    text = (
        f"the {name} transport does not offer {ability!r} ({ABILITIES[ability]}): "
        "what asks for it has no effect"
    )
    if strict is True:
        raise AbilityNotOffered(text)
    is_meant = strict and transport.implements.get("describes_itself")
    if is_meant and said.is_new(name, ability):
        warnings.warn(text, AbilityWarning, stacklevel=5)
