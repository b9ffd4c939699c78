"""The types that JSON carries beside its own, and their two written forms.

Typed: an object with ``__type__`` and ``__value__`` (kombu 5.3 and later).
Plain: a bare string, as kombu wrote before.
"""

from __future__ import annotations

from binascii import a2b_base64
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Callable

    Codec = tuple[type, str, Callable[[Any], Any], Callable[[Any], Any]]

__all__ = ("decode_base64", "decode_bytes", "plain_encoders", "typed_codecs")


def typed_codecs() -> list[Codec]:
    """Return type, marker, encoder and decoder of each typed form."""
    return [
        (datetime, "datetime", datetime.isoformat, _decode_datetime),
        (date, "date", date.isoformat, _decode_date),
        (time, "time", time.isoformat, _decode_time),
        (Decimal, "decimal", str, Decimal),
        (UUID, "uuid", _encode_uuid, _decode_uuid),
    ]


def plain_encoders() -> dict[type, Callable[[Any], str]]:
    """Return the function that writes the plain form of each type."""
    return {
        datetime: _plain_datetime,
        date: _plain_date,
        time: time.isoformat,
        Decimal: str,
        UUID: str,
    }


def decode_bytes(value: str) -> bytes:
    """Read bytes that were written as text."""
    return value.encode("utf-8")


def decode_base64(value: str) -> bytes:
    """Read bytes that are no UTF-8."""
    return a2b_base64(value.encode("utf-8"))


def _with_offset(value: str) -> str:
    """Write UTC as an offset: before Python 3.11, ``Z`` is not understood."""
    return f"{value[:-1]}+00:00" if value.endswith(("Z", "z")) else value


def _padded_fraction(value: str) -> str:
    """Make three digits of a second six: Python 3.10 knows no others."""
    head, dot, tail = value.partition(".")
    digits = tail[: next((i for i, c in enumerate(tail) if not c.isdigit()), len(tail))]
    return f"{head}.{digits[:6]:0<6}{tail[len(digits) :]}" if dot else value


def _decode_datetime(value: str) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return datetime.fromisoformat(_padded_fraction(_with_offset(value)))


def _decode_date(value: str) -> date:
    # kombu 5.3 and later read a date of any precision.
    return _decode_datetime(value).date()


def _decode_time(value: str) -> time:
    try:
        return time.fromisoformat(value)
    except ValueError:
        return time.fromisoformat(_padded_fraction(_with_offset(value)))


def _encode_uuid(value: UUID) -> dict[str, str]:
    return {"hex": value.hex}


def _decode_uuid(value: Any) -> UUID:
    return UUID(value) if isinstance(value, str) else UUID(**value)


def _plain_datetime(value: datetime) -> str:
    text = value.isoformat()
    return f"{text[:-6]}Z" if text.endswith("+00:00") else text


def _plain_date(value: date) -> str:
    return f"{value.isoformat()}T00:00:00"
