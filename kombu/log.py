"""Loggers that never fail on what they are asked to show."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, Any

from kombu.utils.encoding import safe_repr, safe_str
from kombu.utils.functional import maybe_evaluate
from kombu.utils.objects import cached_property

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = (
    "DISABLE_TRACEBACKS",
    "LOG_LEVELS",
    "Log",
    "LogMixin",
    "get_logger",
    "get_loglevel",
    "naive_format_parts",
    "safeify_format",
    "setup_logging",
)

#: Levels by name, and names by level.
LOG_LEVELS: dict[Any, Any] = {
    "CRITICAL": logging.CRITICAL,
    "FATAL": logging.CRITICAL,
    "ERROR": logging.ERROR,
    "WARN": logging.WARNING,
    "WARNING": logging.WARNING,
    "INFO": logging.INFO,
    "DEBUG": logging.DEBUG,
    "NOTSET": logging.NOTSET,
    logging.CRITICAL: "CRITICAL",
    logging.ERROR: "ERROR",
    logging.WARNING: "WARNING",
    logging.INFO: "INFO",
    logging.DEBUG: "DEBUG",
    logging.NOTSET: "NOTSET",
}

#: If set, by the environment variable of that name, no traceback is logged.
DISABLE_TRACEBACKS = os.environ.get("DISABLE_TRACEBACKS")


def get_logger(logger: str | logging.Logger) -> logging.Logger:
    """Return a logger that stays silent until logging is set up.

    Args:
        logger: Its name, or the logger itself.
    """
    found = logging.getLogger(logger) if isinstance(logger, str) else logger
    if not found.handlers:
        found.addHandler(logging.NullHandler())
    return found


def get_loglevel(level: Any) -> Any:
    """Return the number of a level given by name; numbers stay as they are.

    Raises:
        KeyError: If there is no level of that name.
    """
    return LOG_LEVELS[level] if isinstance(level, str) else level


def naive_format_parts(fmt: str) -> Iterator[str | None]:
    """Iterate over the conversions of a ``%`` format.

    Returns:
        The character after each percent sign; None for ``%%``, and for one at
        the end, which take no argument.
    """
    index = fmt.find("%")
    while index >= 0:
        kind = fmt[index + 1 : index + 2]
        yield kind if kind and kind != "%" else None
        index = fmt.find("%", index + 2)


def safeify_format(
    fmt: str,
    args: Iterable[Any],
    filters: Mapping[str, Callable[[Any], Any]] | None = None,
) -> Iterator[Any]:
    """Iterate over the arguments of a format in a form that can be shown.

    Args:
        fmt: The ``%`` format.
        args: Its arguments; those that it does not use are left out.
        filters: What is done to the argument of a conversion, by its letter.
            By default, those of ``%s`` and ``%r`` become text that is safe.
    """
    filters = {"s": safe_str, "r": safe_repr} if filters is None else filters
    kinds = (kind for kind in naive_format_parts(fmt) if kind is not None)
    for kind, arg in zip(kinds, args, strict=False):
        yield filters[kind](arg) if kind in filters else arg


class LogMixin:
    """Gives a class methods to log with; the logger has the name of the class."""

    def debug(self, *args: Any, **kwargs: Any) -> None:
        """Log at level DEBUG."""
        self.log(logging.DEBUG, *args, **kwargs)

    def info(self, *args: Any, **kwargs: Any) -> None:
        """Log at level INFO."""
        self.log(logging.INFO, *args, **kwargs)

    def warn(self, *args: Any, **kwargs: Any) -> None:
        """Log at level WARNING."""
        self.log(logging.WARNING, *args, **kwargs)

    def error(self, *args: Any, **kwargs: Any) -> None:
        """Log at level ERROR, with the traceback of the current error."""
        kwargs.setdefault("exc_info", True)
        self.log(logging.ERROR, *args, **kwargs)

    def critical(self, *args: Any, **kwargs: Any) -> None:
        """Log at level CRITICAL, with the traceback of the current error."""
        kwargs.setdefault("exc_info", True)
        self.log(logging.CRITICAL, *args, **kwargs)

    def annotate(self, text: str) -> str:
        """Return *text* with the name of the logger before it."""
        return f"{self.logger_name} - {text}"

    def log(self, severity: int | str, *args: Any, **kwargs: Any) -> None:
        """Log at any level.

        Args:
            severity: Level, or its name.
            *args: A ``%`` format and its arguments, or things to show one
                after the other.
            **kwargs: As those of :meth:`logging.Logger.log`.
        """
        severity = get_loglevel(severity)
        if DISABLE_TRACEBACKS:
            kwargs.pop("exc_info", None)
        logger = self.logger
        if not logger.isEnabledFor(severity):
            return
        values = [maybe_evaluate(arg) for arg in args]
        if len(values) > 1 and isinstance(values[0], str):
            # The argument of each %r becomes its text here already.
            text = values[0].replace("%r", "%s")
            shown = list(safeify_format(values[0], values[1:]))
            logger.log(severity, self.annotate(text), *shown, **kwargs)
        else:
            text = " ".join(map(safe_str, values))
            logger.log(severity, self.annotate(text), **kwargs)

    def get_logger(self) -> logging.Logger:
        """Return the logger; override to use another one."""
        return get_logger(self.logger_name)

    def is_enabled_for(self, level: int | str) -> bool:
        """Return whether a level, given by number or name, is logged."""
        return bool(self.logger.isEnabledFor(self.get_loglevel(level)))

    def get_loglevel(self, level: Any) -> Any:
        """Return the number of a level given by name or number."""
        return get_loglevel(level)

    @cached_property
    def logger(self) -> logging.Logger:
        """The logger."""
        return self.get_logger()

    @property
    def logger_name(self) -> str:
        """Name of the logger: that of the class, if not overridden."""
        return type(self).__name__


class Log(LogMixin):
    """Something to log with.

    Args:
        name: Put before each line, and the name of the logger.
        logger: The logger, if it is to have another name.
    """

    def __init__(self, name: str, logger: logging.Logger | None = None) -> None:
        self._logger_name = name
        self._logger = logger

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._logger_name}>"

    def get_logger(self) -> logging.Logger:
        """Return the logger given, or the one of that name."""
        return self._logger if self._logger else super().get_logger()

    @property
    def logger_name(self) -> str:
        """The name given."""
        return self._logger_name


def setup_logging(
    loglevel: int | str | None = None, logfile: Any = None
) -> logging.Logger:
    """Set up the root logger, if it is not yet.

    Args:
        loglevel: Level, or its name; ERROR if None.
        logfile: Path of the file to write to, or an open file; the standard
            error output if None.

    Returns:
        The root logger.
    """
    logger = logging.getLogger()
    if not logger.handlers:
        logger.addHandler(_handler_for(logfile if logfile else sys.__stderr__))
        logger.setLevel(get_loglevel(loglevel or "ERROR"))
    return logger


def _handler_for(logfile: Any) -> logging.Handler:
    if hasattr(logfile, "write"):
        return logging.StreamHandler(logfile)
    from logging.handlers import WatchedFileHandler

    return WatchedFileHandler(logfile)
