"""A broker of AMQP 1.0 for tests that need no server: queues by name, one thread.

It is made of the library's own engine, as a server.  What it does can be changed: see
the attributes of `Broker`.
"""

from __future__ import annotations

import selectors
import socket
import threading
from collections import deque
from contextlib import suppress
from itertools import count

import proton

from t.unit.transport.qpid.management import manage

_ACCEPTED = proton.Delivery.ACCEPTED


_numbers = count(1)


class Stored:
    """A message, and how often it was delivered in vain."""

    def __init__(self, data):
        self.number = next(_numbers)
        self.data = data
        self.count = 0

    def encoded(self):
        if not self.count:
            return self.data
        message = proton.Message()
        message.decode(self.data)
        message.delivery_count = self.count
        return message.encode()


class Broker:
    """Listens at `url`, within a ``with`` block."""

    def __init__(self, product="generic", version="1", users=None):
        self.properties = {
            proton.symbol("product"): product,
            proton.symbol("version"): version,
        }
        self.queues = {}
        #: What the management node keeps: kind and attributes by name.
        self.objects = {}
        self.bindings = []
        #: Whether queues are made as they are asked for.
        self.makes_queues = True
        #: Condition that a link to an address is refused with; whether that ends the
        #: session.
        self.refused = {}
        self.ends_sessions = False
        #: Outcome of what is published, and its condition.
        self.outcome = (_ACCEPTED, None)
        self.gives_credit = True
        #: Whether anything is answered at all.
        self.is_deaf = False
        self.idle_timeout = 0
        self.hostnames = []
        #: Names of the links that were opened, and closed.
        self.opened, self.closed = [], []
        self.clients = []
        self._numbers = count(1)
        self._calls = deque()
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.setblocking(False)
        self._ear, self._mouth = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._server, selectors.EVENT_READ, self._accept)
        self._selector.register(self._ear, selectors.EVENT_READ, self._listen)
        self._is_over = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def port(self):
        return self._server.getsockname()[1]

    @property
    def url(self):
        return f"qpid://127.0.0.1:{self.port}//"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc_info):
        self._is_over = True
        self._mouth.send(b"x")
        self._thread.join(10)
        for sock in (self._server, self._ear, self._mouth):
            sock.close()

    def call(self, function):
        """Have the broker's thread call *function*; wait until it has."""
        done = threading.Event()
        self._calls.append((function, done))
        self._mouth.send(b"x")
        assert done.wait(10)

    def hang_up(self):
        """Drop all connections without a word."""
        self.call(lambda: [client.drop() for client in tuple(self.clients)])

    def close_links(self, address, condition):
        """End all links from or to *address*."""

        def close():
            for client in self.clients:
                client.close_links(address, condition)

        self.call(close)

    def queue(self, name):
        return self.queues.setdefault(name, deque())

    def put_back(self, name, stored):
        """Put a message where it was."""
        queue = self.queue(name)
        queue.append(stored)
        self.queues[name] = deque(sorted(queue, key=lambda each: each.number))

    # -- the thread ----------------------------------------------------------------

    def _run(self):
        while not self._is_over:
            for key, _ in self._selector.select():
                key.data()
            for client in tuple(self.clients):
                client.pump()
        for client in tuple(self.clients):
            client.drop()
        self._selector.close()

    def _listen(self):
        self._ear.recv(100)
        while self._calls:
            function, done = self._calls.popleft()
            function()
            for client in tuple(self.clients):
                client.pump()
            done.set()

    def _accept(self):
        sock, _ = self._server.accept()
        client = Client(self, sock)
        self.clients.append(client)
        self._selector.register(sock, selectors.EVENT_READ, client.receive)

    def forget(self, client):
        if client in self.clients:
            self.clients.remove(client)
            self._selector.unregister(client.sock)

    def new_name(self):
        return f"made-{next(self._numbers)}"


