"""The transport's options: kombu's, with its names, and ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kombu.transport._options import BUSY_WAIT, InvalidTransportOption, Option

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = (
    "DURABLE",
    "LONGEST_WAIT",
    "MOST_SETTLED",
    "PUBSUB",
    "REDIS_OPTIONS",
    "SENTINEL_OPTIONS",
    "Settings",
)

#: Values of the option ``fanout``.
PUBSUB = "pubsub"
DURABLE = "durable"

#: Seconds after which a wait for messages ends by itself, with a look for them.
LONGEST_WAIT = 2.0

#: Most acknowledgements that are sent together.
MOST_SETTLED = 100

#: How long kombu 5.7 leaves a message with its consumer, if nothing else is said.
_PEER_TIMEOUT = 3600.0

REDIS_OPTIONS = (
    Option("sep", "str", "\x06\x16", "", "Joins a queue and a level of priority."),
    Option(
        "ack_emulation",
        "bool",
        True,
        "",
        "Has no effect: what is delivered is always known to the server until it is "
        "acknowledged.",
    ),
    Option("unacked_key", "str", "unacked", "", "Hash of what is in flight."),
    Option("unacked_index_key", "str", "unacked_index", "", "Its index."),
    Option(
        "unacked_mutex_key",
        "str",
        "unacked_mutex",
        "",
        "Has no effect: the lock for putting back is another one, which does not stop "
        "everybody when its holder is killed.",
    ),
    Option("unacked_mutex_expire", "int", 300, "seconds", "Has no effect, likewise."),
    Option("unacked_restore_limit", "int", None, "", "Has no effect: all is put back."),
    Option(
        "unacked_restore_interval",
        "int",
        10,
        "seconds",
        "Has no effect: it is looked every quarter of visibility_timeout.",
    ),
    Option("unacked_restore_throttle", "int", 10, "", "Has no effect, likewise."),
    Option(
        "peer_visibility_timeout",
        "float",
        None,
        "seconds",
        "Time after which what kombu 5.7 has taken and not acknowledged is put back: "
        "it renews no lease.  visibility_timeout if that is given, else 3600.",
    ),
    Option(
        "fanout",
        "str",
        PUBSUB,
        "",
        "pubsub: messages of fanout exchanges reach who listens at that moment, as "
        "with kombu 5.7; durable: each bound queue gets a copy.",
    ),
    Option(
        "fanout_prefix",
        "bool or str",
        True,
        "",
        "Prefix of channels, with {db} for the database; True for '/{db}.', False "
        "for none.",
    ),
    Option(
        "fanout_patterns", "bool", True, "", "Channels are named by routing keys, too."
    ),
    Option("global_keyprefix", "str", "", "", "In front of every key and channel."),
    Option(
        "priority_steps",
        "list",
        (0, 3, 6, 9),
        "",
        "Priorities that are told apart, in kombu's mode.",
    ),
    Option(
        "priority_mode",
        "str",
        "kombu",
        "",
        "kombu: 0 to 9 in the steps of priority_steps, 0 first; amqp: up to "
        "x-max-priority, higher first.",
    ),
    Option(
        "queue_order_strategy",
        "str",
        "round_robin",
        "",
        "round_robin: queues take turns; sorted or priority: the first that has "
        "messages is served, in the order of names or as they were given.",
    ),
    Option(
        "max_connections",
        "int",
        10,
        "",
        "Most connections of a Connection, all together: usually one for commands, "
        "one that waits for messages, and one that listens to fanout exchanges.",
    ),
    Option("socket_timeout", "float", 5.0, "seconds", "Longest wait for an answer."),
    Option(
        "socket_connect_timeout",
        "float",
        None,
        "seconds",
        "Longest wait for a connection; the connect timeout if not given.",
    ),
    Option("socket_keepalive", "bool", True, "", "Whether TCP looks after silence."),
    Option("socket_keepalive_options", "dict", None, "", "TCP_KEEPIDLE and the like."),
    Option(
        "health_check_interval",
        "int",
        25,
        "seconds",
        "Silence after which the server is asked whether it is there; 0 for never.",
    ),
    Option(
        "reauth_check_interval",
        "int",
        10,
        "seconds",
        "Has no effect: a connection logs in with what is valid at that time, and "
        "opens anew when the server ends it.",
    ),
    Option("retry_on_timeout", "bool", None, "", "Handed to the driver."),
    Option("retry", "object", None, "", "Handed to the driver."),
    Option("retry_on_error", "list", None, "", "Handed to the driver."),
    BUSY_WAIT,
    Option("client_name", "str", None, "", "Name that CLIENT LIST shows."),
    Option("credential_provider", "object", None, "", "Gives user and password."),
)

SENTINEL_OPTIONS = (
    Option("master_name", "str", None, "", "The group of servers; must be given."),
    Option("min_other_sentinels", "int", 0, "", "Peers that a sentinel must know."),
    Option("sentinel_kwargs", "dict", None, "", "Arguments for links to sentinels."),
    Option(
        "sentinel_fanout_compat",
        "bool",
        False,
        "",
        "Also speak the channels that releases before 5.4 used with sentinels.",
    ),
)


class Settings(NamedTuple):
    """Options that say how the store is used.

    Attributes:
        fanout: ``pubsub`` or ``durable``.
        channel_prefix: In front of the channels of fanout exchanges, without the
            global prefix.
        fanout_patterns: Whether channels are named by routing keys, too.
        priority_steps: Priorities that are told apart, ascending.
        order: ``queue_order_strategy``.
        peer_timeout: Seconds until what an old peer took counts as lost.
    """

    fanout: str
    channel_prefix: str
    fanout_patterns: bool
    priority_steps: tuple[int, ...]
    order: str
    peer_timeout: float

    @classmethod
    def of(cls, options: Mapping[str, Any], database: int | str) -> Settings:
        """Return what *options* say.

        Arguments:
            options: The transport options.
            database: Number of the database.

        Raises:
            InvalidTransportOption: A value is not what the option takes.
        """
        fanout = options.get("fanout") or PUBSUB
        if fanout not in (PUBSUB, DURABLE):
            raise InvalidTransportOption(
                f"fanout must be 'pubsub' or 'durable': {fanout!r} is not"
            )
        order = options.get("queue_order_strategy") or "round_robin"
        lease = options.get("visibility_timeout") or _PEER_TIMEOUT
        prefix = options.get("fanout_prefix", True)
        if prefix is True:
            prefix = "/{db}."
        return cls(
            fanout,
            str(prefix or "").format(db=database),
            bool(options.get("fanout_patterns", True)),
            _steps(options.get("priority_steps")),
            order if isinstance(order, str) else "round_robin",
            float(options.get("peer_visibility_timeout") or lease),
        )


def _steps(given: Any) -> tuple[int, ...]:
    try:
        steps = tuple(sorted({int(step) for step in given or (0, 3, 6, 9)}))
    except (TypeError, ValueError):
        steps = ()
    if not steps or steps[0] != 0:
        raise InvalidTransportOption(
            f"priority_steps must be numbers, 0 among them: {given!r} is not"
        )
    return steps
