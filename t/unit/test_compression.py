from __future__ import annotations

import lzma
import pickle
import sys
import types
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kombu import _compressors, compression
from kombu.compression import (
    CompressionNotInstalled,
    compress,
    decompress,
    encoders,
    get_decoder,
    get_encoder,
    register,
)
from kombu.exceptions import DecodeError, KombuError

GZIP = "application/x-gzip"
BZIP2 = "application/x-bz2"
BROTLI = "application/x-brotli"
LZMA = "application/x-lzma"
ZSTD = "application/zstd"

NAMES = {
    "gzip": GZIP,
    "zlib": GZIP,
    "bzip2": BZIP2,
    "bzip": BZIP2,
    "brotli": BROTLI,
    "lzma": LZMA,
    "xz": LZMA,
    "zstd": ZSTD,
    "zstandard": ZSTD,
}
USABLE = [name for name, ctype in NAMES.items() if ctype in encoders()]

#: What kombu 5.7 writes for ``b"hello" * 3``.
WRITTEN_BY_5_7 = {
    "gzip": "789ccb48cdc9c9cf80130031b0063d",
    "bzip2": (
        "425a6839314159265359ac9b0c6d00000281000244a00021b468334d289861c5dc91"
        "4e14242b26c31b40"
    ),
    "lzma": (
        "fd377a585a000004e6d6b4460200210116000000742fe5a3e0000e000a5d00341949"
        "ee8e86f3100000000000083aabfeaedd7c2d0001260f9e2be7731fb6f37d01000000"
        "0004595a"
    ),
    "brotli": "1b0e00f8a5cbd0d8de043a5100a901",
}


@pytest.fixture(autouse=True)
def methods_as_they_were(monkeypatch):
    for name in ("_aliases", "_encoders", "_decoders"):
        monkeypatch.setattr(compression, name, dict(getattr(compression, name)))


@pytest.fixture
def without(monkeypatch):
    """Return a function that hides modules."""
    monkeypatch.setattr(_compressors, "_usable", set())

    def hide(*modules):
        for module in modules:
            monkeypatch.setitem(sys.modules, module, None)

    return hide


@pytest.mark.parametrize("name", USABLE)
class test_methods:
    def test_round_trip(self, name):
        body = b"hello" * 50

        compressed, content_type = compress(body, name)

        assert content_type == NAMES[name]
        assert type(compressed) is bytes
        assert len(compressed) < len(body)
        for method in (name, content_type):
            assert decompress(compressed, method) == body

    def test_text_becomes_utf_8(self, name):
        compressed, _ = compress("é", name)

        assert decompress(compressed, name) == b"\xc3\xa9"

    def test_nothing_and_views(self, name):
        assert decompress(compress(b"", name)[0], name) == b""
        assert decompress(compress(bytearray(b"x"), name)[0], name) == b"x"

    def test_damaged_bodies(self, name):
        with pytest.raises(DecodeError, match="Could not decompress") as caught:
            decompress(b"junk" * 3, name)
        cause = caught.value.__cause__

        assert cause is not None
        assert isinstance(caught.value, type(cause))
        assert type(pickle.loads(pickle.dumps(caught.value))) is DecodeError

    def test_truncated_bodies(self, name):
        compressed, _ = compress(bytes(range(256)) * 8, name)

        with pytest.raises(DecodeError):
            decompress(compressed[:-8], name)

    def test_text_can_not_be_restored(self, name):
        with pytest.raises(DecodeError) as caught:
            decompress("text", name)
        assert isinstance(caught.value, TypeError)

    def test_functions(self, name):
        encode, content_type = get_encoder(name)

        assert content_type == NAMES[name]
        assert get_decoder(content_type)(encode(b"x")) == b"x"


@pytest.mark.parametrize("name", [name for name in WRITTEN_BY_5_7 if name in USABLE])
def test_reads_what_5_7_writes(name):
    written = bytes.fromhex(WRITTEN_BY_5_7[name])

    assert decompress(written, name) == b"hello" * 3


