from __future__ import annotations

import time

import pytest

from kombu.asynchronous import Hub
from kombu.asynchronous import hub as hub_module
from t.unit.asynchronous.http.server import Server


@pytest.fixture
def server():
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setattr(hub_module, "MAX_IDLE_INTERVAL", 0.01)
    hub = Hub()
    yield hub
    hub.close()


@pytest.fixture
def run(hub):
    """Run the event loop until something is true."""

    def run(condition, timeout=10):
        deadline = time.monotonic() + timeout
        # So that no round waits long for what the loop is not told of.
        entry = hub.call_repeatedly(0.01, int)
        try:
            while not condition():
                assert time.monotonic() < deadline, "this takes too long"
                hub.run_once()
        finally:
            entry.cancel()

    return run


@pytest.fixture
def perform(client, run, server):
    """Perform a request, and return the response."""

    def perform(path, method="GET", **kwargs):
        responses = []
        url = path if "://" in path else server.url + path
        request = client.Request(url, method, on_ready=responses.append, **kwargs)
        assert client.add_request(request) is request
        run(lambda: responses)
        [response] = responses
        assert response.request is request
        return response

    return perform
