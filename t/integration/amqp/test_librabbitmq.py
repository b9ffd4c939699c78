"""The client written in C, by a Python that it is built for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from t.benchmarks.peer import python_with
from t.integration.amqp import librabbitmq_scenarios

ROOT = Path(__file__).resolve().parent.parent.parent.parent

#: There are wheels for later releases of Python too, but those crash.
RELEASES = ((3, 11), (3, 10))

#: The package of which there are wheels; they are of a pre-release.
REQUIREMENT = "librabbitmq-fork>=2.0.2.dev3"


def fitting_python():
    """Return a Python that the client works on, and its release: ours if it is one."""
    if sys.version_info[:2] in RELEASES:
        return sys.executable, sys.version_info[:2]
    for major, minor in RELEASES:
        found = shutil.which(f"python{major}.{minor}")
        if found:
            return found, (major, minor)
    reason = "librabbitmq works up to Python 3.11: install one beside this"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    return pytest.skip(reason)


@pytest.fixture(scope="module")
def python():
    base, (major, minor) = fitting_python()
    home = ROOT / f".venv-kombu-librabbitmq-{major}.{minor}"
    needed = (ROOT / "requirements" / "default.txt").read_text().split("\n")
    plain = [line.partition("#")[0].strip() for line in needed]
    return python_with(home, (REQUIREMENT, *filter(None, plain)), base)


@pytest.mark.parametrize("name", librabbitmq_scenarios.SCENARIOS)
def test_scenario(python, url, name):
    done = subprocess.run(
        [
            python,
            librabbitmq_scenarios.__file__,
            name,
            url.replace("amqp://", "librabbitmq://"),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stdout == "done\n", done.stderr
    assert done.returncode == 0