@pytest.mark.parametrize(
    ("name", "error"),
    [("gzip", zlib.error), ("bzip2", OSError), ("lzma", lzma.LZMAError)],
)
def test_errors_are_caught_as_what_5_7_raised(name, error):
    with pytest.raises(error):
        decompress(b"junk", name)


@settings(max_examples=50)
@given(st.binary(), st.sampled_from(USABLE))
def test_any_bytes_come_back(body, name):
    assert decompress(*compress(body, name)) == body


@pytest.mark.parametrize("name", ["nope", "", None])
@pytest.mark.parametrize("function", [get_encoder, get_decoder])
def test_an_unknown_method_is_named_with_the_known_ones(function, name):
    with pytest.raises(KeyError) as caught:
        function(name)

    assert isinstance(caught.value, KombuError)
    assert str(caught.value).startswith(f"No compression method {name!r} is known")
    assert "gzip" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "modules"),
    [
        ("brotli", ("brotli", "brotlicffi")),
        ("zstd", ("zstandard", "compression.zstd", "backports.zstd")),
    ],
)
def test_a_missing_package(without, name, modules):
    without(*modules)

    for function in (get_encoder, get_decoder):
        with pytest.raises(CompressionNotInstalled) as caught:
            function(name)
        assert f"pip install 'kombu[{name}]'" in str(caught.value)
    assert NAMES[name] not in encoders()
    with pytest.raises(ImportError):
        _compressors._first_of(modules)


def test_a_python_built_without_a_module(without):
    without("_bz2")

    with pytest.raises(CompressionNotInstalled, match="built without the module bz2"):
        compress(b"x", "bzip2")
    assert BZIP2 not in encoders()
    assert GZIP in encoders()


class Zstd(types.ModuleType):
    """Has the functions of the module that comes with Python 3.14."""

    def compress(self, body):
        return b"Z" + body

    def decompress(self, body):
        return body[1:]


@pytest.mark.parametrize("module", ["compression.zstd", "backports.zstd"])
def test_other_modules_for_zstd(without, monkeypatch, module):
    without("zstandard", "compression.zstd", "backports.zstd")
    parent = types.ModuleType(module.partition(".")[0])
    parent.__path__ = []
    parent.zstd = Zstd(module)
    monkeypatch.setitem(sys.modules, parent.__name__, parent)
    monkeypatch.setitem(sys.modules, module, parent.zstd)

    assert compress(b"x", "zstd") == (b"Zx", ZSTD)
    assert decompress(b"Zx", ZSTD) == b"x"


@pytest.mark.skipif("zstd" not in USABLE, reason="needs zstandard")
def test_zstd_frames_that_do_not_tell_their_size():
    zstandard = pytest.importorskip("zstandard")
    writer = zstandard.ZstdCompressor().compressobj()
    frame = writer.compress(b"x" * 100) + writer.flush()

    assert decompress(frame, "zstd") == b"x" * 100


class test_register:
    def test_with_names(self):
        register(lambda b: b + b"E", lambda b: b[:-1], "a/x", ["xx", "yy"])

        assert compress(b"q", "xx") == compress("q", "a/x") == (b"qE", "a/x")
        assert decompress(b"qE", "yy") == b"q"
        assert "a/x" in encoders()

    def test_replacing_one(self):
        register(bytes.upper, bytes.lower, GZIP)

        assert compress(b"q", "gzip") == (b"Q", GZIP)
        assert decompress(b"Q", "gzip") == b"q"

    def test_errors_of_the_library_are_left_alone(self):
        def refuse(body):
            raise KombuError("mine")

        register(refuse, refuse, "a/x")

        with pytest.raises(KombuError, match="mine") as caught:
            decompress(b"", "a/x")
        assert not isinstance(caught.value, DecodeError)

    def test_errors_that_want_arguments(self):
        def fail(body):
            body.decode("ascii")

        register(fail, fail, "a/x")

        with pytest.raises(DecodeError) as caught:
            decompress(b"\xff", "a/x")
        assert isinstance(caught.value.__cause__, UnicodeDecodeError)
