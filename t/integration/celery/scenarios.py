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
    fail_strictly,
    hold,
    hold_late,
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
from celery.exceptions import (
    SoftTimeLimitExceeded,
    TaskRevokedError,
    TimeLimitExceeded,
)
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


def _ready(name):
    """Return how many messages of a queue nobody has taken."""
    with app.connection_for_read() as connection:
        queue = connection.default_channel.queue_declare(name, passive=True)
        return queue.message_count


def _consume(name, **options):
    """Let the worker consume from a queue that was declared with these options."""
    _tell("add_consumer", name, name, "direct", name, options=options)


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
        _consume(queue, queue_arguments=arguments)
        wait_until(lambda: len(notes(ledger)) == 9, "the nine")
        _tell("cancel_consumer", queue)
    assert (notes(ledger)[0], notes(ledger)[-1]) == (str(first), str(last))


def failures_left():
    """What fails is rejected if its task wants that, and so goes to the dead letters."""
    queue, dead = f"strict-{uuid()}", f"dead-{uuid()}"
    arguments = {"x-dead-letter-exchange": dead, "x-dead-letter-routing-key": dead}
    options = {"queue_arguments": arguments}
    with _declared(dead) as dead_letters, _declared(queue, **options) as strict:
        fail.apply_async(("taken for done",), queue=strict)
        left = fail_strictly.apply_async(("not so",), queue=strict)
        _consume(queue, **options)
        wait_until(lambda: _ready(dead), "a dead letter")
        _tell("cancel_consumer", queue)
        with app.connection_for_read() as connection:
            channel = connection.default_channel
            message = dead_letters(channel).get(no_ack=True)
            assert message.headers["id"] == left.id
            assert dead_letters(channel).get() is None


# -- remote control ----------------------------------------------------------------------


def ping(count=1):
    found = []
    lost = app.connection_for_write().connection_errors

    def all_answer():
        # One that has just begun may have missed a question, and the broker may be
        # another one by now: the client asks again.
        with contextlib.suppress(lost):
            found[:] = app.control.ping(timeout=3, limit=count)
        return len(found) == count

    wait_until(all_answer, f"{count} to answer")
    assert all(list(each.values()) == [{"ok": "pong"}] for each in found)


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


def time_limits():
    names = [f"soft-{uuid()}", f"hard-{uuid()}"]
    soft = hold.apply_async((names[0],), soft_time_limit=1)
    hard = hold.apply_async((names[1],), time_limit=1)
    for result, error in ((soft, SoftTimeLimitExceeded), (hard, TimeLimitExceeded)):
        try:
            _get(result)
        except error:
            continue
        raise AssertionError(f"no {error.__name__}")
    assert not any(notes(f"done-{name}") for name in names)


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


def in_hand_is_limited(limit):
    """Ten wait, none is taken beyond the limit, and each that is done makes room."""
    names = [f"limited-{uuid()}" for _ in range(10)]
    sent = [hold_late.delay(name) for name in names]
    opened = set()

    def is_taken():
        left = max(10 - limit - len(opened), 0)
        ready = _ready("tasks")
        assert ready >= left, f"{ready} left of {left} after {len(opened)}"
        return ready == left

    def running():
        return [n for n in names if n not in opened and notes(f"held-{n}")]

    while len(opened) < 10:
        wait_until(is_taken, f"{limit} to be in hand")
        wait_until(running, "one of them to run")
        [name, *_] = running()
        opened.add(name)
        _open(name)
    assert [_get(each) for each in sent] == names


def wait_for_notes(ledger, count):
    wait_until(lambda: len(notes(ledger)) >= count, f"{count} lines in {ledger}")


def wait_for_ready(count, queue="tasks"):
    """Wait until so many are left in a queue, and see that it stays so."""
    seen = []
    try:
        wait_until(lambda: seen.append(_ready(queue)) or seen[-1] == count, "them")
    except TimeoutError:
        raise AssertionError(f"{count} should be left, not {seen[-1]}") from None
    _inspect().ping()  # the worker has had its turn
    assert _ready(queue) == count


def wait_for_acknowledged(count):
    """Wait until so many tasks run whose messages the worker has acknowledged."""

    def are_acknowledged():
        [active] = _nodes(_inspect().active())
        return len([each for each in active if each["acknowledged"]]) == count

    wait_until(are_acknowledged, f"{count} to be acknowledged")
    _inspect().ping()  # what it has written since has gone out


def delays_in_the_broker():
    """What is to come is with the broker, not with a worker, and comes in time."""
    add.apply_async((1, 1), countdown=3600)
    # An hour has the bit of 2**11 seconds: the queue of that number is its first.
    wait_until(lambda: _ready("celery_delayed_11") == 1, "it to be kept by the broker")
    before = time.time()
    by_countdown = add.apply_async((1, 2), countdown=2)
    eta = datetime.now(timezone.utc) + timedelta(seconds=3)
    by_eta = add.apply_async((2, 2), eta=eta)
    assert _get(by_countdown) == 3
    assert time.time() - before >= 1.9
    assert _get(by_eta) == 4
    assert datetime.now(timezone.utc) >= eta - timedelta(seconds=1)  # whole ones
    assert _nodes(_inspect().scheduled()) == [[]]


def shut_down():
    app.control.shutdown()


def send_later(count, seconds):
    """Send tasks that are to run after so long."""
    with app.producer_or_acquire() as producer:
        for _ in range(count):
            app.tasks["app.nothing"].apply_async(countdown=seconds, producer=producer)


def scheduled():
    """Return how many tasks the worker has that wait for their time."""
    return sum(len(each) for each in _nodes(_inspect().scheduled()))
