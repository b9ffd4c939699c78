"""Tests of kombu.transport.virtual.claims."""

from __future__ import annotations

import pytest

from kombu.transport.virtual.claims import (
    Claim,
    deliver_at,
    delivery_count,
    expires_at,
    redelivered,
    with_properties,
)

NO_ENVELOPES = [b"x", "x", None, 3, [], {}, {"properties": None}, {"properties": []}]


def envelope(**properties):
    return {"body": "", "properties": properties}


class test_moments:
    def test_are_seconds(self):
        found = envelope(**{"x-deliver-at": 1500, "x-expires-at": 2500})

        assert deliver_at(found) == 1.5
        assert expires_at(found) == 2.5

    @pytest.mark.parametrize("found", [*NO_ENVELOPES, envelope()])
    def test_are_not_there(self, found):
        assert deliver_at(found) is None
        assert expires_at(found) is None

    def test_that_are_no_numbers_do_not_count(self):
        assert expires_at(envelope(**{"x-expires-at": "soon"})) is None


class test_delivery_count:
    @pytest.mark.parametrize("found", [*NO_ENVELOPES, envelope()])
    def test_none_before(self, found):
        assert delivery_count(found) == 0

    def test_a_number_in_the_envelope(self):
        assert delivery_count(envelope(**{"x-delivery-count": 4})) == 4

    def test_a_mark_of_peers_that_do_not_count(self):
        assert delivery_count({**envelope(), "redelivered": True}) == 1


class test_redelivered:
    def test_marks_a_copy(self):
        original = envelope(delivery_info={"exchange": "e"})

        found = redelivered(original, 2)

        assert found["redelivered"] is True
        assert found["properties"]["delivery_info"] == {
            "exchange": "e",
            "redelivered": True,
        }
        assert delivery_count(found) == 2
        assert original == envelope(delivery_info={"exchange": "e"})

    def test_without_a_count(self):
        assert "x-delivery-count" not in redelivered(envelope())["properties"]

    @pytest.mark.parametrize("found", [b"x", "x", None, 3, [], {}])
    def test_what_is_no_envelope_stays_as_it_is(self, found):
        assert redelivered(found, 1) is found


def test_properties_are_changed_in_a_copy():
    original = envelope(a=1, b=2)

    assert with_properties(original, a=3, b=None)["properties"] == {"a": 3}
    assert original == envelope(a=1, b=2)


class test_Claim:
    def test_counts_a_delivery_only_if_there_was_one(self):
        claim = Claim("q", envelope(), deliveries=2)
        assert claim.deliveries_when_released == 2

        claim.was_delivered = True
        assert claim.deliveries_when_released == 3

    def test_shows_its_state(self):
        claim = Claim("q", envelope(secret="word"), "t-1", 2)

        assert repr(claim) == "<Claim: 't-1' of q, waiting, 2 deliveries before>"
