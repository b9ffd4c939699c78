"""Tests of kombu.transport.virtual.moments."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from kombu.exceptions import InvalidMoment, KombuError
from kombu.transport.virtual.moments import deliver_at_of, time_to_live_of


def message(headers=None, **properties):
    return {"headers": headers or {}, "properties": properties}


class test_deliver_at_of:
    def test_a_message_that_asks_for_nothing_is_due_at_once(self):
        assert deliver_at_of(message(), 100.0) is None

    @pytest.mark.parametrize("delay", [1500, 1500.0, "1500"])
    def test_a_delay_counts_from_now(self, delay):
        assert deliver_at_of(message({"x-delay": delay}), 100.0) == 101.5

    def test_a_negative_delay_is_none(self):
        assert deliver_at_of(message({"x-delay": -5}), 100.0) == 100.0

    def test_a_moment_in_seconds(self):
        assert deliver_at_of(message(deliver_at=123.5), 100.0) == 123.5

    def test_a_moment_of_the_calendar(self):
        zone = timezone(timedelta(hours=2))
        moment = datetime(2030, 1, 1, 2, tzinfo=zone)

        found = deliver_at_of(message(deliver_at=moment), 100.0)

        assert found == datetime(2030, 1, 1, tzinfo=timezone.utc).timestamp()

    def test_a_moment_goes_before_a_delay(self):
        both = message({"x-delay": 5}, deliver_at=500)

        assert deliver_at_of(both, 100.0) == 500

    @pytest.mark.parametrize("value", ["soon", [], True, float("nan"), "inf"])
    def test_what_is_no_moment_is_named(self, value):
        for bad, name in (
            (message({"x-delay": value}), "x-delay"),
            (message(deliver_at=value), "deliver_at"),
        ):
            with pytest.raises(InvalidMoment) as caught:
                deliver_at_of(bad, 0.0)
            assert name in str(caught.value)
            assert repr(value) in str(caught.value)


class test_time_to_live_of:
    @pytest.mark.parametrize("expiration", [None, ""])
    def test_for_ever(self, expiration):
        assert time_to_live_of(message(expiration=expiration)) is None
        assert time_to_live_of(message()) is None

    @pytest.mark.parametrize("expiration", ["2500", 2500, 2500.9])
    def test_milliseconds(self, expiration):
        assert time_to_live_of(message(expiration=expiration)) == 2500

    def test_never_less_than_none(self):
        assert time_to_live_of(message(expiration="-3")) == 0

    def test_what_is_no_number_is_refused(self):
        with pytest.raises(InvalidMoment, match="expiration"):
            time_to_live_of(message(expiration="never"))

    def test_the_error_is_of_the_family(self):
        assert issubclass(InvalidMoment, (KombuError, ValueError))
