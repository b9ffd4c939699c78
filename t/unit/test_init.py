"""The package: what it shows, and what it does not load."""

from __future__ import annotations

import subprocess
import sys

import pytest

import kombu

SLOW = (
    "amqp",
    "vine",
    "ssl",
    "yaml",
    "msgpack",
    "pickle",
    "inspect",
    "importlib.metadata",
    "multiprocessing",
    "asyncio",
    "dataclasses",
    "email",
    "unittest",
    "urllib.request",
)


def loaded_after(code):
    """Return which of the slow modules *code* loads in a process of its own."""
    script = f"import sys\nbefore = set(sys.modules)\n{code}\n" + (
        f"print(*[n for n in {SLOW!r} if n in sys.modules and n not in before])"
    )
    found = subprocess.run(
        [sys.executable, "-S", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
    )
    return found.stdout.split()


def test_version():
    assert kombu.__version__ == "6.0.0"
    assert kombu.VERSION == kombu.version_info == (6, 0, 0, "", "")
    assert kombu.VERSION.major == 6
    assert kombu.version_info.releaselevel == ""


@pytest.mark.parametrize(
    "code",
    [
        "import kombu",
        "from kombu import Connection, Exchange, Queue, Producer, Consumer, Message",
        "import kombu; kombu.Connection('memory://')",
        "import kombu.exceptions; kombu.exceptions.OperationalError",
    ],
)
def test_nothing_slow_is_loaded(code):
    assert loaded_after(code) == []


def test_names_are_resolved_on_first_use():
    code = (
        "import sys, kombu\n"
        "assert 'kombu.connection' not in sys.modules\n"
        "kombu.Connection\n"
        "assert 'kombu.connection' in sys.modules\n"
        "assert 'Connection' in vars(kombu)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_dir_shows_all():
    assert {*kombu.__all__, "__version__"} <= set(dir(kombu))
    assert dir(kombu) == sorted(dir(kombu))


@pytest.mark.parametrize("name", kombu.__all__)
def test_all_names_are_there(name):
    assert getattr(kombu, name) is not None


def test_modules_are_attributes_of_the_package():
    code = "import kombu; assert kombu.compression.compress and kombu.utils.cached_property"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_star_import():
    names = {}
    exec("from kombu import *", names)
    assert set(kombu.__all__) <= set(names)


@pytest.mark.parametrize("name", ["nosuch", "_private", "Bogus"])
def test_unknown_names(name):
    with pytest.raises(
        AttributeError, match=f"module 'kombu' has no attribute '{name}'"
    ):
        getattr(kombu, name)


def test_a_module_that_lacks_something_says_so(monkeypatch):
    def import_module(name):
        raise ModuleNotFoundError("No module named 'driver'", name="driver")

    monkeypatch.setattr("importlib.import_module", import_module)
    with pytest.raises(ModuleNotFoundError, match="driver"):
        kombu.some_module
