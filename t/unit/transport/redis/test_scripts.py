from __future__ import annotations

import re
from hashlib import sha1

import pytest

from kombu.transport.redis.resp import part
from kombu.transport.redis.scripts import _FOLDER, script

NAMES = sorted(path.stem for path in _FOLDER.glob("*.lua"))
LIBRARY = sorted(path.stem for path in (_FOLDER / "lib").glob("*.lua"))


def text_of(one):
    return one.by_text.data.split(b"\r\n", 3)[3].decode()


def own_text(name):
    return (_FOLDER / f"{name}.lua").read_text(encoding="utf-8")


def code_of(text):
    return "\n".join(
        line for line in text.splitlines() if not line.lstrip().startswith("--")
    )


def test_there_are_some():
    assert {"put", "claim", "release"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
class test_each:
    def test_functions_are_there_before_they_are_used(self, name):
        code = code_of(text_of(script(name)))
        for function in LIBRARY:
            made = code.find(f"local function {function}(")
            used = re.search(rf"(?<!function )\b{function}\(", code)
            assert (used is None) == (made < 0), function
            assert used is None or made < used.start(), function

    def test_functions_are_sent_once(self, name):
        text = text_of(script(name))

        for function in LIBRARY:
            assert text.count(f"local function {function}(") <= 1

    def test_header_names_what_is_given(self, name):
        header = own_text(name).partition("\n\n")[0]
        code = code_of(own_text(name))
        for given in ("KEYS", "ARGV"):
            assert (given in code) <= (f"-- {given}" in header), given
        numbers = {int(n) for n in re.findall(r"(?:ARGV)\[(\d+)\]", code)}
        arguments = header.partition("-- ARGV")[2]
        for number in numbers:
            assert re.search(rf"\b{number} ", arguments), number

    def test_keys_are_never_made_of_arguments(self, name):
        code = code_of(own_text(name))

        assert not re.search(r"redis\.call\('\w+', ARGV", code)

    def test_digest_is_that_of_the_text(self, name):
        one = script(name)
        digest = sha1(text_of(one)[:-2].encode(), usedforsecurity=False).hexdigest()

        assert digest.encode() in one.by_digest.data


@pytest.mark.parametrize("name", LIBRARY)
def test_library_file_holds_the_function_of_its_name(name):
    text = (_FOLDER / "lib" / f"{name}.lua").read_text(encoding="utf-8")

    assert re.findall(r"^local function (\w+)", text, re.M) == [name]


def test_call_by_digest_and_by_text():
    one = script("unlock")

    assert one.call(part("k"), part("token")) == (
        one.by_digest,
        part(1),
        part("k"),
        part("token"),
    )
    assert one.call(part("k"), whole=True)[0] == one.by_text


def test_cluster_rings_otherwise():
    assert script("put", True).by_digest != script("put", False).by_digest
    assert "local rings_by_channel = true" in text_of(script("put", True))


def test_is_read_once():
    assert script("put") is script("put")
    assert repr(script("put")) == "<Script: put>"
