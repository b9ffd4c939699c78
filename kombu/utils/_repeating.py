"""A thread that looks after something again and again, until that is gone.

It holds no reference to what it looks after: if that is dropped without being closed,
it is collected, and the thread ends.
"""

from __future__ import annotations

import threading
import weakref
from typing import Any

from kombu.utils.waiting import Waiter

__all__ = ("Repeater",)


class Repeater:
    """Calls :meth:`look_after` again and again, in a thread of its own.

    Arguments:
        what: What is looked after.
        interval: Seconds between two calls.
        name: Name of the thread.
    """

    def __init__(self, what: Any, interval: float, name: str) -> None:
        self._what = weakref.ref(what)
        self._interval = interval
        self._waiter = Waiter()
        self._is_stopped = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        state = "stopped" if self._is_stopped else "running"
        return f"<{type(self).__name__}: {state}, every {self._interval:g} s>"

    def look_after(self, what: Any) -> bool:
        """Do what is to be done; must not raise.

        Returns:
            Whether to go on.
        """
        raise NotImplementedError

    def stop(self, patience: float = 0.0) -> None:
        """End the thread, after what it is about to do.

        Arguments:
            patience: Seconds to wait for that.
        """
        self._is_stopped = True
        self._waiter.wake()
        if patience and self._thread is not threading.current_thread():
            self._thread.join(patience)

    def _run(self) -> None:
        while not self._is_stopped:
            self._waiter.wait(self._interval)
            what = self._what()
            if self._is_stopped or what is None or not self.look_after(what):
                return
            del what
