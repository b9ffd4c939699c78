"""Tests of kombu.transport.virtual.death."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kombu.transport.virtual.death import (
    DELIVERY_LIMIT,
    EXPIRED,
    MAX_LENGTH,
    REJECTED,
    after_death,
    is_cycle,
)


def envelope(**properties):
    return {
        "body": "Ym9keQ==",
        "content-type": "text/plain",
        "content-encoding": "utf-8",
        "headers": {"mine": 1},
        "properties": {
            "delivery_info": {"exchange": "ex", "routing_key": "key"},
            "body_encoding": "base64",
            **properties,
        },
    }


def die(found, queue="q", reason=REJECTED, now=1000.7):
    return after_death(found, queue, reason, "dlx", "dead", now)


class test_after_death:
    def test_tells_where_and_why(self):
        dead = die(envelope())

        assert dead["headers"]["x-death"] == [
            {
                "count": 1,
                "reason": "rejected",
                "queue": "q",
                "time": 1000,
                "exchange": "ex",
                "routing-keys": ["key"],
            }
        ]
        assert dead["headers"]["x-first-death-exchange"] == "ex"
        assert dead["headers"]["x-first-death-queue"] == "q"
        assert dead["headers"]["x-first-death-reason"] == "rejected"
        assert dead["headers"]["mine"] == 1

    def test_is_as_if_published_to_the_dead_letter_exchange(self):
        info = die(envelope())["properties"]["delivery_info"]

        assert info == {"exchange": "dlx", "routing_key": "dead"}

    def test_leaves_the_original_alone(self):
        original = envelope(expiration="10")

        die(original)

        assert original == envelope(expiration="10")

    def test_does_not_expire_again_but_tells_that_it_would_have(self):
        moments = {"x-expires-at": 1, "x-deliver-at": 2, "deliver_at": 3}
        dead = die(envelope(expiration="10", **moments), reason=EXPIRED)

        assert dead["headers"]["x-death"][0]["original-expiration"] == "10"
        assert not {"expiration", *moments} & dead["properties"].keys()

    def test_begins_anew_with_deliveries(self):
        found = {**envelope(**{"x-delivery-count": 3}), "redelivered": True}
        found["properties"]["delivery_info"]["redelivered"] = True

        dead = die(found, reason=DELIVERY_LIMIT)

        assert "redelivered" not in dead
        assert "redelivered" not in dead["properties"]["delivery_info"]
        assert "x-delivery-count" not in dead["properties"]

    def test_deaths_of_a_kind_are_counted(self):
        once = die(envelope(), now=1)
        twice = die(once, now=2)

        [death] = twice["headers"]["x-death"]
        assert death["count"] == 2
        assert death["time"] == 2
        # Where it was published first is kept.
        assert death["exchange"] == "ex"

    def test_the_latest_death_comes_first(self):
        dead = die(die(die(envelope(), "a"), "b", EXPIRED), "a", MAX_LENGTH)

        deaths = [(d["queue"], d["reason"]) for d in dead["headers"]["x-death"]]
        assert deaths == [("a", "maxlen"), ("b", "expired"), ("a", "rejected")]
        assert dead["headers"]["x-first-death-reason"] == "rejected"

    @pytest.mark.parametrize(
        "data", [b"\xff\x00", "text", None, 7, [], {}, {"properties": None}]
    )
    def test_what_is_no_envelope_becomes_the_body_of_one(self, data):
        dead = die(data)

        body = base64.b64decode(dead["body"])
        wanted = data if isinstance(data, bytes) else str(data).encode()
        assert body == wanted
        assert dead["content-encoding"] == "binary"
        assert dead["headers"]["x-first-death-queue"] == "q"

    @pytest.mark.parametrize(
        "deaths", ["nonsense", 3, [1, None], {"queue": "q"}, [{"count": "x"}]]
    )
    def test_a_header_that_others_have_spoilt(self, deaths):
        found = envelope()
        found["headers"]["x-death"] = deaths

        assert die(found)["headers"]["x-death"][0]["queue"] == "q"

    @given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"))))
    def test_counts_add_up_to_the_number_of_deaths(self, deaths):
        found = envelope()
        for queue, reason in deaths:
            found = die(found, queue, reason)

        entries = found["headers"].get("x-death", [])
        assert sum(entry["count"] for entry in entries) == len(deaths)
        assert len(entries) == len(set(deaths))


class test_is_cycle:
    def test_not_where_it_never_was(self):
        assert not is_cycle("other", die(envelope())["headers"])
        assert not is_cycle("other", {})

    def test_where_it_died_by_itself(self):
        headers = die(die(envelope(), "a", EXPIRED), "b", MAX_LENGTH)["headers"]

        assert is_cycle("a", headers)
        assert is_cycle("b", headers)

    def test_not_if_somebody_has_rejected_it_meanwhile(self):
        headers = die(die(envelope(), "a", EXPIRED), "b", REJECTED)["headers"]

        assert not is_cycle("a", headers)
        assert not is_cycle("b", headers)

    def test_what_was_rejected_before_does_not_count(self):
        headers = die(die(envelope(), "a", REJECTED), "b", EXPIRED)["headers"]

        assert is_cycle("b", headers)
