"""What a transport offers: the one truth that tables and warnings come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kombu.exceptions import KombuError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = (
    "ABILITIES",
    "ABSENT",
    "EMULATED",
    "NATIVE",
    "Implements",
    "Support",
    "default_transport_capabilities",
    "leased_abilities",
    "native_abilities",
    "virtual_abilities",
)

#: What an application can ask a broker for, in words, by name.
ABILITIES: dict[str, str] = {
    "direct": "direct exchanges",
    "topic": "topic exchanges",
    "fanout": "fanout exchanges",
    "headers": "headers exchanges",
    "exchange_binding": "bindings from exchange to exchange",
    "alternate_exchange": "alternate exchanges",
    "mandatory": "messages that reach no queue are returned",
    "passive_declare": "checking whether a queue or exchange exists",
    "exclusive": "queues that belong to one connection",
    "auto_delete": "queues that go with their last consumer",
    "cancel_notice": "consumers are told that their queue was deleted",
    "prefetch": "a limit on unacknowledged messages, kept exactly",
    "requeue_to_head": "what is put back is the next to be delivered",
    "redelivered": "what was delivered before is marked",
    "event_loop": "consuming from an event loop",
    "concurrent_publish": "publishing on one connection from many threads",
    "lease": "redelivery after a consumer was killed",
    "shared_topology": "bindings that other processes see",
    "priority": "messages by priority",
    "message_ttl": "messages that expire",
    "queue_expires": "queues that expire when unused",
    "dead_letter": "dead-letter exchanges",
    "delivery_limit": "a limit on deliveries of a message",
    "max_length": "a limit on the length of a queue",
    "delay": "messages delivered at a later time",
    "single_active_consumer": "one consumer at a time",
    "consumer_priority": "consumers by priority",
    "tls": "encrypted connections",
}

NATIVE = "native"
EMULATED = "emulated"
ABSENT = "absent"


class Support(NamedTuple):
    """How an ability is offered.

    Attributes:
        level: ``native`` (the broker does it), ``emulated`` (the library does
            it over the broker's store), or ``absent``.
        limit: What does not hold, in words.
    """

    level: str
    limit: str = ""

    def __bool__(self) -> bool:
        return self.level != ABSENT


class UnknownAbility(KombuError, KeyError):
    """An ability that no transport has a word for."""

    def __str__(self) -> str:
        return f"unknown ability {self.args[0]!r}: known are {', '.join(ABILITIES)}"


class Implements(dict[str, Any]):
    """What a transport offers, by name; also readable as attributes.

    Names that kombu has had: ``asynchronous`` (works with an event loop),
    ``batch_publish``, ``exchange_type`` (names of the types it routes) and
    ``heartbeats``.  The finer record is read by :meth:`support`.
    """

    def __getattr__(self, key: str) -> Any:
        try:
            return self[key]
        except KeyError:
            raise AttributeError(key) from None

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value

    def extend(self, **kwargs: Any) -> Implements:
        """Return a copy with the entries *kwargs* changed or added.

        ``abilities`` is merged with those there are; whoever gives some
        ``describes_itself``: what is not among them is not offered.
        """
        said = kwargs.pop("abilities", {})
        abilities = {**self.get("abilities", {}), **said}
        for name in abilities:
            _check_ability(name)
        if said:
            kwargs.setdefault("describes_itself", True)
        return type(self)({**self, **kwargs, "abilities": abilities})

    def offers(self, ability: str) -> bool:
        """Return whether the transport offers *ability*, in whatever way."""
        return bool(self.support(ability))

    def support(self, ability: str) -> Support:
        """Return how the transport offers *ability*, a key of ``ABILITIES``.

        What a transport says nothing of counts as absent.

        Raises:
            UnknownAbility: There is no such ability (also a ``KeyError``).
        """
        _check_ability(ability)
        found: Support | None = self.get("abilities", {}).get(ability)
        return Support(ABSENT) if found is None else found


def _check_ability(name: str) -> None:
    if name not in ABILITIES:
        raise UnknownAbility(name)


def _all(level: str, *names: str) -> dict[str, Support]:
    return {name: Support(level) for name in names}


#: What brokers that speak AMQP 0-9-1 do themselves.
native_abilities: Mapping[str, Support] = _all(
    NATIVE,
    "direct",
    "topic",
    "fanout",
    "headers",
    "mandatory",
    "passive_declare",
    "exclusive",
    "auto_delete",
    "prefetch",
    "requeue_to_head",
    "redelivered",
    "lease",
    "shared_topology",
)

#: What the virtual layer does over any store that has the classic hooks.
virtual_abilities: Mapping[str, Support] = _all(
    EMULATED,
    "direct",
    "topic",
    "fanout",
    "headers",
    "exchange_binding",
    "alternate_exchange",
    "mandatory",
    "passive_declare",
    "exclusive",
    "prefetch",
    "redelivered",
    "event_loop",
    "concurrent_publish",
) | {
    "message_ttl": Support(EMULATED, "a message expires when it is reached"),
    "dead_letter": Support(EMULATED, "not if the consumer is killed meanwhile"),
    "delivery_limit": Support(EMULATED, "a consumer that is killed does not count"),
    "max_length": Support(EMULATED, "by number; publishers at once may exceed it"),
}

#: What the virtual layer does, beside that, over a store that leases messages.
leased_abilities: Mapping[str, Support] = _all(
    EMULATED,
    "auto_delete",
    "cancel_notice",
    "requeue_to_head",
    "lease",
    "shared_topology",
    "priority",
    "message_ttl",
    "queue_expires",
    "dead_letter",
    "delivery_limit",
    "max_length",
    "delay",
    "single_active_consumer",
    "consumer_priority",
)

default_transport_capabilities = Implements(
    asynchronous=False,
    batch_publish=False,
    exchange_type=frozenset({"direct", "topic", "fanout", "headers"}),
    heartbeats=False,
    describes_itself=False,
)
