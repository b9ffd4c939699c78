"""The same as ``rabbitmq_workloads.py`` by clients that are no messaging library: the raw limit.

    KOMBU_BENCH_AMQP_URL=amqp://... python rabbitmq_clients.py CLIENT NAME

Run each by a Python that has the client: ``py-amqp``, ``pika`` or ``aio-pika``.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from urllib.parse import urlsplit

from rabbitmq_workloads import (
    CONFIRMED,
    LARGE,
    MESSAGES,
    PREFETCH,
    VARIABLE,
    WINDOW,
)
from workloads import body

URL = os.environ.get(VARIABLE, "")
JSON = "application/json"


def bodies_of(name):
    """Return the encoded bodies of the workload *name*."""
    if name.endswith("64k"):
        return [bytes([number % 256]) * 65536 for number in range(LARGE)]
    is_slow = name == "amqp_one_by_one"
    count = CONFIRMED if is_slow else MESSAGES
    return [json.dumps(body(number)).encode() for number in range(count)]


def per_message(began, ended, bodies):
    return (ended - began) / len(bodies) * 1e6


def check(received, bodies):
    assert received == bodies, "a message is lost, doubled or changed"


def by_py_amqp(name, bodies):
    import amqp

    parts = urlsplit(URL)
    connection = amqp.Connection(
        f"{parts.hostname}:{parts.port}",
        parts.username,
        parts.password,
        virtual_host=parts.path[1:],
        confirm_publish=name == "amqp_one_by_one",
    )
    connection.connect()
    channel = connection.channel()
    queue = channel.queue_declare(exclusive=True, auto_delete=False).queue
    began = time.perf_counter()
    for each in bodies:
        message = amqp.Message(each, content_type=JSON, delivery_mode=2)
        channel.basic_publish(message, "", queue)
    ended = time.perf_counter()
    received = []

    def on_message(message):
        received.append(bytes(message.body))
        channel.basic_ack(message.delivery_tag)

    channel.basic_qos(0, PREFETCH, False)
    consuming = time.perf_counter()
    channel.basic_consume(queue, callback=on_message)
    while len(received) < len(bodies):
        connection.drain_events(timeout=30)
    consumed = time.perf_counter()
    connection.close()
    check(received, bodies)
    if name.startswith("amqp_consume"):
        return per_message(consuming, consumed, bodies)
    return per_message(began, ended, bodies)


def by_pika(name, bodies):
    import pika

    connection = pika.BlockingConnection(pika.URLParameters(URL))
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    if name == "amqp_one_by_one":
        channel.confirm_delivery()
    properties = pika.BasicProperties(content_type=JSON, delivery_mode=2)
    began = time.perf_counter()
    for each in bodies:
        channel.basic_publish("", queue, each, properties)
    ended = time.perf_counter()
    received = []
    channel.basic_qos(prefetch_count=PREFETCH)
    consuming = time.perf_counter()
    for method, _, found in channel.consume(queue):
        received.append(found)
        channel.basic_ack(method.delivery_tag)
        if len(received) == len(bodies):
            break
    consumed = time.perf_counter()
    connection.close()
    check(received, bodies)
    if name.startswith("amqp_consume"):
        return per_message(consuming, consumed, bodies)
    return per_message(began, ended, bodies)


def by_aio_pika(name, bodies):
    return asyncio.run(_by_aio_pika(name, bodies))


async def _by_aio_pika(name, bodies):
    import aio_pika

    connection = await aio_pika.connect(URL)
    confirms = name in {"amqp_one_by_one", "amqp_window"}
    channel = await connection.channel(publisher_confirms=confirms)
    await channel.set_qos(prefetch_count=PREFETCH)
    queue = await channel.declare_queue(exclusive=True)
    exchange = channel.default_exchange

    def publish(each):
        message = aio_pika.Message(each, content_type=JSON, delivery_mode=2)
        return exchange.publish(message, queue.name)

    began = time.perf_counter()
    if name == "amqp_window":
        for at in range(0, len(bodies), WINDOW):
            await asyncio.gather(*map(publish, bodies[at : at + WINDOW]))
    else:
        for each in bodies:
            await publish(each)
    ended = time.perf_counter()
    received, done = [], asyncio.Event()

    async def on_message(message):
        received.append(message.body)
        await message.ack()
        if len(received) == len(bodies):
            done.set()

    consuming = time.perf_counter()
    await queue.consume(on_message)
    await done.wait()
    consumed = time.perf_counter()
    await connection.close()
    check(received, bodies)
    if name.startswith("amqp_consume"):
        return per_message(consuming, consumed, bodies)
    return per_message(began, ended, bodies)


CLIENTS = {"py-amqp": by_py_amqp, "pika": by_pika, "aio-pika": by_aio_pika}


if __name__ == "__main__":
    client, workload = sys.argv[1:]
    print(CLIENTS[client](workload, bodies_of(workload)))
