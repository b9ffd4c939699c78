from __future__ import annotations

import re
import threading
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kombu.exceptions import KombuError
from kombu.transport.virtual import routing
from kombu.transport.virtual._headers import check_arguments, matches
from kombu.transport.virtual._topic import TopicTrie, pattern_to_regex, topic_matches
from kombu.transport.virtual.routing import Destination, RoutingTable

# A short alphabet, so that patterns and keys do meet; an empty word, signs in
# the key and a line feed, since those are where matchers go wrong.
key_words = st.sampled_from(["a", "b", "ab", "", "\n", "*", "#", "a\n"])
pattern_words = st.sampled_from(["a", "b", "ab", "", "\n", "*", "#", "*", "#"])
keys = st.lists(key_words, max_size=5).map(".".join)
patterns = st.lists(pattern_words, max_size=5).map(".".join)


def naive_match(pattern, key):
    """The definition: `*` is one word that is not empty, `#` any number of words."""

    def match(signs, words):
        if not signs:
            return not words
        sign, *rest = signs
        if sign == "#":
            return any(match(rest, words[n:]) for n in range(len(words) + 1))
        if not words:
            return False
        if sign == "*":
            return words[0] != "" and match(rest, words[1:])
        return sign == words[0] and match(rest, words[1:])

    return match(pattern.split(".") if pattern else [], key.split(".") if key else [])


def queue(name):
    return Destination(name)


def exchange(name):
    return Destination(name, is_exchange=True)


@pytest.fixture
def table():
    return RoutingTable()


def routes(table, name, key="", headers=None):
    return sorted(table.route(name, key, headers))


class test_topic:
    @given(patterns, keys)
    @settings(max_examples=100)
    def test_expression_is_the_definition(self, pattern, key):
        assert topic_matches(pattern, key) == naive_match(pattern, key)

    @given(st.lists(patterns, max_size=8), keys)
    @settings(max_examples=100)
    def test_trie_is_the_definition(self, bound, key):
        trie = TopicTrie()
        for number, pattern in enumerate(bound):
            trie.add(pattern, number)

        assert sorted(trie.match(key)) == [
            number for number, pattern in enumerate(bound) if naive_match(pattern, key)
        ]

    @given(st.lists(patterns, max_size=6), st.data())
    @settings(max_examples=60)
    def test_what_is_discarded_leaves_the_rest(self, bound, data):
        trie = TopicTrie()
        for number, pattern in enumerate(bound):
            trie.add(pattern, number)
        gone = data.draw(st.sets(st.sampled_from(range(len(bound))))) if bound else ()
        key = data.draw(keys)

        for number in gone:
            trie.discard(bound[number], number)

        assert sorted(trie.match(key)) == [
            number
            for number, pattern in enumerate(bound)
            if number not in gone and naive_match(pattern, key)
        ]

    @given(st.lists(patterns, max_size=6))
    @settings(max_examples=60)
    def test_an_emptied_trie_keeps_nothing(self, bound):
        trie = TopicTrie()
        for pattern in bound:
            trie.add(pattern, "value")
        for pattern in bound:
            trie.discard(pattern, "value")

        assert trie._root.children == {}
        assert trie._root.values == {}

    def test_all_short_patterns_and_keys(self):
        bound, asked = (
            {".".join(words) for n in range(4) for words in product(alphabet, repeat=n)}
            for alphabet in (["a", "", "*", "#"], ["a", "b", ""])
        )
        trie = TopicTrie()
        for pattern in bound:
            trie.add(pattern, pattern)

        for key in asked:
            expected = {pattern for pattern in bound if naive_match(pattern, key)}
            assert set(trie.match(key)) == expected, key
            assert {p for p in bound if topic_matches(p, key)} == expected, key

    def test_discarding_what_is_not_there(self):
        trie = TopicTrie()
        trie.add("a.b", 1)

        trie.discard("a", 1)
        trie.discard("a.b.c", 1)
        trie.discard("a.b", 2)

        assert list(trie.match("a.b")) == [1]

    def test_many_signs_cost_no_explosion(self):
        trie = TopicTrie()
        trie.add(".".join(["#", "a"] * 12), 1)

        assert list(trie.match(".".join(["a"] * 24 + ["b"]))) == []

    @pytest.mark.parametrize(
        ("pattern", "expression"),
        [
            # To the letter as peers of earlier releases write them ...
            ("a.*", r"^a\.[^\.]+$"),
            ("*", r"^[^\.]+$"),
            ("#", "^.*?$"),
            ("a.b", r"^a\.b$"),
            ("a-b_c.d", r"^a\-b\_c\.d$"),
            ("é.1", r"^é\.1$"),
            ("", "^$"),
            # ... and where theirs would miss a match.
            ("a.#", r"^a(?:\..*)?$"),
            ("#.a", r"^(?:.*\.)?a$"),
            ("a.#.b", r"^a\.(?:.*\.)?b$"),
            ("a.#.#", r"^a(?:\..*)?$"),
            ("#.#", r"^.*$"),
            ("a*", r"^a\*$"),
        ],
    )
    def test_expressions(self, pattern, expression):
        assert pattern_to_regex(pattern) == expression

    @given(patterns, keys.filter(bool))
    @settings(max_examples=60)
    def test_expressions_serve_peers_as_they_stand(self, pattern, key):
        # They use re.match; then "$" lets a line feed through.
        if not key.endswith("\n") and "\n" not in pattern + key:
            found = re.match(pattern_to_regex(pattern), key) is not None
            assert found == naive_match(pattern, key)


