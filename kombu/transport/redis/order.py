"""A claim as it is sent: also before there are messages, behind a wait for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kombu.transport.redis.resp import Part, bulk, command, part, word
from kombu.transport.redis.scripts import script
from kombu.transport.redis.server import Request
from kombu.transport.redis.tags import ending_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from kombu.transport.redis.keys import Keys

__all__ = ("Order", "Orders")


class Order(NamedTuple):
    """A claim, as it is sent.

    Attributes:
        queues: The queues to claim from.
        prefix: Beginning of the tags.
        request: The claim itself.
        has_rung: Whether the element of a bell was, or will be, taken before.
        bells_heard: How many had been heard when it was made.
    """

    queues: tuple[str, ...]
    prefix: str
    request: Request
    has_rung: bool
    bells_heard: int


class _Frame(NamedTuple):
    """What is the same in all claims of some queues.

    Attributes:
        levels: Of each queue.
        keys: Keys of the script.
        ending: Its last arguments.
        base: Key of the first queue.
        beginning: The command as far as it is the same.
    """

    levels: list[tuple[int, ...]]
    keys: Part
    ending: Part
    base: str
    beginning: bytes


class Orders:
    """Puts claims into words.

    Arguments:
        keys: The keys of the server.
        lease: Seconds that a claim lasts unless it is renewed, as they are sent.
        levels_of: Returns the levels of a queue, in the order of service.
    """

    def __init__(
        self, keys: Keys, lease: Part, levels_of: Callable[[str], tuple[int, ...]]
    ) -> None:
        self._keys = keys
        self._lease = lease
        self._levels_of = levels_of
        self._frames: dict[tuple[str, ...], _Frame] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self._frames)} frames>"

    def request(
        self,
        queues: tuple[str, ...],
        limit: int,
        prefix: str,
        version: bytes,
        has_rung: bool,
    ) -> Request:
        """Return the request that claims.

        Arguments:
            queues: Names.
            limit: Most messages.
            prefix: Beginning of the tags.
            version: What is known of the topology.
            has_rung: Whether the element of a bell was, or will be, taken before.
        """
        frame = self._frame_of(queues)
        count, ending = frame.ending
        arguments = b"%b%b%b$1\r\n%d\r\n%b" % (
            word(str(limit)).data,
            bulk(prefix),
            bulk(version),
            has_rung,
            ending,
        )
        return Request(
            "claim",
            frame.keys,
            Part(4 + count, arguments),
            frame.base,
            False,
            frame.beginning + arguments,
        )

    def _frame_of(self, queues: tuple[str, ...]) -> _Frame:
        levels = [self._levels_of(queue) for queue in queues]
        frame = self._frames.get(queues)
        if frame is None or frame.levels != levels:
            if len(self._frames) > 100:
                self._frames.clear()
            frame = self._frames[queues] = self._make_frame(queues, levels)
        return frame

    def _make_frame(
        self, queues: tuple[str, ...], levels: list[tuple[int, ...]]
    ) -> _Frame:
        first = self._keys.queue(queues[0])
        # In a cluster the version lives on another node.
        is_apart = self._keys.in_cluster
        version = f"{first.base}.version" if is_apart else self._keys.version
        keys = part(first.unacked, first.ledger, version)
        ending = self._lease + part(self._keys.sep)
        for queue, its_levels in zip(queues, levels, strict=True):
            keys += self._keys.claiming(queue) + self._keys.lists(queue, its_levels)
            ending += part(len(its_levels), ending_of(queue), queue)
        called = script("claim", is_apart).call(keys, Part(4 + ending.number, b""))
        return _Frame(levels, keys, ending, first.base, command(*called))
