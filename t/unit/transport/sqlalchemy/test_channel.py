from __future__ import annotations

import threading

import pytest

from kombu.transport.sqlalchemy._claims import Claims, ClaimStatements
from kombu.transport.sqlalchemy._traits import Traits
from kombu.utils import waiting
from t.unit.transport.sqlalchemy.envelopes import bodies, envelope


def put(channel, *names, queue="q", **properties):
    for name in names:
        channel._put(queue, envelope(name, **properties))


def in_milliseconds(channel, seconds):
    return int((channel._store_time() + seconds) * 1000)


class test_queues:
    def test_queue_is_there_once_it_was_made(self, channel):
        assert channel._has_queue("q")
        assert not channel._has_queue("other")

    def test_putting_makes_the_queue(self, channel):
        put(channel, "a", queue="new")

        assert channel._has_queue("new")
        assert channel._size("new") == 1

    def test_deleting_removes_queue_and_messages(self, channel, store):
        put(channel, "a", "b")
        channel._claim(["q"], 1)

        channel._delete("q")

        assert not channel._has_queue("q")
        assert store.rows("SELECT count(*) FROM kombu_message") == [(0,)]

    def test_purging_leaves_what_is_in_flight(self, channel):
        put(channel, "a", "b", "c")
        claims = channel._claim(["q"], 1)

        assert channel._purge("q") == 2
        channel._release(claims)

        assert bodies(channel._claim(["q"], 5)) == ["a"]

    def test_size_in_bytes_is_that_of_the_bodies_that_are_ready(self, channel):
        put(channel, "12345", "678", "9")
        channel._claim(["q"], 1)

        assert channel._size_bytes("q") == 4

    @pytest.mark.parametrize("name", ["é", "a'b", 'a"b', "%s", ":x", "a b", "x" * 300])
    def test_any_name(self, channel, name):
        put(channel, "a", queue=name)

        assert bodies(channel._claim([name], 1)) == ["a"]


def use_traits(channel, **traits):
    """Have the channel claim as from a database with other *traits*."""
    broker = channel.connection.broker
    found = Traits.of(broker.database.dialect)._replace(**traits)
    statements = ClaimStatements(broker.tables, found)
    broker.claims = Claims(broker.database, statements, broker.looks)


class test_claiming:
    def test_order_of_arrival(self, channel):
        put(channel, *range(5))

        assert bodies(channel._claim(["q"], 3)) == ["0", "1", "2"]
        assert bodies(channel._claim(["q"], 3)) == ["3", "4"]

    def test_higher_rank_first(self, channel):
        puts = channel.connection.broker.puts
        for rank in (0, 2, 1, 2):
            puts.put(puts.row(("q",), envelope(rank), rank))

        assert bodies(channel._claim(["q"], 9)) == ["2", "2", "1", "0"]

    def test_each_queue_gets_its_share(self, channel):
        put(channel, "a1", "a2", "a3", queue="a")
        put(channel, "b1", "b2", "b3", queue="b")

        assert bodies(channel._claim(["a", "b"], 4)) == ["a1", "a2", "b1", "b2"]

    def test_what_one_queue_does_not_have_the_other_gives(self, channel):
        put(channel, "a1", "a2", "a3", queue="a")
        put(channel, "b1", queue="b")

        assert bodies(channel._claim(["b", "a"], 4)) == ["b1", "a1", "a2", "a3"]

    def test_more_queues_than_one_look_takes(self, channel):
        names = [f"q{number}" for number in range(120)]
        put(channel, "x", queue=names[0])
        put(channel, "y", queue=names[-1])

        assert bodies(channel._claim(names, 9)) == ["x", "y"]

    def test_two_never_get_the_same(self, store):
        channels = [store.channel() for _ in range(3)]
        put(channels[0], *range(90))
        claimed, barrier = [], threading.Barrier(3)

        def consume(channel):
            barrier.wait()
            while claims := channel._claim(["q"], 7):
                claimed.extend(bodies(claims))
                channel._settle(claims)

        threads = [threading.Thread(target=consume, args=(c,)) for c in channels]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(claimed, key=int) == [str(number) for number in range(90)]

    def test_version_starts_again_before_it_overflows(self, channel, store):
        put(channel, "a")
        store.rows("UPDATE kombu_message SET version = 32000")

        (claim,) = channel._claim(["q"], 1)

        assert claim.token.version == 1

    def test_database_that_can_not_return_what_it_updates(self, channel, store):
        use_traits(channel, returns_updates=False)
        put(channel, *range(3))

        claims = channel._claim(["q"], 2)
        channel._settle(claims)

        assert bodies(claims) == ["0", "1"]
        assert channel._size("q") == 1
        assert store.rows("SELECT count(*) FROM kombu_message") == [(1,)]

    def test_database_that_can_not_lock_rows(self, channel, store):
        use_traits(channel, returns_updates=False, locks=False)
        put(channel, *range(2))

        claims = channel._claim(["q"], 2)
        channel._release(claims[1:])

        assert bodies(claims) == ["0", "1"]
        assert bodies(channel._claim(["q"], 5)) == ["1"]


