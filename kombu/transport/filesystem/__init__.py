"""The filesystem transport: queues in folders, for processes that share them.

Options, of ``transport_options``: see :data:`Channel.options`.  Publishers put files into
``data_folder_out``, consumers take them from ``data_folder_in``; where a
program does both, the two are the same folder.  Folders are made when missing.

Processes of kombu 5.7 may work on the same folders.  They read what ours publish, and
reach what ours bind, but know nothing of leases (what one of them takes is its
own), priorities, delay or expiry.

How it is kept:

* Files and folders: :mod:`~kombu.transport.filesystem._folders`.
* Names, which say all that is to be known before a message is taken:
  :mod:`~kombu.transport.filesystem._names`.
* Listings, and what they cost: :mod:`~kombu.transport.filesystem._listing`.
* Topology: :mod:`~kombu.transport.filesystem.records`.

Known limits: counting a queue lists the folder, so that limits of length cost more
the more messages there are.  On a network file system a publisher on another
host wakes nobody: messages are found every ``polling_interval`` seconds.
"""

from __future__ import annotations

from kombu.transport.filesystem._bindings import exchange_queue_t
from kombu.transport.filesystem._channel import Channel
from kombu.transport.filesystem._locks import LOCK_EX, LOCK_NB, LOCK_SH, lock, unlock
from kombu.transport.filesystem._transport import Transport

__all__ = (
    "LOCK_EX",
    "LOCK_NB",
    "LOCK_SH",
    "Channel",
    "Transport",
    "exchange_queue_t",
    "lock",
    "unlock",
)