class test_types:
    def test_direct(self, table):
        table.declare("e", "direct")
        table.bind("e", "k", None, queue("q1"))
        table.bind("e", "k", None, queue("q2"))
        table.bind("e", "other", None, queue("q3"))

        assert routes(table, "e", "k") == ["q1", "q2"]
        assert routes(table, "e", "nothing") == []

    def test_direct_takes_no_patterns(self, table):
        table.declare("e", "direct")
        table.bind("e", "#", None, queue("q"))

        assert routes(table, "e", "k") == []
        assert routes(table, "e", "#") == ["q"]

    def test_topic(self, table):
        table.declare("e", "topic")
        table.bind("e", "*.error", None, queue("errors"))
        table.bind("e", "db.#", None, queue("db"))
        table.bind("e", "#", None, queue("all"))

        assert routes(table, "e", "db.error") == ["all", "db", "errors"]
        assert routes(table, "e", "db") == ["all", "db"]
        assert routes(table, "e", "") == ["all"]

    def test_a_queue_bound_twice_gets_one_copy(self, table):
        table.declare("e", "topic")
        table.bind("e", "a.*", None, queue("q"))
        table.bind("e", "*.b", None, queue("q"))

        assert table.route("e", "a.b") == ("q",)

    def test_fanout(self, table):
        table.declare("e", "fanout")
        table.bind("e", "x", None, queue("q1"))
        table.bind("e", "", None, queue("q2"))

        assert routes(table, "e", "whatever") == ["q1", "q2"]

    def test_fanout_keeps_what_is_bound_by_another_key(self, table):
        table.declare("e", "fanout")
        table.bind("e", "x", None, queue("q"))
        table.bind("e", "y", None, queue("q"))

        table.unbind("e", "x", None, queue("q"))
        assert routes(table, "e") == ["q"]
        table.unbind("e", "y", None, queue("q"))
        assert routes(table, "e") == []

    def test_headers(self, table):
        table.declare("e", "headers")
        table.bind("e", "", {"x-match": "any", "a": 1, "b": 2}, queue("any"))
        table.bind("e", "", {"a": 1, "b": 2}, queue("all"))

        assert routes(table, "e", "", {"a": 1}) == ["any"]
        assert routes(table, "e", "", {"a": 1, "b": 2}) == ["all", "any"]
        assert routes(table, "e", "", {"c": 1}) == []
        assert routes(table, "e", "", None) == []

    def test_headers_are_looked_at_each_time(self, table):
        table.declare("e", "headers")
        table.bind("e", "", {"a": 1}, queue("q"))

        assert routes(table, "e", "k", {"a": 2}) == []
        assert routes(table, "e", "k", {"a": 1}) == ["q"]

    def test_headers_are_unbound_by_their_arguments(self, table):
        table.declare("e", "headers")
        table.bind("e", "", {"a": 1}, queue("q"))
        table.bind("e", "", {"a": 2}, queue("q"))

        table.unbind("e", "", {"a": 1}, queue("q"))

        assert routes(table, "e", "", {"a": 1}) == []
        assert routes(table, "e", "", {"a": 2}) == ["q"]

    def test_an_unknown_type_is_routed_as_direct(self, table):
        table.declare("e", "x-mine")
        table.bind("e", "k", None, queue("q"))

        assert routes(table, "e", "k") == ["q"]

    @pytest.mark.parametrize("kind", sorted(routing.INDEX_TYPES))
    def test_unbinding_what_is_not_bound(self, table, kind):
        table.declare("e", kind)
        table.bind("e", "k", None, queue("q"))

        table.unbind("e", "k", None, queue("other"))
        table.unbind("e", "j", None, queue("q"))
        table.unbind("nowhere", "k", None, queue("q"))

        assert routes(table, "e", "k") == ["q"]

    def test_an_undeclared_exchange(self, table):
        with pytest.raises(KeyError):
            table.route("nowhere", "k")
        with pytest.raises(KeyError):
            table.bind("nowhere", "k", None, queue("q"))


