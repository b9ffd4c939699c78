"""Writes the pages of the reference: one for each public module of the package.

Run by ``conf.py`` at the start of a build. The pages follow from the package, so
they are not kept under version control; ``index.rst`` and ``kombu.rst`` are
written by hand.

A public name may be importable from several modules. It is described once, at its
*home*: the public module that defines it, or, if a private module does, the
deepest of the public ones that offer it. The others refer to that page.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import ModuleType


class Page(NamedTuple):
    """What one page shows.

    Attributes:
        name: the module.
        described: public names whose home it is.
        elsewhere: home of each other public name.
    """

    name: str
    described: list[str]
    elsewhere: dict[str, str]


def public_modules(package: ModuleType) -> list[str]:
    """Names of all modules below `package` without a leading underscore."""
    found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    return sorted(
        module.name
        for module in found
        if not any(part.startswith("_") for part in module.name.split("."))
    )


def offered(module: ModuleType) -> dict[str, Any]:
    """The public names of a module with their values: by ``__all__`` if it has it."""
    names = getattr(module, "__all__", None)
    if names is not None:
        return {name: getattr(module, name) for name in names}
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and getattr(value, "__module__", None) == module.__name__
    }


def pages(names: Iterable[str]) -> list[Page]:
    """Distribute what the modules offer over their pages."""
    offers = {name: offered(importlib.import_module(name)) for name in names}
    homes: dict[tuple[str, str], str] = {}
    for module in sorted(offers, key=lambda name: (-name.count("."), name)):
        for value in offers[module].values():
            if identity := _identity(value):
                origin = identity[0]
                homes.setdefault(identity, origin if origin in offers else module)
    return [_page(module, values, homes) for module, values in offers.items()]


def _identity(value: Any) -> tuple[str, str] | None:
    """Where a class or function was defined; None for other values."""
    origin = getattr(value, "__module__", None)
    name = getattr(value, "__qualname__", None)
    return (origin, name) if isinstance(origin, str) and name else None


def _page(
    module: str, values: dict[str, Any], homes: dict[tuple[str, str], str]
) -> Page:
    package = module.partition(".")[0]
    page = Page(module, [], {})
    for name, value in values.items():
        identity = _identity(value)
        if identity is None:
            page.described.append(name)
        elif identity[0].partition(".")[0] != package:
            page.elsewhere[name] = identity[0]
        elif homes[identity] != module:
            page.elsewhere[name] = homes[identity]
        else:
            page.described.append(name)
    return page


def render(page: Page) -> str:
    """The page as reStructuredText."""
    lines = [page.name, "=" * len(page.name), "", f".. automodule:: {page.name}"]
    if page.described:
        lines += [
            f"    :members: {', '.join(page.described)}",
            "    :show-inheritance:",
        ]
    if page.elsewhere:
        lines += ["", "Also to be imported from here:", ""]
        lines += [
            f"* ``{name}``, of :mod:`{home}`"
            for name, home in sorted(page.elsewhere.items())
        ]
    return "\n".join(lines) + "\n"


def write_pages(pages: Iterable[Page], folder: Path) -> None:
    """Bring `folder` up to date: write what changed, delete what is no more."""
    texts = {folder / f"{page.name}.rst": render(page) for page in pages}
    for path in set(folder.glob("*.*.rst")) - texts.keys():
        path.unlink()
    for path, text in texts.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
