"""Callbacks that note which consumer has received what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from kombu.message import Message

__all__ = ("noting",)


def noting(notes: list[tuple[Any, Any]], name: Any) -> Callable[[Message], None]:
    """Return a callback that adds ``(name, decoded body)`` to *notes*."""

    def on_message(message: Message) -> None:
        notes.append((name, message.payload))

    return on_message
