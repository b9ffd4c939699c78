"""Methods that have an answer, for channels and the connection.

What :mod:`amqp` sends it waits for in a second step; by then another thread may have
read the answer.  So the place for it is made before the method is sent.  One method of
a channel waits at a time; if it waited in vain, its answer may still come, and is not
that of the next one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

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
    """A place for an answer, among *pending* ones; *late* others come before it."""

    __slots__ = ("_pending", "arguments", "error", "has_come", "is_abandoned", "late")

    def __init__(self, pending: dict[Signature, Any], late: int = 0) -> None:
        self._pending = pending
        self.late = late
        self.has_come = self.is_abandoned = False
        self.arguments: tuple[Any, ...] = ()
        self.error: BaseException | None = None

    def __call__(self, method: Signature, *arguments: Any) -> None:
        if self.late:
            self.late -= 1
            self._pending[method] = self
            return
        self.arguments = arguments
        self.has_come = True

    def fail(self, error: BaseException) -> None:
        """Note that it will not come."""
        self.error = error
        self.has_come = True


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
            self._expect(sig)
        # The library builds all its frames in one buffer.
        with connection.method_lock:
            connection.guard = self.before_method(sig)
            try:
                sent = super().send_method(  # type: ignore[misc]
                    sig, format, args, content, None, callback, returns_tuple
                )
            finally:
                connection.guard = None
        return sent if wait is None else self.wait(wait, returns_tuple=returns_tuple)

    def _expect(self, sig: Signature) -> None:
        replies = replies_to(sig)
        before = self._pending.get(replies[0])
        late = 0
        if isinstance(before, _Answer) and before.is_abandoned and not before.has_come:
            late = before.late + 1
        answer = _Answer(self._pending, late)
        for reply in replies:
            self._pending[reply] = answer

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
            answer = _Answer(self._pending)
        for expected in methods:
            self._pending.setdefault(expected, answer)
        self._wait_for(answer, timeout)
        for expected in methods:
            self._pending.pop(expected, None)
        if answer.error is not None:
            self.on_told(answer.error)
            raise answer.error.with_traceback(None)
        arguments = answer.arguments
        if callback is not None:
            callback(*arguments)
        return arguments if returns_tuple else (arguments and arguments[0])

    def _wait_for(self, answer: _Answer, timeout: float | None) -> None:
        connection = self._connection_in_use()
        try:
            with connection.calling(self):
                while not answer.has_come:
                    connection.drain_events(timeout)
        except BaseException:
            answer.is_abandoned = True
            raise

    def fail_answers(self, error: BaseException) -> None:
        """Tell who waits for an answer that it will not come."""
        for answer in tuple(self._pending.values()):
            if isinstance(answer, _Answer):
                answer.fail(error)

    def before_method(self, sig: Signature) -> Callable[[], None] | None:
        """Return what is called just before *sig* is sent, and may raise."""
        return None

    def on_told(self, error: BaseException) -> None:
        """Note that somebody was told of *error*."""

    def _connection_in_use(self) -> Any:
        raise NotImplementedError
