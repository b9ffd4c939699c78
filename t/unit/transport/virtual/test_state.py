from __future__ import annotations

import pytest

from kombu.transport.virtual._table import BindingTable
from kombu.transport.virtual.state import (
    BrokerState,
    QueueRecord,
    binding_key_t,
    queue_binding_t,
)


def an_exchange(type="direct", **arguments):
    return {
        "type": type,
        "durable": True,
        "auto_delete": False,
        "arguments": {name.replace("_", "-"): v for name, v in arguments.items()},
        "table": BindingTable(),
    }


@pytest.fixture
def state():
    state = BrokerState()
    state.exchange_declare("e", an_exchange())
    return state


class test_BrokerState:
    def test_begins_with_the_exchanges_given(self):
        exchanges = {"e": an_exchange("fanout")}

        state = BrokerState(exchanges)
        state.binding_declare("q", "e", "", None)

        assert state.exchanges is exchanges
        assert state.routes.route("e", "k") == ("q",)

    def test_states_share_nothing(self):
        first, second = BrokerState(), BrokerState()
        first.exchange_declare("e", an_exchange())
        first.binding_declare("q", "e", "k", None)

        assert second.exchanges == {}
        assert second.bindings == {}
        assert second.queue_index == {}

    def test_exchanges_given_may_have_a_plain_list_as_table(self):
        state = BrokerState({"e": {"type": "direct", "table": []}})

        state.binding_declare("q", "e", "k", None)
        assert state.exchanges["e"]["table"] == [("k", None, "q")]
        state.binding_delete("q", "e", "k")

        assert state.exchanges["e"]["table"] == []

    def test_exchanges_given_may_have_no_table(self):
        state = BrokerState({"e": {"type": "direct"}})

        state.binding_declare("q", "e", "k", None)

        assert state.exchanges["e"]["table"] == [("k", None, "q")]

    def test_repr(self, state):
        state.queue_declare(QueueRecord("q"))
        state.binding_declare("q", "e", "k", None)

        assert repr(state) == "<BrokerState: 1 exchanges, 1 queues, 1 bindings>"

    def test_clear(self, state):
        state.queue_declare(QueueRecord("q"))
        state.binding_declare("q", "e", "k", None)
        state.exchange_binding_declare("e", "e", "k", None)

        state.clear()

        assert repr(state) == "<BrokerState: 0 exchanges, 0 queues, 0 bindings>"
        assert state.queue_index == {}
        assert state.exchange_bindings == {}
        with pytest.raises(KeyError):
            state.routes.route("e", "k")


class test_bindings:
    def test_declare(self, state):
        assert state.binding_declare("q", "e", "k", {"a": 1}) is True

        assert state.has_binding("q", "e", "k")
        assert state.bindings == {binding_key_t("q", "e", "k"): {"a": 1}}
        assert state.queue_index == {"q": {("q", "e", "k")}}
        assert list(state.queue_bindings("q")) == [
            queue_binding_t("e", "k", {"a": 1}),
        ]
        assert list(state.exchanges["e"]["table"]) == [("k", None, "q")]
        assert state.routes.route("e", "k") == ("q",)

    def test_declare_twice(self, state):
        assert state.binding_declare("q", "e", "k", None) is True
        assert state.binding_declare("q", "e", "k", None) is False
        assert state.binding_declare("q", "e", "k", {}) is False

        assert len(list(state.queue_bindings("q"))) == 1

    def test_delete(self, state):
        state.binding_declare("q", "e", "k", None)

        assert state.binding_delete("q", "e", "k") is True

        assert not state.has_binding("q", "e", "k")
        assert state.queue_index == {}
        assert list(state.exchanges["e"]["table"]) == []
        assert state.routes.route("e", "k") == ()

    def test_delete_what_is_not_there(self, state):
        state.binding_declare("q", "e", "k", None)

        assert state.binding_delete("q", "e", "j") is False
        assert state.binding_delete("other", "e", "k") is False

        assert state.has_binding("q", "e", "k")

    def test_to_an_exchange_that_is_not_there(self, state):
        assert state.binding_declare("q", "nowhere", "k", None) is True
        assert state.has_binding("q", "nowhere", "k")

        assert state.binding_delete("q", "nowhere", "k") is True

    def test_all_of_a_queue(self, state):
        state.exchange_declare("f", an_exchange("fanout"))
        state.binding_declare("q", "e", "k", None)
        state.binding_declare("q", "e", "j", None)
        state.binding_declare("q", "f", "", None)
        state.binding_declare("other", "f", "", None)

        state.queue_bindings_delete("q")

        assert list(state.queue_bindings("q")) == []
        assert state.routes.route("e", "k") == ()
        assert state.routes.route("f", "") == ("other",)

    def test_a_queue_without_any_leaves_no_trace(self, state):
        assert list(state.queue_bindings("nobody")) == []
        state.queue_bindings_delete("nobody")

        assert state.queue_index == {}


