from __future__ import annotations

import importlib.metadata
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from kombu import serialization
from kombu.exceptions import (
    ContentDisallowed,
    DecodeError,
    EncodeError,
    SerializerNotInstalled,
)
from kombu.serialization import (
    SerializerRegistry,
    codec,
    disable_insecure_serializers,
    dumps,
    enable_insecure_serializers,
    loads,
    prepare_accept_content,
    register,
    registry,
    unregister,
)

JSON = "application/json"
PICKLE = "application/x-python-serialize"
YAML = "application/x-yaml"
MSGPACK = "application/x-msgpack"

#: What kombu 5.7 writes for ``{"a": 1}``, and how it names that.
WRITTEN_BY_5_7 = [
    ("json", JSON, "utf-8", '{"a": 1}'),
    ("yaml", YAML, "utf-8", "a: 1\n"),
    ("msgpack", MSGPACK, "binary", b"\x81\xa1a\x01"),
    (
        "pickle",
        PICKLE,
        "binary",
        b"\x80\x04\x95\n\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94K\x01s.",
    ),
]


class Unserializable:
    def __reduce__(self):
        raise TypeError("no")


class Entry:
    def __init__(self, name, args):
        self.name = name
        self.args = args

    def load(self):
        if isinstance(self.args, Exception):
            raise self.args
        return self.args


def exploding_pickle(log):
    """A pickle that notes when it is loaded."""

    class Exploding:
        def __reduce__(self):
            return (exec, (f"import builtins; builtins.{log} = True",))

    return pickle.dumps(Exploding())


@pytest.fixture(autouse=True)
def registry_as_it_was():
    names = (
        "_encoders",
        "_decoders",
        "_disabled_content_types",
        "type_to_name",
        "name_to_type",
    )
    before = {name: getattr(registry, name).copy() for name in names}
    values = dict(vars(registry))
    yield
    vars(registry).update(values)
    for name, content in before.items():
        getattr(registry, name).clear()
        getattr(registry, name).update(content)


@pytest.fixture
def plugins(monkeypatch):
    installed = []
    monkeypatch.setattr(
        importlib.metadata,
        "entry_points",
        lambda group: installed if group == "kombu.serializers" else [],
    )
    registry._has_plugins = False
    return installed


class test_dumps:
    @pytest.mark.parametrize(("name", "ctype", "encoding", "body"), WRITTEN_BY_5_7)
    def test_writes_as_5_7_does(self, name, ctype, encoding, body):
        assert dumps({"a": 1}, name) == (ctype, encoding, body)

    @pytest.mark.parametrize(("name", "ctype", "encoding", "body"), WRITTEN_BY_5_7)
    def test_what_is_written_can_be_read(self, name, ctype, encoding, body):
        assert loads(body, ctype, encoding, accept={ctype}) == {"a": 1}

    @pytest.mark.parametrize(
        ("data", "serializer", "expected"),
        [
            ({"a": 1}, None, (JSON, "utf-8", '{"a": 1}')),
            (b"x", None, ("application/data", "binary", b"x")),
            ("té", None, ("text/plain", "utf-8", b"t\xc3\xa9")),
            ("té", "json", (JSON, "utf-8", '"t\\u00e9"')),
            (b"x", "raw", ("application/data", "binary", b"x")),
            ("té", "raw", ("application/data", "utf-8", b"t\xc3\xa9")),
            ({"a": 1}, "raw", ("application/data", "binary", {"a": 1})),
            (b"x", "yaml", (YAML, "utf-8", "!!binary |\n  eA==\n")),
        ],
    )
    def test_types_and_encodings(self, data, serializer, expected):
        assert dumps(data, serializer) == expected

    @pytest.mark.parametrize("serializer", ["json", "pickle", "yaml", "msgpack"])
    def test_errors_become_encode_errors(self, serializer):
        with pytest.raises(EncodeError) as caught:
            dumps({"a": Unserializable()}, serializer)

        assert isinstance(caught.value.__cause__, Exception)
        assert caught.value.args == (caught.value.__cause__,)

    def test_an_unknown_serializer_is_named_with_the_known_ones(self, plugins):
        with pytest.raises(SerializerNotInstalled) as caught:
            dumps(1, "nope")

        assert str(caught.value).startswith(
            "No encoder installed for nope. There are: json, pickle, yaml, msgpack"
        )

    def test_another_default(self):
        registry._set_default_serializer("yaml")

        assert dumps({"a": 1}) == (YAML, "utf-8", "a: 1\n")
        with pytest.raises(SerializerNotInstalled):
            registry._set_default_serializer("nope")

    def test_protocol_of_pickles(self, monkeypatch):
        monkeypatch.setattr(serialization, "pickle_protocol", 2)

        assert dumps(1, "pickle")[2] == pickle.dumps(1, protocol=2)


