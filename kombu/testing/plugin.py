"""Pytest plugin: fixtures for tests with this library, and ``--stress``.

Pytest finds it by itself where the library is installed.  Until a fixture is
used it imports nothing beside itself.

=======================  ======================================================
``kombu_memory``         URL of a memory broker that no other test has
``kombu_clock``          a :class:`~kombu.testing.Clock`, in place
``kombu_fault_proxy``    makes :class:`~kombu.testing.FaultProxy` objects
``--stress N``           runs tests marked ``stress`` in N threads at once
=======================  ======================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kombu.testing.clock import Clock
    from kombu.testing.proxy import FaultProxy

__all__ = ("kombu_clock", "kombu_fault_proxy", "kombu_memory")

# The suite's assertions explain themselves as those of a test module do.
pytest.register_assert_rewrite("kombu.testing.conformance")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--stress``."""
    parser.getgroup("kombu").addoption(
        "--stress",
        type=int,
        default=1,
        metavar="N",
        help="run tests marked 'stress' in N threads at once",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", "stress: may run in several threads at once (see --stress)"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object | None:
    """Run a test marked ``stress`` in several threads at once, if asked to."""
    threads = pyfuncitem.config.getoption("--stress")
    if threads <= 1 or pyfuncitem.get_closest_marker("stress") is None:
        return None
    from kombu.testing._stress import run_at_once

    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    run_at_once(pyfuncitem.obj, arguments, threads)
    return True


@pytest.fixture
def kombu_memory() -> Iterator[str]:
    """URL of a memory broker that no other test has; emptied afterwards."""
    from kombu.transport.memory import brokers
    from kombu.utils.uuid import uuid

    name = f"test-{uuid()}"
    yield f"memory://{name}"
    brokers.get(name).clear()


@pytest.fixture
def kombu_clock() -> Iterator[Clock]:
    """The clock by which the library waits; the test turns it."""
    from kombu.testing.clock import Clock

    with Clock() as clock:
        yield clock


@pytest.fixture
def kombu_fault_proxy() -> Iterator[Callable[..., FaultProxy]]:
    """Makes fault proxies by ``(host, port)``, which are stopped afterwards."""
    from contextlib import ExitStack

    from kombu.testing.proxy import FaultProxy

    with ExitStack() as stack:

        def make(host: str, port: int, **options: Any) -> FaultProxy:
            return stack.enter_context(FaultProxy(host, port, **options))

        yield make
