from __future__ import annotations

import pytest

from kombu.transport._options import InvalidTransportOption
from kombu.transport.redis import Channel, SentinelChannel
from kombu.transport.redis.options import Settings


def test_defaults_are_those_of_kombu():
    found = Settings.of({}, 3)

    assert found == Settings("pubsub", "/3.", True, (0, 3, 6, 9), "round_robin", 3600)


@pytest.mark.parametrize(
    "prefix, expected",
    [(True, "/2."), (False, ""), (None, ""), ("", ""), ("/x{db}.", "/x2.")],
)
def test_prefix_of_channels(prefix, expected):
    assert Settings.of({"fanout_prefix": prefix}, 2).channel_prefix == expected


def test_what_peers_took_is_theirs_for_as_long_as_they_say():
    assert Settings.of({"visibility_timeout": 90}, 0).peer_timeout == 90
    both = {"visibility_timeout": 90, "peer_visibility_timeout": 7}
    assert Settings.of(both, 0).peer_timeout == 7


def test_steps_are_put_in_order():
    assert Settings.of({"priority_steps": ["5", 0, 5]}, 0).priority_steps == (0, 5)


@pytest.mark.parametrize("steps", [[3, 6], ["x"], 7, [None]])
def test_steps_that_are_none(steps):
    with pytest.raises(InvalidTransportOption, match="priority_steps"):
        Settings.of({"priority_steps": steps}, 0)


def test_unknown_kind_of_fanout():
    with pytest.raises(InvalidTransportOption, match="durable"):
        Settings.of({"fanout": "maybe"}, 0)


def test_order():
    assert Settings.of({"queue_order_strategy": "sorted"}, 0).order == "sorted"
    assert Settings.of({"queue_order_strategy": object()}, 0).order == "round_robin"


@pytest.mark.parametrize("channel", [Channel, SentinelChannel])
def test_every_option_of_the_channel_is_described(channel):
    names = {option.name for option in channel.options}

    assert set(channel.from_transport_options) <= names | {"body_encoding"}
    assert len(names) == len(channel.options)


def test_options_that_have_no_effect_say_so():
    texts = {option.name: option.text for option in Channel.options}

    for name in ("unacked_mutex_key", "unacked_restore_limit", "ack_emulation"):
        assert texts[name].startswith("Has no effect")
