"""Transports as people have written them for kombu: with its hooks alone.

Each keeps its messages in a :class:`Store`, and notes what it was asked for
there.  The tests say which calls it has to see, and in which order.
"""

from __future__ import annotations

from collections import deque
from queue import Empty

from kombu.exceptions import DecodeError
from kombu.message import Message as BaseMessage
from kombu.transport import virtual
from kombu.transport.virtual.exchange import DirectExchange


class Store:
    """Queues and binding tables, and the calls that they got."""

    def __init__(self):
        self.clear()

    def clear(self):
        self.queues = {}
        self.tables = {}
        self.calls = []

    def note(self, name, *details):
        self.calls.append((name, *details))

    def cut(self):
        """Return the calls so far, and forget them."""
        calls, self.calls = self.calls, []
        return calls

    def put(self, queue, message):
        self.queues.setdefault(queue, deque()).append(message)

    def take(self, queue):
        try:
            return self.queues[queue].popleft()
        except (KeyError, IndexError):
            raise Empty() from None


store = Store()


class Channel(virtual.Channel):
    """The four hooks that a transport must have."""

    def _put(self, queue, message, **kwargs):
        store.note("put", queue, kwargs)
        store.put(queue, message)

    def _get(self, queue, timeout=None):
        store.note("get", queue)
        return store.take(queue)

    def _size(self, queue):
        return len(store.queues.get(queue, ()))

    def _purge(self, queue):
        return len(store.queues.pop(queue, ()))


class Transport(virtual.Transport):
    Channel = Channel
    polling_interval = 0.001
    driver_type = "third-party"
    driver_name = "third-party"


class BareChannel(Channel):
    """``_put`` as the first versions of the documentation had it."""

    def _put(self, queue, message):
        store.note("put", queue)
        store.put(queue, message)


class BareTransport(Transport):
    Channel = BareChannel


class PollChannel(Channel):
    """Waits in its store by itself; here it says for how long it was told to."""

    misses = 0

    def _poll(self, cycle, callback, timeout=None):
        store.note("poll", timeout)
        if self.misses:
            self.misses -= 1
            raise Empty()
        return super()._poll(cycle, callback, timeout=timeout)


class PollTransport(Transport):
    Channel = PollChannel
    polling_interval = None


class GetManyChannel(Channel):
    """Asks for all queues at once, and delivers by the transport."""

    def _get_many(self, queues, timeout=None):
        store.note("get_many", tuple(queues))
        for queue in queues:
            if store.queues.get(queue):
                return self.connection._deliver(store.take(queue), queue)
        raise Empty()


class GetManyTransport(Transport):
    Channel = GetManyChannel


class OwnDrainChannel(Channel):
    """Has a way of its own to drain."""

    def drain_events(self, timeout=None, callback=None):
        for queue in self._active_queues:
            if store.queues.get(queue) and self.qos.can_consume():
                return callback(store.take(queue), queue)
        raise Empty()


class OwnDrainTransport(Transport):
    Channel = OwnDrainChannel


class Poller:
    """Looks into the store for all channels of a transport."""

    def __init__(self, channels):
        self.channels = channels
        self.is_closed = False

    def get(self, callback, timeout=None):
        for channel in self.channels:
            for queue in channel._active_queues:
                if store.queues.get(queue) and channel.qos.can_consume():
                    return callback(store.take(queue), queue)
        raise Empty()

    def close(self):
        self.is_closed = True


