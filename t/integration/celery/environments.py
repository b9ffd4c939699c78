"""Virtualenvs with the published Celery: on this tree, and on kombu 5.7.

Both are made once, beside those of the other releases.  Packages are as published;
only `kombu` is this tree in one of them, and the released 5.7 in the other.
"""

from __future__ import annotations

import functools
from pathlib import Path

from t.benchmarks.peer import RELEASE, python_with

ROOT = Path(__file__).resolve().parent.parent.parent.parent

CELERY = "celery==5.7.0"

#: What the applications of the tests use, by both.
DRIVERS = (
    *("redis", "sqlalchemy", "psycopg[binary]", "msgpack", "PyYAML"),
    *("gevent", "eventlet"),
)

#: Other packages that use kombu, as published.
CLIENTS = ("django-celery-results", "django-celery-beat", "flower", "celery-redbeat")

#: One that asks for a kombu before 6: our tree is put in front of that.
CAUTIOUS_CLIENT = "kombu-pyamqp-threadsafe"


@functools.cache
def python_on_ours() -> Path:
    """Return a Python with Celery, its neighbours, and this tree as `kombu`."""
    home = ROOT / ".venv-kombu-celery-ours"
    return python_with(home, (CELERY, *DRIVERS, *CLIENTS, "-e", str(ROOT)))


@functools.cache
def python_on_theirs() -> Path:
    """Return a Python with Celery on the released kombu 5.7."""
    home = ROOT / ".venv-kombu-celery-theirs"
    return python_with(home, (CELERY, *DRIVERS, f"kombu[redis]=={RELEASE}"))


@functools.cache
def python_with_cautious_client() -> Path:
    """Return a Python for `PYTHONPATH`: with a client that asks for an older kombu."""
    return python_with(ROOT / ".venv-kombu-threadsafe", (CAUTIOUS_CLIENT,))
