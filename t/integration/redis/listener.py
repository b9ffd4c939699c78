"""A consumer in a thread, which begins again as often as its connection is lost."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from kombu import Connection, Consumer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kombu import Queue

#: Tries to connect that follow at once, and then every so often.
RETRY = {"max_retries": 1000, "interval_start": 0, "interval_step": 0.1}


class Listener:
    """Consumes, and acknowledges, until it is left; a context manager.

    Arguments:
        url: The broker.
        queues: What to consume.
        **options: Further arguments of the connection.

    Attributes:
        bodies: What has come.
        losses: How often the connection was lost.
    """

    def __init__(self, url: str, queues: Sequence[Queue], **options: Any) -> None:
        self._connection = Connection(url, **options)
        self._queues = list(queues)
        self._is_over = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._problem: BaseException | None = None
        self.bodies: list[Any] = []
        self.losses = 0
        self.is_consuming = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self.bodies)} messages, {self.losses} losses>"

    def __enter__(self) -> Listener:
        self._thread.start()
        self.wait_for(lambda: self.is_consuming, 30, "the consumer to begin")
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._is_over = True
        self._thread.join(60)
        assert not self._thread.is_alive(), f"{self!r} does not end"
        if self._problem is not None:
            raise self._problem

    # -- in the thread ---------------------------------------------------------------

    def _run(self) -> None:
        errors = self._connection.connection_errors + self._connection.channel_errors
        try:
            while not self._is_over:
                try:
                    self._consume()
                except errors:
                    self._note("losses")
                    self._connection.collect()
            self._connection.release()
        except BaseException as exc:
            self._problem = exc

    def _consume(self) -> None:
        self._connection.ensure_connection(**RETRY)
        with Consumer(
            self._connection.channel(), self._queues, callbacks=[self._receive]
        ):
            while not self._is_over:
                try:
                    self._connection.drain_events(timeout=0.2)
                except TimeoutError:
                    # Only now all of it is told to the broker.
                    self._note("is_consuming")

    def _receive(self, body: Any, message: Any) -> None:
        message.ack()
        with self._changed:
            self.bodies.append(body)
            self._changed.notify_all()

    def _note(self, what: str) -> None:
        with self._changed:
            setattr(self, what, getattr(self, what) + 1)
            self._changed.notify_all()

    # -- outside ---------------------------------------------------------------------

    def wait_for(self, is_so: Any, seconds: float, what: str) -> None:
        """Wait until *is_so*; fail after so many *seconds*."""
        with self._changed:
            came = self._changed.wait_for(is_so, seconds)
        if self._problem is not None:
            raise self._problem
        assert came, f"waited {seconds} s in vain for {what}: {self!r}"

    def wait_for_body(self, body: Any, seconds: float) -> None:
        """Wait until *body* has come; fail after so many *seconds*."""
        self.wait_for(lambda: body in self.bodies, seconds, repr(body))
