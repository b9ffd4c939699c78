"""The themes of the conformance suite."""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module

from kombu.testing import conformance
from t.snippets import ROOT

PAGE = ROOT / "docs" / "userguide" / "conformance.rst"

#: Modules of themes that not every store can have.
ASKED_FOR = ("network", "paused")


def themes_of(module):
    return {name for name in module.__all__ if name.startswith("Test")}


def modules():
    names = (found.name for found in pkgutil.iter_modules(conformance.__path__))
    return {
        name: import_module(f"{conformance.__name__}.{name}")
        for name in names
        if not name.startswith("_")
    }


def test_all_are_there_but_those_that_are_asked_for():
    found = {
        theme
        for name, module in modules().items()
        if name not in ASKED_FOR
        for theme in themes_of(module)
    }

    assert found == set(conformance.__all__)


def test_every_module_has_one():
    assert all(map(themes_of, modules().values()))


def test_documentation_names_each():
    named = set(re.findall(r"``(Test\w+)``", PAGE.read_text()))

    assert named == {t for module in modules().values() for t in themes_of(module)}


def test_tests_have_names_of_their_own_within_a_theme():
    for module in modules().values():
        source = (ROOT / module.__file__).read_text()
        names = re.findall(r"^    def (test_\w+)", source, re.M)
        assert len(names) == len(set(names)), module.__name__