header_values = st.one_of(st.integers(0, 2), st.sampled_from(["x", "y"]))
header_names = st.sampled_from(["a", "b", "x-c"])


class test_headers:
    @pytest.mark.parametrize(
        ("mode", "headers", "expected"),
        [
            ("all", {"a": 1, "b": 2}, True),
            ("all", {"a": 1, "b": 2, "x-c": 9}, True),
            ("all", {"a": 1}, False),
            ("all", {"a": 1, "b": 3}, False),
            ("any", {"a": 1}, True),
            ("any", {"b": 2}, True),
            ("any", {"x-c": 3}, False),
            ("any", {}, False),
            ("all-with-x", {"a": 1, "b": 2}, False),
            ("all-with-x", {"a": 1, "b": 2, "x-c": 3}, True),
            ("any-with-x", {"x-c": 3}, True),
            ("any-with-x", {"x-c": 4}, False),
        ],
    )
    def test_modes(self, mode, headers, expected):
        arguments = {"x-match": mode, "a": 1, "b": 2, "x-c": 3}

        assert matches(arguments, headers) is expected

    def test_all_is_the_default(self):
        assert not matches({"a": 1, "b": 2}, {"a": 1})
        assert matches({"a": 1, "b": 2}, {"a": 1, "b": 2})

    @pytest.mark.parametrize("nothing", [None, {}, {"x-match": "all"}, {"x-c": 1}])
    def test_nothing_wanted_matches_all(self, nothing):
        assert matches(nothing, {})

    def test_nothing_wanted_matches_any_never(self):
        assert not matches({"x-match": "any"}, {"a": 1})

    def test_none_is_wanted_to_be_there(self):
        assert matches({"a": None}, {"a": "whatever"})
        assert matches({"a": None}, {"a": None})
        assert not matches({"a": None}, {"b": None})

    @given(
        st.sampled_from(["all", "any", "all-with-x", "any-with-x"]),
        st.dictionaries(header_names, header_values),
        st.dictionaries(header_names, header_values),
    )
    @settings(max_examples=80)
    def test_the_definition(self, mode, wanted, headers):
        counted = {
            name: value
            for name, value in wanted.items()
            if mode.endswith("-with-x") or not name.startswith("x-")
        }
        hits = [name in headers and headers[name] == counted[name] for name in counted]
        expected = all(hits) if mode.startswith("all") else True in hits

        assert matches({"x-match": mode, **wanted}, headers) == expected

    @pytest.mark.parametrize("mode", ["some", "", None, 1, []])
    def test_an_unknown_mode(self, mode):
        with pytest.raises(ValueError, match=r"x-match .* is unknown: use one of all"):
            check_arguments({"x-match": mode})
        with pytest.raises(KombuError):
            check_arguments({"x-match": mode})

    @pytest.mark.parametrize("arguments", [None, {}, {"x-match": "any-with-x"}])
    def test_known_modes(self, arguments):
        assert check_arguments(arguments) is None


class test_exchanges_bound_to_exchanges:
    def test_a_chain(self, table):
        for name in ("first", "second", "third"):
            table.declare(name, "direct")
        table.bind("first", "k", None, exchange("second"))
        table.bind("second", "k", None, exchange("third"))
        table.bind("third", "k", None, queue("q"))

        assert routes(table, "first", "k") == ["q"]
        assert routes(table, "first", "j") == []

    def test_each_has_its_own_type(self, table):
        table.declare("topic", "topic")
        table.declare("fanout", "fanout")
        table.bind("topic", "news.#", None, exchange("fanout"))
        table.bind("fanout", "", None, queue("q1"))
        table.bind("topic", "news.sport", None, queue("q2"))

        assert routes(table, "topic", "news.sport") == ["q1", "q2"]
        assert routes(table, "topic", "weather") == []

    def test_a_cycle_ends(self, table):
        for name in "abc":
            table.declare(name, "fanout")
            table.bind(name, "", None, queue(f"q-{name}"))
        for source, to in ("ab", "bc", "ca"):
            table.bind(source, "", None, exchange(to))
        table.bind("a", "", None, exchange("a"))

        for name in "abc":
            assert routes(table, name) == ["q-a", "q-b", "q-c"]

    def test_two_ways_to_one_queue_give_one_copy(self, table):
        for name in ("e", "left", "right"):
            table.declare(name, "fanout")
        table.bind("e", "", None, exchange("left"))
        table.bind("e", "", None, exchange("right"))
        table.bind("left", "", None, queue("q"))
        table.bind("right", "", None, queue("q"))

        assert table.route("e", "") == ("q",)

    def test_one_that_is_not_there(self, table):
        table.declare("e", "fanout")
        table.bind("e", "", None, exchange("nowhere"))

        assert routes(table, "e") == []

    def test_a_queue_and_an_exchange_of_one_name(self, table):
        table.declare("e", "fanout")
        table.declare("twin", "fanout")
        table.bind("e", "", None, queue("twin"))
        table.bind("e", "", None, exchange("twin"))
        table.bind("twin", "", None, queue("q"))

        assert routes(table, "e") == ["q", "twin"]

    def test_headers_behind_another_type_are_looked_at_each_time(self, table):
        table.declare("e", "fanout")
        table.declare("h", "headers")
        table.bind("e", "", None, exchange("h"))
        table.bind("h", "", {"a": 1}, queue("q"))

        assert routes(table, "e", "", {"a": 2}) == []
        assert routes(table, "e", "", {"a": 1}) == ["q"]


