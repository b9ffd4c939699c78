from __future__ import annotations

import os

import pytest

from kombu.transport.filesystem import exchange_queue_t
from kombu.transport.filesystem._bindings import BindingFiles


@pytest.fixture
def files(tmp_path):
    return BindingFiles(f"{tmp_path}/control/")


@pytest.fixture
def control(tmp_path):
    return tmp_path / "control"


def row(key, queue, pattern=""):
    return exchange_queue_t(key, pattern, queue)


class test_BindingFiles:
    def test_write_what_kombu_5_7_writes(self, files, control):
        for number in (1, 2):
            files.add("d", row("k1", f"q{number}"))
        files.add("d", row("k1", "q1"))  # is not doubled
        files.add("t", row("a.*.#", "é", r"^a\.[^\.]+\..*?$"))

        assert (control / "d.exchange").read_text() == (
            '[["k1", "", "q2"], ["k1", "", "q1"]]'
        )
        assert (control / "t.exchange").read_text() == (
            r'[["a.*.#", "^a\\.[^\\.]+\\..*?$", "\u00e9"]]'
        )
        assert sorted(os.listdir(control)) == ["d.exchange", "t.exchange"]

    def test_read_what_kombu_5_7_wrote(self, files, control):
        control.mkdir()
        (control / "f.exchange").write_text('[["", "", "f2"], ["somekey", "", "f1"]]')

        assert files.read("f") == [row("", "f2"), row("somekey", "f1")]
        assert files.exchanges() == ["f"]
        assert files.read("none") == []

    def test_remove_a_row(self, files, control):
        for number in (1, 2):
            files.add("d", row("k", f"a-long-name-{number}"))

        assert files.remove("d", "k", "a-long-name-1")
        assert not files.remove("d", "k", "a-long-name-1")
        assert not files.remove("none", "k", "q")
        assert (control / "d.exchange").read_text() == '[["k", "", "a-long-name-2"]]'
        assert files.remove("d", "k", "a-long-name-2")
        assert (control / "d.exchange").read_text() == "[]"

    def test_can_be_read_when_the_writer_was_killed(self, files, monkeypatch):
        files.add("d", row("k", "a-long-name"))
        files.add("d", row("k", "q"))

        class Killed(BaseException):
            pass

        def ftruncate(descriptor, length):
            raise Killed

        monkeypatch.setattr(os, "ftruncate", ftruncate)
        with pytest.raises(Killed):
            files.remove("d", "k", "a-long-name")

        assert files.read("d") == [row("k", "q")]

    @pytest.mark.parametrize("text", ["", " ", "[[", "{}", "[1]"])
    def test_heal_a_file_that_can_not_be_read(self, files, control, text):
        control.mkdir()
        (control / "d.exchange").write_text(text)

        assert files.read("d") == []
        files.add("d", row("k", "q"))
        assert files.read("d") == [row("k", "q")]

    def test_are_made_where_there_are_no_links(self, files, monkeypatch):
        def link(source, target):
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", link)
        files.add("d", row("k", "q"))

        assert files.read("d") == [row("k", "q")]

    @pytest.mark.parametrize(
        ("exchange", "is_fit"),
        [
            ("a", True),
            ("a..b", True),
            ("x-y_z.9", True),
            (".", False),
            ("..", False),
            ("a b", False),
            ("a/b", False),
            ("é", False),
            ("", False),
            ("a\n", False),
            ("a" * 300, False),
        ],
    )
    def test_know_which_names_kombu_5_7_takes(self, files, exchange, is_fit):
        assert files.can_hold(exchange) == is_fit

    def test_tell_of_changes_by_others(self, files, control):
        assert files.version() == ()
        files.add("d", row("k", "q"))
        first = files.version()
        (control / "d.exchange").write_text('[["k", "", "q"], ["k2", "", "q"]]')
        second = files.version()
        (control / "e.exchange").write_text("[]")

        assert len({first, second, files.version()}) == 3
