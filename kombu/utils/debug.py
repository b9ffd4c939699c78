"""Seeing what a program does with its connections."""

from __future__ import annotations

import logging
from functools import wraps
from typing import TYPE_CHECKING, Any

from kombu.log import get_logger
from kombu.utils.functional import reprcall

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ("Logwrapped", "setup_logging")


def setup_logging(
    loglevel: int | str | None = logging.DEBUG,
    loggers: list[str] | None = None,
) -> None:
    """Write what connections and channels do to the standard error output.

    Args:
        loglevel: Level to set.
        loggers: Names of the loggers; those of connections and channels if
            None.
    """
    for name in loggers or ["kombu.connection", "kombu.channel"]:
        logger = get_logger(name)
        logger.addHandler(logging.StreamHandler())
        logger.setLevel(loglevel if loglevel is not None else logging.DEBUG)


class Logwrapped:
    """Stands for an object and logs each call of its methods.

    Args:
        instance: The object.
        logger: Logger, or its name.
        ident: Put before each line; ``{0}`` in it stands for the object.
    """

    def __init__(
        self,
        instance: Any,
        logger: logging.Logger | str | None = None,
        ident: str | None = None,
    ) -> None:
        self.instance = instance
        self.logger = get_logger(logger if logger is not None else __name__)
        self.ident = ident

    def __getattr__(self, key: str) -> Any:
        # Reached only for what this object does not have itself.
        method = getattr(self.instance, key)
        if not callable(method):
            return method

        @wraps(method)
        def log_and_call(*args: Any, **kwargs: Any) -> Any:
            if self.logger.isEnabledFor(logging.DEBUG):
                name = getattr(method, "__name__", key)
                prefix = self.ident.format(self.instance) if self.ident else ""
                # The text is complete: percent signs in it are no formats.
                self.logger.debug(prefix + reprcall(name, args, kwargs))
            return method(*args, **kwargs)

        return log_and_call

    def __enter__(self) -> Any:
        enter = getattr(self.instance, "__enter__", None)
        if enter is None:
            raise AttributeError(
                f"{type(self.instance).__name__!r} object has no attribute '__enter__'"
            )
        enter()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> Any:
        return self.instance.__exit__(exc_type, exc_val, exc_tb)

    def __repr__(self) -> str:
        return repr(self.instance)

    def __dir__(self) -> list[str]:
        return dir(self.instance)