class test_settling:
    def test_row_is_gone(self, channel, store):
        put(channel, "a", "b")

        channel._settle(channel._claim(["q"], 2))

        assert store.rows("SELECT * FROM kombu_message") == []

    def test_released_comes_first_and_unmarked_if_not_delivered(self, channel):
        put(channel, "a", "b", "c")
        claims = channel._claim(["q"], 2)

        channel._release(claims)

        again = channel._claim(["q"], 5)
        assert bodies(again) == ["a", "b", "c"]
        assert [claim.deliveries for claim in again] == [0, 0, 0]

    def test_delivered_is_counted_and_marked_for_old_peers(self, channel):
        put(channel, "a")
        (claim,) = channel._claim(["q"], 1)
        claim.was_delivered = True

        channel._release([claim])

        (again,) = channel._claim(["q"], 1)
        assert again.deliveries == 1
        assert again.envelope["redelivered"] is True

    def test_lost_claim_settles_and_releases_nothing(self, store):
        dead, heir = store.channel(lease=0.0), store.channel()
        put(dead, "a")
        lost = dead._claim(["q"], 1)
        heir._reap()
        held = heir._claim(["q"], 1)

        dead._settle(lost)
        dead._release(lost)

        assert heir._claim(["q"], 1) == []
        heir._release(held)
        assert bodies(heir._claim(["q"], 1)) == ["a"]

    def test_claim_lost_to_oneself_settles_nothing(self, store):
        channel = store.channel(lease=0.0)
        put(channel, "a")
        lost = channel._claim(["q"], 1)
        assert channel.connection.own_records.renew(channel.owner, 60) is False
        held = channel._claim(["q"], 1)

        channel._settle(lost)

        assert channel._size("q") == 0
        channel._release(held)
        assert channel._size("q") == 1

    def test_claims_of_a_deleted_queue_are_left_alone(self, channel, store):
        put(channel, "a")
        claims = channel._claim(["q"], 1)
        channel._delete("q")

        channel._release(claims)

        assert store.rows("SELECT * FROM kombu_message") == []

    def test_moving_is_done_once(self, channel):
        put(channel, "a")
        (claim,) = channel._claim(["q"], 1)
        copies = [("dead", envelope("a")), ("other", envelope("a"))]

        channel._move(claim, copies)
        channel._move(claim, copies)

        assert channel._size("q") == 0
        assert [channel._size("dead"), channel._size("other")] == [1, 1]


class test_leases:
    def test_what_the_dead_had_comes_back_first_and_counted(self, store):
        dead, heir = store.channel(lease=0.0), store.channel()
        put(dead, "a", "b", "c")
        dead._claim(["q"], 2)

        assert heir._reap() == {"q"}

        claims = heir._claim(["q"], 5)
        assert bodies(claims) == ["a", "b", "c"]
        assert [claim.deliveries for claim in claims] == [1, 1, 0]
        assert dead.owner not in heir.connection.own_records.live_owners()

    def test_living_keep_theirs(self, store):
        alive, other = store.channel(), store.channel()
        put(alive, "a")
        alive._claim(["q"], 1)

        assert other._reap() == set()
        assert other._claim(["q"], 1) == []

    def test_claim_of_an_owner_that_was_forgotten_before_comes_back(self, store):
        late, other = store.channel(), store.channel()
        put(late, "a")
        late.connection.own_records.retire(late.owner)
        late._claim(["q"], 1)

        assert other._reap() == {"q"}


