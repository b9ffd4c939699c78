"""Which deliveries were settled."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kombu.transport._amqp.settled import _MOST_RUNS, SettledTags

tags = st.integers(1, 12)


@given(st.lists(st.tuples(tags, st.booleans())))
def test_all_up_to_is_where_the_first_gap_is(steps):
    settled, known = SettledTags(), set()

    for tag, is_multiple in steps:
        if is_multiple:
            settled.add_up_to(tag)
            known.update(range(1, tag + 1))
        else:
            settled.add(tag)
            known.add(tag)

        assert settled.all_up_to + 1 == next(n for n in range(1, 15) if n not in known)


def test_what_is_behind_a_gap_is_kept_as_runs():
    settled = SettledTags()

    for tag in (1, *range(3, 1000), 1500, 1001):
        settled.add(tag)

    assert repr(settled) == "<SettledTags: 1-1, 3-999, 1001-1001, 1500-1500>"
    settled.add(1000)
    settled.add(2)
    assert repr(settled) == "<SettledTags: 1-1001, 1500-1500>"


def test_what_is_never_settled_does_not_fill_the_memory():
    settled = SettledTags()

    for tag in range(2, 2 * _MOST_RUNS + 10, 2):
        settled.add(tag)
    assert len(settled._firsts) == len(settled._lasts) == _MOST_RUNS

    settled.add(1)
    assert settled.all_up_to == 1  # the second was forgotten
    settled.add_up_to(20)
    assert settled.all_up_to == 20
