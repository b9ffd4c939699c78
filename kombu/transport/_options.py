"""Transport options: each described once, and misspelt ones found.

From the same descriptions come the names that a transport knows and the
tables of the documentation.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

from kombu.exceptions import KombuError
from kombu.utils._spin import SPIN
from kombu.utils.text import fmatch_best

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = (
    "BUSY_WAIT",
    "COMMON_OPTIONS",
    "CONFIRM_OPTIONS",
    "DECLARE_POLICY",
    "HEARTBEAT_KEEPER",
    "VIRTUAL_OPTIONS",
    "InvalidTransportOption",
    "Option",
    "TransportOptionWarning",
    "warn_of_unknown",
)


class InvalidTransportOption(KombuError, ValueError):
    """A transport option has a value that it can not have."""


class TransportOptionWarning(UserWarning):
    """A transport option that nothing reads."""


class Option(NamedTuple):
    """One transport option, in words.

    Attributes:
        name: Key in ``transport_options``.
        type: Python type, in words.
        default: Value that applies if it is not given.
        unit: Unit of the value, if it has one.
        text: What it is for.
    """

    name: str
    type: str
    default: Any
    unit: str
    text: str


#: Options that the connection reads, whatever the transport.
COMMON_OPTIONS = (
    Option("max_retries", "int", None, "", "Tries to (re)connect the channel."),
    Option("interval_start", "float", 2, "seconds", "Pause before the second try."),
    Option("interval_step", "float", 2, "seconds", "What each pause grows by."),
    Option("interval_max", "float", 30, "seconds", "Longest pause."),
    Option(
        "connect_retries_timeout",
        "float",
        None,
        "seconds",
        "Time for all tries; the connect timeout if not given.",
    ),
    Option("errback", "callable", None, "", "Called with each failed try."),
    Option("callback", "callable", None, "", "Called each second of a pause."),
    Option("manager_hostname", "str", None, "", "Host of the management interface."),
    Option("manager_port", "int", 15672, "", "Its port."),
    Option("manager_userid", "str", None, "", "User to log in there."),
    Option("manager_password", "str", None, "", "Password to log in there."),
)

#: Of transports that look for an answer before they sleep.
BUSY_WAIT = Option(
    "busy_wait",
    "float",
    SPIN,
    "seconds",
    "How long an answer is looked for before its thread goes to sleep; 0 for not at all.",
)

#: Of transports whose broker confirms what is published.
CONFIRM_OPTIONS = (
    Option(
        "confirm_publish",
        "bool",
        None,
        "",
        "True: wait for each confirmation; False: have none; not given: have them "
        "for persistent messages, and wait when the window is full.",
    ),
    Option("confirm_window", "int", 1000, "messages", "Most that are not confirmed."),
    Option(
        "confirm_timeout",
        "float",
        60.0,
        "seconds",
        "Wait for a confirmation when the window is full, or a batch is sent.",
    ),
)

#: Of transports whose broker refuses to declare a queue that is different.
DECLARE_POLICY = Option(
    "declare_policy",
    "str",
    "strict",
    "",
    "What to do with a queue that is different: strict, adopt or passive.",
)

#: Of transports that keep heartbeats.
HEARTBEAT_KEEPER = Option(
    "heartbeat_keeper",
    "bool",
    True,
    "",
    "Keep heartbeats by a thread, also while a callback runs.",
)

#: Options of every virtual transport.
VIRTUAL_OPTIONS = (
    Option(
        "body_encoding",
        "str",
        "base64",
        "",
        "How bodies are written into the envelope; nothing or utf-8: as they are.",
    ),
    Option(
        "deadletter_queue",
        "str",
        None,
        "",
        "Queue for messages that match no binding.",
    ),
    Option(
        "polling_interval",
        "float",
        1.0,
        "seconds",
        "Pause between looks into a store that can not wake us.",
    ),
    Option(
        "visibility_timeout",
        "float",
        60.0,
        "seconds",
        "Lease of messages in hand: after it, what a dead consumer had comes back.",
    ),
    Option(
        "priority_mode",
        "str",
        "amqp",
        "",
        "Order by priority: amqp (by x-max-priority, higher first) or kombu "
        "(as on Redis, lower first).",
    ),
    Option(
        "topology_store",
        "str or dict",
        None,
        "",
        "URL (or arguments of the Connection) of another transport that keeps "
        "exchanges, queues and bindings for all processes.",
    ),
)


def warn_of_unknown(
    options: Mapping[str, Any],
    known: Iterable[str],
    transport_name: str,
    is_complete: bool,
) -> None:
    """Warn of each option that is not *known*, naming the nearest that is.

    Arguments:
        options: The options given.
        known: Names that the transport reads.
        transport_name: Name for the warning.
        is_complete: Whether the transport reads nothing but *known*; if not,
            only names that look misspelt are warned of.
    """
    known = frozenset(known)
    for name in options:
        if name in known:
            continue
        nearest = fmatch_best(str(name), known, min_ratio=0.75)
        if nearest or is_complete:
            hint = f"; did you mean {nearest!r}?" if nearest else ""
            warnings.warn(
                f"transport option {name!r} is unknown to the "
                f"{transport_name} transport{hint}",
                TransportOptionWarning,
                stacklevel=4,
            )
