from __future__ import annotations

import sys
import textwrap

import pytest

from kombu import Connection, transport
from kombu.exceptions import InvalidURL, KombuError, TransportNotFound
from kombu.transport import (
    TRANSPORT_ALIASES,
    check_scheme,
    get_transport_cls,
    memory,
    resolve_transport,
    supports_librabbitmq,
)

PATH = "kombu.transport.memory:Transport"


@pytest.fixture(autouse=True)
def forget_what_was_found(monkeypatch):
    monkeypatch.setattr(transport, "_transport_cache", {})


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Puts a package that offers transports on the path."""
    names = []

    def install(name, source, entry_points):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        )
        lines = "\n".join(entry_points)
        (info / "entry_points.txt").write_text(f"[kombu.transports]\n{lines}\n")
        names.append(name)

    monkeypatch.syspath_prepend(tmp_path)
    yield install
    for name in names:
        sys.modules.pop(name, None)


OWN_TRANSPORT = """
    from kombu.transport import memory

    class Transport(memory.Transport):
        driver_type = "carrier-pigeon"
"""


class test_resolve_transport:
    def test_alias(self):
        assert resolve_transport("memory") is memory.Transport

    def test_path_with_colon(self):
        assert resolve_transport(PATH) is memory.Transport

    def test_path_with_dots_alone(self):
        assert resolve_transport("kombu.transport.memory.Transport") is memory.Transport

    def test_class(self):
        assert resolve_transport(memory.Transport) is memory.Transport

    @pytest.mark.parametrize("answer", ["memory", PATH, memory.Transport])
    def test_callable_that_returns_any_of_these(self, answer):
        assert resolve_transport(lambda: answer) is memory.Transport

    def test_alias_that_was_added(self, monkeypatch):
        monkeypatch.setitem(TRANSPORT_ALIASES, "mine", PATH)

        assert resolve_transport("mine") is memory.Transport

    def test_alias_of_a_class(self, monkeypatch):
        monkeypatch.setitem(TRANSPORT_ALIASES, "mine", memory.Transport)

        assert resolve_transport("mine") is memory.Transport

    def test_misspelt_alias_names_the_nearest(self):
        with pytest.raises(TransportNotFound) as excinfo:
            resolve_transport("memroy")

        assert str(excinfo.value) == "No such transport: memroy.  Did you mean memory?"

    def test_unknown_alias(self):
        with pytest.raises(TransportNotFound, match=r"^No such transport: qwzx$"):
            resolve_transport("qwzx")

    def test_unknown_alias_can_be_caught_as_before(self):
        with pytest.raises(KeyError):
            resolve_transport("qwzx")
        with pytest.raises(KombuError):
            resolve_transport("qwzx")

    def test_path_of_a_module_that_is_not_there(self):
        with pytest.raises(ImportError, match="no_such_package"):
            resolve_transport("no_such_package.module:Transport")

    def test_path_of_a_class_that_is_not_there(self):
        with pytest.raises(AttributeError, match="NoSuchClass"):
            resolve_transport("kombu.transport.memory:NoSuchClass")


class test_installed_transports:
    def test_entry_point_is_an_alias(self, install):
        install("pigeons", OWN_TRANSPORT, ["pigeon = pigeons:Transport"])

        found = resolve_transport("pigeon")

        assert found.driver_type == "carrier-pigeon"
        assert found.__module__ == "pigeons"

    def test_is_used_by_a_url(self, install):
        install("pigeons", OWN_TRANSPORT, ["pigeon = pigeons:Transport"])

        with Connection("pigeon://loft") as connection:
            assert connection.transport.driver_type == "carrier-pigeon"

    def test_a_broken_package_does_not_keep_others_from_working(self, install):
        install("a_broken", "raise RuntimeError", ["broken = a_broken:Transport"])
        install("pigeons", OWN_TRANSPORT, ["pigeon = pigeons:Transport"])

        assert resolve_transport("pigeon").driver_type == "carrier-pigeon"
        assert "a_broken" not in sys.modules

    def test_an_unknown_alias_imports_nothing(self, install):
        install("a_broken", "raise RuntimeError", ["broken = a_broken:Transport"])

        with pytest.raises(TransportNotFound):
            resolve_transport("qwzx")

    def test_an_own_alias_goes_before(self, install):
        install("usurper", OWN_TRANSPORT, ["memory = usurper:Transport"])

        assert resolve_transport("memory") is memory.Transport


class test_get_transport_cls:
    def test_is_looked_up_but_once(self, monkeypatch):
        asked = []
        monkeypatch.setattr(
            transport, "resolve_transport", lambda name: asked.append(name) or object
        )

        assert get_transport_cls("memory") is object
        assert get_transport_cls("memory") is object
        assert asked == ["memory"]

    @pytest.mark.parametrize("nothing", [None, ""])
    def test_default_is_amqp(self, monkeypatch, nothing):
        monkeypatch.setattr(transport, "resolve_transport", lambda name: name)

        assert get_transport_cls(nothing) == "amqp"

    def test_one_that_was_not_found_is_looked_up_again(self, monkeypatch):
        with pytest.raises(TransportNotFound):
            get_transport_cls("late")
        monkeypatch.setitem(TRANSPORT_ALIASES, "late", PATH)

        assert get_transport_cls("late") is memory.Transport


class test_check_scheme:
    @pytest.mark.parametrize("scheme", ["memory", "sqla+mysql", "amqp"])
    def test_a_name_is_returned(self, scheme):
        assert check_scheme(scheme) == scheme

    @pytest.mark.parametrize("scheme", ["os.path", "module:Class", "a.b:C"])
    def test_the_path_of_a_class_is_refused(self, scheme):
        with pytest.raises(InvalidURL) as excinfo:
            check_scheme(scheme)

        assert scheme in str(excinfo.value)
        assert "Connection(transport=...)" in str(excinfo.value)

    def test_is_refused_in_a_url_as_a_value_error(self):
        with pytest.raises(ValueError, match="Invalid transport scheme"):
            Connection("kombu.transport.memory:Transport://host")


def test_librabbitmq_is_not_used_of_its_own_accord():
    assert supports_librabbitmq() is False
