"""What connections tell each other through a store: topology, consumers, owners.

A record is a small dictionary that JSON can hold, under a *kind*, a *group*
and a *name*.  The kernel keeps exchanges, queues and bindings in records, so
that every process sees one topology; and who consumes what, so that it knows
consumers in other processes.  An *owner* is a connection with a lease.

A store supplies one :class:`RecordStore`; the option ``topology_store`` of a
transport names another transport whose records are used instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = (
    "BINDING",
    "CONSUMER",
    "EXCHANGE",
    "QUEUE",
    "TOPOLOGY",
    "USE",
    "RecordStore",
    "is_topology",
)

EXCHANGE = "exchange"
QUEUE = "queue"
#: Group: the exchange that is bound to.
BINDING = "binding"
#: Group: the queue.
CONSUMER = "consumer"
#: When a queue that can expire was last used.
USE = "use"

#: Kinds whose changes change the version.
TOPOLOGY = frozenset({EXCHANGE, QUEUE, BINDING})

Record = dict[str, Any]


def is_topology(kind: str) -> bool:
    """Return whether a change of a record of *kind* changes the version.

    A kind may have a prefix that ends in a dot: records that are kept for
    another transport.
    """
    return kind.rpartition(".")[2] in TOPOLOGY


class RecordStore:
    """Records and owners in one store; safe to use from many threads.

    Kinds are short words of letters, digits and dots, names and groups any text
    (which may be long), values what JSON can hold.  A name is unique among all
    records of its kind.  A write is seen
    by whoever reads after it has returned.  Every method is atomic.
    """

    #: Whether the store itself looks, when messages are put or claimed, whether the
    #: topology is what the transport knows.
    is_checked_by_scripts = False

    def version(self) -> object:
        """Return what differs whenever a record of topology has changed.

        Compared for equality.  Called for each publish: it **must** be cheap.
        It **must** be read before the records that it stands for.
        """
        raise NotImplementedError

    def read(self, kind: str, group: str | None = None) -> dict[str, Record]:
        """Return the records of *kind*, by name; of one *group*, if given."""
        raise NotImplementedError

    def add(
        self, kind: str, name: str, value: Mapping[str, Any], group: str = ""
    ) -> bool:
        """Write a record unless there is one; return whether it was written."""
        raise NotImplementedError

    def write(
        self, kind: str, name: str, value: Mapping[str, Any], group: str = ""
    ) -> None:
        """Write a record, in the place of the one there may be."""
        raise NotImplementedError

    def remove(self, kind: str, name: str, group: str = "") -> bool:
        """Remove a record; return whether there was one."""
        raise NotImplementedError

    def renew(self, owner: str, seconds: float) -> bool:
        """Have the lease of *owner* last *seconds* from now.

        Returns:
            Whether it was alive; if not, it is so now.
        """
        raise NotImplementedError

    def retire(self, owner: str) -> None:
        """Forget *owner*, which has put back what it had in hand."""
        raise NotImplementedError

    def live_owners(self) -> set[str]:
        """Return the owners whose lease has not run out."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of what is held open."""
