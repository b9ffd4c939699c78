"""Errors of the system become errors of the transport, here and nowhere else."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("raise_unusable", "translated")

_Function = TypeVar("_Function", bound="Callable[..., Any]")

_REMEDY = (
    "see that the folders in the transport options exist, may be written to, and "
    "have room"
)


def _text(exc: OSError) -> str:
    return f"Cannot use {exc.filename or 'a file'!r}: {exc.strerror or exc}: {_REMEDY}"


def translated(function: _Function) -> _Function:
    """Have errors of the system leave *function* as errors of the channel.

    That is what kombu 5.7 raises where a file can not be used.
    """

    @wraps(function)
    def translate(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except OSError as exc:
            from kombu.exceptions import ChannelError

            raise ChannelError(_text(exc)) from exc

    return translate  # type: ignore[return-value]


def raise_unusable(exc: OSError) -> NoReturn:
    """Raise that the folders can not be opened.

    Raises:
        RecoverableConnectionError: A later try may find them.
    """
    from kombu.exceptions import RecoverableConnectionError

    raise RecoverableConnectionError(_text(exc)) from exc
