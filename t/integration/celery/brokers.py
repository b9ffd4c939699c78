"""On which brokers a test runs: always, or only by `make celery`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

#: All that workers and clients can share.
ALL = ("redis", "sentinel", "amqp", "filesystem", "sqlite", "postgresql")

#: Those that CI has.
IN_CI = ("redis", "amqp", "filesystem", "sqlite")

#: Those by which Celery sends events.
EVENTED = ("redis", "sentinel", "amqp", "filesystem")

#: Those that are reached by an address that a proxy can stand before.
TCP = ("redis", "amqp")


def on(*in_ci: str, of: Iterable[str] = ALL) -> pytest.MarkDecorator:
    """Let a test have the brokers *of*, one by one, as ``kind``.

    Arguments:
        in_ci: Those on which CI runs it.
        of: All on which ``make celery`` does.
    """
    marks = pytest.mark.thorough
    return pytest.mark.parametrize(
        "kind",
        [kind if kind in in_ci else pytest.param(kind, marks=marks) for kind in of],
    )
