"""What a client of Celery does, and what it has to see: each function is one test.

They run in the process of `client`, beside a worker that has the same `app`; pytest
never imports them.  Arguments come as JSON from the test, and what is returned goes
back to it.
"""

from __future__ import annotations

import contextlib
import time
from datetime import datetime, timedelta, timezone

from app import (
    FOLDER,
    add,
    app,
    die_once_late,
    fail,
    hold,
    notes,
    process,
    replaced,
    shout,
    total,
    try_thrice,
    wait_until,
    where,
    write,
)
from celery import Celery, chain, chord, group
from celery.exceptions import TaskRevokedError
from celery.utils import uuid

from kombu import Exchange, Queue

PATIENCE = 60


def _get(result, **options):
    return result.get(timeout=PATIENCE, **options)


def _held(name):
    wait_until(lambda: notes(f"held-{name}"), f"{name} to run")


def _open(name):
    (FOLDER / f"open-{name}").touch()


def _inspect():
    return app.control.inspect(timeout=10, limit=1)


def _tell(command, *arguments, **options):
    """Let the worker do something, and return when it has."""
    [reply] = getattr(app.control, command)(
        *arguments, reply=True, timeout=10, limit=1, **options
    )
    [answer] = reply.values()
    assert "error" not in answer, answer


@contextlib.contextmanager
def _declared(name, **options):
    """A queue that nobody consumes from yet."""
    queue = Queue(name, Exchange(name), routing_key=name, **options)
    with app.connection_for_write() as connection:
        queue(connection.default_channel).declare()
    yield queue


def _nodes(replies):
    """Return the replies of the nodes, whatever their names are."""
    assert replies, "nobody answered"
    return list(replies.values())


# -- canvas ------------------------------------------------------------------------------


def results():
    sent = [add.delay(number, 1) for number in range(50)]
    assert [_get(each) for each in sent] == list(range(1, 51))


def failures():
    try:
        _get(fail.delay("as it should"))
    except ValueError as exc:
        assert str(exc) == "as it should"
    else:
        raise AssertionError("no failure")


def groups():
    assert _get(group(add.s(n, n) for n in range(20))()) == [2 * n for n in range(20)]


def chains():
    assert _get(chain(add.s(1, 2), add.s(3), add.s(4))()) == 10


def chords():
    assert _get(chord((add.s(n, 1) for n in range(10)), total.s())()) == 55
    inner = chain(group(add.s(1, 1), add.s(2, 2)), total.s(), add.s(10))
    assert _get(inner()) == 16


def links():
    ledger = f"links-{uuid()}"
    add.apply_async((1, 2), link=write.si(ledger, "linked"))
    wait_until(lambda: notes(ledger) == ["linked"], "the linked task")


def replacing():
    assert _get(replaced.delay(4)) == 5


def retries():
    assert _get(try_thrice.delay("x")) == ["x", 2]


def results_by_rpc():
    """The queue of answers is made by the client's own backend, before it calls."""
    caller = Celery("caller", set_as_current=False)
    caller.conf.update(dict(app.conf.changes), result_backend="rpc://")
    sent = [caller.send_task("app.by_rpc", (number,)) for number in range(10)]
    assert [_get(each) for each in sent] == [2 * number for number in range(10)]


# -- time --------------------------------------------------------------------------------


def countdown():
    before = time.time()
    assert _get(add.apply_async((1, 1), countdown=1)) == 2
    assert time.time() - before >= 0.9
    eta = datetime.now(timezone.utc) + timedelta(seconds=1)
    assert _get(add.apply_async((2, 2), eta=eta)) == 4


def expiry():
    """What comes too late is not run; what comes behind it is."""
    queue, ledger = f"late-{uuid()}", f"late-{uuid()}"
    with _declared(queue) as late:
        expires = datetime.now(timezone.utc) + timedelta(seconds=0.3)
        write.apply_async((ledger, "late"), queue=late, expires=expires)
        write.apply_async((ledger, "in time"), queue=late)
        wait_until(lambda: datetime.now(timezone.utc) > expires, "the moment")
        _tell("add_consumer", queue)
        wait_until(lambda: "in time" in notes(ledger), "the second task")
        _tell("cancel_consumer", queue)
    assert notes(ledger) == ["in time"]


# -- messages ----------------------------------------------------------------------------


def serializers():
    for name in ("json", "pickle", "yaml", "msgpack"):
        assert _get(add.apply_async((1, 2), serializer=name)) == 3
    both = {"serializer": "pickle"}
    assert _get(add.apply_async(({1}.union({2}) and b"a", b"b"), **both)) == b"ab"


def compression():
    for name in ("gzip", "bzip2"):
        assert len(_get(add.apply_async(("x" * 5000, "y"), compression=name))) == 5001


def protocol_1():
    old = Celery("old", set_as_current=False)
    old.conf.update(dict(app.conf.changes), task_protocol=1)
    result = old.send_task("app.add", (3, 4))
    assert _get(app.AsyncResult(result.id)) == 7


def topics():
    routes = {"order.new.big": "orders", "bill.paid": "bills"}
    for key, queue in routes.items():
        # By the name of the queue, 5.7 knows of what type the exchange is.
        way = _get(where.apply_async(queue=queue, routing_key=key))
        assert way == {"exchange": "orders", "routing_key": key}, (queue, way)


