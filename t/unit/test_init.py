"""The package itself: what importing it brings, and what it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import kombu

#: Slow to import, and not needed to publish a message.
HEAVY = (
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
    "urllib.parse",
)


def modules_after(code):
    """Return the modules that a fresh interpreter has after *code*."""
    # -S: what is installed beside us may import anything when Python starts.
    script = (
        f"import sys; sys.path[:0] = {sys.path!r}; before = set(sys.modules)\n{code}\n"
        "print(*(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", script],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing():
    loaded = {m for m in modules_after("import kombu") if m.startswith("kombu")}
    assert loaded == {"kombu"}


@pytest.mark.parametrize(
    "code",
    [
        "from kombu import Connection, Consumer, Exchange, Producer, Queue",
        "import kombu; kombu.Connection('memory://').Producer().publish({'a': 1},"
        " routing_key='q')",
    ],
    ids=["import", "publish"],
)
def test_what_is_slow_to_import_is_not_imported(code):
    assert not modules_after(code) & set(HEAVY)


def test_version():
    assert kombu.__version__ == "6.0.0"
    assert kombu.VERSION == kombu.version_info == (6, 0, 0, "", "")
    assert kombu.VERSION.major == 6


def test_all_names_are_there():
    for name in kombu.__all__:
        assert getattr(kombu, name) is not None
    assert set(kombu.__all__) <= set(dir(kombu))


def test_modules_are_attributes_of_the_package():
    code = "import kombu; assert kombu.utils; assert kombu.pidbox"
    assert "kombu.pidbox" in modules_after(code)


def test_unknown_names_raise():
    with pytest.raises(AttributeError, match="nonsense"):
        kombu.nonsense
    with pytest.raises(AttributeError):
        kombu._nonsense
