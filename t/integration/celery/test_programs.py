"""Celery's other programs: beat, the monitor of events, and commands."""

from __future__ import annotations

import pytest

from t.integration.celery.brokers import EVENTED, on


@pytest.fixture
def site(site_of, kind):
    return site_of(kind)


@on("redis", "amqp")
def test_beat_sends_what_is_due(site):
    site.settings["beat_schedule"] = {
        "often": {"task": "app.write", "schedule": 0.5, "args": ["beats", "x"]}
    }
    site.worker()

    site.program("beat", "beat", "--loglevel", "info", "--schedule", "schedule")

    site.client().play("wait_for_notes", ledger="beats", count=3)


@on("redis", "amqp", of=EVENTED)
def test_events_are_dumped(site):
    site.worker("w1", "--task-events", worker_send_task_events=True)
    monitor = site.program("monitor", "events", "--dump")
    client = site.client()
    # It hears what is sent from then on.
    monitor.wait_for(" heartbeat: ")

    task = client.play("send", task="add", arguments=[1, 1])

    for what in ("received", "started", "succeeded"):
        monitor.wait_for(f"task {what}: app.add({task})")


@on()
def test_commands(site):
    """Each is a program, as on the command line."""
    site.worker()
    client = site.client()
    client.play("ping", count=1)

    def run(*arguments):
        program = site.program(f"command-{len(site.started)}", *arguments)
        assert program.wait() == 0, program.log
        return program.log

    assert "1 node online" in run("status")
    assert "pong" in run("inspect", "ping")
    assert '"transport"' in run("inspect", "stats")
    assert "rate limit set" in run("control", "rate_limit", "app.add", "5/s")
    task = run("call", "app.write", "--args", '["called", "x"]').split()[-1]
    client.play("wait_for_notes", ledger="called", count=1)
    assert "x" in run("result", task)
    run("control", "cancel_consumer", "tasks")
    for number in range(3):
        client.play("send", task="add", arguments=[number, 0])
    client.play("wait_for_ready", count=3)
    assert "3 messages" in run("purge", "--force")
    client.play("wait_for_ready", count=0)
