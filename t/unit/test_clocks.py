from __future__ import annotations

import pickle
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kombu.clocks import LamportClock, timetuple


class test_LamportClock:
    def test_counts(self):
        clock = LamportClock()

        assert clock.value == 0
        assert clock.forward() == 1
        assert clock.forward() == clock.value == 2
        assert LamportClock(5).forward() == 6

    def test_goes_beyond_both_clocks(self):
        clock = LamportClock(2)

        assert clock.adjust(10) == 11
        assert clock.adjust(3) == clock.value == 12

    def test_shows_its_value(self):
        assert repr(LamportClock(5)) == "<LamportClock: 5>"
        assert str(LamportClock(5)) == "5"

    def test_uses_the_lock_given(self):
        made = []

        class Lock:
            def __init__(self):
                made.append(self)
                self.entered = 0

            def __enter__(self):
                self.entered += 1

            def __exit__(self, *exc_info):
                pass

        clock = LamportClock(Lock=Lock)
        clock.forward()
        clock.adjust(1)

        assert made[0].entered == 2

    def test_threads_get_different_values(self):
        clock, values = LamportClock(), []

        def count():
            values.extend([clock.forward() for _ in range(1000)])

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(values) == list(range(1, 4001))

    def test_sort_heap(self):
        clock = LamportClock()

        assert clock.sort_heap([(1, "b"), (2, "a")]) == (1, "b")
        assert clock.sort_heap([(1, "b"), (1, "c"), (1, "a"), (2, "A")]) == (1, "a")
        assert clock.sort_heap([(1, "b", "more")]) == (1, "b", "more")
        with pytest.raises(IndexError):
            clock.sort_heap([])

    @settings(max_examples=50)
    @given(st.lists(st.tuples(st.integers(0, 3), st.integers()), min_size=1))
    def test_sort_heap_finds_the_smallest(self, events):
        assert LamportClock().sort_heap(sorted(events)) == min(events)


class test_timetuple:
    def test_has_names(self):
        event = timetuple(3, 1.5, "id", {"o": 1})

        assert (event.clock, event.timestamp, event.id) == (3, 1.5, "id")
        assert event.obj == {"o": 1}
        assert timetuple(1, 2, "x").obj is None
        assert repr(event) == "_lamport(clock=3, timestamp=1.5, id=id {'o': 1})"
        assert event == (3, 1.5, "id", {"o": 1})

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            (timetuple(1, 5, "a"), timetuple(2, 1, "b")),
            (timetuple(1, 5, "a"), timetuple(1, 1, "b")),
            (timetuple(0, 1, "b"), timetuple(7, 5, "a")),
            (timetuple(None, 1, "b"), timetuple(7, 5, "a")),
            (timetuple(1, 5, "a"), (2, 1, "b", None)),
            ((1, 5, "a", None), timetuple(2, 1, "b")),
        ],
    )
    def test_order(self, first, second):
        assert first < second
        assert first <= second
        assert second > first
        assert second >= first
        assert not second < first
        assert not first >= second

    def test_equal_events(self):
        one, other = timetuple(1, 1, "a"), timetuple(1, 2, "a")

        assert not one < other
        assert not one > other
        assert one <= other
        assert one >= other

    @pytest.mark.parametrize("other", [3, None, "abc"])
    def test_does_not_compare_with_other_things(self, other):
        with pytest.raises(TypeError):
            timetuple(1, 1, "a") < other  # noqa: B015
        with pytest.raises(TypeError):
            timetuple(1, 1, "a") >= other  # noqa: B015

    def test_can_be_pickled(self):
        event = pickle.loads(pickle.dumps(timetuple(1, 2.0, "a", "obj")))

        assert type(event) is timetuple
        assert event.obj == "obj"