class test_several_sets_of_arguments:
    @pytest.fixture
    def state(self):
        state = BrokerState()
        state.exchange_declare("h", an_exchange("headers"))
        for value in (1, 2):
            row = ("", f"pattern-{value}", "q")
            assert state.binding_declare("q", "h", "", {"a": value}, row)
        return state

    def test_all_are_kept(self, state):
        assert [b.arguments for b in state.queue_bindings("q")] == [
            {"a": 1},
            {"a": 2},
        ]
        assert list(state.exchanges["h"]["table"]) == [
            ("", "pattern-1", "q"),
            ("", "pattern-2", "q"),
        ]
        assert state.bindings_to("h") == [
            (("q", "h", ""), {"a": 1}),
            (("q", "h", ""), {"a": 2}),
        ]
        assert state.bindings_to("nowhere") == []

    def test_one_is_deleted_by_its_arguments(self, state):
        state.binding_delete("q", "h", "", {"a": 2})

        assert state.bindings == {("q", "h", ""): {"a": 1}}
        assert list(state.exchanges["h"]["table"]) == [("", "pattern-1", "q")]
        assert state.routes.route("h", "", {"a": 1}) == ("q",)
        assert state.routes.route("h", "", {"a": 2}) == ()

    def test_all_are_deleted_by_others(self, state):
        state.binding_delete("q", "h", "", {"a": 99})

        assert state.bindings == {}
        assert list(state.exchanges["h"]["table"]) == []

    def test_exchanges_that_do_not_look_at_them_keep_the_rest(self):
        state = BrokerState()
        state.exchange_declare("d", an_exchange())
        state.binding_declare("q", "d", "k", {"a": 1})
        state.binding_declare("q", "d", "k", {"a": 2})

        state.binding_delete("q", "d", "k", {"a": 1})

        assert state.routes.route("d", "k") == ("q",)


class test_exchanges:
    def test_delete(self, state):
        state.exchange_declare("f", an_exchange("fanout"))
        state.binding_declare("q", "e", "k", None)
        state.exchange_binding_declare("f", "e", "k", None)
        state.exchange_binding_declare("e", "f", "", None)

        state.exchange_delete("e")

        assert list(state.exchanges) == ["f"]
        assert state.bindings == {}
        assert state.exchange_bindings == {}
        assert state.routes.route("f", "") == ()

    def test_delete_one_that_is_not_there(self, state):
        state.exchange_delete("nowhere")

        assert list(state.exchanges) == ["e"]

    def test_alternate(self, state):
        state.exchange_declare("lost", an_exchange("fanout"))
        state.exchange_declare("a", an_exchange(alternate_exchange="lost"))
        state.binding_declare("q", "lost", "", None)

        assert state.routes.route("a", "anything") == ("q",)

    def test_use(self, state):
        state.exchange_declare("f", an_exchange("fanout"))
        assert not state.is_exchange_used("e")

        state.binding_declare("q", "e", "k", None)
        assert state.is_exchange_used("e")
        state.binding_delete("q", "e", "k")
        assert not state.is_exchange_used("e")

        state.exchange_binding_declare("f", "e", "k", None)
        assert state.is_exchange_used("e")
        assert not state.is_exchange_used("f")


