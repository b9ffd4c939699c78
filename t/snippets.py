"""Finds the Python examples of the documentation, so that tests can run them.

Every ``.. code-block:: python`` has a ``:name:`` and runs by itself. Where a
``.. code-block:: text`` named ``<name>-output`` exists, the example must print
exactly that.
"""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent

_DIRECTIVE = re.compile(r"^(?P<indent> *)\.\. code-block:: (?P<language>\w+)$")
_OPTION = re.compile(r"^ +:(?P<key>[\w-]+):(?: (?P<value>.*))?$")


class Block(NamedTuple):
    """One ``code-block`` directive.

    Attributes:
        path: file it stands in.
        line: number of the first line of its content, counted from 1.
        language: what the directive was given.
        name: its ``:name:``, or None.
        text: the content, without indentation, ending in a newline.
    """

    path: Path
    line: int
    language: str
    name: str | None
    text: str


def pages() -> list[Path]:
    """The README and every page of the documentation."""
    docs = ROOT / "docs"
    found = [p for p in docs.rglob("*.rst") if "_build" not in p.parts]
    return [ROOT / "README.rst", *sorted(found)]


def blocks(path: Path) -> list[Block]:
    """All code blocks of one page, in order."""
    lines = path.read_text(encoding="utf-8").splitlines()
    found = []
    for index, line in enumerate(lines):
        match = _DIRECTIVE.match(line)
        if match:
            found.append(_read_block(path, lines, index, match))
    return found


def _read_block(
    path: Path, lines: list[str], start: int, match: re.Match[str]
) -> Block:
    options: dict[str, str | None] = {}
    index = start + 1
    while index < len(lines) and (option := _OPTION.match(lines[index])):
        options[option["key"]] = option["value"]
        index += 1
    while index < len(lines) and not lines[index].strip():
        index += 1
    first, content = index, []
    while index < len(lines) and _is_inside(lines[index], len(match["indent"])):
        content.append(lines[index])
        index += 1
    text = dedent("\n".join(content)).rstrip() + "\n"
    return Block(path, first + 1, match["language"], options.get("name"), text)


def _is_inside(line: str, margin: int) -> bool:
    return not line.strip() or line[: margin + 1].isspace()
