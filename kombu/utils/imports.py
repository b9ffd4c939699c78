"""Getting objects by their dotted names."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ("symbol_by_name",)


def symbol_by_name(
    name: Any,
    aliases: Mapping[str, str] | None = None,
    imp: Callable[..., Any] | None = None,
    package: str | None = None,
    sep: str = ".",
    default: Any = None,
    **kwargs: Any,
) -> Any:
    """Return the object of that name.

    The name is ``package.module:attribute``, or ``package.module.attribute``
    with *sep* before the last part.  A name of one part is that of a module,
    but if *package* is given, the result is the package.

    Args:
        name: The name, or an object, which is returned as it is.
        aliases: Short names and what they stand for.
        imp: Imports a module: ``imp(name, package=package, **kwargs)``.
        package: Where a name that starts with a dot begins.
        sep: What separates the attribute when the name has no colon.
        default: Returned when there is no such module or attribute; if None,
            the error is raised.
        **kwargs: Passed on to *imp*.

    Raises:
        ImportError: If there is no such module.
        AttributeError: If the module has no such attribute.
        ValueError: If the name is empty.
    """
    if not isinstance(name, str):
        return name
    name = (aliases or {}).get(name) or name
    module_name, _, attribute = name.rpartition(":" if ":" in name else sep)
    if not module_name:
        module_name, attribute = package or attribute, ""
    try:
        module = _import(imp or import_module, module_name, name, package, kwargs)
        return getattr(module, attribute) if attribute else module
    except (ImportError, AttributeError):
        if default is None:
            raise
    return default


def _import(
    imp: Callable[..., Any],
    module_name: str,
    full_name: str,
    package: str | None,
    kwargs: dict[str, Any],
) -> Any:
    try:
        return imp(module_name, package=package, **kwargs)
    except ValueError as exc:
        raise ValueError(f"Couldn't import {full_name!r}: {exc}") from exc
