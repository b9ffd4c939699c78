"""Tests of kombu.transport.virtual.leased_qos: claims, gathered and given back."""

from __future__ import annotations

import os

import pytest

from kombu.transport.virtual.claims import Claim
from kombu.transport.virtual.leased_qos import BrokerHeldQoS, LeasedQoS
from kombu.utils import waiting


class FakeMessage:
    def __init__(self, claim):
        self.claim = claim


class FakeChannel:
    """Notes what the store is told."""

    do_restore = True
    closed = False
    settle_limit = 1
    refill_pause = 0.0
    is_away = False

    def __init__(self):
        self.settled, self.released, self.given_back, self.buried = [], [], [], []
        self.sent = []  # what was settled, and has left
        self.connection = self
        self.is_to_be_flushed = False

    def _flush_soon(self):
        self.is_to_be_flushed = True

    def _send_settled(self):
        self.sent.extend(self.settled)

    def _tell(self, to, claims):
        if self.is_away:
            raise ConnectionResetError("the store is away")
        to.extend(claim.token for claim in claims)

    def _settle(self, claims):
        self._tell(self.settled, claims)

    def _release(self, claims):
        self._tell(self.released, claims)

    def _give_back(self, claims):
        self._tell(self.given_back, claims)

    def _bury(self, claim, reason):
        self._tell(self.buried, [claim])


@pytest.fixture
def channel():
    return FakeChannel()


@pytest.fixture(params=[LeasedQoS, BrokerHeldQoS])
def qos(request, channel):
    return request.param(channel)


def deliver(qos, *tokens):
    for token in tokens:
        qos.append(FakeMessage(Claim("q", {}, token)), token)


class test_room:
    def test_is_unlimited_without_a_limit(self, qos):
        assert qos.room() is None
        assert qos.can_consume()

    def test_is_what_is_neither_delivered_nor_claimed(self, qos):
        qos.prefetch_count = 3
        deliver(qos, 1)
        qos.claimed.append(Claim("q", {}, 2))

        assert qos.room() == 1
        assert qos.can_consume()

    def test_is_never_negative(self, qos):
        qos.prefetch_count = 1
        deliver(qos, 1, 2)

        assert qos.room() == 0
        assert not qos.can_consume()

    def test_is_used_together_for_a_moment(self, qos, channel, monkeypatch):
        now = [100.0]
        monkeypatch.setattr(waiting, "monotonic", lambda: now[0])
        channel.refill_pause = 0.002
        qos.prefetch_count = 8
        qos.filled_at = 100.0
        deliver(qos, *range(5))

        assert qos.room() == 0  # more than half is in hand
        assert qos.put_off() == pytest.approx(0.002)
        now[0] += 0.002
        assert qos.room() == 3  # but not for long
        qos.filled_at = now[0]
        qos.ack(0)
        assert qos.room() == 4  # half is free
        assert not qos.put_off()

    def test_of_one_is_used_at_once(self, qos, channel):
        channel.refill_pause = 3600.0
        qos.prefetch_count = 2
        qos.filled_at = waiting.monotonic()
        deliver(qos, 1)

        assert qos.room() == 1


