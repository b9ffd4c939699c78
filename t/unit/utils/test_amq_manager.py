from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from kombu.exceptions import DriverNotInstalled
from kombu.utils.amq_manager import get_manager


def connection(**options):
    return SimpleNamespace(
        hostname="h", userid="u", password="p", transport_options=options
    )


@pytest.fixture
def pyrabbit(monkeypatch):
    module = ModuleType("pyrabbit")
    module.Client = lambda *args: args
    monkeypatch.setitem(sys.modules, "pyrabbit", module)


def test_takes_what_the_connection_has(pyrabbit):
    assert get_manager(connection()) == ("h:15672", "u", "p")


def test_options_go_first(pyrabbit):
    options = {
        "manager_hostname": "mh",
        "manager_port": 99,
        "manager_userid": "mu",
        "manager_password": "mp",
    }

    assert get_manager(connection(**options)) == ("mh:99", "mu", "mp")


def test_arguments_go_before_all(pyrabbit):
    client = connection(manager_hostname="mh")

    assert get_manager(client, "ah", 1, "au", "ap") == ("ah:1", "au", "ap")


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyrabbit", None)

    with pytest.raises(DriverNotInstalled, match="pip install pyrabbit"):
        get_manager(connection())
