"""Writes the pages of the reference: one for each public module of the package.

Run by ``conf.py`` at the start of a build. The pages hold nothing but the name and
an ``automodule`` directive, so they are made from the package and not kept under
version control; ``index.rst`` and ``kombu.rst`` are written by hand.
"""

from __future__ import annotations

import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import ModuleType

PAGE = """\
{name}
{underline}

.. automodule:: {name}
    :members:
    :show-inheritance:
"""


def public_modules(package: ModuleType) -> list[str]:
    """Names of all modules below `package` without a leading underscore."""
    found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    return sorted(
        module.name
        for module in found
        if not any(part.startswith("_") for part in module.name.split("."))
    )


def write_pages(names: Iterable[str], folder: Path) -> None:
    """Bring `folder` up to date: write what changed, delete what is no more."""
    pages = {
        folder / f"{name}.rst": PAGE.format(name=name, underline="=" * len(name))
        for name in names
    }
    for path in set(folder.glob("*.*.rst")) - pages.keys():
        path.unlink()
    for path, text in pages.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