class test_settling:
    def test_at_once(self, qos, channel):
        deliver(qos, 1, 2)

        qos.ack(1)

        assert channel.settled == [1]
        assert [claim.token for claim in qos.in_hand()] == [2]

    def test_what_is_not_known_does_no_harm(self, qos, channel):
        qos.ack("unknown")
        qos.reject("unknown", requeue=True)

        assert channel.settled == channel.given_back == []

    def test_gathered_while_there_is_more_to_deliver(self, qos, channel):
        channel.settle_limit = 3
        qos.claimed.append(Claim("q", {}, "next"))
        deliver(qos, 1, 2, 3, 4)

        qos.ack(1)
        qos.ack(2)
        assert channel.settled == []
        assert channel.is_to_be_flushed
        qos.ack(3)
        assert channel.settled == [1, 2, 3]

        qos.claimed.clear()
        qos.ack(4)
        assert channel.settled == [1, 2, 3, 4]

    def test_what_was_gathered_is_told_when_asked_to(self, qos, channel):
        channel.settle_limit = 10
        qos.claimed.append(Claim("q", {}, "next"))
        deliver(qos, 1)
        qos.ack(1)

        qos.flush()
        qos.flush()

        assert channel.settled == [1]

    @pytest.mark.parametrize("limit", [1, 2])
    def test_is_tried_again_when_the_store_was_away(self, qos, channel, limit):
        channel.settle_limit = limit
        deliver(qos, 1)
        channel.is_away = True
        with pytest.raises(ConnectionResetError):
            qos.ack(1)

        channel.is_away = False
        qos.ack(1)
        qos.flush()

        assert set(channel.settled) == {1}

    def test_by_rejecting(self, qos, channel):
        deliver(qos, 1, 2)

        qos.reject(1)
        qos.reject(2, requeue=True)

        assert channel.buried == [1]
        assert channel.given_back == [2]
        assert qos.in_hand() == []

    def test_what_could_not_be_rejected_stays_in_hand(self, qos, channel):
        deliver(qos, 1)
        channel.is_away = True

        with pytest.raises(ConnectionResetError):
            qos.reject(1)

        assert [claim.token for claim in qos.in_hand()] == [1]


class test_giving_back:
    def test_all_in_the_order_it_came(self, qos, channel):
        deliver(qos, 1, 2)
        qos.claimed.append(Claim("q", {}, 3))

        qos.restore_unacked_once()

        assert channel.given_back == [1, 2, 3]
        assert qos.in_hand() == []

    def test_tells_what_was_gathered_first(self, qos, channel):
        channel.settle_limit = 10
        qos.claimed.append(Claim("q", {}, 2))
        deliver(qos, 1)
        qos.ack(1)

        qos.restore_unacked_once()

        assert channel.settled == [1]
        assert channel.given_back == [2]

    def test_what_was_settled_has_left_by_then(self, qos, channel):
        sent = []
        channel._give_back = lambda claims: sent.extend(channel.sent)
        deliver(qos, 1, 2)
        qos.ack(1)

        qos.restore_unacked_once()

        assert sent == [1]

    def test_what_has_not_reached_a_consumer_of_one_queue(self, qos, channel):
        qos.claimed.extend([Claim("a", {}, 1), Claim("b", {}, 2), Claim("a", {}, 3)])

        qos.give_back_claimed("a")

        assert channel.released == [1, 3]
        assert [claim.token for claim in qos.claimed] == [2]

    def test_what_could_not_be_released_stays_in_hand(self, qos, channel):
        qos.claimed.extend([Claim("a", {}, 1), Claim("a", {}, 2)])
        channel.is_away = True

        with pytest.raises(ConnectionResetError):
            qos.give_back_claimed()

        assert [claim.token for claim in qos.claimed] == [1, 2]

    def test_not_if_the_channel_does_not_want_it(self, qos, channel):
        channel.do_restore = False
        deliver(qos, 1)

        qos.restore_unacked_once()

        assert channel.given_back == []

    def test_not_in_a_forked_child(self, qos, channel, monkeypatch):
        deliver(qos, 1)
        monkeypatch.setattr(os, "getpid", lambda: -1)

        qos.restore_unacked_once()

        assert channel.given_back == []

    def test_what_others_have_put_here_has_no_claim(self, qos, channel):
        qos.append(object(), "tag")

        assert qos.in_hand() == []
        qos.restore_unacked()
        assert channel.given_back == []

    def test_what_was_lost_is_forgotten(self, qos, channel):
        qos.claimed.append(Claim("q", {}, 1))

        qos.lose()

        assert qos.in_hand() == []
        assert channel.released == []


def test_peers_take_back_only_what_the_store_holds():
    assert LeasedQoS.is_reaped_by_peers
    assert not BrokerHeldQoS.is_reaped_by_peers