class test_alternate_exchange:
    def test_gets_what_can_not_be_routed(self, table):
        table.declare("e", "direct", alternate="lost")
        table.declare("lost", "fanout")
        table.bind("e", "k", None, queue("q"))
        table.bind("lost", "", None, queue("unrouted"))

        assert routes(table, "e", "k") == ["q"]
        assert routes(table, "e", "j") == ["unrouted"]

    def test_a_chain_of_them_that_ends_where_it_began(self, table):
        table.declare("a", "direct", alternate="b")
        table.declare("b", "direct", alternate="a")

        assert routes(table, "a", "k") == []

    def test_one_that_is_declared_later(self, table):
        table.declare("e", "direct", alternate="lost")
        assert routes(table, "e", "k") == []

        table.declare("lost", "fanout")
        table.bind("lost", "", None, queue("q"))

        assert routes(table, "e", "k") == ["q"]


class test_memory_of_answers:
    @pytest.fixture
    def table(self, table):
        table.declare("e", "direct")
        table.bind("e", "k", None, queue("q"))
        assert table.route("e", "k") == ("q",)
        return table

    def test_an_answer_is_remembered(self, table):
        assert table.route("e", "k") is table.route("e", "k")

    def test_an_empty_answer_too(self, table):
        table.route("e", "j")

        assert table._answers["e", "j"] == ()

    def test_until_something_is_bound(self, table):
        table.bind("e", "k", None, queue("other"))

        assert routes(table, "e", "k") == ["other", "q"]

    def test_until_something_is_unbound(self, table):
        table.unbind("e", "k", None, queue("q"))

        assert routes(table, "e", "k") == []

    def test_until_the_exchange_is_deleted(self, table):
        table.delete("e")

        with pytest.raises(KeyError):
            table.route("e", "k")

    def test_until_all_is_cleared(self, table):
        table.clear()

        with pytest.raises(KeyError):
            table.route("e", "k")

    def test_the_version_grows_with_each_change(self, table):
        versions = [table.version]
        for change in (
            lambda: table.declare("f", "direct"),
            lambda: table.bind("f", "k", None, queue("q")),
            lambda: table.unbind("f", "k", None, queue("q")),
            lambda: table.delete("f"),
            table.clear,
        ):
            change()
            versions.append(table.version)

        assert versions == sorted(set(versions))

    def test_what_changes_nothing_forgets_nothing(self, table):
        version = table.version

        table.declare("e", "topic")
        table.delete("nowhere")
        table.unbind("nowhere", "k", None, queue("q"))

        assert table.version == version

    def test_there_is_a_limit(self, table, monkeypatch):
        monkeypatch.setattr(routing, "CACHE_LIMIT", 3)
        for number in range(10):
            table.route("e", f"key-{number}")

        assert len(table._answers) <= 3
        assert table.route("e", "k") == ("q",)

    def test_repr(self, table):
        assert repr(table) == "<RoutingTable: 1 exchanges, version 2>"


def test_changes_and_look_ups_by_many_threads(table):
    table.declare("e", "topic")
    table.bind("e", "always.#", None, queue("always"))
    errors = []
    start = threading.Barrier(8)

    def change(name):
        start.wait(5)
        for number in range(100):
            table.bind("e", f"{name}.{number}", None, queue(name))
            if table.route("e", f"{name}.{number}") != (name,):
                errors.append(f"{name}.{number} is not seen")
            table.unbind("e", f"{name}.{number}", None, queue(name))
            if table.route("e", f"{name}.{number}"):
                errors.append(f"{name}.{number} is still seen")

    def look(name):
        start.wait(5)
        errors.extend(
            number
            for number in range(300)
            if table.route("e", f"always.{number % 7}") != ("always",)
        )

    threads = [
        threading.Thread(target=work, args=(f"{work.__name__}-{number}",), daemon=True)
        for work in (change, look)
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert errors == []
    assert not any(thread.is_alive() for thread in threads)
