"""Topic bindings as kombu 5.7 writes them for its processes: regular expressions."""

from __future__ import annotations

import re

__all__ = ("pattern_of",)

_WORDS = {"*": r"[^\.]+", "#": ".*?"}


def pattern_of(routing_key: str) -> str:
    """Return the expression that kombu 5.7 writes for the key of a topic binding.

    Other than ours, that of ``a.#`` does not match ``a``.
    """
    words = (
        _WORDS.get(word) or re.escape(word).replace(r"\*", "*").replace(r"\#", "#")
        for word in routing_key.split(".")
    )
    pattern = r"\.".join(words)
    try:
        re.compile(pattern)
    except re.error:
        # It would have each of its publishers fail.
        pattern = re.escape(routing_key)
    return f"^{pattern}$"
