from __future__ import annotations

import json

import pytest

from kombu.transport.redis.tags import delivery_count_of, ending_of, queue_of_tag
from t.unit.transport.redis.server import envelope


class test_values:
    @pytest.mark.parametrize("queue", ["q", "a:b:c", "", ":"])
    def test_tag_tells_the_queue(self, queue):
        assert queue_of_tag(f"k6:owner:00000001:00001:{queue}") == queue

    @pytest.mark.parametrize("queue", ["q", 'a"b', "é"])
    def test_value_is_what_old_peers_write(self, queue):
        value = "[" + json.dumps({"body": "x"}) + ending_of(queue)

        assert json.loads(value) == [{"body": "x"}, "", queue]


class test_delivery_count:
    def test_is_in_the_envelope(self):
        assert delivery_count_of(envelope("x", **{"x-delivery-count": 3})) == 3
        assert delivery_count_of(envelope("x")) == 0

    def test_of_old_peers_is_a_mark(self):
        marked = envelope("x")
        marked["headers"]["redelivered"] = True
        assert delivery_count_of(marked) == 1
        info = {"delivery_info": {"redelivered": True}}
        assert delivery_count_of({"properties": info, "headers": {}}) == 1

    @pytest.mark.parametrize("nonsense", [None, "text", [], {}, {"properties": 1}])
    def test_of_nonsense(self, nonsense):
        assert delivery_count_of(nonsense) == 0
