from __future__ import annotations

from io import BytesIO

import pytest

from kombu.asynchronous.http.base import (
    BaseClient,
    Headers,
    InvalidRequest,
    Request,
    Response,
    header_parser,
    normalize_header,
)
from kombu.exceptions import HttpError, KombuError


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("content-type", "Content-Type"),
        ("CONTENT-TYPE", "Content-Type"),
        ("etag", "Etag"),
        ("x_foo-bar", "X_foo-Bar"),
        ("-", "-"),
        ("", ""),
    ],
)
def test_normalize_header(name, expected):
    assert normalize_header(name) == expected


class test_header_parser:
    def parse(self, *lines, headers=None, **kwargs):
        parser = header_parser(**kwargs)
        headers = Headers() if headers is None else headers
        for line in lines:
            parser.send((line, headers))
        return headers

    def test_lines(self):
        headers = self.parse(
            "HTTP/1.1 200 OK",
            "content-type: text/plain",
            b"X-Bytes: yes\r\n",
            "X-Folded: a",
            "  b",
            b"\tc\r\n",
        )
        assert headers == {
            "Content-Type": "text/plain",
            "X-Bytes": "yes",
            "X-Folded": "a b c",
        }
        assert not headers.complete
        assert self.parse("", headers=headers).complete

    def test_values_may_hold_colons(self):
        assert self.parse("Location: http://h:1/") == {"Location": "http://h:1/"}

    def test_what_is_no_header_is_passed_over(self):
        assert self.parse("  folded", "nonsense", "A: b") == {"A": "b"}

    def test_the_last_of_the_same_name_counts(self):
        assert self.parse("A: b", "a: c") == {"A": "c"}

    def test_a_status_line_begins_anew(self):
        headers = self.parse(
            "HTTP/1.1 302 Found", "Location: /x", "", "HTTP/1.1 200 OK", "A: b"
        )
        assert headers == {"A": "b"}
        assert not headers.complete

    def test_responses_do_not_mix(self):
        parser, first, second = header_parser(), Headers(), Headers()
        for line, headers in [("A: 1", first), ("B: 2", second), (" more", first)]:
            parser.send((line, headers))
        assert (first, second) == ({"A": "1 more"}, {"B": "2"})

    def test_names_as_asked_for(self):
        assert self.parse("A-B: c", keyt=str.lower) == {"a-b": "c"}


class test_Request:
    def test_defaults(self):
        request = Request("http://h/")
        assert (request.url, request.method) == ("http://h/", "GET")
        assert request.headers == {}
        assert isinstance(request.headers, Headers)
        assert request.on_ready is not None
        assert request.on_timeout is None
        assert request.on_stream is None
        assert request.on_prepare is None
        assert request.on_header is None
        assert request.connect_timeout == request.request_timeout == 30.0
        assert request.follow_redirects
        assert request.max_redirects == 6
        assert request.use_gzip
        assert request.validate_cert
        for name in (
            *("body", "user_agent", "network_interface", "ca_certs"),
            *("auth_username", "auth_password", "auth_mode"),
            *("proxy_host", "proxy_port", "proxy_username", "proxy_password"),
            *("client_cert", "client_key"),
        ):
            assert getattr(request, name) is None

    def test_keywords(self):
        request = Request("http://h/", "POST", body="x", anything=1)
        assert (request.body, request.anything) == ("x", 1)
        assert Request.body is None

    def test_headers(self):
        given = {"a": "b"}
        request = Request("http://h/", headers=given)
        assert request.headers == given
        assert request.headers is not given
        headers = Headers(given)
        assert Request("http://h/", headers=headers).headers is headers

    def test_callbacks(self):
        calls = []
        request = Request("http://h/", on_ready=calls.append, on_stream=calls.append)
        request.on_stream(1)
        request.on_stream(2)
        request.on_ready(3)
        assert calls == [1, 2, 3]

    def test_then(self):
        calls = []
        request = Request("http://h/")
        request.then(calls.append)
        request.on_ready("response")
        assert calls == ["response"]

    def test_repr_has_no_secrets(self):
        request = Request("https://me:secret@host:1/path@x?token=secret")
        assert repr(request) == "<Request: GET https://host:1/path@x>"


class test_Response:
    request = Request("http://h/")

    def test_defaults(self):
        response = Response(self.request, 200)
        assert response.request is self.request
        assert (response.code, response.status_code) == (200, 200)
        assert response.status == "OK"
        assert response.headers == {}
        assert response.effective_url == "http://h/"
        assert response.error is None
        assert response.body is response.content is None
        response.raise_for_error()
        assert repr(response) == "<Response: 200 OK, <Request: GET http://h/>>"

    def test_body(self):
        buffer = BytesIO(b"0123")
        buffer.read(2)
        response = Response(self.request, 200, buffer=buffer)
        assert response.body == response.content == b"0123"

    @pytest.mark.parametrize("code", [200, 204, 299])
    def test_success(self, code):
        Response(self.request, code).raise_for_error()

    @pytest.mark.parametrize("code", [0, 100, 199, 300, 304, 404, 500, 599, 999])
    def test_failure(self, code):
        response = Response(self.request, code)
        with pytest.raises(HttpError) as info:
            response.raise_for_error()
        assert info.value.code == code
        assert info.value.message == response.status
        assert info.value.response is response

    def test_error(self):
        with pytest.raises(KeyError):
            Response(self.request, 200, error=KeyError("x")).raise_for_error()

    def test_status(self):
        response = Response(self.request, 404, status="Gone fishing")
        assert response.status == response.error.message == "Gone fishing"
        assert Response(self.request, 799).status == "Unknown"

    def test_headers_and_url(self):
        headers = Headers(A="b")
        response = Response(self.request, 200, headers, effective_url="http://other/")
        assert response.headers is headers
        assert response.effective_url == "http://other/"


class test_BaseClient:
    class MyClient(BaseClient):
        def add_request(self, request):
            self.requests = [*getattr(self, "requests", ()), request]

    def test_perform(self, hub):
        client = self.MyClient(hub, whatever=1)
        request = Request("http://a/")
        client.perform(request)
        client.perform("http://b/", method="POST")
        client.perform(["http://c/", request])
        client.perform(None)
        assert [r.url for r in client.requests] == [
            *("http://a/", "http://b/", "http://c/", "http://a/")
        ]
        assert client.requests[1].method == "POST"

    def test_add_request_is_for_subclasses(self, hub):
        with pytest.raises(NotImplementedError):
            BaseClient(hub).add_request(Request("http://a/"))

    def test_on_header(self, hub):
        client, headers = self.MyClient(hub), Headers()
        client.on_header(headers, "A: b")
        client.on_header(headers, b"")
        assert headers == {"A": "b"}
        assert headers.complete

    def test_context(self, hub):
        with self.MyClient(hub) as client:
            assert not client.is_closed
        assert client.is_closed


def test_InvalidRequest():
    error = InvalidRequest("what to do")
    assert str(error) == "what to do"
    assert str(InvalidRequest()) == ""
    assert isinstance(error, KombuError)
