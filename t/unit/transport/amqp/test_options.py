from __future__ import annotations

from dataclasses import fields

import pytest

from kombu.transport._amqp.options import OWN_OPTIONS, Options


def test_described_as_they_are():
    described = {option.name: option.default for option in OWN_OPTIONS}

    assert described == {field.name: field.default for field in fields(Options)}


@pytest.mark.parametrize(
    ("given", "confirms", "each"),
    [
        ({}, True, False),
        ({"confirm_publish": True}, True, True),
        ({"confirm_publish": False}, False, False),
    ],
)
def test_confirms(given, confirms, each):
    options = Options.of({**given, "something": "else"})

    assert (options.confirms, options.confirm_each) == (confirms, each)
    assert not options.without_confirms().confirms


def test_unknown_policy():
    with pytest.raises(ValueError, match="strict, adopt, passive"):
        Options.of({"declare_policy": "hopeful"})
