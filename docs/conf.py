"""How Sphinx builds the site: ``make docs``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

import reference_pages  # noqa: E402

import kombu  # noqa: E402

reference_pages.write_pages(
    reference_pages.pages(reference_pages.public_modules(kombu)),
    ROOT / "docs" / "reference",
)

project = "Kombu"
author = "The Kombu developers"
copyright = "2026, The Kombu developers"
version = release = kombu.__version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"Kombu {release}"
html_copy_source = False

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

# A name such as `Queue` is documented where it is defined and where it is
# re-exported; either target is right.
suppress_warnings = ["ref.python"]


def skip_class_attributes(
    app: Any, what: str, name: str, value: Any, skip: bool, options: Any
) -> bool | None:
    """Leave out classes that an attribute of a class merely points to.

    ``Transport.Channel`` would otherwise be described in full, as if the class
    were defined there, a second time.
    """
    is_alias = isinstance(value, type) and "." not in value.__qualname__
    return True if what == "class" and is_alias else None


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-skip-member", skip_class_attributes)
