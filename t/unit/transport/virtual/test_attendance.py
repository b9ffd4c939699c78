"""Tests of kombu.transport.virtual.attendance."""

from __future__ import annotations

import pytest

from kombu.transport.virtual.attendance import Attendance, Attendee, consumer_key
from kombu.transport.virtual.local_records import LocalRecords


@pytest.fixture
def records():
    records = LocalRecords()
    for owner in ("a", "b", "c"):
        records.renew(owner, 60)
    return records


@pytest.fixture
def attendance(records):
    return Attendance(records)


def attendee(owner, priority=0, since=0.0, has_room=True, tag="t"):
    key = consumer_key(owner, 1, tag)
    return Attendee(key, owner, priority, since, has_room)


def test_a_queue_without_consumers(attendance):
    assert attendance.consumers("q") == []
    assert attendance.active("q") is None
    assert not attendance.is_outranked("q", 0)
    assert attendance.dead() == {}


def test_consumers_come_in_the_order_of_service(attendance):
    first, second = attendee("a", since=1), attendee("b", since=2)
    highest = attendee("c", priority=5, since=3)
    for each in (second, highest, first):
        attendance.enter("q", each)
    attendance.enter("other", attendee("a", tag="u"))

    assert attendance.consumers("q") == [highest, first, second]
    assert attendance.active("q") == highest.key


def test_who_leaves_makes_room_for_the_next(attendance):
    first, second = attendee("a", since=1), attendee("b", since=2)
    attendance.enter("q", first)
    attendance.enter("q", second)

    attendance.leave("q", first.key)

    assert attendance.active("q") == second.key


def test_the_dead_do_not_count(attendance, records):
    dead, alive = attendee("a", 9), attendee("b")
    attendance.enter("q", dead)
    attendance.enter("q", alive)

    records.retire("a")

    assert attendance.consumers("q") == [alive]
    assert attendance.dead() == {dead.key: "q"}


def test_who_has_no_room_outranks_nobody(attendance):
    attendance.enter("q", attendee("a", 5, has_room=False))
    assert not attendance.is_outranked("q", 0)

    attendance.enter("q", attendee("a", 5, has_room=True))
    assert attendance.is_outranked("q", 0)
    assert not attendance.is_outranked("q", 5)


def test_a_tag_may_be_anything(attendance, records):
    odd = attendee("a", tag="with/slash and \u00e9")
    attendance.enter("a/queue", odd)
    records.retire("a")

    assert attendance.dead() == {odd.key: "a/queue"}
