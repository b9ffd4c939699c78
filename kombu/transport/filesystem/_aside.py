"""Message files that can not be read: kept out of the way, and told of once."""

# Paths are text throughout: pathlib costs more than the calls.
# ruff: noqa: PTH103, PTH104

from __future__ import annotations

import os

from kombu.log import get_logger

__all__ = ("Aside",)

logger = get_logger(__name__)


class Aside:
    """Where they are kept.

    Arguments:
        folder: The folder, with a separator at its end; made when it is needed.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._reported: set[str] = set()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._folder}>"

    def put(self, path: str, name: str, why: str) -> None:
        """Move the file at *path* here, under *name*, and say *why*."""
        os.makedirs(self._folder, exist_ok=True)
        kept = self._folder + name
        try:
            os.rename(path, kept)
        except FileNotFoundError:
            return
        except OSError as exc:
            self.report(path, why, f"left there: {exc.strerror}")
            return
        self.report(path, why, f"kept as {kept}")

    def report(self, path: str, why: str, what: str) -> None:
        """Warn of the file at *path*, unless that was done before.

        Arguments:
            path: The file.
            why: Why it can not be read.
            what: What is done about it.
        """
        if path not in self._reported:
            self._reported.add(path)
            logger.warning("message file %s can not be read (%s): %s", path, why, what)
