"""For tests: of applications that use this library, and of transports.

==========================  ===================================================
:class:`Clock`              turns the time that the library waits by
:class:`CapturedMessages`   records what an application publishes
:class:`FaultProxy`         breaks the connection to a broker in many ways
:class:`Harness`            what the conformance suite needs of a transport
:mod:`.conformance`         the conformance suite: pytest classes by theme
:mod:`.plugin`              pytest fixtures and options, found by themselves
==========================  ===================================================

Nothing here is used by the rest of the library.  Only the conformance suite
and the plugin need pytest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kombu.testing.clock import Clock, ClockStopped
    from kombu.testing.harness import Harness
    from kombu.testing.messages import CapturedMessage, CapturedMessages
    from kombu.testing.proxy import FaultProxy

__all__ = (
    "CapturedMessage",
    "CapturedMessages",
    "Clock",
    "ClockStopped",
    "FaultProxy",
    "Harness",
)

_HOMES = {
    "CapturedMessage": "messages",
    "CapturedMessages": "messages",
    "Clock": "clock",
    "ClockStopped": "clock",
    "FaultProxy": "proxy",
    "Harness": "harness",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