class test_time:
    def test_resting_is_not_ready(self, channel):
        put(channel, "a", **{"x-deliver-at": in_milliseconds(channel, 100)})

        assert channel._size("q") == 0
        assert channel._claim(["q"], 1) == []

    def test_due_becomes_ready(self, channel, store):
        put(channel, "a", **{"x-deliver-at": in_milliseconds(channel, 100)})
        store.rows("UPDATE kombu_message SET deliver_at = 1")

        assert channel._size("q") == 1
        assert channel._next_due(["q"]) == 0.001
        assert bodies(channel._claim(["q"], 1)) == ["a"]
        assert channel._next_due(["q"]) is None

    def test_due_message_of_a_busy_queue_is_seen_to_in_time(
        self, channel, store, clock
    ):
        put(channel, "late", **{"x-deliver-at": in_milliseconds(channel, 100)})
        put(channel, *range(9))
        channel._claim(["q"], 1)
        store.rows("UPDATE kombu_message SET deliver_at = 1 WHERE deliver_at > 0")

        assert bodies(channel._claim(["q"], 1)) == ["1"]
        waiting.sleep(0.1)

        assert bodies(channel._claim(["q"], 9))[-1] == "late"

    def test_due_messages_come_by_their_moments_behind_what_was_there(self, channel):
        put(channel, "second", **{"x-deliver-at": in_milliseconds(channel, 0.06)})
        put(channel, "first", **{"x-deliver-at": in_milliseconds(channel, 0.05)})
        put(channel, "ready")
        while channel._size("q") < 3:
            waiting.sleep(0.01)

        assert bodies(channel._claim(["q"], 9)) == ["ready", "first", "second"]

    def test_next_thing_to_happen(self, channel):
        due, expiry = in_milliseconds(channel, 100), in_milliseconds(channel, 50)
        put(channel, "a", **{"x-deliver-at": due})
        put(channel, "b", **{"x-expires-at": expiry})

        assert channel._next_due(["q"]) == expiry / 1000
        channel._claim(["q"], 1)
        assert channel._next_due(["q", "none"]) == due / 1000

    def test_expired_can_be_claimed(self, channel):
        put(channel, "a", **{"x-expires-at": in_milliseconds(channel, 100)})
        put(channel, "b", **{"x-expires-at": in_milliseconds(channel, -1)})

        assert bodies(channel._claim_expired("q", 5)) == ["b"]

    def test_resting_can_be_cancelled(self, channel):
        due = in_milliseconds(channel, 100)
        put(channel, "a", **{"x-deliver-at": due, "message_id": "one"})

        assert not channel._cancel_delayed("q", "two")
        assert not channel._cancel_delayed("other", "one")
        assert channel._cancel_delayed("q", "one")
        assert not channel._cancel_delayed("q", "one")

    def test_ready_can_not_be_cancelled(self, channel):
        put(channel, "a", message_id="one")

        assert not channel._cancel_delayed("q", "one")
        assert channel._size("q") == 1


class test_guarding:
    def test_who_holds_the_queue_counts_and_puts_alone(self, store):
        first, second = store.channel(), store.channel()
        first._new_queue("q")
        barrier = threading.Barrier(2)

        def publish(channel):
            barrier.wait()
            for number in range(10):
                with channel._guard("q"):
                    if channel._size("q") < 5:
                        put(channel, number)

        threads = [threading.Thread(target=publish, args=(c,)) for c in (first, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert first._size("q") == 5

    def test_nothing_is_put_if_it_fails(self, channel):
        with pytest.raises(ZeroDivisionError):
            with channel._guard("q"):
                put(channel, "a")
                raise ZeroDivisionError

        assert channel._size("q") == 0

    def test_one_within_another(self, channel):
        with channel._guard("q"), channel._guard("other"):
            put(channel, "a")
            put(channel, "b", queue="other")
            put(channel, "c", queue="new")

        sizes = [channel._size(name) for name in ("q", "other", "new")]
        assert sizes == [1, 1, 1]


class test_several_queues:
    def test_one_message_for_all(self, channel):
        channel._put_into(["a", "b", "q"], envelope("x"))

        assert [channel._size(name) for name in ("a", "b", "q")] == [1, 1, 1]

    def test_named_twice_it_is_put_once(self, channel):
        channel._put_into(["a", "a"], envelope("x"))

        assert channel._size("a") == 1


class test_batch:
    def test_is_put_at_the_end(self, channel, store):
        producer = channel.Producer()
        other = store.channel()

        with producer.batch(max_size=10):
            for number in range(3):
                producer.publish(number, routing_key="q")
            assert other._size("q") == 0

        assert other._size("q") == 3

    def test_is_put_when_full(self, channel):
        producer = channel.Producer()

        with producer.batch(max_size=2):
            for number in range(3):
                producer.publish(number, routing_key="q")
            assert channel._size("q") == 2

        assert channel._size("q") == 3

    def test_nothing_is_put_after_an_error(self, channel):
        producer = channel.Producer()

        with pytest.raises(ZeroDivisionError):
            with producer.batch(max_size=10):
                producer.publish(1, routing_key="q")
                raise ZeroDivisionError

        assert channel._size("q") == 0


class test_names_of_old:
    def test_models_see_what_is_there(self, channel):
        put(channel, "a")

        with channel.session as session:
            message = session.query(channel.message_cls).one()
            queue = session.query(channel.queue_cls).one()

            assert (message.queue.name, queue.name) == ("q", "q")
            assert (message.visible, message.sent_at) == (True, None)
            assert str(message) == f"<Message: {message.id} in queue {queue.id}>"
            assert str(queue) == "<Queue(q)>"

    def test_message_put_by_a_model_is_delivered(self, channel):
        text = '{"body": "x", "properties": {}, "headers": {}}'

        with channel.session as session:
            queue = session.query(channel.queue_cls).one()
            session.add(channel.message_cls(text, queue))
            session.commit()

        assert bodies(channel._claim(["q"], 1)) == ["x"]

    def test_names(self):
        import kombu.transport.sqlalchemy as module
        from kombu.transport.sqlalchemy import models

        assert module.QueueBase is models.Queue
        assert module.MessageBase is models.Message
        assert module.ModelBase is models.ModelBase
        assert not hasattr(module, "nonsense")