class test_loads:
    @pytest.mark.parametrize(
        ("data", "ctype", "encoding", "expected"),
        [
            ('{"a":1}', JSON, "utf-8", {"a": 1}),
            (b'{"a":1}', JSON, None, {"a": 1}),
            (b'{"a":1}', JSON, "nonsense", {"a": 1}),
            (memoryview(b"[1]"), JSON, "binary", [1]),
            (b"x", None, None, "x"),
            (b"x", "", "", "x"),
            (b"\xe9", "application/data", "latin-1", "é"),
            (b"\xe9", "application/data", "BINARY", b"\xe9"),
            (b"\xe9", None, "ascii-8bit", b"\xe9"),
            ("text", "application/data", "utf-8", "text"),
            (b"x", "text/plain", "utf-8", "x"),
            (b"x", "no/such", "utf-8", "x"),
            (b"x", "no/such", "binary", b"x"),
            (b"", JSON, "utf-8", b""),
            (None, JSON, "utf-8", None),
        ],
    )
    def test_by_type_and_encoding(self, data, ctype, encoding, expected, plugins):
        result = loads(data, ctype, encoding)

        assert result == expected
        assert type(result) is type(expected)

    @pytest.mark.parametrize(
        ("data", "ctype", "encoding"),
        [
            (b"{", JSON, "utf-8"),
            (b"\xff", JSON, "utf-8"),
            (b"a: [", YAML, "utf-8"),
            (b"!!python/object/apply:os.getcwd []", YAML, "utf-8"),
            (b"\xc1", MSGPACK, "binary"),
            (b"\x92\x02", MSGPACK, "binary"),
            (b"junk", PICKLE, "binary"),
            ("junk", PICKLE, "binary"),
            (b"\xe9", "application/data", "utf-8"),
            (b"x", "application/data", "no-such-codec"),
        ],
    )
    def test_errors_become_decode_errors(self, data, ctype, encoding):
        with pytest.raises(DecodeError) as caught:
            loads(data, ctype, encoding, force=True)

        assert caught.value.args == (caught.value.__cause__,)

    def test_a_view_of_yaml(self):
        assert loads(memoryview(b"a: 1"), YAML, "utf-8", force=True) == {"a": 1}


