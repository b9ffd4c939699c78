"""AMQP 1.0: what the ``qpid`` transport is made of.

The library :mod:`proton` knows the protocol; it is used for that alone, without its
threads, sockets and reactor:

* :mod:`engine`: bytes to events and back; no I/O.
* :mod:`connection`, of which :mod:`reading` is a part: the socket: who sends, who reads,
  who waits.
* :mod:`links`: where messages go out and come in, with their credit.
* :mod:`channel`, of which :mod:`publishing`, :mod:`confirming`, :mod:`consuming`,
  :mod:`getting`, :mod:`settling` and :mod:`declaring` are parts; :mod:`confirms` is what
  is outstanding.
* :mod:`messages`: properties of AMQP 0-9-1 as those of 1.0, and back.
* :mod:`dialects`, :mod:`broker_j`, :mod:`rabbitmq`, :mod:`rabbitmq4`: what each broker
  calls things, and what it lets be declared; :mod:`products` chooses among them, and
  :mod:`abilities` says what they offer.
* :mod:`management` and :mod:`queue_attributes`: how Broker-J is told to declare.
* :mod:`transport`, :mod:`options`, :mod:`errors`, :mod:`driver`: what their names say.
"""
