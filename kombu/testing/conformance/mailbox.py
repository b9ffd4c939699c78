"""Commands to processes, and their replies (:mod:`kombu.pidbox`)."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from kombu.pidbox import Mailbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kombu.testing.harness import Harness

__all__ = ("TestMailbox",)


class Nodes:
    """Nodes of a mailbox, each with a thread and a connection of its own."""

    def __init__(self, harness: Harness, type: str) -> None:
        self.harness = harness
        self.type = type
        self.namespace = harness.unique("mailbox")
        self.handled: list[tuple[str, Any]] = []
        self._should_stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def mailbox(self) -> Mailbox:
        """Return a mailbox to send from."""
        connection = self.harness.connect()
        return Mailbox(self.namespace, self.type, connection, accept=["json"])

    def start(self, *names: str) -> None:
        """Start nodes by name; returns when they listen."""
        for name in names:
            is_ready = threading.Event()
            thread = threading.Thread(target=self._run, args=(name, is_ready))
            thread.start()
            self._threads.append(thread)
            assert is_ready.wait(self.harness.patience)

    def stop(self) -> None:
        """Stop them."""
        self._should_stop.set()
        for thread in self._threads:
            thread.join(self.harness.patience)

    def _run(self, name: str, is_ready: threading.Event) -> None:
        with self.harness.connect() as connection:
            mailbox = Mailbox(self.namespace, self.type, connection, accept=["json"])
            node = mailbox.Node(name, state=name, channel=connection.channel())

            @node.handler
            def echo(state: Any, value: Any = None) -> Any:
                self.handled.append((name, value))
                return value

            @node.handler
            def fail(state: Any) -> Any:
                raise ZeroDivisionError("on purpose")

            with node.listen():
                is_ready.set()
                self.harness.drain(connection, self._should_stop.is_set, 60)


class TestMailbox:
    """Nodes that listen, and who commands them."""

    @contextmanager
    def nodes(self, harness: Harness, type: str, *names: str) -> Iterator[Nodes]:
        harness.require("exclusive", type)
        nodes = Nodes(harness, type)
        nodes.start(*names)
        try:
            yield nodes
        finally:
            nodes.stop()

    @pytest.mark.parametrize("type", ["direct", "fanout"])
    def test_call_returns_the_reply(self, harness: Harness, type: str) -> None:
        with self.nodes(harness, type, "one") as nodes:
            replies = nodes.mailbox().call(
                ["one"], "echo", {"value": 7}, timeout=harness.patience
            )

        assert replies == [{"one": 7}]

    def test_multi_call_returns_the_replies_of_all(self, harness: Harness) -> None:
        with self.nodes(harness, "fanout", "one", "two", "three") as nodes:
            replies = nodes.mailbox().multi_call(
                "echo", {"value": 7}, timeout=harness.patience, limit=3
            )

        assert replies is not None
        found = {name: value for reply in replies for name, value in reply.items()}
        assert found == {"one": 7, "two": 7, "three": 7}

    def test_only_those_meant_carry_it_out(self, harness: Harness) -> None:
        with self.nodes(harness, "fanout", "one", "two") as nodes:
            mailbox = nodes.mailbox()
            mailbox.cast(["two"], "echo", {"value": 1})
            mailbox.multi_call("echo", {"value": 2}, timeout=harness.patience, limit=2)

        assert sorted(nodes.handled) == [("one", 2), ("two", 1), ("two", 2)]

    def test_all_carry_out_what_needs_no_reply(self, harness: Harness) -> None:
        with self.nodes(harness, "fanout", "one", "two") as nodes:
            nodes.mailbox().abcast("echo", {"value": 1})
            harness.settle(lambda: len(nodes.handled) == 2)

        assert sorted(nodes.handled) == [("one", 1), ("two", 1)]

    def test_error_of_a_handler_is_the_reply(self, harness: Harness) -> None:
        with self.nodes(harness, "fanout", "one") as nodes:
            replies = nodes.mailbox().call(["one"], "fail", timeout=harness.patience)

        assert replies == [{"one": {"error": "ZeroDivisionError('on purpose')"}}]

    def test_callback_gets_each_reply(self, harness: Harness) -> None:
        found: list[Any] = []
        with self.nodes(harness, "fanout", "one", "two") as nodes:
            nodes.mailbox().multi_call(
                "echo", timeout=harness.patience, limit=2, callback=found.append
            )

        assert sorted(name for reply in found for name in reply) == ["one", "two"]

    def test_nobody_answers_when_nobody_listens(self, harness: Harness) -> None:
        harness.require("fanout", "exclusive")
        mailbox = Nodes(harness, "fanout").mailbox()

        assert mailbox.multi_call("echo", timeout=harness.idle) == []

    def test_calls_of_two_threads_get_their_own_replies(self, harness: Harness) -> None:
        answers: dict[int, Any] = {}
        with self.nodes(harness, "fanout", "one") as nodes:

            def call(number: int) -> None:
                answers[number] = nodes.mailbox().call(
                    ["one"], "echo", {"value": number}, timeout=harness.patience
                )

            threads = [threading.Thread(target=call, args=(n,)) for n in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(harness.patience)

        assert answers == {number: [{"one": number}] for number in range(4)}
