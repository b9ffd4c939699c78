"""Which queues a message reaches: one table for a virtual host, without I/O.

A look-up costs no more than what it finds: direct bindings are kept in a
dictionary, topic patterns in a trie, and the answer is remembered per
exchange and routing key until a binding changes.  Exchanges may be bound to
exchanges, and may name an alternate exchange, which gets what they can not
route (RabbitMQ's extensions).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from kombu.transport.virtual._headers import matches
from kombu.transport.virtual._topic import TopicTrie

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ("Destination", "RoutingTable")

#: Answers remembered at most; keys may be unique to each message.
CACHE_LIMIT = 10_000


class Destination(NamedTuple):
    """What a binding leads to."""

    name: str
    is_exchange: bool = False


class Index(Protocol):
    """The bindings of one exchange."""

    def add(
        self, key: str, arguments: Mapping[str, Any] | None, to: Destination
    ) -> None:
        """Add a binding."""

    def discard(
        self, key: str, arguments: Mapping[str, Any] | None, to: Destination
    ) -> None:
        """Remove a binding, if it is there."""

    def match(self, key: str, headers: Mapping[str, Any]) -> Iterable[Destination]:
        """Return what a message leads to, each once."""


class DirectIndex:
    """Bindings by routing key."""

    def __init__(self) -> None:
        self._by_key: dict[str, dict[Destination, None]] = {}

    def add(
        self, key: str, arguments: Mapping[str, Any] | None, to: Destination
    ) -> None:
        self._by_key.setdefault(key, {})[to] = None

    def discard(
        self, key: str, arguments: Mapping[str, Any] | None, to: Destination
    ) -> None:
        found = self._by_key.get(key)
        if found is not None:
            found.pop(to, None)
            if not found:
                del self._by_key[key]

    def match(self, key: str, headers: Mapping[str, Any]) -> Iterable[Destination]:
        return self._by_key.get(key, ())


class TopicIndex:
    """Bindings by topic pattern."""

    def __init__(self) -> None:
        self._trie: TopicTrie[Destination] = TopicTrie()

    def add(
        self, key: str, arguments: Mapping[str, Any] | None, to: Destination
    ) -> None:
        self._trie.add(key, to)

    def discard(
        self, key: str, arguments: Mapping[str, Any] | None, to: Destination
    ) -> None:
        self._trie.discard(key, to)

    def match(self, key: str, headers: Mapping[str, Any]) -> Iterable[Destination]:
        return self._trie.match(key)


class FanoutIndex:
    """Bindings that match everything; counted, as each has a key of its own."""

    def __init__(self) -> None:
        self._keys_by_destination: dict[Destination, set[str]] = {}

    def add(
        self, key: str, arguments: Mapping[str, Any] | None, to: Destination
    ) -> None:
        self._keys_by_destination.setdefault(to, set()).add(key)

    def discard(
        self, key: str, arguments: Mapping[str, Any] | None, to: Destination
    ) -> None:
        keys = self._keys_by_destination.get(to)
        if keys is not None:
            keys.discard(key)
            if not keys:
                del self._keys_by_destination[to]

    def match(self, key: str, headers: Mapping[str, Any]) -> Iterable[Destination]:
        return self._keys_by_destination


class HeadersIndex:
    """Bindings by header values, tried one by one."""

    def __init__(self) -> None:
        self._bindings: dict[
            tuple[Destination, str, str], Mapping[str, Any] | None
        ] = {}

    def add(
        self, key: str, arguments: Mapping[str, Any] | None, to: Destination
    ) -> None:
        self._bindings[to, key, _frozen(arguments)] = arguments

    def discard(
        self, key: str, arguments: Mapping[str, Any] | None, to: Destination
    ) -> None:
        self._bindings.pop((to, key, _frozen(arguments)), None)

    def match(self, key: str, headers: Mapping[str, Any]) -> Iterable[Destination]:
        return {
            to: None
            for (to, _, _), arguments in self._bindings.items()
            if matches(arguments, headers)
        }


def _frozen(arguments: Mapping[str, Any] | None) -> str:
    return repr(sorted((arguments or {}).items()))


INDEX_TYPES: dict[str, type[Index]] = {
    "direct": DirectIndex,
    "topic": TopicIndex,
    "fanout": FanoutIndex,
    "headers": HeadersIndex,
}


class _Exchange:
    __slots__ = ("alternate", "index", "type")

    def __init__(self, type: str, alternate: str | None) -> None:
        self.type = type
        self.alternate = alternate
        self.index = INDEX_TYPES.get(type, DirectIndex)()


class RoutingTable:
    """Exchanges and their bindings.

    Safe to use from many threads: changes hold a lock, look-ups do not wait
    for it once their answer is known.

    Attributes:
        version: Grows with every change.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._exchanges: dict[str, _Exchange] = {}
        self._answers: dict[tuple[str, str], tuple[str, ...]] = {}
        # Whether an exchange was ever bound to another.
        self._has_links = False
        self.version = 0

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__}: {len(self._exchanges)} exchanges, "
            f"version {self.version}>"
        )

    def after_fork(self) -> None:
        """Make a forked child's copy usable: no thread of it holds the lock."""
        self._lock = threading.RLock()

    def _changed(self) -> None:
        self.version += 1
        # A new dictionary rather than an emptied one: a look-up under way
        # then leaves its answer, which may be stale, in the old one.
        self._answers = {}

    def declare(self, name: str, type: str, alternate: str | None = None) -> None:
        """Add the exchange *name* of *type*, unless it is there.

        Arguments:
            name: Name of the exchange.
            type: Type; an unknown one is routed like ``direct``.
            alternate: Exchange that gets what this one can not route.
        """
        with self._lock:
            if name not in self._exchanges:
                self._exchanges[name] = _Exchange(type, alternate)
                self._changed()

    def delete(self, name: str) -> None:
        """Remove the exchange *name*, if it is there."""
        with self._lock:
            if self._exchanges.pop(name, None) is not None:
                self._changed()

    def clear(self) -> None:
        """Remove everything."""
        with self._lock:
            self._exchanges.clear()
            self._changed()

    def bind(
        self,
        source: str,
        key: str,
        arguments: Mapping[str, Any] | None,
        to: Destination,
    ) -> None:
        """Lead what *source* routes for *key* and *arguments* to a destination."""
        with self._lock:
            self._exchanges[source].index.add(key, arguments, to)
            self._has_links |= to.is_exchange
            self._changed()

    def unbind(
        self,
        source: str,
        key: str,
        arguments: Mapping[str, Any] | None,
        to: Destination,
    ) -> None:
        """Undo :meth:`bind`."""
        with self._lock:
            exchange = self._exchanges.get(source)
            if exchange is not None:
                exchange.index.discard(key, arguments, to)
                self._changed()

    def route(
        self, exchange: str, key: str, headers: Mapping[str, Any] | None = None
    ) -> tuple[str, ...]:
        """Return the names of the queues that a message reaches, each once.

        Arguments:
            exchange: Name of the exchange that it is published to.
            key: Its routing key.
            headers: Its headers.

        Raises:
            KeyError: There is no such exchange.
        """
        answers = self._answers
        found = answers.get((exchange, key))
        if found is not None:
            return found
        with self._lock:
            answers = self._answers
            found, reads_headers = self._walk(exchange, key, headers or {})
            if not reads_headers:
                if len(answers) >= CACHE_LIMIT:
                    answers.clear()
                answers[exchange, key] = found
            return found

    def _walk(
        self, name: str, key: str, headers: Mapping[str, Any]
    ) -> tuple[tuple[str, ...], bool]:
        """Follow the bindings; tell also whether headers had a say."""
        exchange = self._exchanges[name]
        if not self._has_links and exchange.alternate is None:
            # No binding leads to an exchange: the first answer is the last.
            found = exchange.index.match(key, headers)
            return tuple(to.name for to in found), exchange.type == "headers"
        queues: dict[str, None] = {}
        reads_headers = False
        visited = {name}
        todo = [exchange]
        while todo:
            exchange = todo.pop()
            reads_headers |= exchange.type == "headers"
            found = exchange.index.match(key, headers)
            next_names = [to.name for to in found if to.is_exchange]
            queues.update((to.name, None) for to in found if not to.is_exchange)
            if not found and exchange.alternate:
                next_names.append(exchange.alternate)
            for next_name in next_names:
                following = self._exchanges.get(next_name)
                if following is not None and next_name not in visited:
                    visited.add(next_name)
                    todo.append(following)
        return tuple(queues), reads_headers
