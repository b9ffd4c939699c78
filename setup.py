"""Computes what the distribution's metadata cannot state: version and extras.

Whatever is constant stands in ``setup.cfg``. The requirement lists live in
``requirements/``, one file per extra, so that tools other than setuptools
(pip, tox, the Makefile) read the very same lines.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent

#: Extras that `all` leaves out. gevent and eventlet each replace the standard
#: library's sockets, so a process wants at most one of them, by choice; and
#: installing librabbitmq silently changes which client ``amqp://`` means.
NOT_IN_ALL = frozenset({"eventlet", "gevent", "librabbitmq"})


def version() -> str:
    """Read ``__version__`` from the package without importing it."""
    source = (ROOT / "kombu" / "__init__.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__(?:: \w+)? = "([^"]+)"', source, re.MULTILINE)
    if match is None:
        raise RuntimeError('kombu/__init__.py has no line __version__ = "..."')
    return match[1]


def requirements(path: Path) -> list[str]:
    """Read a requirements file: comments dropped, ``-r`` lines followed."""
    found: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        line = line.split("#", 1)[0].strip()
        if line.startswith("-r "):
            found += requirements(path.parent / line[3:].strip())
        elif line:
            found.append(line)
    return found


def extras() -> dict[str, list[str]]:
    """One extra for each file of ``requirements/extras``, plus two compounds."""
    files = sorted((ROOT / "requirements" / "extras").glob("*.txt"))
    found = {path.stem: requirements(path) for path in files}
    union = {
        line
        for name, lines in found.items()
        if name not in NOT_IN_ALL
        for line in lines
    }
    found["all"] = sorted(union, key=str.lower)
    found["test"] = requirements(ROOT / "requirements" / "test.txt")
    return found


def main() -> None:
    """Hand the computed part to setuptools."""
    from setuptools import setup

    setup(
        version=version(),
        install_requires=requirements(ROOT / "requirements" / "default.txt"),
        extras_require=extras(),
    )


if __name__ == "__main__":
    main()