class test_what_is_accepted:
    @pytest.mark.parametrize("ctype", [PICKLE, YAML, MSGPACK])
    def test_insecure_content_is_refused_by_default(self, ctype):
        with pytest.raises(ContentDisallowed, match="disabled content of type"):
            loads(b"x", ctype, "binary")

    def test_a_refused_pickle_is_never_loaded(self):
        import builtins

        body = exploding_pickle("loaded_by_mistake")
        for accept in (None, [], ["json"], {JSON}):
            with pytest.raises(ContentDisallowed):
                loads(body, PICKLE, "binary", accept=accept)
        with pytest.raises(ContentDisallowed):
            loads(body, PICKLE, "binary", accept=["json"], force=True)
        assert not hasattr(builtins, "loaded_by_mistake")

        loads(body, PICKLE, "binary", accept=["pickle"])

        assert builtins.loaded_by_mistake
        del builtins.loaded_by_mistake

    @pytest.mark.parametrize("accept", [{JSON}, [JSON], ["json"], {"json", YAML}])
    def test_names_and_types_may_be_given(self, accept):
        assert loads(b"1", JSON, "utf-8", accept=accept) == 1

    @pytest.mark.parametrize("accept", [[], {YAML}, ["yaml"]])
    def test_what_is_not_named_is_refused(self, accept):
        with pytest.raises(
            ContentDisallowed,
            match=r"untrusted content of type json \(application/json\)",
        ):
            loads(b"1", JSON, "utf-8", accept=accept)

    def test_unknown_types_are_refused_if_there_is_a_list(self, plugins):
        with pytest.raises(
            ContentDisallowed, match=r"of type text/plain \(text/plain\)"
        ):
            loads(b"1", "text/plain", "utf-8", accept={JSON})

    @pytest.mark.parametrize("ctype", [None, "application/data", "application/text"])
    def test_what_has_no_decoder_is_always_accepted(self, ctype):
        assert loads(b"1", ctype, "utf-8", accept={JSON}) == "1"

    def test_the_list_goes_before_what_is_disabled(self):
        registry.disable("json")

        assert loads(b"1", JSON, "utf-8", accept={JSON}) == 1
        assert loads(b"1", JSON, "utf-8", force=True) == 1
        with pytest.raises(ContentDisallowed):
            loads(b"1", JSON, "utf-8")

    def test_enabling_and_disabling_one(self):
        registry.enable("yaml")
        assert loads(b"1", YAML, "utf-8") == 1

        registry.disable(YAML)
        with pytest.raises(ContentDisallowed):
            loads(b"1", YAML, "utf-8")

        registry.enable("json")
        assert loads(b"1", JSON, "utf-8") == 1

    @pytest.mark.parametrize("method", [registry.enable, registry.disable])
    def test_an_unknown_name(self, method, plugins):
        with pytest.raises(KeyError) as caught:
            method("nope")

        assert isinstance(caught.value, SerializerNotInstalled)
        assert "nope" in str(caught.value)

    def test_enable_insecure_serializers(self):
        enable_insecure_serializers()
        assert registry._disabled_content_types == set()

        disable_insecure_serializers()
        assert registry._disabled_content_types == {PICKLE, YAML, MSGPACK}

        enable_insecure_serializers(["yaml", "nope"])
        assert registry._disabled_content_types == {PICKLE, MSGPACK}

        enable_insecure_serializers(None)
        assert registry._disabled_content_types == {PICKLE, MSGPACK}

    def test_disable_insecure_serializers(self, plugins):
        disable_insecure_serializers(["pickle", MSGPACK])
        assert registry._disabled_content_types == {JSON, YAML, PICKLE, MSGPACK} - {
            PICKLE,
            MSGPACK,
        }

        disable_insecure_serializers(None)
        assert registry._disabled_content_types == {JSON, YAML, PICKLE, MSGPACK}

        with pytest.raises(KeyError):
            disable_insecure_serializers(["nope"])

    def test_prepare_accept_content(self, plugins):
        assert prepare_accept_content(["json", "a/b", "pickle"]) == {
            JSON,
            "a/b",
            PICKLE,
        }
        assert prepare_accept_content(None) is None
        assert prepare_accept_content([]) == set()
        assert prepare_accept_content(["x"], {"x": "a/x"}) == {"a/x"}
        with pytest.raises(SerializerNotInstalled, match="nope"):
            prepare_accept_content(["nope"])


class test_register:
    def test_register_and_unregister(self):
        register("mine", lambda o: f"E{o}", lambda o: f"D{o}", "a/mine")

        assert dumps(5, "mine") == ("a/mine", "utf-8", "E5")
        assert loads("q", "a/mine", "utf-8") == "Dq"
        assert registry.name_to_type["mine"] == "a/mine"
        assert registry.type_to_name["a/mine"] == "mine"
        assert registry._encoders["mine"].content_encoding == "utf-8"

        unregister("mine")

        assert "mine" not in registry._encoders
        assert "a/mine" not in registry._decoders
        assert "mine" not in registry.name_to_type
        assert "a/mine" not in registry.type_to_name

    def test_one_way_serializers(self, plugins):
        register("reads", None, len, "a/reads")
        register("writes", len, None, "a/writes", "binary")

        assert loads("abc", "a/reads", "utf-8") == 3
        assert dumps("abc", "writes") == ("a/writes", "binary", 3)
        assert loads(b"abc", "a/writes", "binary") == b"abc"
        with pytest.raises(SerializerNotInstalled):
            dumps(1, "reads")

    @pytest.mark.parametrize("name", ["nope", "application/json"])
    def test_unregistering_what_is_not_there(self, name, plugins):
        with pytest.raises(SerializerNotInstalled, match=name):
            unregister(name)

    def test_a_registry_of_its_own_has_no_plugins(self, plugins):
        plugins.append(Entry("plugged", (str, str, "a/plugged")))
        own = SerializerRegistry()
        own.register("mine", str, int, "a/mine")

        assert own.dumps(5, "mine") == ("a/mine", "utf-8", "5")
        assert repr(own) == "<SerializerRegistry: mine>"
        with pytest.raises(SerializerNotInstalled):
            own.dumps(5, "plugged")
        with pytest.raises(KeyError):
            own._encoders["plugged"]

    def test_codec(self):
        assert registry._encoders["json"][:2] == (JSON, "utf-8")
        assert codec("a", "b", str)._fields == (
            "content_type",
            "content_encoding",
            "encoder",
        )


