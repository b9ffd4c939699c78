"""AMQP 0-9-1: what the ``pyamqp`` transport is made of.

The library :mod:`amqp` does the handshake, opens channels and speaks the rare
methods.  The frames that make up nearly all traffic (publish, deliver, acknowledge)
are written and read here, on the same connection:

* :mod:`properties`, :mod:`frames`, :mod:`parser`: bytes to frames to events and
  back; no I/O.
* :mod:`wire`: the socket: who sends, who reads, who waits.
* :mod:`confirms`: what was published and not confirmed yet.
* :mod:`channel`, :mod:`connection`: the two of :mod:`amqp`, with all this.
* :mod:`tls`, :mod:`options`, :mod:`errors`, :mod:`keeper`: what their names say.
"""
