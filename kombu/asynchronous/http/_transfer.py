"""Performs one HTTP request with urllib3, in whatever thread it is run."""

from __future__ import annotations

import socket
from base64 import b64encode
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit

from kombu.asynchronous.http.base import (
    NO_RESPONSE,
    Headers,
    InvalidRequest,
    no_response_error,
    parse_header,
)
from kombu.exceptions import HttpError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from urllib3 import BaseHTTPResponse, PoolManager

    from kombu.asynchronous.http.base import Request

__all__ = ("Transfer", "manager_options", "new_manager", "proxy_options")

DEFAULT_USER_AGENT = "Mozilla/5.0 (compatible; kombu)"

#: How much of a body is read at once, in bytes.
CHUNK_SIZE = 64 * 1024

#: Verbs that may be sent again when the server has closed a kept connection.
REPEATABLE_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PUT"})

#: Headers that say who we are, and are not for other servers.
PRIVATE_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})


def manager_options(request: Request) -> dict[str, Any]:
    """Return what connections for *request* need, as arguments of urllib3.

    Raises:
        InvalidRequest: The network interface can not be used here.
    """
    options: dict[str, Any] = {
        "cert_reqs": "CERT_REQUIRED" if request.validate_cert else "CERT_NONE",
        "ca_certs": request.ca_certs,
        "cert_file": request.client_cert,
        "key_file": request.client_key,
    }
    if not request.validate_cert:
        options["assert_hostname"] = False
    if request.network_interface:
        options.update(_interface_options(request.network_interface))
    return {name: value for name, value in options.items() if value is not None}


