"""A broker of a few methods, for tests that need no server: one thread a connection.

Messages are published to queues by name.  What it does can be changed: see the
attributes of `Broker`.
"""

from __future__ import annotations

import socket
import threading
from collections import deque
from contextlib import suppress
from struct import pack, unpack, unpack_from

from amqp.serialization import loads

from t.unit.transport.amqp.frames import ack, frame, method, nack

CAPABILITIES = {"publisher_confirms": True, "connection.blocked": True}


class Broker:
    """Listens at `url`, within a ``with`` block."""

    def __init__(self, version="3.12.0", heartbeat=0, capabilities=CAPABILITIES):
        self.properties = {
            "product": "RabbitMQ",
            "version": version,
            "capabilities": capabilities,
        }
        self.heartbeat = heartbeat
        #: Numbers of methods that came, in order.
        self.methods = []
        self.queues = {}
        self.clients = []
        #: Whether publishes are confirmed, and whether they are taken.
        self.confirms = True
        self.takes = True
        #: Cleared, the broker reads nothing.
        self.reads = threading.Event()
        self.reads.set()
        self._server = socket.create_server(("127.0.0.1", 0))
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    @property
    def url(self):
        return f"amqp://127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self):
        self._accepting.start()
        return self

    def stop_listening(self):
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._accepting.join(5)

    def __exit__(self, *exc_info):
        self.reads.set()
        self.stop_listening()
        for client in self.clients:
            client.hang_up()

    def _accept(self):
        while True:
            try:
                sock, _ = self._server.accept()
            except OSError:
                return
            client = Client(self, sock)
            self.clients.append(client)
            client.thread.start()


class Client:
    """One connection, seen from the broker."""

    def __init__(self, broker, sock):
        self.broker = broker
        self.sock = sock
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.consumers = {}
        self.published = {}
        self.counts = {}
        self.tag = 0
        self.content = None

    def hang_up(self):
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def send(self, *frames):
        with suppress(OSError):
            self.sock.sendall(b"".join(frames))

    def _serve(self):
        stream = self.sock.makefile("rb")
        with suppress(OSError, ValueError):
            assert stream.read(8) == b"AMQP\0\0\x09\x01"
            start = (0, 9, self.broker.properties, "PLAIN AMQPLAIN", "en_US")
            self.send(method(0, (10, 10), "ooFSS", start))
            while head := stream.read(7):
                kind, channel, size = unpack(">BHI", head)
                payload = stream.read(size)
                end = stream.read(1)
                if not end:
                    return
                assert end == b"\xce"
                self._take(kind, channel, payload)
                self.broker.reads.wait()

    def _take(self, kind, channel, payload):
        if kind == 1:
            numbers = unpack_from(">HH", payload)
            self.broker.methods.append(numbers)
            answer = getattr(self, "on_{}_{}".format(*numbers), None)
            if answer is not None:
                answer(channel, payload[4:])
        elif kind == 2:
            _, _, size = unpack_from(">HHQ", payload)
            self.content += [payload[12:], size, b""]
            self._finish(channel)
        elif kind == 3:
            self.content[-1] += payload
            self._finish(channel)

    # -- the connection --------------------------------------------------------------

    def on_10_11(self, channel, arguments):
        self.send(method(0, (10, 30), "BlB", (2047, 131072, self.broker.heartbeat)))

    def on_10_40(self, channel, arguments):
        self.send(method(0, (10, 41), "s", ("",)))

    def on_10_50(self, channel, arguments):
        self.send(method(0, (10, 51)))

    def close(self, code, text):
        self.send(method(0, (10, 50), "BsBB", (code, text, 0, 0)))

    def block(self, reason="low on memory"):
        self.send(method(0, (10, 60), "s", (reason,)))

    def unblock(self):
        self.send(method(0, (10, 61)))

    # -- channels ----------------------------------------------------------------------

    def on_20_10(self, channel, arguments):
        self.counts.pop(channel, None)
        self.send(method(channel, (20, 11), "S", ("",)))

    def on_20_40(self, channel, arguments):
        self.send(method(channel, (20, 41)))

    def close_channel(self, channel, code, text, numbers):
        self.send(method(channel, (20, 40), "BsBB", (code, text, *numbers)))

    def on_50_10(self, channel, arguments):
        (_, name, passive), _ = loads("Bsb", arguments, 0)
        if passive and name not in self.broker.queues:
            text = f"NOT_FOUND - no queue '{name}'"
            self.close_channel(channel, 404, text, (50, 10))
            return
        queue = self.broker.queues.setdefault(name, deque())
        self.send(method(channel, (50, 11), "sll", (name, len(queue), 0)))

    def on_60_10(self, channel, arguments):
        self.send(method(channel, (60, 11)))

    # -- messages ------------------------------------------------------------------------

    def on_85_10(self, channel, arguments):
        self.counts[channel] = 0

    def on_60_40(self, channel, arguments):
        (_, exchange, key, mandatory, _), _ = loads("Bssbb", arguments, 0)
        self.content = [exchange, key, mandatory]

    def _finish(self, channel):
        exchange, key, mandatory, properties, size, body = self.content
        if len(body) < size:
            return
        if exchange:
            text = f"NOT_FOUND - no exchange '{exchange}'"
            self.close_channel(channel, 404, text, (60, 40))
            return
        queue = self.broker.queues.get(key)
        if queue is not None and self.broker.takes:
            queue.append((properties, body))
        elif mandatory:
            header = pack(">HHQ", 60, 0, len(body)) + properties
            returned = (312, "NO_ROUTE", exchange, key)
            self.send(
                method(channel, (60, 50), "Bsss", returned),
                frame(2, channel, header),
                frame(3, channel, body),
            )
        if channel in self.counts:
            self.counts[channel] += 1
            if self.broker.confirms:
                settled = ack if self.broker.takes else nack
                self.send(settled(channel, self.counts[channel]))
        self.deliver_all()

    def on_60_20(self, channel, arguments):
        (_, queue, tag), _ = loads("Bss", arguments, 0)
        self.send(method(channel, (60, 21), "s", (tag,)))
        self.consumers[tag] = (channel, queue)
        self.deliver_all()

    def on_60_30(self, channel, arguments):
        (tag,), _ = loads("s", arguments, 0)
        self.consumers.pop(tag, None)
        self.send(method(channel, (60, 31), "s", (tag,)))

    def on_60_70(self, channel, arguments):
        (_, name), _ = loads("Bs", arguments, 0)
        queue = self.broker.queues[name]
        if not queue:
            self.send(method(channel, (60, 72), "s", ("",)))
            return
        self.tag += 1
        properties, body = queue.popleft()
        found = (self.tag, False, "", name, len(queue))
        self._send_content(method(channel, (60, 71), "Lbssl", found), properties, body)

    def deliver_all(self):
        for tag, (channel, name) in self.consumers.items():
            queue = self.broker.queues.get(name, ())
            while queue:
                self.tag += 1
                properties, body = queue.popleft()
                values = (tag, self.tag, False, "", name)
                begin = method(channel, (60, 60), "sLbss", values)
                self._send_content(begin, properties, body)

    def _send_content(self, begin, properties, body):
        channel = unpack_from(">H", begin, 1)[0]
        header = frame(2, channel, pack(">HHQ", 60, 0, len(body)) + properties)
        pieces = [
            frame(3, channel, body[at : at + 100_000])
            for at in range(0, len(body), 100_000)
        ]
        self.send(begin, header, *pieces)
