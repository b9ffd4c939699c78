from __future__ import annotations

import warnings

import pytest

from kombu import Connection
from kombu.transport import virtual
from kombu.transport._options import (
    COMMON_OPTIONS,
    VIRTUAL_OPTIONS,
    Option,
    TransportOptionWarning,
    warn_of_unknown,
)

from .third_party import Channel as ThirdPartyChannel
from .third_party import Transport as ThirdPartyTransport


@pytest.fixture
def warned():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield lambda: [str(warning.message) for warning in caught]


class test_warn_of_unknown:
    def test_known_options_do_not_warn(self, warned):
        warn_of_unknown({"alpha": 1, "beta": 2}, ["alpha", "beta"], "x", True)

        assert warned() == []

    def test_a_misspelt_option_names_the_nearest(self, warned):
        warn_of_unknown({"visibility_timout": 1}, ["visibility_timeout"], "x", True)

        assert warned() == [
            "transport option 'visibility_timout' is unknown to the x transport; "
            "did you mean 'visibility_timeout'?"
        ]

    def test_an_option_unlike_all_others_warns_if_these_are_all(self, warned):
        warn_of_unknown({"qwzx": 1}, ["visibility_timeout"], "x", True)

        assert warned() == ["transport option 'qwzx' is unknown to the x transport"]

    def test_but_not_if_there_may_be_more(self, warned):
        warn_of_unknown({"qwzx": 1}, ["visibility_timeout"], "x", False)

        assert warned() == []

    def test_a_misspelt_one_warns_in_any_case(self, warned):
        warn_of_unknown({"visibility_timout": 1}, ["visibility_timeout"], "x", False)

        assert "did you mean 'visibility_timeout'?" in warned()[0]

    def test_an_option_that_is_no_text(self, warned):
        warn_of_unknown({5: 1}, ["alpha"], "x", True)

        assert warned() == ["transport option 5 is unknown to the x transport"]


class test_options_of_connections:
    def test_misspelt(self, url):
        connection = Connection(url, transport_options={"deadleter_queue": "dead"})

        with pytest.warns(TransportOptionWarning, match="'deadletter_queue'") as caught:
            connection.transport  # noqa: B018
        assert "memory transport" in str(caught[0].message)

    def test_memory_knows_all_that_it_has(self, url):
        connection = Connection(url, transport_options={"qwzx": 1})

        with pytest.warns(TransportOptionWarning, match="'qwzx' is unknown"):
            connection.transport  # noqa: B018

    def test_all_that_are_described_are_known(self, url, warned):
        options = {
            option.name: option.default for option in COMMON_OPTIONS + VIRTUAL_OPTIONS
        }

        connection = Connection(url, transport_options=options)
        connection.transport  # noqa: B018

        assert warned() == []

    def test_options_of_a_third_party_channel_are_known(self, warned):
        class Channel(ThirdPartyChannel):
            from_transport_options = (
                *virtual.Channel.from_transport_options,
                "deadletter_queues",
            )

        class Transport(ThirdPartyTransport):
            Channel = None

        Transport.Channel = Channel
        connection = Connection(
            transport=Transport,
            transport_options={"deadletter_queues": 1, "something_of_mine": 2},
        )

        assert connection.channel().deadletter_queues == 1
        assert warned() == []

    def test_options_of_the_transport_are_known(self, warned):
        class Transport(ThirdPartyTransport):
            options = (Option("polling_intervals", "list", None, "", "Some."),)

        connection = Connection(
            transport=Transport, transport_options={"polling_intervals": [1]}
        )
        connection.transport  # noqa: B018

        assert warned() == []

    def test_a_transport_without_a_type_is_named_by_its_class(self):
        class Transport(ThirdPartyTransport):
            driver_type = virtual.Transport.driver_type

        connection = Connection(
            transport=Transport, transport_options={"poling_interval": 1}
        )

        with pytest.warns(TransportOptionWarning, match=r"test_options:Transport"):
            connection.transport  # noqa: B018

    def test_the_options_given_are_not_changed(self, url):
        options = {"polling_interval": 5}

        connection = Connection(url, transport_options=options)
        connection.channel()

        assert options == {"polling_interval": 5}
        assert connection.transport.polling_interval == 5


def test_every_option_is_described():
    for option in COMMON_OPTIONS + VIRTUAL_OPTIONS:
        assert option.text.endswith(".")
        assert option.type
