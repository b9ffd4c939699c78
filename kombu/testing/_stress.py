"""Running one test in several threads at once."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from kombu.testing._disturbance import Disturbance
from kombu.testing.harness import Harness

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ("run_at_once",)


def run_at_once(
    test: Callable[..., Any], arguments: Mapping[str, Any], threads: int
) -> None:
    """Call *test* in *threads* threads, which begin together.

    Each gets harnesses of its own in the place of those among *arguments*, so
    that they share the broker and nothing else.  Meanwhile things go wrong
    around them (see :class:`~kombu.testing._disturbance.Disturbance`).

    Raises:
        BaseException: What the first of them that failed raised.
    """
    errors: list[BaseException] = []
    start = threading.Barrier(threads)

    def run(own: dict[str, Any]) -> None:
        start.wait()
        try:
            test(**own)
        except BaseException as exc:
            errors.append(exc)

    with ExitStack() as stack:
        running = [
            threading.Thread(target=run, args=(_own(arguments, stack),))
            for _ in range(threads)
        ]
        found = (v for v in arguments.values() if isinstance(v, Harness))
        harness = next(found, None)
        disturbed = stack.enter_context(harness.twin()) if harness else None
        with Disturbance(disturbed, seed=threads):
            for thread in running:
                thread.start()
            for thread in running:
                thread.join()
    if errors:
        raise errors[0]


def _own(arguments: Mapping[str, Any], stack: ExitStack) -> dict[str, Any]:
    return {
        name: stack.enter_context(value.twin()) if isinstance(value, Harness) else value
        for name, value in arguments.items()
    }
