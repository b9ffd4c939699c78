from __future__ import annotations

import gc
import subprocess
import sys
import threading
import weakref

import pytest
from urllib3.exceptions import ReadTimeoutError

from kombu.asynchronous import Hub
from kombu.asynchronous.http import threaded
from kombu.asynchronous.http._transfer import (
    Transfer,
    manager_options,
    new_manager,
    proxy_options,
)
from kombu.asynchronous.http.base import InvalidRequest, Request, no_response_error
from kombu.asynchronous.http.threaded import ThreadedClient
from kombu.exceptions import DriverNotInstalled, KombuError
from t.unit.asynchronous.http.common import ClientTests, sent


@pytest.fixture
def client(hub):
    client = ThreadedClient(hub)
    yield client
    client.close()


class test_ThreadedClient(ClientTests):
    agent = "Mozilla/5.0 (compatible; kombu)"

    def test_without_urllib3(self, hub, monkeypatch):
        monkeypatch.setitem(sys.modules, "urllib3", None)
        with pytest.raises(DriverNotInstalled, match=r"pip install 'kombu\[http\]'"):
            ThreadedClient(hub)
        with pytest.raises(ImportError):
            ThreadedClient(hub)

    def test_without_an_event_loop(self):
        with pytest.raises(KombuError, match="event loop"):
            ThreadedClient()

    def test_callbacks_come_in_the_thread_of_the_loop(self, client, run, server):
        threads, responses = set(), []

        def note(*args):
            threads.add(threading.current_thread())

        client.perform(
            server.url + "/redirect/302/1",
            on_prepare=note,
            on_header=note,
            on_stream=note,
            on_ready=lambda response: note() or responses.append(response),
        )
        run(lambda: responses)
        assert threads == {threading.current_thread()}

    def test_on_prepare_may_change_the_request(self, perform):
        def sign(request):
            request.headers["X-Signature"] = "signed"

        seen = sent(perform("/echo", on_prepare=sign))
        assert seen["headers"]["X-Signature"] == "signed"

    def test_on_prepare_is_called_when_it_is_sent(self, client, run, server):
        client.max_clients = 1
        prepared, responses = [], []
        for number in range(2):
            client.perform(
                server.url + "/wait",
                on_prepare=lambda request, number=number: prepared.append(number),
                on_ready=responses.append,
            )
        assert prepared == [0]
        server.go_on.set()
        run(lambda: len(responses) == 2)
        assert prepared == [0, 1]

    def test_digest_is_left_to_curl(self, client):
        with pytest.raises(InvalidRequest, match="CurlClient"):
            client.perform("http://h/", auth_mode="digest")

    def test_credentials_stay_with_their_server(self, perform, server):
        from t.unit.asynchronous.http.server import Server

        other = Server()
        try:
            server.other_url = other.url
            response = perform(
                "/elsewhere",
                auth_username="me",
                auth_password="secret",
                headers={"Cookie": "x", "X-Else": "y"},
            )
        finally:
            other.stop()
        headers = sent(response)["headers"]
        assert "Authorization" not in headers
        assert "Cookie" not in headers
        assert headers["X-Else"] == "y"

    def test_url_without_a_scheme(self, client, run):
        responses = []
        client.perform("example.invalid/", on_ready=responses.append)
        run(lambda: responses)
        assert responses[0].code == 599
        assert "scheme" in str(responses[0].error)

    def test_hang_up_is_tried_again_where_that_is_safe(self, perform, server):
        assert perform("/hangup", "GET").code == 599
        assert server.hangups == 2
        assert perform("/hangup", "POST").code == 599
        assert server.hangups == 3

    def test_expired_requests_free_their_thread(self, client, perform, server):
        client.max_clients = 1
        assert perform("/wait", request_timeout=0.05).code == 599
        server.go_on.set()
        assert perform("/echo").code == 200

    def test_timeout_while_the_body_comes(self, client, run, server):
        parts, responses = [], []
        client.perform(
            server.url + "/parts/plain",
            on_stream=parts.append,
            on_ready=responses.append,
            request_timeout=0.2,
        )
        run(lambda: responses)
        assert responses[0].code == 599
        server.go_on.set()
        run(lambda: not client._active)
        assert parts == [b"first"]

    def test_timeout_found_by_the_thread(self, client, run, server):
        expired, responses = [], []
        client.perform(
            server.url + "/wait",
            request_timeout=0.05,
            on_timeout=expired.append,
            on_ready=responses.append,
        )
        [transfer] = client._active
        transfer.timer.cancel()  # as if the loop were busy
        run(lambda: responses)
        assert "timed out" in str(responses[0].error)
        assert len(expired) == 1

    def test_threads_are_started_as_needed(self, client, run, server):
        assert client._threads == []
        responses = []
        for _ in range(3):
            client.perform(server.url + "/echo", on_ready=responses.append)
            run(lambda: responses)
            del responses[:]
        assert len(client._threads) == 1
        assert all(thread.daemon for thread in client._threads)

    def test_threads_end_with_the_client(self, client, perform):
        perform("/echo")
        [thread] = client._threads
        client.close()
        thread.join(5)
        assert not thread.is_alive()

    def test_threads_end_when_the_client_is_forgotten(self, server):
        hub = Hub()
        client = ThreadedClient(hub)
        responses = []
        client.perform(server.url + "/echo", on_ready=responses.append)
        while not responses:
            hub.run_once()
        [thread] = client._threads
        reference = weakref.ref(client)
        hub.on_close.clear()
        hub.close()
        responses.clear()
        del client, hub
        gc.collect()
        assert reference() is None
        thread.join(5)
        assert not thread.is_alive()

    def test_no_threads_to_be_had(self, client, perform, monkeypatch):
        def start(self):
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threaded.threading.Thread, "start", start)
        assert "can't start" in str(perform("http://h/").error)

    def test_fewer_threads_to_be_had(self, client, run, server, perform, monkeypatch):
        perform("/echo")
        responses = []

        def start(self):
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threaded.threading.Thread, "start", start)
        for _ in range(3):
            client.perform(server.url + "/code/200", on_ready=responses.append)
        run(lambda: len(responses) == 3)
        assert len(client._threads) == 1

    def test_managers_are_bounded(self, client, monkeypatch):
        monkeypatch.setattr(threaded, "MAX_MANAGERS", 2)
        requests = [Request("http://h/", ca_certs=f"/{n}") for n in range(3)]
        first, second = map(client._manager_for, requests[:2])
        assert client._manager_for(requests[0]) is first
        client._manager_for(requests[2])
        assert client._manager_for(requests[0]) is first
        assert client._manager_for(requests[1]) is not second
        assert len(client._managers) == 2

    def test_results_after_close_are_dropped(self, client, server, hub):
        responses = []
        client.perform(server.url + "/wait", on_ready=responses.append)
        [transfer] = client._active
        client.close()
        client._finish(transfer)
        client._expire(transfer)
        hub.run_once()
        assert responses == []

    def test_does_not_keep_the_process_alive(self, server):
        code = (
            "import sys\n"
            "from kombu.asynchronous import Hub\n"
            "from kombu.asynchronous.http import Client\n"
            "hub = Hub(); client = Client(hub)\n"
            "client.perform(sys.argv[1] + '/wait')\n"
            "hub.call_soon(int); hub.run_once()\n"
        )
        subprocess.run([sys.executable, "-c", code, server.url], check=True, timeout=8)


