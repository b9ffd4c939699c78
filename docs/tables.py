"""Writes the tables that say what each transport offers, and what its options are.

They follow from the package: from what a transport ``implements``, and from the
descriptions of its options. ``python docs/tables.py`` writes them anew into the
pages, between lines that begin and end them; ``--check`` only says whether they are
as they would be written.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from kombu.transport import get_transport_cls  # noqa: E402
from kombu.transport._capabilities import ABILITIES, NATIVE  # noqa: E402
from kombu.transport._options import COMMON_OPTIONS, VIRTUAL_OPTIONS  # noqa: E402
from kombu.transport.redis.options import SENTINEL_OPTIONS  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kombu.transport._capabilities import Support
    from kombu.transport._options import Option


class Known(NamedTuple):
    """What the package itself does not tell of a transport."""

    title: str
    url: str
    extra: str


#: By the path of the class, in the order of the tables.
TRANSPORTS = {
    "kombu.transport.pyamqp:Transport": Known("RabbitMQ", "amqp://HOST", "none"),
    "kombu.transport.qpid:Transport": Known("AMQP 1.0", "qpid://HOST", "qpid"),
    "kombu.transport.redis:Transport": Known("Redis", "redis://HOST", "redis"),
    "kombu.transport.memory:Transport": Known("Memory", "memory://NAME", "none"),
    "kombu.transport.filesystem:Transport": Known(
        "File system", "filesystem://", "none"
    ),
    "kombu.transport.sqlalchemy:Transport": Known(
        "SQL", "sqla+ENGINE_URL", "sqlalchemy"
    ),
}

#: Abilities that the README's table has a column for, with its heading.
SHOWN = {
    "priority": "Priority",
    "message_ttl": "TTL",
    "dead_letter": "Dead letters",
    "max_length": "Limits",
    "delay": "Delay",
    "lease": "Redelivery",
    "shared_topology": "Topology",
}


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table whose first row is the heading."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rule = " ".join("=" * width for width in widths)
    lines = [
        " ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
    return [rule, lines[0], rule, *lines[1:], rule]


def support_of(path: str, ability: str) -> Support:
    """Return how the transport *path* offers *ability*."""
    return get_transport_cls(path).implements.support(ability)


def word(support: Support) -> str:
    """Return a level in a word, for a cell."""
    if not support:
        return "\N{EN DASH}"
    return "native" if support.level == NATIVE else "yes"


def transports() -> list[str]:
    """Return the README's table: a transport a row."""
    heading = ["Transport", "URL", "Extra", *SHOWN.values()]
    rows = [
        [
            known.title,
            f"``{known.url}``",
            known.extra if known.extra == "none" else f"``{known.extra}``",
            *(word(support_of(path, ability)) for ability in SHOWN),
        ]
        for path, known in TRANSPORTS.items()
    ]
    return table([heading, *rows])


def abilities() -> list[str]:
    """Return the guide's table: an ability a row, with the limits below."""
    titles = [known.title for known in TRANSPORTS.values()]
    rows = [["Name", "What", *titles]]
    limits = []
    for ability, text in ABILITIES.items():
        found = [support_of(path, ability) for path in TRANSPORTS]
        rows.append([f"``{ability}``", text, *map(word, found)])
        limits += [
            f"* {title}, ``{ability}``: {support.limit}."
            for title, support in zip(titles, found, strict=True)
            if support and support.limit
        ]
    return [*table(rows), "", "What does not hold of what is offered:", "", *limits]


def option_rows(options: Iterable[Option]) -> list[list[str]]:
    """Return rows of a table of options."""
    return [
        [
            f"``{option.name}``",
            option.type,
            "none" if option.default is None else f"``{option.default!r}``",
            option.unit or "\N{EN DASH}",
            option.text,
        ]
        for option in options
    ]


def options() -> list[str]:
    """Return the tables of options: those of all transports, then each one's own."""
    heading = ["Name", "Type", "Default", "Unit", "What for"]
    sections: list[tuple[str, Iterable[Option]]] = [
        ("Every transport", COMMON_OPTIONS),
        ("Every transport but those that speak AMQP", VIRTUAL_OPTIONS),
    ]
    for path, known in TRANSPORTS.items():
        kind: Any = get_transport_cls(path)
        # A native transport has its options itself.
        of_channel = getattr(getattr(kind, "Channel", None), "options", ())
        own = dict.fromkeys((*of_channel, *kind.options))
        sections.append((known.title, [o for o in own if o not in VIRTUAL_OPTIONS]))
    sections.append(("Redis by way of Sentinel", SENTINEL_OPTIONS))
    lines: list[str] = []
    for title, described in sections:
        rows = option_rows(described)
        body = table([heading, *rows]) if rows else ["None of its own."]
        lines += [title, "-" * len(title), "", *body, ""]
    return lines[:-1]


PAGES = {
    ROOT / "README.rst": {"transports": transports},
    ROOT / "docs" / "userguide" / "abilities.rst": {"abilities": abilities},
    ROOT / "docs" / "userguide" / "options.rst": {"options": options},
}


def with_tables(text: str, tables: dict[str, Any]) -> str:
    """Return the page *text* with its tables as they are to be."""
    for name, make in tables.items():
        begin, end = f".. begin {name}\n", f".. end {name}\n"
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        body = "\n".join(make())
        text = f"{before}{begin}\n{body}\n\n{end}{after}"
    return text


def main(arguments: Sequence[str]) -> int:
    """Write the tables, or say whether they are up to date."""
    stale = []
    for path, tables in PAGES.items():
        text = path.read_text(encoding="utf-8")
        wanted = with_tables(text, tables)
        if text != wanted:
            stale.append(path.name)
            if "--check" not in arguments:
                path.write_text(wanted, encoding="utf-8")
    if stale and "--check" in arguments:
        print(f"out of date: {', '.join(stale)}; run python docs/tables.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
