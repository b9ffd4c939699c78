"""Tests of kombu.transport.virtual.policies."""

from __future__ import annotations

import pytest

from kombu.exceptions import PreconditionFailed
from kombu.transport._capabilities import ABILITIES
from kombu.transport.virtual.policies import ARGUMENTS, QueuePolicy


class test_of:
    @pytest.mark.parametrize("arguments", [None, {}, {"x-queue-type": "quorum"}])
    def test_nothing_is_asked_for(self, arguments):
        assert QueuePolicy.of("q", arguments) is None

    def test_everything_is_asked_for(self):
        policy = QueuePolicy.of(
            "q",
            {
                "x-message-ttl": 1,
                "x-expires": 2.0,
                "x-max-length": 3,
                "x-max-length-bytes": 4,
                "x-overflow": "reject-publish",
                "x-dead-letter-exchange": "dlx",
                "x-dead-letter-routing-key": "key",
                "x-delivery-limit": 5,
                "x-max-priority": 6,
                "x-single-active-consumer": True,
            },
        )

        assert policy == (1, 2, 3, 4, "reject-publish", "dlx", "key", 5, 6, True)
        assert policy.has_limit
        assert policy.refuses

    def test_an_argument_that_is_none_is_not_asked_for(self):
        assert QueuePolicy.of("q", {"x-message-ttl": None}) is None

    def test_a_queue_without_a_limit(self):
        policy = QueuePolicy.of("q", {"x-message-ttl": 0})

        assert policy.message_ttl == 0
        assert not policy.has_limit
        assert not policy.refuses

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("x-message-ttl", -1),
            ("x-message-ttl", "10"),
            ("x-message-ttl", 1.5),
            ("x-message-ttl", True),
            ("x-expires", 0),
            ("x-max-length", -1),
            ("x-max-length-bytes", "many"),
            ("x-overflow", "drop-tail"),
            ("x-overflow", ["drop-head"]),
            ("x-dead-letter-exchange", 1),
            ("x-dead-letter-routing-key", b"key"),
            ("x-delivery-limit", -1),
            ("x-max-priority", 256),
            ("x-single-active-consumer", 1),
        ],
    )
    def test_a_value_that_can_not_be_is_named(self, name, value):
        with pytest.raises(PreconditionFailed) as caught:
            QueuePolicy.of("orders", {name: value})

        text = str(caught.value)
        assert name in text
        assert "orders" in text
        assert repr(value) in text
        assert caught.value.reply_code == 406

    def test_each_argument_takes_an_ability_that_there_is(self):
        assert {ability for _, _, ability in ARGUMENTS.values()} <= set(ABILITIES)


def test_repr_shows_what_is_asked_for():
    policy = QueuePolicy(message_ttl=5)

    assert repr(policy) == "QueuePolicy(message_ttl=5)"
