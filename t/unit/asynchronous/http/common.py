"""What every HTTP client must do."""

from __future__ import annotations

import json
import os
import socket
import sys

import pytest

from kombu.asynchronous.http.base import InvalidRequest
from kombu.exceptions import HttpError


def sent(response):
    """Return what the server saw."""
    assert response.code == 200, response.error
    return json.loads(response.body)


class ClientTests:
    agent = ""

    def test_get(self, perform, server):
        response = perform("/echo")
        assert response.code == response.status_code == 200
        assert response.status == "OK"
        assert response.error is None
        assert response.headers["X-First"] == "1"
        assert response.headers.complete
        assert response.effective_url == server.url + "/echo"
        seen = sent(response)
        assert seen["method"] == "GET"
        assert seen["body"] == ""
        assert seen["headers"]["User-Agent"] == self.agent
        assert seen["headers"]["Accept-Encoding"] == "gzip,deflate"
        assert seen["headers"]["Accept"] == "*/*"

    @pytest.mark.parametrize(
        "method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]
    )
    @pytest.mark.parametrize("body", [b"bytes", "t\xe9xt", None, b""])
    def test_methods_and_bodies(self, perform, method, body):
        seen = sent(perform("/echo", method, body=body))
        text = body.decode() if isinstance(body, bytes) else body
        assert (seen["method"], seen["body"]) == (method, text or "")

    def test_head(self, perform):
        response = perform("/echo", "HEAD")
        assert response.code == 200
        assert response.body == b""

    def test_form_is_the_default_of_post(self, perform):
        seen = sent(perform("/echo", "POST", body=b"a=b"))
        assert seen["headers"]["Content-Type"] == "application/x-www-form-urlencoded"

    def test_headers(self, perform):
        headers = {"X-Number": 3, "content-type": "text/plain", "User-Agent": "me"}
        seen = sent(perform("/echo", "POST", body=b"x", headers=headers))
        seen = {name.lower(): value for name, value in seen["headers"].items()}
        assert seen["x-number"] == "3"
        assert seen["content-type"] == "text/plain"
        assert seen["user-agent"] == "me"
        assert headers["X-Number"] == 3

    def test_user_agent(self, perform):
        seen = sent(perform("/echo", user_agent="somebody/1.0"))
        assert seen["headers"]["User-Agent"] == "somebody/1.0"

    def test_options_do_not_last(self, perform):
        perform("/echo", "PUT", body=b"x", user_agent="x", auth_username="y")
        seen = sent(perform("/echo"))
        assert seen["headers"]["User-Agent"] == self.agent
        assert "Authorization" not in seen["headers"]
        assert seen["method"] == "GET"

    @pytest.mark.parametrize("code", [400, 404, 500, 503])
    def test_errors(self, perform, code):
        response = perform(f"/code/{code}")
        assert response.code == code
        assert response.body == b"code"
        with pytest.raises(HttpError) as info:
            response.raise_for_error()
        assert info.value.code == code
        assert info.value.response is response

    def test_no_content(self, perform):
        response = perform("/code/204")
        assert response.error is None

    # -- redirections

    def test_redirections(self, perform, server):
        response = perform("/redirect/302/3")
        assert response.effective_url == server.url + "/echo"
        assert sent(response)["path"] == "/echo"
        assert "Location" not in response.headers

    def test_not_followed(self, perform, server):
        response = perform("/redirect/302/3", follow_redirects=False)
        assert response.code == 302
        assert response.headers["Location"] == "/redirect/302/2"
        assert response.body == b"moved"

    def test_too_many(self, perform):
        response = perform("/redirect/302/4", max_redirects=3)
        assert response.code == 599
        assert isinstance(response.error, HttpError)
        assert sent(perform("/redirect/302/3", max_redirects=3))

    @pytest.mark.parametrize(
        ("code", "method"),
        [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")],
    )
    def test_post_is_redirected(self, perform, code, method):
        seen = sent(perform(f"/redirect/{code}/1", "POST", body=b"x"))
        assert seen["method"] == method
        assert seen["body"] == ("x" if method == "POST" else "")

    @pytest.mark.parametrize("code", [302, 307])
    def test_put_is_redirected(self, perform, code):
        seen = sent(perform(f"/redirect/{code}/1", "PUT", body=b"x"))
        assert (seen["method"], seen["body"]) == ("PUT", "x")

    # -- bodies

    def test_gzip(self, perform):
        assert perform("/gzip").body == b"squeezed" * 100
        response = perform("/gzip", use_gzip=False)
        assert response.body == b"squeezed" * 100
        assert "Content-Encoding" not in response.headers

    @pytest.mark.parametrize("kind", ["plain", "chunked"])
    def test_on_stream(self, client, run, server, kind):
        parts, responses = [], []
        client.perform(
            f"{server.url}/parts/{kind}",
            on_stream=parts.append,
            on_ready=responses.append,
        )
        run(lambda: parts)
        assert parts == [b"first"]
        assert not responses
        server.go_on.set()
        run(lambda: responses)
        assert parts == [b"first", b"other"]
        assert not responses[0].body

    def test_chunked(self, perform, server):
        server.go_on.set()
        assert perform("/parts/chunked").body == b"firstother"

    def test_on_header(self, perform):
        lines = []
        response = perform(
            "/echo", on_header=lambda headers, line: lines.append((headers, line))
        )
        assert lines[0][1].startswith(b"HTTP/1.1 200")
        assert b"X-First: 1\r\n" in [line for _, line in lines]
        assert lines[-1][1] == b"\r\n"
        assert lines[-1][0] == response.headers

    # -- who and where

    def test_authentication(self, perform):
        assert perform("/auth").code == 401
        response = perform("/auth", auth_username="us:er", auth_password="pass")
        assert response.body == b"us:er:pass"
        assert perform("/auth", auth_username="user").body == b"user:"
        response = perform("/auth", auth_username="u", auth_mode="basic")
        assert response.body == b"u:"

    def test_authentication_in_the_url(self, perform, server):
        url = server.url.replace("://", "://us%65r:p%40ss@") + "/auth"
        assert perform(url).body == b"user:p@ss"

    def test_unknown_authentication(self, client):
        with pytest.raises(InvalidRequest, match="auth_mode"):
            client.perform("http://h/", auth_mode="oauth")
        with pytest.raises(KeyError):
            client.perform("http://h/", auth_mode="oauth")

    def test_proxy(self, perform, server):
        seen = sent(
            perform(
                "http://nowhere.invalid/echo",
                proxy_host="127.0.0.1",
                proxy_port=server.server_port,
                proxy_username="me",
                proxy_password="secret",
            )
        )
        assert seen["path"] == "http://nowhere.invalid/echo"
        assert seen["headers"]["Proxy-Authorization"] == "Basic bWU6c2VjcmV0"
        seen = sent(
            perform("/echo", proxy_host="127.0.0.1", proxy_port=server.server_port)
        )
        assert "Proxy-Authorization" not in seen["headers"]
        assert sent(perform("/echo"))["path"] == "/echo"

    def test_proxy_without_a_port(self, client):
        with pytest.raises(InvalidRequest, match="proxy_port"):
            client.perform("http://h/", proxy_host="proxy")
        with pytest.raises(ValueError):
            client.perform("http://h/", proxy_host="proxy")

    def test_network_interface(self, perform):
        assert perform("/echo", network_interface="127.0.0.1").code == 200

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux can")
    def test_network_interface_by_name(self, perform):
        assert perform("/echo", network_interface="nosuch0").code == 599

    # -- failures

    def test_refused(self, perform):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            response = perform(f"http://127.0.0.1:{unused.getsockname()[1]}/")
        assert response.code == 599
        assert response.body is None
        assert isinstance(response.error, HttpError)
        assert response.error.code == 599
        with pytest.raises(HttpError):
            response.raise_for_error()

    @pytest.mark.parametrize("url", ["nonsense://", "http://", "gopher://127.0.0.1/"])
    def test_bad_url(self, perform, url):
        assert perform(url).code == 599

    def test_broken_off(self, perform):
        assert perform("/broken").code == 599

    def test_hang_up(self, perform):
        assert perform("/hangup", "POST").code == 599

    def test_timeout(self, perform, server):
        expired = []
        response = perform("/wait", request_timeout=0.05, on_timeout=expired.append)
        assert response.code == 599
        assert "timed out" in str(response.error)
        assert expired == [response.request]
        server.go_on.set()

    def test_no_timeout(self, perform):
        assert perform("/echo", request_timeout=None, connect_timeout=None).code == 200

    def test_failing_callbacks(self, client, run, server, perform, caplog):
        called = []

        def fail(*args):
            called.append(args)
            raise KeyError("oops")

        client.perform(server.url + "/echo", on_ready=fail, on_header=fail)
        run(lambda: any(len(args) == 1 for args in called))
        run(lambda: "oops" in caplog.text)
        assert perform("/echo").code == 200

    def test_failing_on_prepare(self, perform):
        def fail(arg):
            raise KeyError("oops")

        response = perform("/echo", on_prepare=fail)
        assert response.code == 599
        assert "oops" in str(response.error)
        assert perform("/echo").code == 200

    # -- many

    def test_connections_are_kept(self, perform, server):
        for _ in range(5):
            perform("/echo")
        assert len(server.addresses) == 1

    def test_no_more_than_max_clients(self, client, run, server):
        client.max_clients = 3
        responses = []
        for _ in range(7):
            client.perform(server.url + "/wait", on_ready=responses.append)
        assert "3 under way, 4 waiting" in repr(client)

        def arrived():
            return server.arrived._value >= 3

        run(arrived)
        assert server.arrived._value == 3
        server.go_on.set()
        run(lambda: len(responses) == 7)
        assert {response.body for response in responses} == {b"at last"}
        assert "0 under way, 0 waiting" in repr(client)

    def test_then(self, client, run, server):
        responses = []
        request = client.Request(server.url + "/echo")
        request.then(responses.append)
        client.add_request(request)
        run(lambda: responses)
        assert responses[0].code == 200

    def test_perform_many(self, client, run, server):
        responses = []
        urls = [server.url + "/echo", server.url + "/code/404"]
        client.perform(urls, on_ready=responses.append)
        run(lambda: len(responses) == 2)
        assert sorted(response.code for response in responses) == [200, 404]

    # -- the end

    def test_close(self, client, server, hub, caplog):
        caplog.set_level("DEBUG")
        responses = []
        client.max_clients = 1
        for _ in range(3):
            client.perform(server.url + "/wait", on_ready=responses.append)
        hub.call_soon(int)
        hub.run_once()
        client.close()
        client.close()
        server.go_on.set()
        for _ in range(5):
            hub.run_once()
        assert responses == []
        assert client.is_closed
        assert hub.readers == {}
        assert not [item for item in hub.timer.queue if not item.entry.cancelled]
        assert "closed" in repr(client)
        client.perform(server.url + "/echo", on_ready=responses.append)
        assert "HTTP client is closed" in caplog.text

    def test_closes_with_the_hub(self, client, hub):
        hub.reset()
        assert client.is_closed
        assert hub.on_close == set()

    def test_context(self, client):
        with client as entered:
            assert entered is client
        assert client.is_closed

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    @pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
    def test_fork(self, perform, server):
        perform("/echo")
        child = os.fork()
        if not child:
            status = 1
            try:
                status = 0 if perform("/echo").code == 200 else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert perform("/echo").code == 200
        assert len(server.addresses) == 2