def priorities(first, last):
    """What waits for its worker is taken by its priority."""
    queue, ledger = f"urgent-{uuid()}", f"order-{uuid()}"
    arguments = {"x-max-priority": 9}
    with _declared(queue, queue_arguments=arguments) as urgent:
        for priority in (3, 3, 3, 9, 9, 9, 0, 0, 0):
            write.apply_async((ledger, priority), queue=urgent, priority=priority)
        _tell(
            "add_consumer",
            queue,
            queue,
            "direct",
            queue,
            options={"queue_arguments": arguments},
        )
        wait_until(lambda: len(notes(ledger)) == 9, "the nine")
        _tell("cancel_consumer", queue)
    assert (notes(ledger)[0], notes(ledger)[-1]) == (str(first), str(last))


# -- remote control ----------------------------------------------------------------------


def ping(count=1):
    # One that has just begun may have missed a question: the client asks again.
    found = []
    wait_until(
        lambda: (
            found.append(app.control.ping(timeout=10, limit=count))
            or len(found[-1]) == count
        ),
        f"{count} to answer",
    )
    assert all(list(each.values()) == [{"ok": "pong"}] for each in found[-1])


def inspecting():
    name = f"inspected-{uuid()}"
    result = hold.delay(name)
    _held(name)
    later = add.apply_async((1, 1), countdown=3600)
    looking = _inspect()
    [active] = _nodes(looking.active())
    assert result.id in [each["id"] for each in active]
    wait_until(
        lambda: (
            later.id in [e["request"]["id"] for e in _nodes(_inspect().scheduled())[0]]
        ),
        "the later one to be scheduled",
    )
    [queues] = _nodes(looking.active_queues())
    assert {"tasks", "orders", "bills"} <= {each["name"] for each in queues}
    [registered] = _nodes(looking.registered())
    assert "app.add" in registered
    [stats] = _nodes(looking.stats())
    assert stats["broker"]["transport"]
    [found] = _nodes(looking.query_task(result.id))
    assert result.id in found
    later.revoke()
    _open(name)
    assert _get(result) == name


def rate_limits():
    ledger = f"rate-{uuid()}"
    _tell("rate_limit", "app.write", "20/s")
    for number in range(5):
        write.delay(ledger, number)
    wait_until(lambda: len(notes(ledger)) == 5, "the five")
    _tell("rate_limit", "app.write", "0")


def consumers_come_and_go():
    queue = f"extra-{uuid()}"
    _tell("add_consumer", queue)
    assert _get(add.apply_async((5, 6), queue=queue)) == 11
    _tell("cancel_consumer", queue)


def revoking():
    ledger = f"revoked-{uuid()}"
    result = write.apply_async((ledger, "no"), countdown=2)
    _tell("revoke", result.id)
    try:
        _get(result)
    except TaskRevokedError:
        assert notes(ledger) == []
        return
    raise AssertionError("it ran")


def terminating():
    name = f"terminated-{uuid()}"
    result = hold.delay(name)
    _held(name)
    _tell("revoke", result.id, terminate=True)
    try:
        _get(result)
    except TaskRevokedError:
        assert notes(f"done-{name}") == []
        return
    raise AssertionError("it was not terminated")


def events():
    seen = []

    def keep(event):
        seen.append(event)
        if (event["type"], event.get("uuid")) == ("task-succeeded", task):
            receiver.should_stop = True

    task = uuid()
    _tell("enable_events")
    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": keep})
        with receiver.consumer_context(wakeup=False) as (own, _, _):
            add.apply_async((1, 1), task_id=task)
            until = time.monotonic() + PATIENCE
            while not receiver.should_stop:
                assert time.monotonic() < until, [e["type"] for e in seen]
                try:
                    own.drain_events(timeout=1)
                except TimeoutError:
                    continue
    _tell("disable_events")
    types = [event["type"] for event in seen if event.get("uuid") == task]
    assert types[-3:] == ["task-received", "task-started", "task-succeeded"], types


# -- parts of tests that have more than one worker, or kill some -------------------------


def shouting(hosts):
    text = uuid()
    shout.delay(text)
    wait_until(
        lambda: all(text in notes(f"shout-{host}") for host in hosts),
        f"all of {hosts} to hear",
    )


def send(task, arguments, **options):
    return app.tasks[f"app.{task}"].apply_async(arguments, **options).id


def get(task):
    return app.AsyncResult(task).get(timeout=PATIENCE)


def held(name):
    _held(name)
    return notes(f"held-{name}")


def open_gate(name):
    _open(name)


def read(ledger):
    return notes(ledger)


def children_that_die():
    """A child is killed in mid-task: lost with early acks, run again with late ones."""
    name = f"late-{uuid()}"
    assert _get(die_once_late.delay(name)) == name
    assert len(notes(f"died-{name}")) == 2


def children_that_retire():
    """Each child runs as many tasks as it may, and another takes its place."""
    sent = [process.delay() for _ in range(12)]
    assert len({_get(each) for each in sent}) >= 4


def nodes_know_each_other(count):
    """Each has heard of the others, when it came or from their gossip."""

    def clocks():
        replies = app.control.broadcast(
            "hello", {"from_node": "x", "revoked": {}}, reply=True, timeout=3
        )
        return len(replies) == count

    wait_until(clocks, "all to say hello")
