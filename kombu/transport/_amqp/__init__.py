"""AMQP 0-9-1: what the ``pyamqp`` transport is made of.

The library :mod:`amqp` does the handshake, opens channels and speaks the rare
methods.  The frames that make up nearly all traffic (publish, deliver, acknowledge)
are written and read here, on the same connection:

* :mod:`properties`, :mod:`frames`, :mod:`encoding`, :mod:`parser`: bytes to frames to
  events and back; no I/O.
* :mod:`sockets`, :mod:`wire`: connecting; bytes out, bytes in, and waiting for them.
* :mod:`connection`, of which :mod:`reading`, :mod:`delivering`, :mod:`blocking` and
  :mod:`ending` are parts.
* :mod:`channel`, of which :mod:`publishing`, :mod:`confirming`, :mod:`consuming` and
  :mod:`declaring` are parts; :mod:`answering` is one of both.
* :mod:`confirms`, :mod:`outbox`, :mod:`batch`, :mod:`deliveries`, :mod:`message`: what they hold.
* :mod:`transport`, :mod:`tls`, :mod:`options`, :mod:`errors`, :mod:`keeper`: what
  their names say; :mod:`logging_in` is what other clients of AMQP share.
"""
