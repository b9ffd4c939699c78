"""What installed packages import from kombu is there: their own sources are read."""

from __future__ import annotations

import ast
import json
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest

from t.integration.celery.environments import (
    ROOT,
    python_on_ours,
    python_with_cautious_client,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Some that must be found, or we have looked in the wrong place.
KNOWN = {"celery", "redbeat", "flower", "kombu_pyamqp_threadsafe"}

#: Transports that are still to come; one that has come must leave this list.
TO_COME = {"kombu.transport.azurestoragequeues"}

#: Prints what is not there, of the names that it is given.
LOOK = """
import importlib, json, sys

def has(module, name):
    found = importlib.import_module(module)
    if name in ("", "*") or hasattr(found, name):
        return True
    importlib.import_module(f"{module}.{name}")
    return True

import kombu
missing = []
for module, name in json.load(sys.stdin):
    try:
        has(module, name)
    except Exception as exc:
        missing.append(f"{module}:{name}: {type(exc).__name__}: {exc}")
print(json.dumps([kombu.__version__, missing]))
"""


class Imported(NamedTuple):
    """A name that a package wants.

    Attributes:
        module: Module of kombu.
        name: What is wanted of it; empty for the module itself.
        by: The package.
    """

    module: str
    name: str
    by: str


def is_kombu(name: str | None) -> bool:
    return name is not None and (name == "kombu" or name.startswith("kombu."))


def imports_of(path: Path, package: str) -> Iterator[Imported]:
    text = path.read_text(encoding="utf-8", errors="replace")
    if "kombu" not in text:
        return
    for node in ast.walk(ast.parse(text)):
        if (
            isinstance(node, ast.ImportFrom)
            and not node.level
            and is_kombu(node.module)
        ):
            for alias in node.names:
                yield Imported(node.module, alias.name, package)
        if isinstance(node, ast.Import):
            for alias in node.names:
                if is_kombu(alias.name):
                    yield Imported(alias.name, "", package)


def installed_imports(python: Path) -> list[Imported]:
    """Return what the packages beside *python* import from kombu."""
    [folder] = python.parent.parent.glob("lib/python*/site-packages")
    found = set()
    for package in folder.iterdir():
        if package.name == "kombu" or not package.is_dir():
            continue
        for path in package.rglob("*.py"):
            found.update(imports_of(path, package.name))
    return sorted(found)


@pytest.fixture(params=[python_on_ours, python_with_cautious_client])
def python(request):
    return request.param()


def test_names_are_there(python):
    wanted = installed_imports(python)
    by = {each.by for each in wanted}
    names = sorted({(each.module, each.name) for each in wanted})
    assert by & KNOWN

    done = subprocess.run(
        [python, "-c", LOOK],
        input=json.dumps(names),
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        cwd=python.parent,
        timeout=60,
        check=True,
    )

    release, missing = json.loads(done.stdout)
    assert release.startswith("6.")
    unknown = [each for each in missing if each.partition(":")[0] not in TO_COME]
    assert unknown == [], f"wanted by {by}"
    if "celery" in by:
        assert {each.partition(":")[0] for each in missing} == TO_COME
