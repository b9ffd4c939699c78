"""The pytest plugin, tried by pytest runs of its own."""

from __future__ import annotations

import configparser
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from t.snippets import ROOT

PLUGIN = "kombu.testing.plugin"

pytest_plugins = ["pytester"]


@pytest.fixture
def options():
    """What a pytest run needs to have the plugin, also where it is not installed."""
    is_installed = PLUGIN in {found.value for found in entry_points(group="pytest11")}
    load = () if is_installed else ("-p", PLUGIN)
    # Other plugins have no part in it, and take a second to load.
    others = ("no:cacheprovider", "no:hypothesispytest", "no:xdist", "no:pytest_cov")
    without = [part for name in others for part in ("-p", name)]
    return (*without, "--strict-markers", *load)


@pytest.fixture
def run(pytester, options):
    """Runs a test file."""

    def run(source, *more):
        pytester.makepyfile(source)
        return pytester.runpytest(*options, *more)

    return run


def test_pytest_finds_it_where_the_library_is_installed():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")

    assert PLUGIN in config["options.entry_points"]["pytest11"]


def test_option_is_explained(run):
    result = run("def test_nothing(): pass", "--help")

    result.stdout.fnmatch_lines(["kombu:", "*--stress*"])


def test_fixtures(run):
    result = run(
        """
        from kombu import Connection
        from kombu.utils import waiting

        def test_memory(kombu_memory):
            with Connection(kombu_memory) as connection:
                connection.SimpleQueue("queue").put("hello")
                assert connection.SimpleQueue("queue").qsize() == 1

        def test_memory_is_empty_again(kombu_memory):
            with Connection(kombu_memory) as connection:
                assert connection.SimpleQueue("queue").qsize() == 0

        def test_clock(kombu_clock):
            before = waiting.monotonic()
            kombu_clock.advance(5)
            assert waiting.monotonic() == before + 5

        def test_clock_is_gone_again():
            assert waiting.monotonic.__module__ == "kombu.utils.waiting"

        proxies = []

        def test_fault_proxy(kombu_fault_proxy):
            proxies.append(kombu_fault_proxy("127.0.0.1", 1, patience=1))
            assert proxies[0].port

        def test_fault_proxy_is_stopped():
            assert "stopped" in repr(proxies[0])
        """
    )

    result.assert_outcomes(passed=6)


STRESS = """
import threading
import pytest
from kombu.testing import Harness

together = threading.Barrier(4, timeout=5)
names = []

@pytest.fixture
def harness(kombu_memory):
    with Harness(kombu_memory) as harness:
        yield harness

@pytest.mark.stress
def test_marked(harness, request):
    together.wait()
    names.append(harness.unique("name"))

def test_names():
    assert len(set(names)) == 4

alone = []

def test_not_marked(harness):
    alone.append(1)

def test_alone():
    assert len(alone) == 1

@pytest.mark.stress
def test_failing(harness):
    assert names == "the first error is shown"
"""


def test_stress_runs_marked_tests_in_threads(run):
    result = run(STRESS, "--stress", "4")

    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(["*the first error is shown*"])


def test_without_stress_they_run_once(run):
    result = run(
        """
        import pytest

        runs = []

        @pytest.mark.stress
        def test_marked():
            runs.append(1)

        def test_once():
            assert len(runs) == 1
        """
    )

    result.assert_outcomes(passed=2)


def test_importing_it_loads_no_transport():
    code = (
        "import sys, kombu.testing.plugin;"
        "print([n for n in sys.modules if n.startswith('kombu.') "
        "and not n.startswith('kombu.testing')])"
    )

    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert printed.stdout.strip() == "[]"


def test_assertions_of_the_suite_explain_themselves(pytester, options):
    pytester.makepyfile(
        """
        import kombu.testing.conformance.delivery as module

        def test_rewritten():
            assert "@pytest_ar" in vars(module)
        """
    )

    # A process of its own: here the suite may have been imported before.
    result = pytester.runpytest_subprocess(*options)

    result.assert_outcomes(passed=1)
