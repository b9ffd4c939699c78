"""Random unique ids in text form."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("uuid",)


def _random_uuid() -> str:
    """Return a version 4 UUID as text, without importing :mod:`uuid`.

    The random bits come from the operating system, as those of
    :func:`uuid.uuid4`: the value may serve as an unguessable queue name.
    """
    number = int.from_bytes(os.urandom(16), "big")
    # RFC 9562, 5.4: four bits of version, two bits of variant.
    number = number & ~(0xF000 << 64) | (4 << 76)
    number = number & ~(0xC000 << 48) | (0x8000 << 48)
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def uuid(_uuid: Callable[[], Any] = _random_uuid) -> str:
    """Return a new random unique id: 36 characters of UUID version 4.

    Args:
        _uuid: Makes the id; the result is turned into text.
    """
    return str(_uuid())
