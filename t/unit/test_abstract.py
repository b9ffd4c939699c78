"""Entities with attributes, bound to channels."""

from __future__ import annotations

import copy
import pickle

import pytest

from kombu.abstract import MaybeChannelBound, Object, unpickle_dict
from kombu.exceptions import NotBoundError
from kombu.utils.functional import ChannelPromise
from t.unit.fakes import FakeChannel


class Point(Object):
    size = 9
    attrs = (("x", int), ("name", None), ("inner", None), ("size", int))


class Thing(MaybeChannelBound):
    attrs = (("name", None),)
    times_bound = 0

    def when_bound(self):
        self.times_bound += 1


class test_Object:
    def test_values_are_converted_and_the_absent_are_none(self):
        point = Point(x="3", unknown=1)
        assert (point.x, point.name) == (3, None)
        assert not hasattr(point, "unknown")

    def test_defaults_of_the_class_are_kept(self):
        assert Point(size=None).size == 9
        assert Point(size="4").size == 4

    def test_as_dict(self):
        point = Point(x=1, name="n", inner=[Point(x=2)])
        assert point.as_dict()["inner"][0] is point.inner[0]
        assert point.as_dict(recurse=True) == {
            "x": 1,
            "name": "n",
            "size": 9,
            "inner": [{"x": 2, "name": None, "inner": None, "size": 9}],
        }

    def test_as_dict_converts_what_was_set_later(self):
        point = Point(x=1)
        point.x = "7"
        assert point.as_dict()["x"] == 7

    @pytest.mark.parametrize(
        "duplicate",
        [copy.copy, copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))],
        ids=["copy", "deepcopy", "pickle"],
    )
    def test_copies_have_the_same_attributes(self, duplicate):
        point = Point(x=1, inner=[1, 2])
        copied = duplicate(point)
        assert copied is not point
        assert copied.as_dict() == point.as_dict()

    def test_unpickle_dict(self):
        assert unpickle_dict(Point, {"x": "5"}).x == 5


class test_MaybeChannelBound:
    def test_unbound_says_what_is_missing(self):
        with pytest.raises(NotBoundError) as caught:
            Thing().channel
        assert str(caught.value) == "Can't call method on Thing not bound to a channel"
        assert not Thing().is_bound

    @pytest.mark.parametrize("bind", [lambda t, c: t(c), lambda t, c: t.bind(c)])
    def test_binding_makes_a_copy(self, bind, channel):
        thing = Thing(name="n")
        bound = bind(thing, channel)
        assert bound is not thing
        assert (bound.name, bound.is_bound, bound.channel) == ("n", True, channel)
        assert not thing.is_bound

    def test_maybe_bind_binds_once(self, channel):
        thing = Thing()
        assert thing.maybe_bind(channel) is thing
        thing.maybe_bind(FakeChannel())
        assert thing.channel is channel
        assert thing.times_bound == 1

    def test_maybe_bind_to_nothing(self):
        assert not Thing().maybe_bind(None).is_bound

    def test_a_connection_stands_for_its_default_channel(self, connection):
        assert Thing().bind(connection).channel is connection.default_channel

    def test_revive_moves_to_the_new_channel(self, channel):
        thing, after = Thing().bind(channel), FakeChannel()
        thing.revive(after)
        assert thing.channel is after
        assert thing.times_bound == 2

    def test_revive_leaves_the_unbound_alone(self, channel):
        thing = Thing()
        thing.revive(channel)
        assert not thing.is_bound

    def test_a_promised_channel_is_opened_when_needed(self, channel):
        opened = []
        promise = ChannelPromise(lambda: opened.append(1) or channel)
        thing = Thing().bind(promise)
        assert not opened
        assert thing.channel is channel
        assert thing.channel is channel
        assert opened == [1]

    def test_repr(self, channel):
        assert repr(Thing()) == "<unbound Thing>"
        assert repr(Thing().bind(channel)) == "<Thing bound to chan:7>"
        channel.channel_id = None
        assert repr(Thing().bind(channel)) == "<Thing bound to chan:?>"
        assert Thing().bind(channel)._repr_entity("Other") == "<Other bound to chan:?>"

    def test_copies_are_not_bound(self, channel):
        assert not copy.deepcopy(Thing().bind(channel)).is_bound

    def test_declarations_are_not_cached_unless_said(self):
        assert not Thing().can_cache_declaration
