"""A mailbox: ask every node of a group at once and gather the answers.

Two nodes listen in threads of their own. One broadcast asks both of them for
their load, a second one speaks to a single node.

    python examples/broadcast.py [URL]
"""

from __future__ import annotations

import sys
import threading
from typing import Any

from kombu import Connection
from kombu.pidbox import Mailbox

LOADS = {"node-a": 3, "node-b": 5}


class Listener:
    """One node of the group, in a thread with a connection of its own."""

    def __init__(self, url: str, name: str, load: int) -> None:
        self.url = url
        self.name = name
        self.load = load
        self.ready = threading.Event()
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self) -> None:
        """Handle commands until stopped."""
        with Connection(self.url) as connection:
            mailbox = Mailbox("example", type="fanout", accept=["json"])(connection)
            node = mailbox.Node(self.name, state=self, channel=connection.channel())
            node.handlers["report_load"] = report_load
            with node.listen():
                self.ready.set()
                while not self.stopped.is_set():
                    try:
                        connection.drain_events(timeout=0.1)
                    except TimeoutError:
                        continue

    def stop(self) -> None:
        """End the thread and wait for it."""
        self.stopped.set()
        self.thread.join(timeout=5)


def report_load(state: Listener, unit: str = "jobs") -> dict[str, Any]:
    """The command: `state` is the node's, the rest comes from the caller."""
    return {"load": state.load, "unit": unit}


def show(replies: list[dict[str, Any]] | None) -> None:
    """Print the answers, sorted by node: each is ``{node: answer}``."""
    for reply in sorted(replies or [], key=lambda reply: next(iter(reply))):
        for node, answer in reply.items():
            print(f"  {node}: {answer['load']} {answer['unit']}")


def main(url: str = "memory://broadcast") -> None:
    """Start the nodes, ask them, stop them."""
    listeners = [Listener(url, name, load) for name, load in LOADS.items()]
    for listener in listeners:
        listener.thread.start()
        listener.ready.wait(timeout=5)
    try:
        with Connection(url) as connection:
            mailbox = Mailbox("example", type="fanout", accept=["json"])(connection)
            print("everybody:")
            show(mailbox.multi_call("report_load", limit=len(LOADS), timeout=5))
            print("only node-b, in another unit:")
            show(
                mailbox.call(
                    ["node-b"], "report_load", kwargs={"unit": "tasks"}, timeout=5
                )
            )
    finally:
        for listener in listeners:
            listener.stop()


if __name__ == "__main__":
    main(*sys.argv[1:2])
