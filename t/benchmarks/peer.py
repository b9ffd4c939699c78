"""The other release, and other clients, each in a virtualenv of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RELEASE = "5.7.0"

#: The other release, with the drivers of the brokers that we share with it.
REQUIREMENTS = (
    f"kombu[redis]=={RELEASE}",
    *("sqlalchemy", "psycopg[binary]", "pymysql"),
)


def python_of_peer(root: Path) -> Path:
    """Return a Python that has the other release, installed if need be.

    ``KOMBU_BENCH_PEER`` may name one that has it, with what else it needs.
    """
    given = os.environ.get("KOMBU_BENCH_PEER")
    if given:
        return Path(given)
    return python_with(root / f".venv-kombu-{RELEASE}", REQUIREMENTS)


def python_with(
    home: Path, requirements: Sequence[str], base: str = sys.executable
) -> Path:
    """Return the Python of the virtualenv *home*, made if need be.

    Arguments:
        home: Its folder.
        requirements: What is installed there, as pip takes it.
        base: The Python that it is made of.
    """
    python = home / "bin" / "python"
    installed = home / "installed"
    wanted = "\n".join(requirements)
    home.mkdir(exist_ok=True)
    with _alone(home / "lock"):
        if not installed.exists() or installed.read_text() != wanted:
            subprocess.run([base, "-m", "venv", home], check=True)
            # Isolated: it must not see our own release and take it for installed.
            pip = [python, "-I", "-m", "pip", "install", "-q"]
            subprocess.run([*pip, *requirements], check=True)
            installed.write_text(wanted)
    return python


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let one process at a time do what follows: tests run in several."""
    with path.open("w") as file:
        try:
            import fcntl
        except ImportError:
            pass  # not everywhere
        else:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
