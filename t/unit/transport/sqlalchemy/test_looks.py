from __future__ import annotations

from kombu.transport.sqlalchemy._looks import Seen
from kombu.transport.virtual.claims import DELIVER_AT, EXPIRES_AT
from t.unit.transport.sqlalchemy.envelopes import bodies, envelope


def look(channel, *queues):
    return channel.connection.broker.looks.look(queues)


def test_sees_what_is_ready_and_what_will_be_due_or_expire(channel):
    moment = int(channel._store_time() + 50) * 1000
    channel._put("q", envelope("later", **{DELIVER_AT: moment}))
    channel._put("p", envelope("short-lived", **{EXPIRES_AT: moment}))
    channel._new_queue("empty")

    resting, expiring, empty = look(channel, "q", "p", "empty")

    assert resting == Seen("q", None, moment, None)
    assert expiring == Seen("p", expiring.first, None, moment)
    assert expiring.first is not None
    assert empty == Seen("empty", None, None, None)


def test_sees_more_queues_than_one_statement_looks_at_in_their_order(channel):
    names = [f"q{number}" for number in range(120)]
    for name in (names[3], names[77], names[119]):
        channel._put(name, envelope(name))

    found = look(channel, *names)

    assert [seen.queue for seen in found] == names
    ready = [seen.queue for seen in found if seen.first is not None]
    assert ready == ["q3", "q77", "q119"]
    assert bodies(channel._claim(names, 200)) == ready