class Client:
    """One connection."""

    def __init__(self, broker, sock):
        self.broker = broker
        self.sock = sock
        self.connection = proton.Connection()
        self.collector = proton.Collector()
        self.connection.collect(self.collector)
        self.transport = proton.Transport(proton.Transport.SERVER)
        sasl = self.transport.sasl()
        sasl.allowed_mechs("ANONYMOUS PLAIN")
        sasl.allow_insecure_mechs = True
        self.transport.bind(self.connection)
        #: Links that we send by, with what is not settled by tag.
        self.senders = {}
        self.receivers = {}

    def receive(self):
        try:
            data = self.sock.recv(65536)
        except OSError:
            data = b""
        if self.broker.is_deaf and data:
            return
        if not data:
            self.drop()
            return
        view = memoryview(data)
        while view:
            room = self.transport.capacity()
            if room <= 0:
                break
            self.transport.push(bytes(view[:room]))
            view = view[room:]
        self.handle()

    def handle(self):
        while (event := self.collector.peek()) is not None:
            handler = getattr(self, f"on_{event.type.name[3:].lower()}", None)
            if handler is not None:
                handler(event)
            self.collector.pop()

    def pump(self):
        for link, (queue, unsettled) in tuple(self.senders.items()):
            self._send(link, self.broker.queue(queue), unsettled)
        self.transport.tick(1)
        with suppress(OSError):
            while (pending := self.transport.pending()) > 0:
                data = self.transport.peek(pending)
                self.transport.pop(self.sock.send(data))

    def _send(self, link, queue, unsettled):
        while link.credit > 0 and queue:
            stored = queue.popleft()
            tag = self.broker.new_name()
            delivery = link.delivery(tag)
            link.stream(stored.encoded())
            link.advance()
            if link.remote_snd_settle_mode == proton.Link.SND_SETTLED:
                delivery.settle()
            else:
                unsettled[tag] = stored
        if link.drain_mode and link.credit > 0:
            link.drained()

    def drop(self):
        self.broker.forget(self)
        for queue, unsettled in self.senders.values():
            self._return(queue, unsettled)
        self.senders.clear()
        self.sock.close()

    def _return(self, queue, unsettled):
        for stored in unsettled.values():
            stored.count += 1
            self.broker.put_back(queue, stored)
        unsettled.clear()

    def close_links(self, address, condition):
        links = [link for link, (queue, _) in self.senders.items() if queue == address]
        links += [link for link, queue in self.receivers.items() if queue == address]
        for link in links:
            link.condition = proton.Condition(condition, "for a test")
            link.close()
            self.senders.pop(link, None)
            self.receivers.pop(link, None)

    def reply(self, address, data):
        self.broker.queue(address).append(Stored(data))

    # -- events --------------------------------------------------------------------

    def on_connection_remote_open(self, event):
        self.broker.hostnames.append(self.connection.remote_hostname)
        if self.broker.idle_timeout:
            self.transport.idle_timeout = self.broker.idle_timeout
        self.connection.container = "broker"
        self.connection.properties = self.broker.properties
        self.connection.open()

    def on_session_remote_open(self, event):
        event.session.open()

    def on_session_remote_close(self, event):
        for link in [link for link in self.senders if link.session == event.session]:
            queue, unsettled = self.senders.pop(link)
            self._return(queue, unsettled)
        event.session.close()

    def on_connection_remote_close(self, event):
        for queue, unsettled in self.senders.values():
            self._return(queue, unsettled)
        self.senders.clear()
        self.connection.close()

    def on_link_remote_open(self, event):
        link = event.link
        terminus = link.remote_source if link.is_sender else link.remote_target
        address = terminus.address
        self.broker.opened.append(address)
        if link.is_sender and link.remote_source.dynamic:
            address = self.broker.new_name()
            self.broker.queue(address)
        condition = self._refusal(address)
        if condition is not None and self.broker.ends_sessions:
            link.session.condition = proton.Condition(condition, "for a test")
            link.session.close()
            return
        if condition is not None:
            link.open()
            link.condition = proton.Condition(condition, "for a test")
            link.close()
            return
        link.source.copy(link.remote_source)
        link.target.copy(link.remote_target)
        if link.is_sender:
            link.source.address = address
            self.senders[link] = (address, {})
            link.open()
        else:
            self.receivers[link] = address
            link.open()
            if self.broker.gives_credit:
                link.flow(1000)

    def _refusal(self, address):
        broker = self.broker
        if address in broker.refused:
            return broker.refused[address]
        if address == "$management" or address in broker.queues:
            return None
        if broker.makes_queues:
            broker.queue(address)
            return None
        return None if address in broker.objects else "amqp:not-found"

    def on_link_remote_close(self, event):
        link = event.link
        terminus = link.remote_source if link.is_sender else link.remote_target
        self.broker.closed.append(terminus.address)
        if link in self.senders:
            queue, unsettled = self.senders.pop(link)
            self._return(queue, unsettled)
        self.receivers.pop(link, None)
        link.close()

    def on_delivery(self, event):
        delivery = event.delivery
        link = delivery.link
        if link.is_sender:
            self._settled(link, delivery)
        elif delivery.readable and not delivery.partial:
            data = link.recv(delivery.pending) or b""
            link.advance()
            self._published(link, delivery, bytes(data))
            link.flow(1)

    def _published(self, link, delivery, data):
        address = link.remote_target.address
        if address == "$management":
            manage(self.broker, data, self.reply)
            delivery.settle()
            return
        state, condition = self.broker.outcome
        if state == _ACCEPTED:
            self.broker.queue(address).append(Stored(data))
        if condition is not None:
            delivery.local.condition = proton.Condition(condition, "for a test")
        if not delivery.settled:
            delivery.update(state)
        delivery.settle()

    def _settled(self, link, delivery):
        if link not in self.senders or not delivery.updated:
            return
        queue, unsettled = self.senders[link]
        stored = unsettled.pop(delivery.tag, None)
        state = delivery.remote_state
        if stored is not None and state in (
            proton.Delivery.RELEASED,
            proton.Delivery.MODIFIED,
        ):
            stored.count += state == proton.Delivery.MODIFIED
            self.broker.put_back(queue, stored)
        delivery.settle()