def _interface_options(interface: str) -> dict[str, Any]:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, interface)
        except OSError:
            continue
        return {"source_address": (interface, 0)}
    if not hasattr(socket, "SO_BINDTODEVICE"):
        raise InvalidRequest(
            f"network_interface={interface!r}: this platform can not bind to an "
            "interface by name; give its address"
        )
    device = interface.encode() + b"\0"
    return {
        "socket_options": (
            (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
            (socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device),
        )
    }


def proxy_options(request: Request) -> tuple[str, str] | None:
    """Return URL and credentials of the proxy, if *request* has one.

    Raises:
        InvalidRequest: The proxy's port is missing.
    """
    host = request.proxy_host
    if not host:
        return None
    if not request.proxy_port:
        raise InvalidRequest("Request with proxy_host but no proxy_port")
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    credentials = ""
    if request.proxy_username:
        credentials = f"{request.proxy_username}:{request.proxy_password or ''}"
    return f"http://{host}:{request.proxy_port}", credentials


def new_manager(
    options: dict[str, Any], proxy: tuple[str, str] | None, size: int
) -> PoolManager:
    """Return what keeps the connections for requests with these options.

    Arguments:
        options: As of :func:`manager_options`.
        proxy: As of :func:`proxy_options`.
        size: Connections to keep for each server.
    """
    import urllib3

    if proxy is None:
        return urllib3.PoolManager(num_pools=size, maxsize=size, **options)
    url, credentials = proxy
    headers = {"Proxy-Authorization": _basic(credentials)} if credentials else None
    return urllib3.ProxyManager(
        url, num_pools=size, maxsize=size, proxy_headers=headers, **options
    )


def _basic(credentials: str) -> str:
    return "Basic " + b64encode(credentials.encode()).decode()


class Transfer:
    """A request on its way, and what became of it.

    What belongs to the request is copied when this is made, in the thread of
    the event loop; :meth:`run` may then be called in another one.

    Arguments:
        request: What to perform.
        manager: Where to get connections from.
        tell: Called with a callback of the request and its arguments, to have
            it called in the thread of the event loop.

    Attributes:
        is_abandoned: Set when nobody is interested any more.
        error: What went wrong, once it is over.
    """

    __slots__ = (
        "_body",
        "_headers",
        "_limits",
        "_manager",
        "_method",
        "_tell",
        "_url",
        "buffer",
        "code",
        "error",
        "headers",
        "is_abandoned",
        "request",
        "timer",
    )

    def __init__(
        self,
        request: Request,
        manager: PoolManager,
        tell: Callable[..., None],
    ) -> None:
        self.request = request
        self.is_abandoned = False
        self.timer: Any = None
        self.code = NO_RESPONSE
        self.error: HttpError | None = None
        self.headers = Headers()
        self.buffer: BytesIO | None = None
        self._manager = manager
        self._tell = tell
        self._method = request.method
        self._url = request.url
        body = request.body
        self._body = body.encode() if isinstance(body, str) else body
        self._headers = _headers_for(request)
        self._limits = (
            request.connect_timeout or None,
            request.request_timeout or None,
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.request!r}, {self.code}>"

    @property
    def effective_url(self) -> str:
        """Where the answer came from in the end."""
        return self._url

    def run(self) -> None:
        """Perform the request; raises nothing, see :attr:`error`."""
        try:
            self._receive(self._follow())
        except HttpError as exc:
            self.error = exc
        except Exception as exc:
            self.error = no_response_error(exc)

    def has_timed_out(self) -> bool:
        """True if the error is that it took too long."""
        from urllib3.exceptions import NewConnectionError, TimeoutError

        cause = self.error.__cause__ if self.error is not None else None
        # urllib3 counts refused connections among the timeouts.
        return isinstance(cause, TimeoutError) and not isinstance(
            cause, NewConnectionError
        )

    def _follow(self) -> BaseHTTPResponse:
        """Return the response at the end of all redirections."""
        request = self.request
        if "://" not in self._url:
            raise InvalidRequest("the URL must begin with a scheme, such as https://")
        redirections = 0
        while True:
            response = self._send()
            location = response.get_redirect_location()
            if not location or not request.follow_redirects:
                return response
            redirections += 1
            if redirections > request.max_redirects:
                response.close()
                raise HttpError(
                    NO_RESPONSE,
                    f"more than {request.max_redirects} redirections",
                )
            response.drain_conn()
            self._go_to(location, response.status)

    def _go_to(self, location: str, status: int) -> None:
        url = urljoin(self._url, location)
        if urlsplit(url)[:2] != urlsplit(self._url)[:2]:
            self._drop_headers(PRIVATE_HEADERS)
        self._url = url
        becomes_get = (
            self._method != "HEAD" if status == 303 else self._method == "POST"
        )
        if becomes_get and status in (301, 302, 303):
            self._method, self._body = "GET", None
            self._drop_headers({"content-type", "content-length"})

    def _drop_headers(self, names: set[str] | frozenset[str]) -> None:
        self._headers = {
            name: value
            for name, value in self._headers.items()
            if name.lower() not in names
        }

    def _send(self) -> BaseHTTPResponse:
        from urllib3 import Timeout
        from urllib3.exceptions import ProtocolError

        connect_timeout, request_timeout = self._limits
        arguments: dict[str, Any] = {
            "body": self._body,
            "headers": self._headers,
            "redirect": False,
            "retries": False,
            "preload_content": False,
            "timeout": Timeout(
                total=request_timeout,
                connect=connect_timeout or request_timeout,
                read=request_timeout,
            ),
        }
        try:
            return self._manager.urlopen(self._method, self._url, **arguments)
        except ProtocolError:
            # The server may have closed a kept connection just now.
            if self._method not in REPEATABLE_METHODS or self.is_abandoned:
                raise
            return self._manager.urlopen(self._method, self._url, **arguments)

    def _receive(self, response: BaseHTTPResponse) -> None:
        on_stream = self.request.on_stream
        buffer = BytesIO()
        try:
            self._receive_headers(response)
            for chunk in _chunks(response, as_they_come=on_stream is not None):
                if self.is_abandoned:
                    raise HttpError(NO_RESPONSE, "abandoned")
                if on_stream is None:
                    buffer.write(chunk)
                elif chunk:
                    self._tell(on_stream, chunk)
        except BaseException:
            response.close()
            raise
        response.release_conn()
        self.code, self.buffer = response.status, buffer

    def _receive_headers(self, response: BaseHTTPResponse) -> None:
        version = {10: "1.0", 20: "2"}.get(response.version, "1.1")
        lines = [f"HTTP/{version} {response.status} {response.reason or ''}".rstrip()]
        lines += [f"{name}: {value}" for name, value in response.headers.items()]
        lines.append("")
        for line in lines:
            parse_header(line, self.headers)
            if self.request.on_header is not None:
                encoded = f"{line}\r\n".encode("latin-1")
                self._tell(self.request.on_header, self.headers, encoded)


def _headers_for(request: Request) -> dict[str, str]:
    """Return the headers to send: those given, and those that are usual."""
    headers = {"User-Agent": request.user_agent or DEFAULT_USER_AGENT, "Accept": "*/*"}
    if request.use_gzip:
        headers["Accept-Encoding"] = "gzip,deflate"
    if request.method == "POST":
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    credentials = _credentials_for(request)
    if credentials is not None:
        headers["Authorization"] = _basic(credentials)
    given = {name.lower() for name in request.headers}
    headers = {name: it for name, it in headers.items() if name.lower() not in given}
    headers.update((name, str(value)) for name, value in request.headers.items())
    return headers


def _credentials_for(request: Request) -> str | None:
    """Return name and password: those given, or those in the URL."""
    if request.auth_username is not None:
        return f"{request.auth_username}:{request.auth_password or ''}"
    authority = urlsplit(request.url).netloc
    if "@" not in authority:
        return None
    name, _, password = authority.rpartition("@")[0].partition(":")
    return f"{unquote(name)}:{unquote(password)}"


def _chunks(response: BaseHTTPResponse, as_they_come: bool) -> Iterator[bytes]:
    """Iterate over the body, unpacked; in what the network gives if asked to."""
    read_some = getattr(response, "read1", None)
    is_plain = not response.headers.get("Content-Encoding")
    if not (as_they_come and is_plain and read_some):
        yield from response.stream(CHUNK_SIZE, decode_content=True)
        return
    while chunk := read_some(CHUNK_SIZE):
        yield chunk
