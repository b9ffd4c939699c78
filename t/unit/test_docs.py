"""What the documentation says is true: its examples run and print what it shows."""

from __future__ import annotations

import os
import runpy
from collections import Counter
from contextlib import redirect_stdout
from io import StringIO
from types import FunctionType, ModuleType, SimpleNamespace

import pytest

import kombu
from t.snippets import ROOT, blocks, pages

BLOCKS = [block for path in pages() for block in blocks(path)]
EXAMPLES = [block for block in BLOCKS if block.language == "python"]
OUTPUTS = {
    block.name.removesuffix("-output"): block.text
    for block in BLOCKS
    if block.name and block.name.endswith("-output")
}


@pytest.mark.parametrize("block", EXAMPLES, ids=lambda block: block.name)
def test_example_runs_and_prints_what_the_page_shows(block):
    source = "\n" * (block.line - 1) + block.text
    code = compile(source, str(block.path), "exec", dont_inherit=True)
    printed = StringIO()

    with redirect_stdout(printed):
        exec(code, {"__name__": "__main__"})

    assert printed.getvalue() == OUTPUTS.get(block.name, "")


def test_every_example_has_a_name_of_its_own():
    unnamed = [f"{b.path}:{b.line}" for b in EXAMPLES if not b.name]
    doubled = [
        n for n, times in Counter(b.name for b in BLOCKS).items() if n and times > 1
    ]

    assert not unnamed
    assert not doubled


def test_every_output_belongs_to_an_example():
    assert OUTPUTS.keys() <= {block.name for block in EXAMPLES}


def test_examples_are_found():
    assert "quick-start" in {block.name for block in EXAMPLES}
    assert "quick-start" in OUTPUTS


class test_reference_pages:
    reference = SimpleNamespace(
        **runpy.run_path(str(ROOT / "docs" / "reference_pages.py"))
    )

    def page(self, name="kombu.simple", described=(), elsewhere=()):
        return self.reference.Page(name, list(described), dict(elsewhere))

    def test_every_public_module_is_found(self):
        names = self.reference.public_modules(kombu)

        assert "kombu.connection" in names
        assert "kombu.transport.virtual" in names
        assert not [name for name in names if "._" in name]

    def test_what_a_private_module_defines_is_described_by_its_door(self):
        (page,) = self.reference.pages(["kombu.entity"])

        assert {"Exchange", "Queue", "binding"} <= set(page.described)

    def test_a_name_offered_twice_is_described_once(self):
        names = ["kombu.transport.virtual", "kombu.transport.virtual.exchange"]
        names += ["kombu.utils", "kombu.utils.uuid"]
        by_name = {page.name: page for page in self.reference.pages(names)}

        assert by_name["kombu.utils"].elsewhere["uuid"] == "kombu.utils.uuid"
        assert "uuid" in by_name["kombu.utils.uuid"].described
        assert "Channel" in by_name["kombu.transport.virtual"].described

    def test_what_others_define_is_only_named(self):
        (page,) = self.reference.pages(["kombu.exceptions"])

        assert page.elsewhere["ChannelError"] == "amqp.exceptions"
        assert "KombuError" in page.described

    def test_without_all_a_module_offers_what_it_defines(self):
        module = ModuleType("made.up")
        function = FunctionType((lambda: None).__code__, {"__name__": "made.up"})
        module.public, module._private, module.foreign = function, function, len

        assert self.reference.offered(module) == {"public": function}

    def test_rendered(self):
        page = self.page("kombu.x", ["A", "b"], {"C": "kombu.y"})

        assert self.reference.render(page).splitlines() == [
            "kombu.x",
            "=======",
            "",
            ".. automodule:: kombu.x",
            "    :members: A, b",
            "    :show-inheritance:",
            "",
            "Also to be imported from here:",
            "",
            "* ``C``, of :mod:`kombu.y`",
        ]

    def test_folder_is_brought_up_to_date(self, tmp_path):
        written_by_hand = tmp_path / "index.rst"
        written_by_hand.write_text("by hand")
        stale = tmp_path / "kombu.gone.rst"
        stale.write_text("stale")

        self.reference.write_pages([self.page()], tmp_path)

        page = (tmp_path / "kombu.simple.rst").read_text()
        assert page == self.reference.render(self.page())
        assert written_by_hand.exists()
        assert not stale.exists()

    def test_what_has_not_changed_is_not_written_again(self, tmp_path):
        self.reference.write_pages([self.page()], tmp_path)
        page = tmp_path / "kombu.simple.rst"
        os.utime(page, (1, 1))

        self.reference.write_pages([self.page()], tmp_path)

        assert page.stat().st_mtime == 1
