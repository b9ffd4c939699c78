from __future__ import annotations

import copy
import functools
import pickle
from collections import OrderedDict
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kombu.utils import functional
from kombu.utils.functional import (
    ChannelPromise,
    LRUCache,
    accepts_argument,
    dictfilter,
    fxrange,
    fxrangemax,
    is_list,
    lazy,
    maybe_evaluate,
    maybe_list,
    memoize,
    reprcall,
    reprkwargs,
    shufflecycle,
)


class test_LRUCache:
    def full(self, limit=3):
        cache = LRUCache(limit)
        for number in range(limit + 1):
            cache[number] = number * 10
        return cache

    def test_forgets_the_oldest(self):
        cache = self.full()

        assert list(cache.items()) == [(1, 10), (2, 20), (3, 30)]
        assert len(cache) == 3

    def test_reading_keeps_a_key_alive(self):
        cache = self.full()

        assert cache[1] == 10
        assert cache.get(2) == 20
        cache["new"] = 1

        assert list(cache) == [1, 2, "new"]

    def test_looking_whether_a_key_is_there_does_not(self):
        cache = self.full()

        assert 1 in cache
        assert list(cache) == [1, 2, 3]

    def test_missing_keys(self):
        cache = self.full()

        assert cache.get("nope") is None
        assert cache.get("nope", 7) == 7
        with pytest.raises(KeyError):
            cache["nope"]
        with pytest.raises(KeyError):
            cache.pop("nope")
        assert cache.pop("nope", 8) == 8

    def test_update_keeps_the_limit(self):
        cache = self.full()

        cache.update({number: number for number in range(10)})
        cache.update(a=1)

        assert list(cache) == [8, 9, "a"]

    @pytest.mark.parametrize("limit", [None, 0])
    def test_without_limit(self, limit):
        cache = LRUCache(limit)

        cache.update(dict.fromkeys(range(50)))

        assert len(cache) == 50

    def test_popitem(self):
        cache = self.full()

        assert cache.popitem() == (3, 30)
        assert cache.popitem(last=False) == (1, 10)
        cache.clear()
        with pytest.raises(KeyError):
            cache.popitem()

    def test_setdefault_and_delete(self):
        cache = self.full()

        assert cache.setdefault(1, "other") == 10
        assert cache.setdefault("new", "set") == "set"
        del cache["new"]

        assert "new" not in cache

    def test_incr_counts_as_memcached_does(self):
        cache = LRUCache()
        cache["n"] = "1"

        assert cache.incr("n") == 2
        assert cache.incr("n", 5) == 7
        assert cache["n"] == "7"
        with pytest.raises(KeyError):
            cache.incr("other")

    def test_may_change_while_it_is_iterated_over(self):
        cache = self.full()

        for key in cache:
            cache[f"new {key}"] = 1
        for key, value in cache.items():
            assert cache.pop(key) == value

        assert len(cache) == 0

    def test_older_names_of_the_views(self):
        cache = self.full()

        assert list(cache.iterkeys()) == [1, 2, 3]
        assert list(cache.itervalues()) == list(cache.values()) == [10, 20, 30]
        assert list(cache.iteritems()) == [(1, 10), (2, 20), (3, 30)]

    @pytest.mark.parametrize(
        "duplicate",
        [copy.copy, LRUCache.copy, lambda cache: pickle.loads(pickle.dumps(cache))],
    )
    def test_copies_are_independent(self, duplicate):
        cache = self.full()

        other = duplicate(cache)
        other["more"] = 1

        assert list(other) == [2, 3, "more"]
        assert list(cache) == [1, 2, 3]
        assert other.mutex is not cache.mutex

    def test_pickles_name_the_public_module(self):
        assert b"kombu.utils.functional" in pickle.dumps(LRUCache())

    def test_repr(self):
        assert repr(self.full()) == repr(OrderedDict({1: 10, 2: 20, 3: 30}))

    @settings(max_examples=50)
    @given(
        st.integers(1, 4),
        st.lists(st.tuples(st.sampled_from("gs"), st.integers(0, 6))),
    )
    def test_behaves_as_a_list_of_keys(self, limit, operations):
        cache, model = LRUCache(limit), []
        for kind, key in operations:
            if kind == "g":
                assert (cache.get(key) == key) == (key in model)
                if key in model:
                    model.append(model.pop(model.index(key)))
            else:
                cache[key] = key
                if key not in model:
                    model.append(key)
                del model[:-limit]
        assert list(cache) == model


