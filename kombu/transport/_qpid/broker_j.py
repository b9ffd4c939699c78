"""Apache Qpid Broker-J: queues, exchanges and bindings, by its management node."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import proton

from kombu.exceptions import (
    NotFound,
    OperationalError,
    PreconditionFailed,
    ResourceLocked,
)
from kombu.transport._qpid.abilities import BROKER_J
from kombu.transport._qpid.dialects import (
    Declared,
    Dialect,
    ExchangeSpec,
    QueueSpec,
    Target,
)
from kombu.transport._qpid.management import Management
from kombu.transport._qpid.queue_attributes import COMPARED, queue_attributes
from kombu.transport.virtual.policies import QueuePolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kombu.transport._qpid.management import Answer

__all__ = ("BrokerJDialect",)

_QUEUE, _EXCHANGE = "org.apache.qpid.Queue", "org.apache.qpid.Exchange"


def is_broker_j(properties: Mapping[str, Any]) -> bool:
    """Whether a broker that says *properties* of itself is Broker-J."""
    return "Broker-J" in str(properties.get("product", ""))


class BrokerJDialect(Dialect):
    """What Broker-J calls things."""

    product = "Qpid Broker-J"
    implements = BROKER_J
    capabilities = ()

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self._management = Management(connection)
        self._lock = threading.Lock()
        #: Whether queues have an alternate binding, as far as it is known.
        self._alternates: dict[str, bool] = {}
        #: Exclusive queues that this connection has declared.
        self._exclusive: set[str] = set()

    def close(self) -> None:
        """Forget what is the library's: the connection ends."""
        self._management.forget()

    # -- addresses -----------------------------------------------------------------------

    def target(self, exchange: str, routing_key: str, mandatory: bool) -> Target:
        """Return where a message is sent."""
        if exchange:
            return Target(exchange, subject=routing_key)
        return Target(routing_key)

    # -- outcomes ------------------------------------------------------------------------

    def refusal(self, queue: str) -> Callable[[Any], None]:
        """Return what refuses a message of *queue*.

        What is rejected counts as delivered once more, and stays: only a queue with an
        alternate binding does something else with it, in the end.  In any other queue
        it is taken as done.
        """
        with self._lock:
            has_alternate = self._alternates.get(queue)
        if has_alternate is None:
            found = self._ask("READ", _QUEUE, queue)
            has_alternate = bool(
                found.is_success and found.body.get("alternateBinding")
            )
            with self._lock:
                self._alternates[queue] = has_alternate
        return _reject if has_alternate else _accept

    def _forget_alternate(self, queue: str) -> None:
        with self._lock:
            self._alternates.pop(queue, None)

    # -- queues --------------------------------------------------------------------------

    def declare_queue(self, channel: Any, queue: QueueSpec) -> Declared:
        """Declare a queue.

        Raises:
            PreconditionFailed: It exists and is different.
        """
        # The broker would take some values for something else.
        QueuePolicy.of(queue.name, queue.arguments)
        attributes = queue_attributes(queue)
        self._forget_alternate(queue.name)
        made = self._create(_QUEUE, queue.name, attributes)
        if made.status == 409:
            self._compare(queue, attributes)
        elif not made.is_success:
            self._raise(made, f"declaring queue {queue.name!r}")
        else:
            if queue.exclusive:
                with self._lock:
                    self._exclusive.add(queue.name)
            return Declared(queue.name, 0, 0)
        return self.find_queue(channel, queue.name)

    def _compare(self, queue: QueueSpec, wanted: Mapping[str, Any]) -> None:
        found = self._ask("READ", _QUEUE, queue.name)
        if not found.is_success:
            return  # it is gone since
        self._check_owner(queue.name, found.body)
        for name, (argument, default) in COMPARED.items():
            has = found.body.get(name, default)
            wants = wanted.get(name, default)
            if has != wants:
                raise PreconditionFailed(
                    f"queue {queue.name!r} exists with another {argument}: {name} is "
                    f"{has!r}, not {wants!r}; delete it, or use declare_policy='adopt'",
                    None,
                    "",
                    406,
                )

    def _check_owner(self, name: str, attributes: Mapping[str, Any]) -> None:
        if attributes.get("exclusive", "NONE") != "NONE":
            with self._lock:
                is_ours = name in self._exclusive
            if not is_ours:
                raise ResourceLocked(
                    f"queue {name!r} is exclusive to another connection", None, "", 405
                )

    def find_queue(self, channel: Any, name: str) -> Declared:
        """Return what is known of a queue.

        Raises:
            NotFound: There is none.
        ResourceLocked: It is exclusive to another connection.
        """
        known = self._ask("READ", _QUEUE, name)
        if not known.is_success:
            self._raise(known, f"queue {name!r}")
        self._check_owner(name, known.body)
        found = self._ask("getStatistics", _QUEUE, name)
        if not found.is_success:
            self._raise(found, f"queue {name!r}")
        return Declared(
            name,
            int(found.body.get("availableMessages", 0)),
            int(found.body.get("consumerCount", 0)),
        )

    def delete_queue(
        self, channel: Any, name: str, if_unused: bool, if_empty: bool
    ) -> int:
        """Delete a queue; return how many messages it had.

        Raises:
            PreconditionFailed: It is in use, or has messages, and that matters.
        """
        channel.close_getters(name)
        self._forget_alternate(name)
        try:
            found = self.find_queue(channel, name)
        except NotFound:
            return 0
        if (if_unused and found.consumer_count) or (if_empty and found.message_count):
            raise PreconditionFailed(
                f"queue {name!r} has {found.message_count} messages and "
                f"{found.consumer_count} consumers",
                None,
                "",
                406,
            )
        done = self._ask("DELETE", _QUEUE, name)
        with self._lock:
            self._exclusive.discard(name)
        if not done.is_success and done.status != 404:
            self._raise(done, f"deleting queue {name!r}")
        return found.message_count

    # -- exchanges -----------------------------------------------------------------------

    def declare_exchange(self, channel: Any, exchange: ExchangeSpec) -> None:
        """Declare an exchange.

        Raises:
            PreconditionFailed: It exists and is of another type.
        """
        attributes: dict[str, Any] = {
            "qpid-type": exchange.type,
            "durable": exchange.durable,
            # Otherwise it takes what it can not route.
            "unroutableMessageBehaviour": "REJECT",
        }
        alternate = exchange.arguments.get("alternate-exchange")
        if alternate:
            attributes["alternateBinding"] = json.dumps({"destination": alternate})
        made = self._create(_EXCHANGE, exchange.name, attributes)
        if made.status == 409:
            found = self._ask("READ", _EXCHANGE, exchange.name)
            has = found.body.get("qpid-type") if found.is_success else exchange.type
            if has != exchange.type:
                raise PreconditionFailed(
                    f"exchange {exchange.name!r} is of type {has!r}, not "
                    f"{exchange.type!r}",
                    None,
                    "",
                    406,
                )
        elif not made.is_success:
            self._raise(made, f"declaring exchange {exchange.name!r}")

    def find_exchange(self, channel: Any, name: str) -> None:
        """See that there is an exchange.

        Raises:
            NotFound: There is none.
        """
        found = self._ask("READ", _EXCHANGE, name)
        if not found.is_success:
            self._raise(found, f"exchange {name!r}")

    def delete_exchange(self, channel: Any, name: str, if_unused: bool) -> None:
        """Delete an exchange.

        Raises:
            PreconditionFailed: Something is bound to it, and that matters.
        """
        if if_unused:
            found = self._ask("getStatistics", _EXCHANGE, name)
            if found.is_success and int(found.body.get("bindingCount", 0)):
                raise PreconditionFailed(
                    f"exchange {name!r} has bindings", None, "", 406
                )
        done = self._ask("DELETE", _EXCHANGE, name)
        if not done.is_success and done.status != 404:
            self._raise(done, f"deleting exchange {name!r}")

    def bind(
        self,
        channel: Any,
        destination: str,
        exchange: str,
        routing_key: str,
        arguments: Mapping[str, Any],
        to_exchange: bool = False,
    ) -> None:
        """Bind a queue, or exchange, to an exchange.

        Raises:
            NotFound: One of them does not exist.
        """
        done = self._ask(
            "bind",
            _EXCHANGE,
            exchange,
            destination=destination,
            bindingKey=routing_key,
            arguments=json.dumps(dict(arguments)),
            replaceExistingArguments=True,
        )
        if not done.is_success:
            self._raise(done, f"binding {destination!r} to {exchange!r}")

    def unbind(
        self,
        channel: Any,
        destination: str,
        exchange: str,
        routing_key: str,
        arguments: Mapping[str, Any],
        to_exchange: bool = False,
    ) -> None:
        """Undo :meth:`bind`; what is not bound is no error."""
        done = self._ask(
            "unbind",
            _EXCHANGE,
            exchange,
            destination=destination,
            bindingKey=routing_key,
        )
        if not done.is_success and done.status != 404:
            self._raise(done, f"unbinding {destination!r} from {exchange!r}")

    # -- asking --------------------------------------------------------------------------

    def _create(self, kind: str, name: str, attributes: Mapping[str, Any]) -> Answer:
        return self._management.ask(
            {"operation": "CREATE", "type": kind},
            {"name": name, "object-path": name, **attributes},
        )

    def _ask(self, operation: str, kind: str, name: str, **arguments: Any) -> Answer:
        return self._management.ask(
            {
                "operation": operation,
                "type": kind,
                "key": name,
                "index": "object-path",
                **arguments,
            }
        )

    def _raise(self, answer: Answer, what: str) -> None:
        text = f"{what}: {answer.text} ({answer.status})"
        if answer.status == 404 or "is not found" in answer.text:
            raise NotFound(text, None, "", 404)
        if answer.status in (401, 403):
            raise ResourceLocked(text, None, "", 405)
        if answer.status in (400, 409, 422):
            raise PreconditionFailed(text, None, "", 406)
        raise OperationalError(text)


def _accept(delivery: Any) -> None:
    delivery.update(proton.Delivery.ACCEPTED)


def _reject(delivery: Any) -> None:
    delivery.update(proton.Delivery.REJECTED)