class PollerTransport(Transport):
    """Replaces the cycle of its channels."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.cycle = Poller(self.channels)


class TableChannel(Channel):
    """Keeps the binding tables in its store."""

    supports_fanout = True

    def _queue_bind(self, exchange, routing_key, pattern, queue):
        store.note("bind", exchange, routing_key, pattern, queue)
        store.tables.setdefault(exchange, []).append((routing_key, pattern, queue))

    def get_table(self, exchange):
        store.note("table", exchange)
        return list(store.tables.get(exchange, ()))

    def _put_fanout(self, exchange, message, routing_key, **kwargs):
        store.note("fanout", exchange, routing_key)
        for _, _, queue in self.get_table(exchange):
            self._put(queue, message)

    def _delete(self, queue, *args, **kwargs):
        store.note("delete", queue, args)
        for table in store.tables.values():
            table[:] = [row for row in table if row[2] != queue]
        super()._delete(queue)


class TableTransport(Transport):
    Channel = TableChannel


class PrefixExchange(DirectExchange):
    """Routes to what begins with the key of the binding.

    Its patterns can not be hashed, which nobody has forbidden.
    """

    type = "prefix"

    def lookup(self, table, exchange, routing_key, default):
        return {queue for key, _, queue in table if routing_key.startswith(key)}

    def prepare_bind(self, queue, exchange, routing_key, arguments):
        return routing_key, {"arguments": arguments}, queue


class LoudExchange(DirectExchange):
    """Delivers by itself."""

    type = "loud"

    def deliver(self, message, exchange, routing_key, **kwargs):
        store.note("deliver", exchange, routing_key)
        for queue in self.channel._lookup(exchange, routing_key):
            self.channel._put(queue, message, **kwargs)


class ExchangeChannel(Channel):
    exchange_types = {
        **virtual.Channel.exchange_types,
        "prefix": PrefixExchange,
        "loud": LoudExchange,
    }


class ExchangeTransport(Transport):
    Channel = ExchangeChannel


class QoS(virtual.QoS):
    """Notes what it is asked for."""

    def can_consume(self):
        store.note("can_consume")
        return super().can_consume()

    def append(self, message, delivery_tag):
        store.note("append", message.payload)
        super().append(message, delivery_tag)

    def ack(self, delivery_tag):
        store.note("ack")
        super().ack(delivery_tag)

    def reject(self, delivery_tag, requeue=False):
        store.note("reject", requeue)
        super().reject(delivery_tag, requeue=requeue)

    def restore_unacked_once(self, stderr=None):
        store.note("restore_unacked_once")
        super().restore_unacked_once(stderr)


class QoSChannel(Channel):
    QoS = QoS


class QoSTransport(Transport):
    Channel = QoSChannel


class OwnMessage(BaseMessage):
    """A message class that has nothing of the virtual one."""

    def __init__(self, payload, channel=None, **kwargs):
        if not isinstance(payload, dict):
            raise DecodeError("no envelope")
        properties = payload["properties"]
        self.raw = payload
        super().__init__(
            body=channel.decode_body(payload["body"], properties.get("body_encoding")),
            channel=channel,
            delivery_tag=properties["delivery_tag"],
            content_type=payload["content-type"],
            content_encoding=payload["content-encoding"],
            headers=payload["headers"],
            properties=properties,
            delivery_info=properties["delivery_info"],
            **kwargs,
        )

    def serializable(self):
        return {**self.raw, "mine": True}


class MessageChannel(Channel):
    Message = OwnMessage


class MessageTransport(Transport):
    Channel = MessageChannel


class HeadChannel(Channel):
    """Can put messages back at the head of a queue, in kombu's way."""

    def _restore_at_beginning(self, message):
        envelope = {**message.serializable(), "redelivered": True}
        queue = message.delivery_info["routing_key"]
        store.queues.setdefault(queue, deque()).appendleft(envelope)


class HeadTransport(Transport):
    Channel = HeadChannel


class RestoreChannel(Channel):
    """Has a way of its own to restore."""

    def _restore(self, message):
        store.note("restore", message.payload)
        super()._restore(message)


class RestoreTransport(Transport):
    Channel = RestoreChannel


class PipeTransport(Transport):
    """Its channels can not be opened as long as the store is away."""

    is_away = False

    class Channel(Channel):
        def __init__(self, connection, **kwargs):
            super().__init__(connection, **kwargs)
            if PipeTransport.is_away:
                raise ConnectionRefusedError("the store is away")
