from __future__ import annotations

import pytest

from kombu.transport.virtual import Channel
from kombu.transport.virtual.exchange import (
    STANDARD_EXCHANGE_TYPES,
    DirectExchange,
    ExchangeType,
    FanoutExchange,
    HeadersExchange,
    TopicExchange,
)


class FakeChannel:
    """Says what an exchange type has put where."""

    supports_fanout = False
    deadletter_queue = None
    table = ()

    def __init__(self):
        self.put = []
        self.fanouts = []

    def get_table(self, exchange):
        return self.table

    def _lookup(self, exchange, routing_key):
        return [f"{exchange}-{routing_key}"]

    def _put(self, queue, message, **kwargs):
        self.put.append((queue, message, kwargs))

    def _put_fanout(self, exchange, message, routing_key, **kwargs):
        self.fanouts.append((exchange, message, routing_key, kwargs))


@pytest.fixture
def channel():
    return FakeChannel()


TABLE = [
    ("a.b", None, "q1"),
    ("a.*", None, "q2"),
    ("#", None, "q3"),
]


class test_lookup:
    @pytest.mark.parametrize(
        ("kind", "key", "expected"),
        [
            (DirectExchange, "a.b", {"q1"}),
            (DirectExchange, "a", set()),
            (TopicExchange, "a.b", {"q1", "q2", "q3"}),
            (TopicExchange, "a.c", {"q2", "q3"}),
            (TopicExchange, "", {"q3"}),
            (FanoutExchange, "whatever", {"q1", "q2", "q3"}),
        ],
    )
    def test_by_key(self, channel, kind, key, expected):
        assert kind(channel).lookup(TABLE, "e", key, None) == expected

    def test_by_headers(self, channel):
        kind = HeadersExchange(channel)
        rows = [
            kind.prepare_bind("q1", "e", "", {"a": 1}),
            kind.prepare_bind("q2", "e", "", {"a": 2, "x-match": "any"}),
            ("", None, "q3"),
        ]

        assert kind.lookup(rows, "e", "", None, {"a": 2}) == {"q2", "q3"}
        assert kind.lookup(rows, "e", "", None) == {"q3"}

    def test_of_the_base_is_for_subclasses(self, channel):
        with pytest.raises(NotImplementedError):
            ExchangeType(channel).lookup([], "e", "k", None)


class test_deliver:
    @pytest.mark.parametrize("kind", [DirectExchange, TopicExchange, FanoutExchange])
    def test_puts_into_what_is_looked_up(self, channel, kind):
        kind(channel).deliver({"body": 1}, "e", "k", option=5)

        assert channel.put == [("e-k", {"body": 1}, {"option": 5})]

    def test_fanout_by_the_store(self, channel):
        channel.supports_fanout = True

        FanoutExchange(channel).deliver({"body": 1}, "e", "k", option=5)

        assert channel.put == []
        assert channel.fanouts == [("e", {"body": 1}, "k", {"option": 5})]

    def test_by_headers(self, channel):
        kind = HeadersExchange(channel)
        channel.table = [
            kind.prepare_bind("q1", "e", "", {"a": 1}),
            kind.prepare_bind("q2", "e", "", {"a": 2}),
        ]

        kind.deliver({"headers": {"a": 2}}, "e", "", option=5)

        assert channel.put == [("q2", {"headers": {"a": 2}}, {"option": 5})]

    def test_by_headers_of_a_message_without(self, channel):
        kind = HeadersExchange(channel)
        channel.table = [kind.prepare_bind("q1", "e", "", {"a": 1})]

        kind.deliver({}, "e", "")

        assert channel.put == []


class test_prepare_bind:
    @pytest.mark.parametrize(
        ("kind", "row"),
        [
            (DirectExchange, ("a.*", None, "q")),
            (FanoutExchange, ("a.*", None, "q")),
            (TopicExchange, ("a.*", r"^a\.[^\.]+$", "q")),
            (HeadersExchange, ("a.*", '{"x": 1}', "q")),
        ],
    )
    def test_rows(self, channel, kind, row):
        assert kind(channel).prepare_bind("q", "e", "a.*", {"x": 1}) == row

    def test_headers_without_arguments(self, channel):
        assert HeadersExchange(channel).prepare_bind("q", "e", "", None)[1] == "{}"

    def test_headers_are_checked(self, channel):
        with pytest.raises(ValueError, match="x-match"):
            HeadersExchange(channel).prepare_bind("q", "e", "", {"x-match": "most"})


class test_equivalent:
    previous = {
        "type": "direct",
        "durable": True,
        "auto_delete": False,
        "arguments": {"a": 1},
    }

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({}, True),
            ({"type": "topic"}, False),
            ({"durable": False}, False),
            ({"auto_delete": True}, False),
            ({"arguments": {}}, False),
            ({"arguments": None}, False),
        ],
    )
    def test_each_setting_counts(self, channel, change, expected):
        now = {**self.previous, **change}

        found = DirectExchange(channel).equivalent(self.previous, "e", **now)

        assert found is expected

    def test_no_arguments_are_as_empty_ones(self, channel):
        previous = {**self.previous, "arguments": None}

        assert DirectExchange(channel).equivalent(
            previous, "e", "direct", True, False, {}
        )


def test_the_standard_types():
    assert {kind.type for kind in STANDARD_EXCHANGE_TYPES.values()} == set(
        STANDARD_EXCHANGE_TYPES
    )


def test_types_added_to_a_channel_class_are_not_added_to_the_standard(monkeypatch):
    monkeypatch.setitem(Channel.exchange_types, "x-mine", DirectExchange)

    assert "x-mine" not in STANDARD_EXCHANGE_TYPES
