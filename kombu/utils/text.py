"""Text: version numbers, similar names, regular expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kombu import version_info_t

__all__ = ("escape_regex", "fmatch_best", "fmatch_iter", "version_string_as_tuple")


def escape_regex(p: str, white: str = "") -> str:
    """Escape *p* so that it stands for itself in a regular expression.

    Args:
        p: The text.
        white: Characters that are left as they are.
    """
    return "".join(map(_escape, p)) if not white else _escape_except(p, white)


def _escape(character: str) -> str:
    if character.isalnum():
        return character
    return "\\000" if character == "\0" else f"\\{character}"


def _escape_except(p: str, white: str) -> str:
    return "".join(char if char in white else _escape(char) for char in p)


def fmatch_iter(
    needle: str, haystack: Iterable[str], min_ratio: float = 0.6
) -> Iterator[tuple[float, str]]:
    """Find what is similar to a text.

    Args:
        needle: The text.
        haystack: Texts to compare it with.
        min_ratio: How similar they must be: 1.0 means equal.

    Returns:
        Pairs of the similarity and the text, in the order of *haystack*.
    """
    from difflib import SequenceMatcher

    for candidate in haystack:
        ratio = SequenceMatcher(None, needle, candidate).ratio()
        if ratio >= min_ratio:
            yield ratio, candidate


def fmatch_best(
    needle: str, haystack: Iterable[str], min_ratio: float = 0.6
) -> str | None:
    """Return what is most similar to *needle*, or None if nothing is.

    Takes the arguments of :func:`fmatch_iter`.
    """
    matches = sorted(fmatch_iter(needle, haystack, min_ratio), reverse=True)
    return matches[0][1] if matches else None


def version_string_as_tuple(s: str) -> version_info_t:
    """Return the parts of a version such as ``1.2.3rc1``.

    Returns:
        Numbers ``major``, ``minor``, ``micro`` and texts ``releaselevel`` and
        ``serial``.

    Raises:
        ValueError: If a part that has to be a number is none.
    """
    return _unpack_version(*s.split("."))


def _unpack_version(
    major: str,
    minor: str | int = 0,
    micro: str | int = 0,
    releaselevel: str = "",
    serial: str = "",
    *_: Any,
) -> version_info_t:
    from kombu import version_info_t

    number, level, rest = _splitmicro(str(micro), releaselevel, serial)
    return version_info_t(int(major), int(minor), number, level, rest)


def _splitmicro(
    micro: str, releaselevel: str = "", serial: str = ""
) -> tuple[int, str, str]:
    """Split ``3rc1`` into 3 and ``rc1``, and ``3-foo`` into 3 and ``foo``."""
    digits = micro[: next((i for i, c in enumerate(micro) if not c.isdigit()), None)]
    tail = micro[len(digits) :]
    if tail.startswith("-"):
        return int(digits), releaselevel, tail[1:] or serial
    return int(digits), tail or releaselevel, serial
