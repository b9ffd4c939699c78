"""The door of the package."""

from __future__ import annotations

import subprocess
import sys

import pytest

import kombu.testing


@pytest.mark.parametrize("name", kombu.testing.__all__)
def test_names_are_those_of_their_modules(name):
    value = getattr(kombu.testing, name)

    assert value.__name__ == name
    assert value.__module__.startswith("kombu.testing.")
    assert name in dir(kombu.testing)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Telepathy"):
        kombu.testing.Telepathy  # noqa: B018


def test_nothing_is_loaded_before_it_is_used():
    code = "import sys, kombu.testing; print('pytest' in sys.modules, 'kombu.testing.proxy' in sys.modules)"

    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert printed.stdout.split() == ["False", "False"]


def test_only_suite_and_plugin_need_pytest():
    code = (
        "import sys; sys.modules['pytest'] = None\n"
        "import kombu.testing as testing\n"
        "[getattr(testing, name) for name in testing.__all__]"
    )

    subprocess.run([sys.executable, "-c", code], check=True)
