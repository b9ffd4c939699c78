"""The message, as consumers receive it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NoReturn

from kombu.compression import decompress
from kombu.exceptions import MessageStateError, reraise
from kombu.serialization import loads
from kombu.utils.functional import dictfilter

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Collection, Sequence

__all__ = ("Message",)

_ACK_STATES = frozenset({"ACK", "REJECTED", "REQUEUED"})


class Message:
    """A received message, to be acknowledged, rejected or requeued once.

    Arguments:
        body: The body as it was sent, still encoded.
        delivery_tag: What the channel knows this delivery by.
        content_type: MIME type of the body.
        content_encoding: Character set of the body, or ``"binary"``.
        delivery_info: Where it came from: ``exchange``, ``routing_key``,
            ``redelivered`` and what else the transport tells.
        properties: AMQP properties.
        headers: Application headers.
        postencode: Character set to encode a body that arrives as text.
        accept: Content types that may be decoded; :const:`None` for all that
            are safe.
        channel: The channel that it came by.

    Attributes:
        errors: Errors met while unpacking it, as ``sys.exc_info()`` has them.
    """

    MessageStateError = MessageStateError

    __slots__ = (
        "__dict__",
        "__weakref__",
        "_decoded_cache",
        "_state",
        "accept",
        "body",
        "channel",
        "content_encoding",
        "content_type",
        "delivery_info",
        "delivery_tag",
        "headers",
        "properties",
    )

    errors: Sequence[Any] = ()

    def __init__(
        self,
        body: Any = None,
        delivery_tag: Any = None,
        content_type: str | None = None,
        content_encoding: str | None = None,
        delivery_info: dict[str, Any] | None = None,
        properties: dict[str, Any] | None = None,
        headers: dict[str, Any] | None = None,
        postencode: str | None = None,
        accept: Collection[str] | None = None,
        channel: Any = None,
        **kwargs: Any,
    ) -> None:
        self.channel = channel
        self.delivery_tag = delivery_tag
        self.content_type = content_type
        self.content_encoding = content_encoding
        self.delivery_info = {} if delivery_info is None else delivery_info
        self.properties = {} if properties is None else properties
        self.headers = {} if headers is None else headers
        self.body = body
        self.accept = accept
        self._decoded_cache: Any = None
        self._state = "RECEIVED"
        if "compression" in self.headers:
            self._unpack(self._decompress)
        if postencode is not None and isinstance(body, str) and not self.errors:
            self.body = body.encode(postencode, "surrogatepass")

    def _unpack(self, step: Callable[[], None]) -> None:
        """Run a *step* of unpacking; an error waits until the message is used."""
        try:
            step()
        except Exception:
            self.errors = [*self.errors, sys.exc_info()]

    def _decompress(self) -> None:
        method = self.headers["compression"]
        if method:
            self.body = decompress(self.body, method)

    def _reraise_error(
        self, callback: Callable[[Message, BaseException], Any] | None = None
    ) -> Any:
        """Raise the first of :attr:`errors`, or give it to *callback*."""
        kind, error, traceback = self.errors[0]
        if callback is None:
            _reraise(kind, error, traceback)
        return callback(self, error)

    def ack(self, multiple: bool = False) -> None:
        """Acknowledge the message: it is done with and will not come again.

        Arguments:
            multiple: Also acknowledge all that the channel delivered before.

        Raises:
            MessageStateError: It was acknowledged, rejected or requeued
                before, or came by no channel.
        """
        channel = self.channel
        if (
            channel is None
            or channel.no_ack_consumers is not None
            or self._state != "RECEIVED"
        ):
            channel = self._settling_channel()
        if channel is not None:
            channel.basic_ack(self.delivery_tag, multiple=multiple)
            self._state = "ACK"

    def reject(self, requeue: bool = False) -> None:
        """Refuse the message: it is discarded, or dead-lettered.

        Arguments:
            requeue: Put it back into its queue instead.

        Raises:
            MessageStateError: As for :meth:`ack`.
        """
        channel = self._settling_channel()
        if channel is not None:
            channel.basic_reject(self.delivery_tag, requeue=requeue)
            self._state = "REQUEUED" if requeue else "REJECTED"

    def requeue(self) -> None:
        """Put the message back into its queue, for any consumer to take.

        Raises:
            MessageStateError: As for :meth:`ack`.
        """
        self.reject(requeue=True)

    def _settling_channel(self) -> Any:
        """Return the channel to settle on; None if there is nothing to settle."""
        channel = self.channel
        if channel is None:
            raise MessageStateError("This message does not have a receiving channel")
        unacknowledged = channel.no_ack_consumers
        if (
            unacknowledged is not None
            and self.delivery_info.get("consumer_tag") in unacknowledged
        ):
            return None
        if self._state in _ACK_STATES:
            raise MessageStateError(
                f"Message already acknowledged with state: {self._state}"
            )
        return channel

    def ack_log_error(
        self,
        logger: logging.Logger,
        errors: tuple[type[BaseException], ...] | type[BaseException],
        multiple: bool = False,
    ) -> None:
        """Acknowledge; an error of the kinds *errors* is logged, not raised."""
        try:
            self.ack(multiple=multiple)
        except BrokenPipeError as exc:
            logger.critical("Couldn't ack %r, reason:%r", self.delivery_tag, exc)
            raise
        except errors as exc:
            logger.critical("Couldn't ack %r, reason:%r", self.delivery_tag, exc)

    def reject_log_error(
        self,
        logger: logging.Logger,
        errors: tuple[type[BaseException], ...] | type[BaseException],
        requeue: bool = False,
    ) -> None:
        """Reject; an error of the kinds *errors* is logged, not raised."""
        try:
            self.reject(requeue=requeue)
        except errors as exc:
            logger.critical("Couldn't reject %r, reason:%r", self.delivery_tag, exc)

    def decode(self) -> Any:
        """Return the decoded body, which is decoded but once.

        Raises:
            ContentDisallowed: The content type is not accepted.
            DecodeError: The body is not what the content type says.
        """
        decoded = self._decoded_cache
        if decoded is None:
            decoded = self._decoded_cache = loads(
                self.body, self.content_type, self.content_encoding, self.accept
            )
        return decoded

    @property
    def acknowledged(self) -> bool:
        """True once the message was acknowledged, rejected or requeued."""
        return self._state in _ACK_STATES

    @property
    def payload(self) -> Any:
        """The decoded body (see :meth:`decode`)."""
        cached = self._decoded_cache
        return self.decode() if cached is None else cached

    def __repr__(self) -> str:
        details = dictfilter(
            state=self._state,
            content_type=self.content_type,
            delivery_tag=self.delivery_tag,
            body_length=_length_of(self.body),
            properties=dictfilter(
                correlation_id=self.properties.get("correlation_id"),
                type=self.properties.get("type"),
            ),
            delivery_info=dictfilter(
                exchange=self.delivery_info.get("exchange"),
                routing_key=self.delivery_info.get("routing_key"),
            ),
        )
        return f"<{type(self).__name__} object at {id(self):#x} with details {details}>"


def _length_of(body: Any) -> int | None:
    # Anything may be found in the place of a message.
    return len(body) if hasattr(body, "__len__") else None


def _reraise(kind: Any, error: BaseException, traceback: Any) -> NoReturn:
    reraise(kind, error, traceback)
