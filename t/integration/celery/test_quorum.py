"""Quorum queues of RabbitMQ, and delays that it keeps itself."""

from __future__ import annotations

from urllib.parse import urlsplit

#: As Celery's documentation of quorum queues has it.
QUORUM = {
    "task_queues": None,
    "task_default_queue_type": "quorum",
    "task_default_exchange": "tasks",
    "task_default_exchange_type": "topic",
    "task_default_routing_key": "tasks",
    "task_routes": None,
    "broker_transport_options": {"confirm_publish": True},
}


def test_tasks_of_quorum_queues(site_of, rabbitmq):
    site = site_of("amqp", **QUORUM)
    worker = site.worker()
    client = site.client()

    for name in ("results", "chords", "ping", "revoking"):
        client.play(name)
    client.play("delays_in_the_broker")

    vhost = urlsplit(site.settings["broker_url"]).path[1:]
    assert rabbitmq.manage("GET", f"queues/{vhost}/tasks")["type"] == "quorum"
    assert worker.process.poll() is None


def test_task_of_a_killed_worker_comes_again(site_of):
    site = site_of("amqp", **QUORUM)
    worker = site.worker()
    client = site.client()
    task = client.play("send", task="hold_late", arguments=["a"])
    [held] = client.play("held", name="a")

    worker.kill_all(int(held.split()[1]))
    client.play("open_gate", name="a")
    site.worker("w2")

    assert client.play("get", task=task) == "a"
    assert client.play("read", ledger="done-a") == [task]
