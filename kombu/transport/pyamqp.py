"""AMQP 0-9-1, as RabbitMQ speaks it.

===================  =========================================================
URL                  ``amqp://user:password@host:5672/vhost``; ``amqps://`` with
                     TLS; ``pyamqp://`` is the same as ``amqp://``
exchanges, queues    the broker's own
delay                :mod:`kombu.transport.native_delayed_delivery`
===================  =========================================================

Persistent messages are confirmed by the broker.  ``publish`` does not wait for that,
but returns a promise; when ``confirm_window`` messages are not confirmed it waits, and
so does closing.  What was not confirmed when the connection broke, and nobody waits
for, is published again by the next connection: it may then be there twice.

Threads may publish on one connection, and declare.  Consuming is for one thread.
"""

from __future__ import annotations

from kombu.transport._amqp.channel import Channel
from kombu.transport._amqp.connection import Connection
from kombu.transport._amqp.message import Message
from kombu.transport._amqp.transport import SSLTransport, Transport

__all__ = ("Channel", "Connection", "Message", "SSLTransport", "Transport")
