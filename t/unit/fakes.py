"""Stand-ins for what the public objects talk to: channels, brokers, the clock."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from kombu import Connection
from kombu._declared import DeclaredEntities
from kombu.exceptions import RecoverableChannelError
from kombu.transport import memory
from kombu.utils import waiting


class BrokerLost(Exception):
    """What the driver of :class:`MortalTransport` raises when the broker is gone."""


class FakeTransport:
    """What ``channel.connection`` is: leads to the connection."""

    class client:
        connection_errors = (BrokerLost,)
        channel_errors = (RecoverableChannelError,)

        def __init__(self) -> None:
            self.declared_entities = DeclaredEntities()


class FakeChannel:
    """Records the calls that are made on it, and answers as a broker would."""

    channel_id = 7

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.events: dict[str, set[Any]] = {"basic_return": set()}
        self.connection: Any = type("Transport", (), {})()
        self.connection.client = FakeTransport.client()
        self.no_ack_consumers: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        known = ("basic_", "exchange_", "queue_", "prepare_", "flow", "close")
        if not name.startswith(known):
            raise AttributeError(name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append((name, args, kwargs))
            return self.answer(name, args, kwargs)

        return call

    def answer(self, name: str, args: Any, kwargs: Any) -> Any:
        if name == "queue_declare":
            return kwargs["queue"] or "amq.gen-1", 3, 0
        if name == "prepare_queue_arguments":
            given = {k: v for k, v in kwargs.items() if v is not None}
            return {**args[0], **given}
        if name == "prepare_message":
            return ("message", args[0])
        return 5 if name == "queue_purge" else None

    def names(self) -> list[str]:
        return [name for name, _, _ in self.calls]

    def only(self, name: str) -> list[dict[str, Any]]:
        """Return the keyword arguments of the calls of *name*."""
        return [kwargs for called, _, kwargs in self.calls if called == name]


class MortalTransport(memory.Transport):
    """A transport whose brokers die and come back, as :class:`Network` says."""

    network: Network

    connection_errors = (BrokerLost,)
    recoverable_connection_errors = (BrokerLost,)
    channel_errors = (RecoverableChannelError,)
    recoverable_channel_errors = (RecoverableChannelError,)

    def establish_connection(self) -> Any:
        host = self.client.hostname
        self.network.attempts.append(host)
        self.network.check(host)
        self.network.established += 1
        return super().establish_connection()

    def verify_connection(self, connection: Any) -> bool:
        return self.client.hostname not in self.network.dead

    def drain_events(self, connection: Any, timeout: Any = None, **kwargs: Any) -> Any:
        self.network.check(self.client.hostname)
        return super().drain_events(connection, timeout, **kwargs)

    def close_connection(self, connection: Any) -> None:
        self.network.closed += 1
        super().close_connection(connection)


class MortalChannel(memory.Channel):
    """A channel that fails when the broker of its connection is dead."""

    def basic_publish(self, *args: Any, **kwargs: Any) -> Any:
        transport = self.connection
        transport.network.check(transport.client.hostname)
        return super().basic_publish(*args, **kwargs)


class Network:
    """Some brokers, each of which can be dead, and how often they were tried.

    Arguments:
        names: Names of the hosts; made unique, so that tests share nothing.
    """

    def __init__(self, names: str = "a") -> None:
        unique = uuid4().hex
        self.hosts = [f"{name}-{unique}" for name in names]
        self.dead: set[str] = set()
        self.attempts: list[str] = []
        self.established = 0
        self.closed = 0
        self.transport = type(
            "Transport", (MortalTransport,), {"network": self, "Channel": MortalChannel}
        )

    def check(self, host: str) -> None:
        if host in self.dead:
            raise BrokerLost(f"{host[0]} is dead")

    def kill(self, *names: str) -> None:
        """Have the hosts that begin with *names* die; all, if none are given."""
        self.dead |= {h for h in self.hosts if not names or h[0] in names}

    def revive(self) -> None:
        self.dead.clear()

    def connect(self, **options: Any) -> Connection:
        hosts = self.hosts if len(self.hosts) > 1 else self.hosts[0]
        return Connection(hosts, transport=self.transport, **options)

    def tried(self) -> str:
        """Return the first letters of the hosts that were tried, and forget them."""
        letters = "".join(host[0] for host in self.attempts)
        self.attempts.clear()
        return letters


class Clock:
    """Time that passes only when somebody sleeps, or waits in vain."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.sleeps: list[float] = []

    def install(self, monkeypatch: Any) -> Clock:
        clock = self

        def wait(waiter: Any, timeout: float | None = None) -> bool:
            if waiter._is_woken:
                waiter._is_woken = False
                return True
            assert timeout is not None, "would wait for ever"
            clock.now += timeout
            return False

        monkeypatch.setattr(waiting, "monotonic", lambda: clock.now)
        monkeypatch.setattr(waiting, "sleep", clock.sleep)
        monkeypatch.setattr(waiting.Waiter, "wait", wait)
        return self

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds
