from __future__ import annotations

import pytest

from kombu.asynchronous import Hub, get_event_loop, set_event_loop
from kombu.asynchronous.http import (
    BaseClient,
    Client,
    Headers,
    Request,
    Response,
    get_client,
)
from kombu.asynchronous.http.threaded import ThreadedClient
from kombu.exceptions import KombuError


@pytest.fixture
def current_hub(hub):
    previous = get_event_loop()
    yield set_event_loop(hub)
    set_event_loop(previous)


def test_Client(hub):
    client = Client(hub, max_clients=3)
    assert isinstance(client, ThreadedClient)
    assert client.max_clients == 3
    assert client.hub is hub


def test_Client_of_the_current_loop(current_hub):
    assert Client().hub is current_hub


class test_get_client:
    def test_one_for_each_hub(self, hub):
        client = get_client(hub)
        assert get_client(hub) is client
        other = Hub()
        assert get_client(other) is not client
        other.close()

    def test_of_the_current_loop(self, current_hub):
        assert get_client() is get_client(current_hub)

    def test_after_close(self, hub):
        client = get_client(hub)
        client.close()
        assert get_client(hub) is not client

    def test_after_reset(self, hub):
        client = get_client(hub)
        hub.reset()
        assert get_client(hub) is not client

    def test_arguments(self, hub):
        assert get_client(hub, max_clients=2).max_clients == 2

    def test_no_loop(self):
        previous = get_event_loop()
        set_event_loop(None)
        try:
            with pytest.raises(KombuError, match="event loop"):
                get_client()
        finally:
            set_event_loop(previous)


def test_names():
    assert BaseClient.Request is Request
    assert BaseClient.Response is Response
    assert BaseClient.Headers is Headers