class test_memoize:
    def test_remembers(self):
        calls = []

        @memoize(maxsize=2)
        def add(a, b=0):
            """Add."""
            calls.append((a, b))
            return a + b

        assert [add(1), add(1), add(1, b=2), add(1, b=2), add(3), add(1)] == [
            1,
            1,
            3,
            3,
            3,
            1,
        ]
        assert calls == [(1, 0), (1, 2), (3, 0), (1, 0)]
        assert (add.hits, add.misses) == (2, 4)
        assert add.__doc__ == "Add."
        assert add.original_func(5) == 5

        add.clear()

        assert (add.hits, add.misses) == (0, 0)
        assert add(1) == 1
        assert calls[-2:] == [(5, 0), (1, 0)]

    def test_order_of_keywords_does_not_matter(self):
        @memoize()
        def pair(a, b):
            return object()

        assert pair(a=1, b=2) is pair(b=2, a=1)
        assert pair(a=1, b=2) is not pair(1, 2)

    def test_keyfun_gets_the_arguments(self):
        @memoize(keyfun=lambda args, kwargs: args[0])
        def first(a, b):
            return b

        assert first(1, 2) == 2
        assert first(1, 3) == 2

    def test_another_cache(self):
        made = {}

        @memoize(maxsize=7, Cache=lambda limit: made.setdefault(limit, {}))
        def identity(a):
            return a

        assert identity(1) == 1
        assert made == {7: {(1,): 1}}

    def test_an_error_is_not_remembered_and_stands_alone(self):
        @memoize()
        def fail(a):
            raise KeyError(a)

        with pytest.raises(KeyError) as caught:
            fail(1)

        assert caught.value.__context__ is None
        assert (fail.hits, fail.misses) == (0, 0)


class test_lazy:
    def test_is_computed_each_time(self):
        numbers = iter(range(10))
        value = lazy(next, numbers)

        assert value() == 0
        assert value.evaluate() == 1
        assert str(value) == "2"
        assert repr(value) == "3"

    def test_compares_by_value(self):
        value = lazy(lambda a, b: (a, b), 1, b=2)

        assert value == (1, 2)
        assert value != (1, 3)
        assert not (value != (1, 2))
        with pytest.raises(TypeError):
            hash(value)

    def test_deepcopy_keeps_it_lazy(self):
        value = lazy(len, "abc")

        assert copy.deepcopy({"key": value})["key"] is value

    def test_can_be_pickled_under_its_public_name(self):
        pickled = pickle.dumps(lazy(len, "abc"))

        assert b"kombu.utils.functional" in pickled
        assert pickle.loads(pickled)() == 3

    def test_maybe_evaluate(self):
        assert maybe_evaluate(lazy(len, "abc")) == 3
        assert maybe_evaluate("abc") == "abc"

    def test_older_names(self):
        assert functional.promise is lazy
        assert functional.maybe_promise is maybe_evaluate


class test_ChannelPromise:
    def test_opens_once(self):
        promise = ChannelPromise(list)

        assert repr(promise).startswith("<promise: 0x")
        assert promise() is promise()
        assert repr(promise) == "[]"

    def test_an_error_stands_alone(self):
        def fail():
            raise AttributeError("inner")

        promise = ChannelPromise(fail)

        with pytest.raises(AttributeError, match="inner") as caught:
            promise()
        assert caught.value.__context__ is None
        assert repr(promise).startswith("<promise")


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        ([1], True),
        ((1,), True),
        ({1}, True),
        (iter([]), True),
        (b"bytes", True),
        ({"a": 1}, False),
        ("text", False),
        (5, False),
        (None, False),
    ],
)
def test_is_list(obj, expected):
    assert is_list(obj) is expected


