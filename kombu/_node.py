"""One process that takes commands by mail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.log import get_logger
from kombu.matcher import match
from kombu.messaging import Consumer
from kombu.utils.functional import reprcall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kombu._mailbox import Mailbox
    from kombu.message import Message

__all__ = ("Node",)

logger = get_logger("kombu.pidbox")


class Node:
    """Takes commands, and answers them.

    Arguments:
        hostname: Name of the node.
        state: Passed to the handlers as their first argument.
        channel: Channel to consume on.
        handlers: Handlers by command.
        mailbox: The mailbox that the node belongs to.
    """

    __module__ = "kombu.pidbox"

    hostname: str | None = None
    handlers: dict[str, Callable[..., Any]] = None  # type: ignore[assignment]
    state: Any = None
    channel: Any = None
    mailbox: Mailbox = None  # type: ignore[assignment]

    def __init__(
        self,
        hostname: str | None,
        state: Any = None,
        channel: Any = None,
        handlers: dict[str, Callable[..., Any]] | None = None,
        mailbox: Any = None,
    ) -> None:
        self.channel = channel
        self.mailbox = mailbox
        self.hostname = hostname
        self.state = state
        self.adjust_clock = self.mailbox.clock.adjust
        self.handlers = {} if handlers is None else handlers

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.hostname} ({', '.join(self.handlers)})>"

    def Consumer(
        self,
        channel: Any = None,
        no_ack: bool = True,
        accept: Iterable[str] | None = None,
        **options: Any,
    ) -> Consumer:
        """Return a consumer of the node's queue.

        Arguments:
            channel: Channel to use instead of the node's.
            no_ack: Commands count as acknowledged once delivered.
            accept: Content types to accept; the mailbox's if not given.
            **options: Further arguments of :class:`~kombu.Consumer`.
        """
        queue = self.mailbox.get_queue(self.hostname)

        def verify_exclusive(name: str, messages: int, consumers: int) -> None:
            if consumers:
                import warnings

                warnings.warn(
                    f"A node named {self.hostname} is already using this process "
                    "mailbox!\n\nMaybe you forgot to shutdown the other node or did "
                    "not do so properly?\nOr if you meant to start multiple nodes "
                    "on the same host please make sure\nyou give each node a unique "
                    "node name!",
                    stacklevel=2,
                )

        queue.on_declared = verify_exclusive
        return Consumer(
            channel or self.channel,
            [queue],
            no_ack=no_ack,
            accept=self.mailbox.accept if accept is None else accept,
            **options,
        )

    def handler(self, fun: Callable[..., Any]) -> Callable[..., Any]:
        """Have *fun* handle the command of its name (use as a decorator)."""
        self.handlers[fun.__name__] = fun
        return fun

    def on_decode_error(self, message: Message, exc: BaseException) -> None:
        """Is called with a command that can not be decoded."""
        logger.error("Cannot decode message: %r", exc, exc_info=True)

    def listen(
        self, channel: Any = None, callback: Callable[..., Any] | None = None
    ) -> Any:
        """Begin to consume commands.

        Arguments:
            channel: Channel to use instead of the node's.
            callback: Called with ``(body, message)`` instead of
                :meth:`handle_message`.

        Returns:
            The consumer, which is active.
        """
        consumer = self.Consumer(
            channel=channel,
            callbacks=[callback or self.handle_message],
            on_decode_error=self.on_decode_error,
        )
        consumer.consume()
        return consumer

    def dispatch(
        self,
        method: str,
        arguments: dict[str, Any] | None = None,
        reply_to: dict[str, Any] | None = None,
        ticket: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Carry out a command, and send the reply if one is wanted.

        Returns:
            What the handler returns; ``{"error": ...}`` if it raises.
        """
        arguments = arguments or {}
        logger.debug(
            "pidbox received method %s [reply_to:%s ticket:%s]",
            reprcall(method, (), kwargs=arguments),
            reply_to,
            ticket,
        )
        handle = self.handle_call if reply_to else self.handle_cast
        try:
            reply = handle(method, arguments)
        except Exception as exc:
            logger.error("pidbox command error: %r", exc, exc_info=True)
            reply = {"error": repr(exc)}
        if reply_to:
            self.reply(
                {self.hostname: reply},
                exchange=reply_to["exchange"],
                routing_key=reply_to["routing_key"],
                ticket=ticket,
            )
        return reply

    def handle(self, method: str, arguments: dict[str, Any] | None = None) -> Any:
        """Call the handler of *method*.

        Raises:
            KeyError: There is none.
        """
        arguments = {} if arguments is None else arguments
        return self.handlers[method](self.state, **arguments)

    def handle_call(self, method: str, arguments: dict[str, Any]) -> Any:
        """Carry out a command that wants a reply."""
        return self.handle(method, arguments)

    def handle_cast(self, method: str, arguments: dict[str, Any]) -> Any:
        """Carry out a command that wants no reply."""
        return self.handle(method, arguments)

    def handle_message(self, body: dict[str, Any], message: Any = None) -> Any:
        """Carry out the command in *body*, if it is for this node."""
        destination = body.get("destination")
        pattern, matcher = body.get("pattern"), body.get("matcher")
        if message is not None:
            self.adjust_clock(message.headers.get("clock") or 0)
        if destination:
            is_for_us = self.hostname in destination
        elif pattern and matcher:
            is_for_us = bool(match(self.hostname or "", pattern, matcher))
        else:
            is_for_us = True
        return self.dispatch(**body) if is_for_us else None

    dispatch_from_message = handle_message

    def reply(
        self,
        data: Any,
        exchange: str,
        routing_key: str,
        ticket: str | None,
        **kwargs: Any,
    ) -> None:
        """Send the reply *data*."""
        self.mailbox._publish_reply(
            data,
            exchange,
            routing_key,
            ticket,
            channel=self.channel,
            serializer=self.mailbox.serializer,
        )
