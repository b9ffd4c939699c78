"""The conformance suite finds out every broken transport, and no sound one."""

from __future__ import annotations

from collections import Counter

import pytest

from t.conformance.mutants.transports import MUTANTS, Unbroken
from t.snippets import ROOT

#: What is left behind by tests that fail in the midst of things.
pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnhandledThreadExceptionWarning"
)

SUITE = ROOT / "t" / "conformance" / "mutants" / "suite.py"

#: Plugins that have no part in it, or are the outer run's.
WITHOUT = (
    "cacheprovider",
    "faulthandler",
    "hypothesispytest",
    "pytest_cov",
    "terminal",
    "threadexception",
    "unraisableexception",
    "xdist",
)


class Run:
    """A run of some of the suite's tests within this process; also its plugin.

    Attributes:
        failures: What the tests that failed said, by their names.
    """

    def __init__(self, kind, tests, *options):
        self._kind = kind
        self._counts = Counter()
        self.failures = {}
        without = [part for name in WITHOUT for part in ("-p", f"no:{name}")]
        nodes = [f"{SUITE}::{test}" for test in tests]
        self.code = pytest.main([*without, *options, *nodes], plugins=[self])

    @pytest.fixture
    def mutant(self):
        return self._kind

    def pytest_runtest_logreport(self, report):
        self._counts[report.when, report.outcome] += 1
        if report.failed:
            self.failures[report.nodeid] = report.longreprtext

    @property
    def passed(self):
        return self._counts["call", "passed"]

    @property
    def failed(self):
        return self._counts["call", "failed"]

    @property
    def total(self):
        return sum(self._counts.values())


@pytest.mark.parametrize("kind", MUTANTS, ids=lambda kind: kind.__name__)
def test_broken_transport_is_found_out(kind):
    run = Run(kind, MUTANTS[kind], "-x")

    assert run.code == pytest.ExitCode.TESTS_FAILED
    # By a test, not by something that went wrong before or after it.
    assert (run.failed, len(run.failures)) == (1, 1), run.failures


def test_sound_transport_is_not():
    tests = sorted({test for tests in MUTANTS.values() for test in tests})

    run = Run(Unbroken, tests)

    assert not run.failures
    assert run.passed >= len(tests)
    assert run.total == 3 * run.passed, "some were skipped"


def test_there_are_enough_of_them():
    assert len(MUTANTS) >= 18
    assert len({kind.__name__ for kind in MUTANTS}) == len(MUTANTS)