class test_bindings_of_exchanges:
    @pytest.fixture
    def state(self, state):
        state.exchange_declare("h", an_exchange("headers"))
        state.binding_declare("q", "e", "", None)
        return state

    def test_several_sets_of_arguments(self, state):
        state.exchange_binding_declare("e", "h", "", {"a": 1})
        state.exchange_binding_declare("e", "h", "", {"a": 1})
        state.exchange_binding_declare("e", "h", "", {"a": 2})

        assert state.routes.route("h", "", {"a": 1}) == ("q",)
        assert state.routes.route("h", "", {"a": 2}) == ("q",)

        assert state.exchange_binding_delete("e", "h", "", {"a": 1}) is True
        assert state.routes.route("h", "", {"a": 1}) == ()
        assert state.routes.route("h", "", {"a": 2}) == ("q",)

        assert state.exchange_binding_delete("e", "h", "") is True
        assert state.routes.route("h", "", {"a": 2}) == ()
        assert state.exchange_binding_delete("e", "h", "") is False
        assert state.exchange_bindings == {}

    def test_of_a_type_that_does_not_look_at_arguments(self, state):
        state.exchange_declare("d", an_exchange())
        state.binding_declare("q2", "d", "k", None)
        state.exchange_binding_declare("d", "e", "k", {"a": 1})
        state.exchange_binding_declare("d", "e", "k", {"a": 2})

        state.exchange_binding_delete("d", "e", "k", {"a": 1})

        assert state.routes.route("e", "k") == ("q2",)


class test_queues:
    def test_the_first_declaration_counts(self, state):
        first, second = QueueRecord("q"), QueueRecord("q", durable=True)

        assert state.queue_declare(first) is first
        assert state.queue_declare(second) is first
        assert state.queues == {"q": first}

    def test_only_exclusive_queues_have_an_owner(self):
        assert QueueRecord("q", owner="me").owner is None
        assert QueueRecord("q", exclusive=True, owner="me").owner == "me"

    def test_arguments_are_a_copy(self):
        arguments = {"x-max-length": 1}

        record = QueueRecord("q", arguments=arguments)
        record.arguments["other"] = 1

        assert arguments == {"x-max-length": 1}

    def test_repr(self):
        assert repr(QueueRecord("q")) == "<QueueRecord: q (0 consumers)>"


class test_BindingTable:
    def test_looks_like_a_list(self):
        rows = [("k", None, "q"), ("j", "pattern", "r")]
        table = BindingTable(rows)

        assert list(table) == rows
        assert table == rows
        assert table == BindingTable(rows)
        assert table != rows[:1]
        assert table != "text"
        assert len(table) == 2
        assert table[0] == rows[0]
        assert table[-1] == rows[1]
        assert repr(table) == repr(rows)
        with pytest.raises(TypeError):
            hash(table)

    def test_rows_are_kept_once(self):
        table = BindingTable()
        table.append(("k", None, "q"))
        table.append(["k", None, "q"])

        assert list(table) == [("k", None, "q")]

    def test_rows_are_found_in_any_form(self):
        table = BindingTable([("k", None, "q")])

        assert ("k", None, "q") in table
        assert ["k", None, "q"] in table
        assert ("j", None, "q") not in table
        assert None not in table
        assert "kq" not in table

    def test_rows_that_can_not_be_hashed(self):
        row = ("k", {"a": [1]}, "q")
        table = BindingTable([row])

        assert row in table
        assert list(table) == [row]
        table.remove(("k", {"a": [2]}, "q"))
        assert len(table) == 1
        table.remove(row)
        assert len(table) == 0

    def test_removing_what_is_not_there(self):
        table = BindingTable([("k", None, "q")])

        table.remove(("j", None, "q"))

        assert len(table) == 1

    def test_may_change_while_it_is_read(self):
        table = BindingTable([("k", None, "q"), ("j", None, "q")])

        for row in table:
            table.remove(row)

        assert len(table) == 0
