"""Methods that have an answer, for channels and the connection.

What :mod:`amqp` sends it waits for in a second step; by then another thread may have
read the answer.  So the place for it is made before the method is sent.  One method of
a channel waits at a time.
"""

from __future__ import annotations

from typing import Any

__all__ = ("Answering", "replies_to")

Signature = tuple[int, int]

#: Answers that are not the next method of their class.
_REPLIES: dict[Signature, tuple[Signature, ...]] = {
    (60, 70): ((60, 71), (60, 72)),  # basic.get: get-ok, get-empty
    (40, 40): ((40, 51),),  # exchange.unbind
}

#: Methods that are sent once what they answer has come: nothing comes back.
_FINAL = frozenset({(10, 51), (20, 41), (10, 11), (10, 21), (10, 31)})


def replies_to(method: Signature) -> tuple[Signature, ...]:
    """Return the methods that may answer *method*."""
    return _REPLIES.get(method) or ((method[0], method[1] + 1),)


class _Answer:
    """A place for an answer."""

    __slots__ = ("arguments", "has_come")

    def __init__(self) -> None:
        self.has_come = False
        self.arguments: tuple[Any, ...] = ()

    def __call__(self, method: Signature, *arguments: Any) -> None:
        self.has_come = True
        self.arguments = arguments


class Answering:
    """The part of a channel, or connection, that sends methods and waits."""

    connection: Any
    _pending: dict[Signature, Any]

    def send_method(
        self,
        sig: Signature,
        format: str | None = None,
        args: Any = None,
        content: Any = None,
        wait: Any = None,
        callback: Any = None,
        returns_tuple: bool = False,
    ) -> Any:
        """Send a method, and wait for its answer if *wait* says which."""
        connection = self._connection_in_use()
        if sig not in _FINAL:
            answer = _Answer()
            for reply in replies_to(sig):
                self._pending[reply] = answer
        # The library builds all its frames in one buffer.
        with connection.method_lock:
            sent = super().send_method(  # type: ignore[misc]
                sig, format, args, content, None, callback, returns_tuple
            )
        return sent if wait is None else self.wait(wait, returns_tuple=returns_tuple)

    def wait(
        self,
        method: Any,
        callback: Any = None,
        timeout: float | None = None,
        returns_tuple: bool = False,
    ) -> Any:
        """Wait for one of the methods *method*.

        Returns:
            Its arguments if *returns_tuple*, else the first.
        """
        methods = method if isinstance(method, list) else [method]
        answer = self._pending.get(methods[0])
        if not isinstance(answer, _Answer):
            answer = _Answer()
        for expected in methods:
            self._pending.setdefault(expected, answer)
        connection = self._connection_in_use()
        with connection.calling(self):
            while not answer.has_come:
                connection.drain_events(timeout)
        for expected in methods:
            self._pending.pop(expected, None)
        arguments = answer.arguments
        if callback is not None:
            callback(*arguments)
        return arguments if returns_tuple else (arguments and arguments[0])

    def _connection_in_use(self) -> Any:
        raise NotImplementedError
