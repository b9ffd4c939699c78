"""A consumer in a process of its own: ``python -m kombu.testing._consumer``.

It reads its :class:`~kombu.testing._tasks.ConsumerTask` from the first line of
standard input, and writes ``null`` once it consumes, then a line of JSON for each
message.  It ends with its parent: when standard input does.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import TYPE_CHECKING

from kombu.testing._tasks import ConsumerTask, consume

if TYPE_CHECKING:
    from kombu.testing._tasks import Delivery

__all__ = ("main",)


def report(delivery: Delivery | None) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps(delivery) + "\n")
    sys.stdout.flush()


def end_with_parent() -> None:
    """End at once when nobody has us on the line any more."""
    sys.stdin.read()
    os._exit(1)


def main() -> None:
    """Do what standard input says."""
    task = ConsumerTask.from_text(sys.stdin.readline())
    threading.Thread(target=end_with_parent, daemon=True).start()
    consume(task, report, time.sleep)


if __name__ == "__main__":
    main()