def test_is_list_with_other_types():
    assert is_list("text", scalars=None)
    assert is_list({}, scalars=())
    assert not is_list([1], iters=(tuple,))


def test_maybe_list():
    assert maybe_list("text") == ["text"]
    assert maybe_list({"a": 1}) == [{"a": 1}]
    assert maybe_list([1]) == [1]
    assert maybe_list(None) is None
    assert maybe_list("text", scalars=None) == "text"


def test_dictfilter():
    assert dictfilter({"a": None, "b": 0}, c=None, e=1) == {"b": 0, "e": 1}
    assert dictfilter({"a": 1}, a=None) == {}
    assert dictfilter() == {}


def test_reprcall():
    assert reprkwargs({"a": 1, "b": "x"}) == "a=1, b='x'"
    assert reprkwargs({"a": 1}, ";", "<{0}:{1}>") == "<a:1>"
    assert reprcall("f", (1, "b"), {"k": 2}) == "f(1, 'b', k=2)"
    assert reprcall("f") == "f()"
    assert reprcall("f", (), {"k": 1}, sep=";") == "f(k=1)"


def test_accepts_argument():
    def function(a, b=1, *rest, c=2, **more):
        pass

    class Callable:
        def __call__(self, z):
            pass

        @classmethod
        def method(cls, y):
            pass

    found = [name for name in "abc" if accepts_argument(function, name)]
    assert found == ["a", "b", "c"]
    assert not accepts_argument(function, "rest")
    assert not accepts_argument(function, "more")
    assert accepts_argument(Callable(), "z")
    assert accepts_argument(Callable.method, "y")
    assert accepts_argument(functools.partial(function, 1), "c")
    assert not accepts_argument(len, "nothing")
    with pytest.raises(TypeError):
        accepts_argument(3, "a")


def test_shufflecycle_goes_on_without_touching_the_list():
    given_list = [1, 2, 3]

    drawn = list(islice(shufflecycle(given_list), 300))

    assert set(drawn) == {1, 2, 3}
    assert given_list == [1, 2, 3]
    with pytest.raises(IndexError):
        next(shufflecycle([]))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, [1.0, 2.0, 3.0, 4.0]),
        ({"start": 1, "stop": 2, "step": 0.5}, [1.0, 1.5, 2.0]),
        ({"start": 1, "stop": 4, "step": 2.2, "repeatlast": True}, [1, 3.2, 3.2, 3.2]),
        ({"start": 5, "stop": 3}, []),
        ({"start": 0, "stop": 0, "step": 0}, [0, 0, 0, 0]),
        ({"start": 1, "stop": 0}, [1, 2, 3, 4]),
    ],
)
def test_fxrange(arguments, expected):
    assert list(islice(fxrange(**arguments), 4)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), [1, 2, 3, 4, 5, 6]),
        ((1, None, 1, 5), [1, 2]),
        ((1.0, 2, 1, 100.0), [1, 2, 2, 2, 2, 2]),
        ((1.0, 10, 2, 30), [1, 3, 5, 7, 9]),
    ],
)
def test_fxrangemax(arguments, expected):
    assert list(islice(fxrangemax(*arguments), 6)) == pytest.approx(expected)


def test_names_of_the_package_are_loaded_on_demand():
    import kombu.utils

    assert kombu.utils.retry_over_time is functional.retry_over_time
    assert kombu.utils.encoding.safe_str("x") == "x"
    assert set(kombu.utils.__all__) <= set(dir(kombu.utils))
    for name in kombu.utils.__all__:
        assert getattr(kombu.utils, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        kombu.utils.nothing
