from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kombu.transport.filesystem._names import (
    FileName,
    queue_of,
    quoted,
    suffix_in,
    suffix_of,
    unquoted,
)

names = st.builds(
    FileName,
    stamp=st.integers(0, 16**14 - 1),
    unique=st.text("0123456789abcdef", min_size=12, max_size=12),
    suffix=st.just(".q.msg"),
    rank=st.integers(-9, 255),
    deliveries=st.integers(0, 4095),
    expires=st.integers(0, 16**11 - 1),
)


class test_FileName:
    @given(names)
    def test_says_what_was_put_into_it(self, name):
        assert FileName.parse(str(name)) == name

    @given(st.lists(names, max_size=5))
    def test_sorts_by_arrival(self, found):
        in_order = sorted(map(str, found))

        assert [FileName.parse(n).stamp for n in in_order] == sorted(
            n.stamp for n in found
        )

    def test_is_as_documented(self):
        name = FileName(0x6A, "0123456789ab", ".q.msg", -3, 2, 0xFF)

        assert str(name) == "0000000000006a_n3t2xff_0123456789ab.q.msg"

    @pytest.mark.parametrize(
        "name",
        [
            "650339_6200adf1-8b8b-4f70-a7d2-62377c7d074b.q.msg",
            "foo.q.msg",
            ".q.msg",
            "a_b_c.q.msg",
            "0000000000006a_t2r1_0123456789ab.q.msg",
        ],
    )
    def test_knows_what_is_foreign(self, name):
        assert FileName.parse(name) is None
        assert FileName.for_foreign(name, 5_000).suffix == ".q.msg"
        assert FileName.for_foreign(name, 5_000).stamp == 5


class test_suffixes:
    # As kombu 5.7 sees them.
    @pytest.mark.parametrize(
        ("name", "queue"),
        [
            ("foo.bar_baz.q.msg", "bar_baz.q"),
            ("foo.q.msg", "q"),
            (".q.msg", "q"),
            ("a_b_c.q.msg", "q"),
            ("q.msg", None),
            ("1_u..q.msg", ".q"),
            ("9_x.q.msg.tmp", None),
            ("readme.txt", None),
            (".tmp", None),
            (".claimed", None),
        ],
    )
    def test_are_what_comes_after_the_first_dot(self, name, queue):
        suffix = suffix_in(name)

        assert suffix == (None if queue is None else f".{queue}.msg")

    @pytest.mark.parametrize("queue", ["q", "é", "a b*[1]", "we.ird", "a%2Fb", ""])
    def test_leave_names_as_kombu_5_7_writes_them(self, queue):
        assert suffix_of(queue) == f".{queue}.msg"

    def test_leave_long_names_that_kombu_5_7_can_write(self):
        longest = "é" * 101 + "a"

        assert suffix_of(longest) == f".{longest}.msg"
        name = FileName(16**14 - 1, "0" * 12, suffix_of(longest), 255, 15, 16**11 - 1)
        assert len(os.fsencode(str(name))) <= 255

    @given(st.text(max_size=300))
    def test_can_be_undone(self, queue):
        suffix = suffix_of(queue)
        name = str(FileName(1, "0" * 12, suffix))

        assert len(os.fsencode(name)) <= 255
        assert "/" not in name
        assert "\0" not in name
        assert suffix_in(name) == suffix
        assert queue_of(suffix) == (None if suffix.endswith(".msgh") else queue)

    @given(st.lists(st.text("a/%.é\0", max_size=8), unique=True, max_size=20))
    def test_differ_where_queues_do(self, queues):
        assert len({suffix_of(queue) for queue in queues}) == len(queues)


class test_quoted:
    @given(st.text(max_size=60))
    def test_is_a_name_for_a_file_and_can_be_undone(self, text):
        name = quoted(text, longest=1000)

        assert unquoted(name) == text
        assert not {"/", "\0", "."} & set(name)

    def test_hashes_what_is_too_long(self):
        assert quoted("a" * 300) != quoted("a" * 301)
        assert len(quoted("a" * 300)) < 100
