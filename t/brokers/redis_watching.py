"""What a Redis was asked, and how often: its own count, and command by command."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

if TYPE_CHECKING:
    from types import TracebackType

    import redis


def command_stats(client: redis.Redis) -> dict[str, int]:
    """Return how often each command was called, also by scripts (``commandstats``)."""
    found = client.info("commandstats")
    return {
        name.removeprefix("cmdstat_"): line["calls"] for name, line in found.items()
    }


class Command(NamedTuple):
    """A command that a client sent, or a script called.

    Attributes:
        name: Its name, in capitals.
        text: All of it.
        sender: Address of the client, or "lua".
    """

    name: str
    text: str
    sender: str

    @property
    def is_of_a_script(self) -> bool:
        return self.sender == "lua"


class Watch:
    """Counts what other clients of a Redis do while it is entered.

    Arguments:
        client: A client that may do everything; is used up.

    Attributes:
        commands: All commands, in order.
        reads: How often the server has read something from a client: a command, or
            as many as came at once.  That is the number of round trips, unless some
            were so large that they came in pieces.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self.commands: list[Command] = []
        self.reads = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self.commands)} commands>"

    def __enter__(self) -> Watch:
        self._monitor = self._client.monitor()
        self._monitor.__enter__()
        self._client.ping()  # has made its connection, before we begin to count
        self._reads_before = self._total_reads()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Asking is a read too.
        self.reads = self._total_reads() - self._reads_before - 1
        self._collect()
        self._monitor.__exit__(kind, error, traceback)

    def _total_reads(self) -> int:
        return self._client.info("stats")["total_reads_processed"]

    def _collect(self) -> None:
        """Read what was watched, up to a command that we send now."""
        end = f"end of watch {uuid4()}"
        self._client.echo(end)
        own = None
        while True:
            line = self._monitor.next_command()
            sender = line["client_type"]
            if sender != "lua":
                sender = f"{line['client_address']}:{line['client_port']}"
            command = Command(
                line["command"].split(" ")[0].upper(), line["command"], sender
            )
            if end in command.text:
                own = sender
                break
            self.commands.append(command)
        self.commands = [each for each in self.commands if each.sender != own]

    @property
    def sent(self) -> list[Command]:
        """The commands that came from clients, without those of their scripts."""
        return [each for each in self.commands if not each.is_of_a_script]
