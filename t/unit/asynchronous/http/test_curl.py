from __future__ import annotations

import subprocess
import sys

import pytest

from kombu.asynchronous.http.base import Request
from kombu.asynchronous.http.curl import CurlClient
from t.unit.asynchronous.http.common import ClientTests

pycurl = pytest.importorskip("pycurl")


@pytest.fixture
def client(hub):
    client = CurlClient(hub)
    yield client
    client.close()


class test_CurlClient(ClientTests):
    agent = "Mozilla/5.0 (compatible; pycurl)"

    def test_names_of_kombu(self):
        from kombu.asynchronous.http import curl

        assert CurlClient.Curl is curl.Curl is pycurl.Curl
        assert curl.METH_TO_CURL["POST"] == pycurl.POST
        assert "PATCH" in curl.EXTRA_METHODS

    def test_on_prepare_gets_the_handle(self, perform):
        handles = []
        assert perform("/echo", on_prepare=handles.append).code == 200
        assert isinstance(handles[0], pycurl.Curl)

    def test_on_prepare_may_set_options(self, perform):
        from t.unit.asynchronous.http.common import sent

        seen = sent(
            perform(
                "/echo",
                on_prepare=lambda curl: curl.setopt(pycurl.USERAGENT, "prepared"),
            )
        )
        assert seen["headers"]["User-Agent"] == "prepared"

    def test_handles_are_used_again(self, client, perform):
        perform("/echo")
        [curl] = client._free_list
        perform("/echo")
        assert client._free_list == [curl]

    def test_digest(self, perform):
        # The server does not know it: what matters is that we may ask.
        options = {"auth_username": "me", "auth_mode": "digest"}
        assert perform("/auth", **options).code == 401

    def test_certificates(self, perform, client):
        options = {"ca_certs": "/ca.pem", "client_cert": "/c.pem", "client_key": "/k"}
        assert perform("/echo", **options).code == 200  # no TLS, no use
        assert perform("/echo", validate_cert=False).code == 200

    def test_events_after_close(self, client):
        client.close()
        client.on_readable(5)
        client.on_writable(5)
        client._on_timeout()

    def test_large_upload(self, client, run, server):
        responses = []
        request = Request(
            server.url + "/code/200",
            "PUT",
            body=b"x" * 3_000_000,
            on_ready=responses.append,
        )
        client.add_request(request)
        run(lambda: responses)
        assert responses[0].code == 200


def test_without_pycurl():
    code = (
        "import sys; sys.modules['pycurl'] = None\n"
        "from kombu.asynchronous import Hub\n"
        "from kombu.asynchronous.http import curl\n"
        "from kombu.exceptions import KombuError\n"
        "assert curl.Curl is None and curl.METH_TO_CURL is None\n"
        "try:\n"
        "    curl.CurlClient(Hub())\n"
        "except ImportError as exc:\n"
        "    assert isinstance(exc, KombuError) and 'pip install pycurl' in str(exc)\n"
        "else:\n"
        "    raise SystemExit('no error')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
