"""The programs of ``examples/`` run, and print what they are there to show."""

from __future__ import annotations

import importlib.util

import pytest

from kombu import pools
from t.snippets import ROOT

EXAMPLES = ROOT / "examples"

PRINTED = {
    "hello": ["received {'hello': 'world'}"],
    "simple_queue": [
        "3 jobs wait",
        "done {'job': 1}",
        "done {'job': 2}",
        "done {'job': 3}",
        "0 jobs wait",
    ],
    "worker": ["[1, 2] -> 3", "[3, 4, 5] -> 12", "[6] -> 6"],
    "rpc": [
        "fibonacci(1) = 1",
        "fibonacci(10) = 55",
        "fibonacci(50) = 12586269025",
    ],
    "broadcast": [
        "everybody:",
        "  node-a: 3 jobs",
        "  node-b: 5 jobs",
        "only node-b, in another unit:",
        "  node-b: 5 tasks",
    ],
    "connection_pools": ["200 different lines of 200"],
    "failover": [
        "broker is away: nobody listens; next try in 0 s",
        "connected to backup",
        "{'through': 'backup'}",
    ],
    "event_loop": ["tick 1", "tick 2", "tick 3"],
}


def load(name):
    """Import an example as a fresh module."""
    spec = importlib.util.spec_from_file_location(
        f"example_{name}", EXAMPLES / f"{name}.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def fresh_pools():
    yield
    pools.reset()


@pytest.mark.parametrize("name", sorted(PRINTED))
def test_example(name, capsys):
    load(name).main()

    assert capsys.readouterr().out.splitlines() == PRINTED[name]


def test_every_example_is_tested():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {*PRINTED, "demo"}


class test_demo:
    def test_all_messages_arrive(self, capsys):
        assert load("demo").main() == 0
        assert "every message arrived once, unchanged" in capsys.readouterr().out

    @pytest.mark.parametrize("expected", [[0], [1, 1], [2]])
    def test_a_wrong_delivery_is_a_failure(self, expected, capsys):
        demo = load("demo")
        demo.EXPECTED["billing"] = expected

        assert demo.main() == 1
        assert "FAILED" in capsys.readouterr().out
