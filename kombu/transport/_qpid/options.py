"""Options of the transport."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from kombu.transport._amqp.declaring import check_policy
from kombu.transport._options import (
    CONFIRM_OPTIONS,
    DECLARE_POLICY,
    HEARTBEAT_KEEPER,
    InvalidTransportOption,
    Option,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("PRODUCTS", "QPID_OPTIONS", "Options")

#: What the broker may be called by the option ``product``.
PRODUCTS = ("generic", "broker-j", "rabbitmq", "rabbitmq4")

QPID_OPTIONS = (
    Option(
        "product",
        "str",
        None,
        "",
        "What the broker is: broker-j, rabbitmq, rabbitmq4 or generic; what it says "
        "if not given.",
    ),
    *CONFIRM_OPTIONS,
    Option(
        "close_timeout",
        "float",
        10.0,
        "seconds",
        "Wait, on closing, for what is not confirmed.",
    ),
    Option(
        "blocked_timeout",
        "float",
        60.0,
        "seconds",
        "Wait while the broker gives no credit; none for ever.",
    ),
    Option("read_timeout", "float", 30.0, "seconds", "Wait for any answer."),
    DECLARE_POLICY,
    Option(
        "credit_window",
        "int",
        1000,
        "messages",
        "Sent ahead to a consumer whose prefetch is not limited.",
    ),
    HEARTBEAT_KEEPER,
    Option("container_id", "str", None, "", "What the broker calls the connection."),
    Option("client_properties", "dict", None, "", "Shown by the broker."),
    Option(
        "sasl_mechanisms",
        "str",
        None,
        "",
        "Ways to log in, by spaces; PLAIN with a user, else ANONYMOUS, if not given.",
    ),
    Option("max_frame_size", "int", 131072, "bytes", "Longest frame."),
    Option("ssl_keyfile", "str", None, "", "As ``keyfile`` of ``ssl``."),
    Option("ssl_certfile", "str", None, "", "As ``certfile`` of ``ssl``."),
    Option("ssl_trustfile", "str", None, "", "As ``ca_certs`` of ``ssl``."),
    Option(
        "ssl_skip_hostname_check",
        "bool",
        False,
        "",
        "As ``check_hostname: False`` of ``ssl``.",
    ),
)


@dataclass(frozen=True)
class Options:
    """The options, as :data:`QPID_OPTIONS` says."""

    product: str | None = None
    confirm_publish: bool | None = None
    confirm_window: int = 1000
    confirm_timeout: float | None = 60.0
    close_timeout: float = 10.0
    blocked_timeout: float | None = 60.0
    read_timeout: float | None = 30.0
    declare_policy: str = "strict"
    credit_window: int = 1000
    heartbeat_keeper: bool = True
    container_id: str | None = None
    sasl_mechanisms: str | None = None
    max_frame_size: int = 131072

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Options:
        """Return the options that *given* has among others.

        Raises:
            InvalidTransportOption: ``product`` or ``credit_window`` can't be that.
            InvalidPolicy: ``declare_policy`` is none of its words.
        """
        names = {field.name for field in fields(cls)}
        options = cls(**{name: given[name] for name in names & given.keys()})
        check_policy(options.declare_policy)
        if options.product is not None and options.product not in PRODUCTS:
            raise InvalidTransportOption(
                f"product must be one of {', '.join(PRODUCTS)}, not {options.product!r}"
            )
        if options.credit_window < 1:
            raise InvalidTransportOption("credit_window must be 1 or more")
        return options

    @property
    def confirms(self) -> bool:
        """Whether what is published can be confirmed."""
        return self.confirm_publish is not False

    @property
    def confirm_each(self) -> bool:
        """Whether each message is waited for."""
        return bool(self.confirm_publish)

    def without_confirms(self) -> Options:
        """Return these options with nothing confirmed."""
        return replace(self, confirm_publish=False)


def tls_of(ssl: Any, given: Mapping[str, Any]) -> Any:
    """Return the ``ssl`` argument with what kombu 5.7's options of TLS say.

    Arguments:
        ssl: The ``ssl`` argument of the connection.
        given: The transport options.
    """
    named = {
        "keyfile": given.get("ssl_keyfile"),
        "certfile": given.get("ssl_certfile"),
        "ca_certs": given.get("ssl_trustfile"),
        "check_hostname": False if given.get("ssl_skip_hostname_check") else None,
    }
    named = {key: value for key, value in named.items() if value is not None}
    if not ssl or not named:
        return ssl
    return {**named, **(ssl if hasattr(ssl, "items") else {})}
