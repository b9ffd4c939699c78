"""Several brokers for one connection: in which order they are tried."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any

from kombu.exceptions import KombuError
from kombu.utils.functional import shufflecycle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ("FAILOVER_STRATEGIES", "split_urls", "strategy_by_name")

#: Iterator over the URLs, without end, by name of the strategy.
FAILOVER_STRATEGIES: dict[str, Callable[[list[str]], Iterator[str]]] = {
    "round-robin": cycle,
    "shuffle": shufflecycle,
}


class UnknownStrategy(KombuError, TypeError):
    """A failover strategy that is neither known by name nor a callable."""


def split_urls(
    hostname: Any, alternates: list[str] | None
) -> tuple[str | None, list[str]]:
    """Return the URL to begin with, and all that there are (none for one).

    Arguments:
        hostname: A URL or host, several joined by ``;``, or a list.
        alternates: Further ones.
    """
    urls = list(alternates or ())
    if hostname and not isinstance(hostname, str):
        urls.extend(hostname)
        hostname = urls[0]
    if hostname and ";" in hostname:
        urls = [url for url in hostname.split(";") if url] + urls
        hostname = urls[0]
    return hostname, urls


def strategy_by_name(name: Any) -> Any:
    """Return the strategy *name*, which may be one itself."""
    if callable(name):
        return name
    try:
        return FAILOVER_STRATEGIES[name or "round-robin"]
    except KeyError:
        known = ", ".join(FAILOVER_STRATEGIES)
        raise UnknownStrategy(
            f"unknown failover strategy {name!r}: use one of {known}, or a "
            "callable that takes the list of URLs and returns an iterator"
        ) from None