class test_options:
    def test_tls(self):
        request = Request(
            "https://h/",
            ca_certs="/ca.pem",
            client_cert="/cert.pem",
            client_key="/key.pem",
        )
        options = manager_options(request)
        assert options == {
            "cert_reqs": "CERT_REQUIRED",
            "ca_certs": "/ca.pem",
            "cert_file": "/cert.pem",
            "key_file": "/key.pem",
        }
        pool = new_manager(options, None, 5).connection_from_url("https://h/")
        assert pool.ca_certs == "/ca.pem"
        assert pool.pool.maxsize == 5

    def test_verified_by_default(self):
        assert manager_options(Request("https://h/")) == {"cert_reqs": "CERT_REQUIRED"}

    def test_unverified(self):
        options = manager_options(Request("https://h/", validate_cert=False))
        assert options == {"cert_reqs": "CERT_NONE", "assert_hostname": False}

    def test_source_address(self):
        options = manager_options(Request("http://h/", network_interface="::1"))
        assert options["source_address"] == ("::1", 0)

    def test_interface_by_name(self, monkeypatch):
        import socket

        request = Request("http://h/", network_interface="eth0")
        if hasattr(socket, "SO_BINDTODEVICE"):
            last = manager_options(request)["socket_options"][-1]
            assert last == (socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0\0")
            monkeypatch.delattr(socket, "SO_BINDTODEVICE")
        with pytest.raises(InvalidRequest, match="address"):
            manager_options(request)

    def test_proxy(self):
        assert proxy_options(Request("http://h/")) is None
        request = Request("http://h/", proxy_host="::1", proxy_port=3128)
        assert proxy_options(request) == ("http://[::1]:3128", "")


class test_Transfer:
    def test_repr(self):
        transfer = Transfer(Request("http://h/path?secret=1"), None, None)
        assert repr(transfer) == "<Transfer: <Request: GET http://h/path>, 599>"

    def test_has_timed_out(self):
        transfer = Transfer(Request("http://h/"), None, None)
        assert not transfer.has_timed_out()
        transfer.error = no_response_error(ReadTimeoutError(None, None, "x"))
        assert transfer.has_timed_out()
