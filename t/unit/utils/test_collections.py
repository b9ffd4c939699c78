from __future__ import annotations

import pytest

from kombu.utils.collections import EqualityDict, HashedSeq, eqhash


class Key:
    """Equal keys are those with the same identity, whatever ``hash`` says."""

    def __init__(self, identity):
        self.identity = identity

    def __eqhash__(self):
        return HashedSeq(self.identity, "x")

    def __hash__(self):
        return id(self)


class test_HashedSeq:
    def test_is_a_list_with_the_hash_of_a_tuple(self):
        sequence = HashedSeq(1, 2)

        assert sequence == [1, 2]
        assert hash(sequence) == hash((1, 2)) == sequence.hashvalue


def test_eqhash():
    assert eqhash(Key(1)) == [1, "x"]
    assert eqhash("a") == hash("a")


class test_EqualityDict:
    def test_equal_keys_are_one(self):
        mapping = EqualityDict()

        mapping[Key(1)] = "one"
        mapping[Key(1)] = "uno"

        assert len(mapping) == 1
        assert mapping[Key(1)] == "uno"
        assert Key(1) in mapping
        assert mapping.get(Key(1)) == "uno"
        assert Key(2) not in mapping
        assert mapping.get(Key(2)) is None
        assert mapping.get(Key(2), 5) == 5

    def test_deleting(self):
        mapping = EqualityDict()
        mapping[Key(1)] = "one"
        mapping["a"] = "two"

        del mapping[Key(1)]

        assert mapping.pop("a") == "two"
        assert mapping.pop("a", None) is None
        assert not mapping
        with pytest.raises(KeyError):
            mapping.pop("a")
        with pytest.raises(KeyError):
            del mapping["a"]

    def test_a_missing_key_is_named(self):
        with pytest.raises(KeyError) as caught:
            EqualityDict()["nope"]

        assert caught.value.args == ("nope",)

    def test_a_subclass_may_make_values(self):
        class Making(EqualityDict):
            def __missing__(self, key):
                value = self[key] = key.identity
                return value

        mapping = Making()

        assert mapping[Key(7)] == 7
        assert len(mapping) == 1