class test_plugins:
    @pytest.fixture(autouse=True)
    def plugged(self, plugins):
        plugins.append(Entry("broken", ImportError("no")))
        plugins.append(Entry("json", (str, str, "a/other-json")))
        plugins.append(Entry("plugged", (str, int, "a/plugged", "binary")))

    def test_are_looked_for_only_when_needed(self):
        dumps({}, "yaml")
        loads(b"x", "text/plain", "utf-8")
        assert not registry._has_plugins

        assert dumps(5, "plugged") == ("a/plugged", "binary", "5")
        assert registry._has_plugins

    def test_by_content_type(self):
        assert loads("5", "a/plugged", "binary") == 5
        assert loads("5", "a/plugged", "binary", accept=["plugged"]) == 5

    @pytest.mark.parametrize(
        ("mapping", "key"),
        [("name_to_type", "plugged"), ("type_to_name", "a/plugged")],
    )
    def test_by_looking_into_the_registry(self, mapping, key):
        assert key not in getattr(registry, mapping)
        assert getattr(registry, mapping)[key] in ("a/plugged", "plugged")

    def test_do_not_replace_what_is_registered(self):
        dumps(5, "plugged")

        assert dumps({"a": 1}, "json") == (JSON, "utf-8", '{"a": 1}')

    def test_disabling_holds_for_them_too(self):
        disable_insecure_serializers()

        with pytest.raises(ContentDisallowed):
            loads("5", "a/plugged", "binary")
        assert loads("5", "a/plugged", "binary", accept={"a/plugged"}) == 5

    def test_allowing_one(self):
        disable_insecure_serializers(["plugged"])

        assert loads("5", "a/plugged", "binary") == 5


@pytest.mark.parametrize(
    ("name", "module", "ctype"),
    [("yaml", "yaml", YAML), ("msgpack", "msgpack", MSGPACK)],
)
class test_missing_packages:
    def test_using_them_says_what_to_install(self, monkeypatch, name, module, ctype):
        monkeypatch.setitem(sys.modules, module, None)

        with pytest.raises(SerializerNotInstalled) as caught:
            dumps({}, name)
        assert f"pip install 'kombu[{name}]'" in str(caught.value)
        with pytest.raises(SerializerNotInstalled):
            loads(b"x", ctype, "binary", accept=[name])

    def test_their_names_are_known(self, monkeypatch, name, module, ctype):
        monkeypatch.setitem(sys.modules, module, None)

        assert prepare_accept_content([name]) == {ctype}
        assert name in registry._encoders
        with pytest.raises(ContentDisallowed):
            loads(b"x", ctype, "binary")


class test_helpers:
    def test_pickle_loads(self):
        pickled = pickle.dumps([1])

        assert serialization.pickle_loads(pickled) == [1]
        assert serialization.pickle_loads(memoryview(pickled)) == [1]
        assert serialization.pickle_loads(pickled, load=pickle.load) == [1]
        assert serialization.unpickle(pickle.dumps([1], 0).decode()) == [1]

    def test_parenthesize_alias(self):
        assert serialization.parenthesize_alias("a", "b") == "a (b)"

    def test_reraise_errors(self):
        reraise_errors = serialization._reraise_errors
        with pytest.raises(DecodeError) as caught:
            with reraise_errors(DecodeError):
                raise ValueError("x")
        assert caught.value.args == (caught.value.__cause__,)

        with pytest.raises(SerializerNotInstalled):
            with reraise_errors(DecodeError):
                raise SerializerNotInstalled("x")
        with pytest.raises(ValueError):
            with reraise_errors(DecodeError, include=(KeyError,)):
                raise ValueError("x")
        with pytest.raises(ValueError):
            with reraise_errors(DecodeError, exclude=(ValueError,)):
                raise ValueError("x")
        with reraise_errors(DecodeError):
            pass

    def test_pickle_is_there_by_name(self):
        assert serialization.pickle is pickle
        assert serialization.pickle_protocol == 4
        with pytest.raises(AttributeError):
            serialization.nothing


def test_importing_loads_no_codec():
    code = (
        "import sys, kombu.serialization, kombu.compression, kombu.matcher\n"
        "heavy = 'pickle yaml msgpack uuid decimal zlib bz2 lzma zstandard brotli "
        "importlib.metadata inspect multiprocessing tempfile'.split()\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-S", "-E", "-c", code],
        env={},
        cwd=str(Path(__file__).parents[2]),
        capture_output=True,
        text=True,
        check=True,
    )

    assert result.stdout.strip() == "[]"
