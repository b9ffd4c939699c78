"""The SQLAlchemy transport: queues in the tables of a database.

``sqla+<URL of SQLAlchemy>``, as in ``sqla+postgresql+psycopg://user:pw@host/db``,
``sqla+mysql+pymysql://...`` or ``sqla+sqlite:///file.db``.

========================  ===========================================================
PostgreSQL                claims by ``SKIP LOCKED``; who waits is woken by ``NOTIFY``
MariaDB 10.6+, MySQL 8+   claims by ``SKIP LOCKED``; who waits looks 10 times a second
SQLite                    one writer at a time; who waits is woken within some 20 ms
others                    should work, slower; nobody tests them
========================  ===========================================================

A message is a row.  It is marked with its consumer as it is delivered, and deleted
when it is acknowledged; what a dead consumer had comes back when its lease has run
out.  The tables are those of kombu 5.7, with columns added (:mod:`._tables`), so
that processes of both releases can share a database.

Known limits:

* what kombu 5.7 has taken it never gives back, and its purge removes what others
  have in hand;
* names of queues have 200 characters at most (not on SQLite);
* SQLite in memory (``sqlite://``) is one connection's own: nobody else sees it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.transport.sqlalchemy.channel import Channel
from kombu.transport.sqlalchemy.transport import Transport

if TYPE_CHECKING:
    from kombu.transport.sqlalchemy.models import Message as MessageBase
    from kombu.transport.sqlalchemy.models import ModelBase, class_registry, metadata
    from kombu.transport.sqlalchemy.models import Queue as QueueBase

__all__ = (
    "Channel",
    "MessageBase",
    "ModelBase",
    "QueueBase",
    "Transport",
    "class_registry",
    "metadata",
)

#: Names in the module of models, which imports SQLAlchemy, by ours.
_MODELS = {
    "MessageBase": "Message",
    "ModelBase": "ModelBase",
    "QueueBase": "Queue",
    "class_registry": "class_registry",
    "metadata": "metadata",
}


def __getattr__(name: str) -> Any:
    if name not in _MODELS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from kombu.transport.sqlalchemy import models

    value = globals()[name] = getattr(models, _MODELS[name])
    return value
