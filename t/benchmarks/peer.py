"""The other release, in a virtualenv of its own."""

from __future__ import annotations

import os
import subprocess
import venv
from pathlib import Path

RELEASE = "5.7.0"


def python_of_peer(root: Path) -> Path:
    """Return a Python that has the other release, installed if need be.

    ``KOMBU_BENCH_PEER`` may name one that has it.
    """
    given = os.environ.get("KOMBU_BENCH_PEER")
    if given:
        return Path(given)
    home = root / f".venv-kombu-{RELEASE}"
    python = home / "bin" / "python"
    if not (home / "installed").exists():
        venv.create(home, with_pip=True)
        subprocess.run(
            [python, "-m", "pip", "install", "-q", f"kombu=={RELEASE}"], check=True
        )
        (home / "installed").touch()
    return python
