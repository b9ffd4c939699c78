"""Options of the transport: those of :mod:`amqp`, and our own."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kombu.transport._amqp.declaring import check_policy
from kombu.transport._options import (
    BUSY_WAIT,
    CONFIRM_OPTIONS,
    DECLARE_POLICY,
    HEARTBEAT_KEEPER,
    Option,
)
from kombu.utils._spin import SPIN

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("AMQP_OPTIONS", "OWN_OPTIONS", "Options")

#: Passed to the connection of :mod:`amqp` as they are.
AMQP_OPTIONS = (
    Option("authentication", "tuple", (), "", "Ways to log in: objects of amqp.sasl."),
    Option("login_response", "bytes", None, "", "Ready answer to the login."),
    Option("locale", "str", "en_US", "", "Locale of the broker's texts."),
    Option("client_properties", "dict", None, "", "Shown by the broker."),
    Option("channel_max", "int", 65535, "", "Most channels of a connection."),
    Option("frame_max", "int", 131072, "bytes", "Longest frame."),
    Option("on_open", "callable", None, "", "Called when connected."),
    Option("on_blocked", "callable", None, "", "Called when it takes no messages."),
    Option("on_unblocked", "callable", None, "", "Called when it takes them again."),
    Option("on_tune_ok", "callable", None, "", "Called when limits were agreed."),
    Option("read_timeout", "float", None, "seconds", "Wait for any answer."),
    Option("write_timeout", "float", None, "seconds", "Wait until data are taken."),
    Option("socket_settings", "dict", None, "", "TCP options by number."),
)

#: Ours.
OWN_OPTIONS = (
    *CONFIRM_OPTIONS,
    Option(
        "close_timeout",
        "float",
        None,
        "seconds",
        "Wait, on closing or releasing, for what is not confirmed; confirm_timeout "
        "if not given.",
    ),
    Option(
        "blocked_timeout",
        "float",
        60.0,
        "seconds",
        "Wait while the broker takes no messages; none for ever.",
    ),
    DECLARE_POLICY,
    HEARTBEAT_KEEPER,
    BUSY_WAIT,
    Option(
        "gathered_acks",
        "int",
        64,
        "",
        "Most acknowledgements that wait, for 5 ms, to be sent together, while other "
        "messages wait to be delivered; 0 to send each at once.",
    ),
    Option("connection_name", "str", None, "", "What the broker calls it."),
)


#: Seconds that closing waits if no limit is wanted elsewhere.
_LONGEST_CLOSE = 60.0


@dataclass(frozen=True)
class Options:
    """Our own options, as :data:`OWN_OPTIONS` says.

    Attributes:
        confirms: Whether there are confirmations at all.
        confirm_each: Whether each is waited for.
    """

    confirm_publish: bool | None = None
    confirm_window: int = 1000
    confirm_timeout: float | None = 60.0
    close_timeout: float | None = None
    blocked_timeout: float | None = 60.0
    declare_policy: str = "strict"
    heartbeat_keeper: bool = True
    busy_wait: float = SPIN
    gathered_acks: int = 64
    connection_name: str | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Options:
        """Return the options that *given* has among others.

        Raises:
            InvalidPolicy: ``declare_policy`` is none of its words.
        """
        names = {field.name for field in fields(cls)}
        options = cls(**{name: given[name] for name in names & given.keys()})
        check_policy(options.declare_policy)
        return options

    @cached_property
    def confirms(self) -> bool:
        """Whether what is published can be confirmed."""
        return self.confirm_publish is not False

    @cached_property
    def confirm_each(self) -> bool:
        """Whether each message is waited for."""
        return bool(self.confirm_publish)

    @property
    def patience_at_close(self) -> float:
        """Seconds that closing may wait for what is not confirmed: there is an end."""
        for given in (self.close_timeout, self.confirm_timeout):
            if given is not None:
                return given
        return _LONGEST_CLOSE

    def without_confirms(self) -> Options:
        """Return these options for a broker that confirms nothing."""
        return replace(self, confirm_publish=False)
