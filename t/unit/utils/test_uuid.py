from __future__ import annotations

from uuid import UUID, uuid4

from hypothesis import given, settings
from hypothesis import strategies as st

import kombu.utils
from kombu.utils import uuid as uuid_function
from kombu.utils.uuid import uuid


def test_is_a_random_uuid_of_version_4():
    value = uuid()

    assert len(value) == 36
    assert UUID(value).version == 4
    assert str(UUID(value)) == value


@settings(max_examples=50)
@given(st.binary(min_size=16, max_size=16))
def test_equals_what_the_standard_library_makes_of_the_same_bits(bits):
    import os
    from unittest import mock

    with mock.patch.object(os, "urandom", lambda size: bits[:size]):
        assert uuid() == str(UUID(bytes=bits, version=4))


def test_is_different_each_time():
    assert len({uuid() for _ in range(100)}) == 100


def test_takes_another_generator():
    assert uuid(uuid4) != uuid(uuid4)
    assert uuid(lambda: 5) == "5"


def test_the_name_in_the_package_is_the_function():
    assert uuid_function is uuid
    assert kombu.utils.uuid is uuid
