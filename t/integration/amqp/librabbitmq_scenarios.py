"""What is done by the client written in C, in a process and a virtualenv of its own.

    python librabbitmq_scenarios.py NAME URL

It is no part of the pytest process: a client that crashes must not take that along.
"""

from __future__ import annotations

import sys


def messages_go_and_come(connection):
    from kombu import Consumer, Queue

    bodies = [{"a": 1}, "täxt", b"\xff\0", "x" * 300_000]
    channel = connection.default_channel
    queue = Queue("q")(channel)
    queue.declare()
    producer = connection.Producer()
    for body in bodies:
        producer.publish(body, routing_key="q", headers={"h": "é"}, priority=3)
    received = []

    def on_message(message):
        received.append(message.payload)
        assert message.headers == {"h": "é"}
        message.ack()

    with Consumer(channel, [queue], on_message=on_message):
        while len(received) < len(bodies):
            connection.drain_events(timeout=30)
    assert received == bodies
    assert queue.queue_declare().message_count == 0


def message_is_got_and_refused(connection):
    from kombu import Queue

    queue = Queue("q")(connection.default_channel)
    queue.declare()
    connection.Producer().publish("hello", routing_key="q")
    message = queue.get()
    assert message.payload == "hello"
    message.requeue()
    again = queue.get()
    assert again.delivery_info["redelivered"]
    again.reject()
    assert queue.get() is None


def exchanges_route(connection):
    from kombu import Exchange, Queue

    exchange = Exchange("e", "topic")
    queue = Queue("q", exchange, "a.*", max_length=5)(connection.default_channel)
    queue.declare()
    producer = connection.Producer(exchange=exchange)
    for key in ("a.b", "b.a"):
        producer.publish(key, routing_key=key)
    assert queue.get(no_ack=True).payload == "a.b"
    assert queue.get() is None


def nothing_comes(connection):
    try:
        connection.drain_events(timeout=0.05)
    except TimeoutError:
        return
    raise AssertionError("something came")


def queue_that_is_not_there(connection):
    try:
        connection.channel().queue_declare("nothing", passive=True)
    except connection.channel_errors as exc:
        assert "NOT_FOUND" in str(exc)
        return
    raise AssertionError("it is there")


def event_loop_delivers(connection):
    from kombu import Consumer, Queue
    from kombu.asynchronous import Hub

    channel = connection.default_channel
    received = []
    consumer = Consumer(channel, [Queue("q")], on_message=received.append, no_ack=True)
    consumer.consume()
    hub = Hub()
    connection.register_with_event_loop(hub)
    hub.call_later(30, hub.stop)
    connection.Producer().publish("hello", routing_key="q")
    while not received:
        hub.run_once()
    assert received[0].payload == "hello"
    hub.close()


SCENARIOS = {
    function.__name__: function
    for function in (
        messages_go_and_come,
        message_is_got_and_refused,
        exchanges_route,
        nothing_comes,
        queue_that_is_not_there,
        event_loop_delivers,
    )
}


def main(name, url):
    from kombu import Connection

    with Connection(url) as connection:
        assert connection.transport.driver_version()
        SCENARIOS[name](connection)
    print("done")


if __name__ == "__main__":
    main(*sys.argv[1:])
