from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from kombu.transport.redis.keys import Keys
from kombu.transport.redis.resp import part


def all_of(keys, queue):
    return [
        *keys.queue(queue),
        keys.list(queue, 9),
        keys.mutex(queue),
    ]


class test_server:
    def test_names_of_kombu(self):
        keys = Keys()

        assert keys.list("q", 0) == "q"
        assert keys.list("q", 3) == "q\x06\x163"
        assert keys.bindings("e") == "_kombu.binding.e"
        assert keys.permanent_bindings("e") == "_kombu.binding_permanent.e"
        assert (keys.queue("q").unacked, keys.queue("q").ledger) == (
            "unacked",
            "unacked_index",
        )

    def test_names_can_be_chosen(self):
        keys = Keys(sep=":", unacked="u", index="i")

        assert keys.list("q", 6) == "q:6"
        assert (keys.queue("q").unacked, keys.queue("q").ledger) == ("u", "i")

    @pytest.mark.parametrize("in_cluster", [False, True])
    def test_prefix_is_in_front_of_all(self, in_cluster):
        keys = Keys("app:", in_cluster=in_cluster)

        found = [
            *all_of(keys, "q"),
            keys.version,
            keys.owners,
            keys.bindings("e"),
            keys.permanent_bindings("e"),
            keys.records("queue"),
            keys.wake("me"),
        ]

        assert all(key.startswith("app:") for key in found)
        assert len(set(found)) == len(found)

    def test_queues_share_what_is_in_flight(self):
        keys = Keys()

        assert keys.queue("a").unacked == keys.queue("b").unacked
        assert keys.mutex("a") == keys.mutex("b")

    def test_what_a_claim_concerns(self):
        found = Keys().queue("q")

        assert Keys().claiming("q") == part(
            found.base, found.bell, found.due, found.delayed
        )

    def test_many_names_are_not_kept(self):
        keys = Keys()

        for number in range(10_005):
            keys.queue(f"q{number}")

        assert len(keys._queues) < 10
        assert keys.queue("q1").base == "q1"

    def test_repr_says_what_it_is_of(self):
        assert repr(Keys("a:")) == "<Keys: of a server, prefix 'a:'>"
        assert "cluster" in repr(Keys(in_cluster=True))


class test_cluster:
    @given(st.text(), st.text(max_size=5))
    def test_keys_of_a_queue_are_in_one_slot(self, queue, prefix):
        # A brace in the prefix would decide for all queues, which is allowed too.
        keys = Keys(prefix.replace("{", ""), in_cluster=True)

        found = all_of(keys, queue)

        slots = {key_slot(key.encode("utf-8", "surrogatepass")) for key in found}
        assert len(slots) == 1
        assert len(set(found)) == len(found)

    def test_queues_are_spread(self):
        keys = Keys(in_cluster=True)

        slots = {key_slot(keys.queue(f"q{n}").base.encode()) for n in range(50)}

        assert len(slots) > 40

    @given(st.text(alphabet="{}%257BD" + "q"), st.text(alphabet="{}%257BD" + "q"))
    def test_two_names_make_two_keys(self, one, other):
        keys = Keys(in_cluster=True)

        same = keys.queue(one).base == keys.queue(other).base

        # An empty name, which no queue has, is the one that shares.
        assert same == (one == other)

    def test_shared_keys_are_in_one_slot(self):
        keys = Keys(in_cluster=True)
        found = [keys.version, keys.owners, keys.records("queue"), keys.wake("me")]

        assert len({key_slot(key.encode()) for key in found}) == 1
