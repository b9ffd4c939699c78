"""HTTP client on libcurl, whose sockets the event loop itself watches.

Needs the ``pycurl`` package; without it this module can be imported, but
no client can be made.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any

from kombu.asynchronous.http.base import (
    NO_RESPONSE,
    BaseClient,
    InvalidRequest,
    require_hub,
)
from kombu.exceptions import DriverNotInstalled, HttpError
from kombu.log import get_logger
from kombu.utils.encoding import bytes_to_str, str_to_bytes
from kombu.utils.eventio import forks

try:
    import pycurl
except ImportError:
    pycurl = None

if TYPE_CHECKING:
    from kombu.asynchronous.http.base import Headers, Request
    from kombu.asynchronous.hub import Hub
    from kombu.asynchronous.timer import Entry

__all__ = ("CurlClient",)

logger = get_logger(__name__)

Curl: Any = pycurl.Curl if pycurl is not None else None

DEFAULT_USER_AGENT = "Mozilla/5.0 (compatible; pycurl)"

#: Verbs that libcurl has no option of its own for.
EXTRA_METHODS = frozenset({"DELETE", "OPTIONS", "PATCH"})

METH_TO_CURL = (
    {
        "GET": pycurl.HTTPGET,
        "POST": pycurl.POST,
        "PUT": pycurl.UPLOAD,
        "HEAD": pycurl.NOBODY,
    }
    if pycurl is not None
    else None
)


class CurlClient(BaseClient):
    """HTTP client on libcurl.

    Arguments:
        hub: The event loop, by default the one that was set.
        max_clients: Most requests at once; others wait their turn.

    Raises:
        DriverNotInstalled: pycurl is not installed.
        KombuError: There is no event loop.
    """

    Curl = Curl

    def __init__(self, hub: Hub | None = None, max_clients: int = 10) -> None:
        if pycurl is None:
            raise DriverNotInstalled(
                "The curl client requires the pycurl library: pip install pycurl"
            )
        super().__init__(require_hub(hub))
        self.max_clients = max_clients
        self._pending: deque[Request] = deque()
        self._start_afresh()
        self.hub.on_close.add(self._on_hub_close)

    def __repr__(self) -> str:
        state = "closed" if self.is_closed else f"{len(self._active)} under way"
        return f"<{type(self).__name__}: {state}, {len(self._pending)} waiting>"

    def _start_afresh(self) -> None:
        """Have no connections yet; also in a child process."""
        self._forks = forks.count
        #: Handles in use, with what they are used for.
        self._active: dict[Any, tuple[Request, BytesIO, Headers]] = {}
        self._free_list: list[Any] = []
        self._fds: set[int] = set()
        self._timer: Entry | None = None
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timeout)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._handle_socket)

    def add_request(self, request: Request) -> Request:
        """Perform *request* as soon as possible.

        Returns:
            The request.

        Raises:
            InvalidRequest: What it asks for can not be done.
        """
        _validate(request)
        if self.is_closed:
            logger.debug("dropping %r: HTTP client is closed", request)
            return request
        if self._forks != forks.count:
            self._pending.clear()
            self._start_afresh()
        self._pending.append(request)
        self._start_pending()
        return request

    def close(self) -> None:
        """Drop what waits and what is under way; nobody is told any more."""
        if self.is_closed:
            return
        self.is_closed = True
        self.hub.on_close.discard(self._on_hub_close)
        self._pending.clear()
        self._set_timeout(-1)
        for curl in list(self._active):
            self._multi.remove_handle(curl)
            curl.close()
        self._active.clear()
        for curl in self._free_list:
            curl.close()
        self._free_list.clear()
        self._multi.close()
        for fd in list(self._fds):
            self._forget(fd)

    def _on_hub_close(self, hub: Hub) -> None:
        self.close()

    # -- what libcurl asks of the event loop

    def _set_timeout(self, milliseconds: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if milliseconds >= 0:
            self._timer = self.hub.call_later(milliseconds / 1000, self._on_timeout)

    def _handle_socket(self, event: int, fd: int, multi: Any, data: Any) -> None:
        # Removed first in any case: the number may be that of a new socket.
        self._forget(fd)
        if event in (pycurl.POLL_IN, pycurl.POLL_INOUT):
            self.hub.add_reader(fd, self.on_readable, fd)
            self._fds.add(fd)
        if event in (pycurl.POLL_OUT, pycurl.POLL_INOUT):
            self.hub.add_writer(fd, self.on_writable, fd)
            self._fds.add(fd)

    def _forget(self, fd: int) -> None:
        if fd in self._fds:
            self._fds.discard(fd)
            self.hub.remove(fd)

    # -- what the event loop tells libcurl

    def on_readable(self, fd: int, _pycurl: Any = pycurl) -> None:
        """Called when a socket can be read, or failed."""
        self._on_event(fd, _pycurl.CSELECT_IN)

    def on_writable(self, fd: int, _pycurl: Any = pycurl) -> None:
        """Called when a socket can be written."""
        self._on_event(fd, _pycurl.CSELECT_OUT)

    def _on_timeout(self) -> None:
        self._timer = None
        self._on_event(pycurl.SOCKET_TIMEOUT, 0)

    def _on_event(self, fd: int, event: int) -> None:
        if self.is_closed or self._forks != forks.count:
            return
        self._multi.socket_action(fd, event)
        self._collect()
        self._start_pending()

    def _collect(self) -> None:
        """Respond to the requests that are over."""
        while True:
            left, succeeded, failed = self._multi.info_read()
            for curl in succeeded:
                self._finish(curl)
            for curl, number, reason in failed:
                self._finish(curl, number, reason)
            if not left:
                return

    # -- requests

    def _start_pending(self) -> None:
        while self._pending and len(self._active) < self.max_clients:
            request = self._pending.popleft()
            curl = self._free_list.pop() if self._free_list else self.Curl()
            try:
                self._start(curl, request)
            except Exception as exc:
                self._active.pop(curl, None)
                curl.close()
                self._fail(request, exc)

    def _start(self, curl: Any, request: Request) -> None:
        buffer, headers = BytesIO(), self.Headers()
        self._setup_request(curl, request, buffer, headers)
        if request.on_prepare is not None:
            request.on_prepare(curl)
        self._active[curl] = (request, buffer, headers)
        self._multi.add_handle(curl)

    def _finish(self, curl: Any, number: int = 0, reason: str = "") -> None:
        request, buffer, headers = self._active.pop(curl)
        url, code = None, NO_RESPONSE
        if not number:  # what failed may have neither
            url = curl.getinfo(pycurl.EFFECTIVE_URL)
            code = curl.getinfo(pycurl.HTTP_CODE)
        self._multi.remove_handle(curl)
        curl.reset()  # forgets all options, but keeps connections
        self._free_list.append(curl)
        if number:
            if number == pycurl.E_OPERATION_TIMEDOUT:
                self._tell(request.on_timeout, request)
            return self._fail(request, HttpError(NO_RESPONSE, reason))
        response = self.Response(
            request, code, headers=headers, buffer=buffer, effective_url=url
        )
        return self._tell(request.on_ready, response)

    def _on_header(self, request: Request, headers: Headers, line: bytes) -> None:
        self.on_header(headers, line)
        self._tell(request.on_header, headers, line)

    def _setup_request(
        self, curl: Any, request: Request, buffer: BytesIO, headers: Headers
    ) -> None:
        set_option = curl.setopt
        set_option(pycurl.URL, bytes_to_str(request.url))
        set_option(pycurl.NOSIGNAL, 1)
        set_option(pycurl.HEADERFUNCTION, partial(self._on_header, request, headers))
        if request.on_stream is None:
            set_option(pycurl.WRITEFUNCTION, buffer.write)
        else:
            set_option(pycurl.WRITEFUNCTION, partial(self._tell, request.on_stream))
        set_option(pycurl.FOLLOWLOCATION, int(request.follow_redirects))
        set_option(pycurl.MAXREDIRS, request.max_redirects)
        set_option(pycurl.CONNECTTIMEOUT_MS, _milliseconds(request.connect_timeout))
        set_option(pycurl.TIMEOUT_MS, _milliseconds(request.request_timeout))
        set_option(pycurl.USERAGENT, request.user_agent or DEFAULT_USER_AGENT)
        if request.use_gzip:
            set_option(pycurl.ENCODING, "gzip,deflate")
        if request.network_interface:
            set_option(pycurl.INTERFACE, request.network_interface)
        _set_headers(curl, request)
        _set_proxy(curl, request)
        _set_certificates(curl, request)
        _set_credentials(curl, request)
        _set_body(curl, request)


def _milliseconds(seconds: float | None) -> int:
    return int(1000 * (seconds or 0))


def _validate(request: Request) -> None:
    """Raise for what is known to fail, while the caller is there to see it."""
    if request.proxy_host and not request.proxy_port:
        raise InvalidRequest("Request with proxy_host but no proxy_port")
    if (request.auth_mode or "basic").lower() not in ("basic", "digest"):
        raise InvalidRequest(
            f"auth_mode={request.auth_mode!r}: must be 'basic' or 'digest'"
        )


def _set_headers(curl: Any, request: Request) -> None:
    lines = [f"{name}: {value}" for name, value in request.headers.items()]
    if "expect" not in (name.lower() for name in request.headers):
        lines.append("Expect:")  # large bodies would wait for a go-ahead
    curl.setopt(pycurl.HTTPHEADER, [line.encode() for line in lines])


def _set_proxy(curl: Any, request: Request) -> None:
    if not request.proxy_host:
        return
    curl.setopt(pycurl.PROXY, request.proxy_host)
    curl.setopt(pycurl.PROXYPORT, request.proxy_port)
    if request.proxy_username:
        curl.setopt(pycurl.PROXYUSERNAME, request.proxy_username)
        curl.setopt(pycurl.PROXYPASSWORD, request.proxy_password or "")


def _set_certificates(curl: Any, request: Request) -> None:
    curl.setopt(pycurl.SSL_VERIFYPEER, int(request.validate_cert))
    curl.setopt(pycurl.SSL_VERIFYHOST, 2 if request.validate_cert else 0)
    if request.ca_certs is not None:
        curl.setopt(pycurl.CAINFO, request.ca_certs)
    if request.client_cert is not None:
        curl.setopt(pycurl.SSLCERT, request.client_cert)
    if request.client_key is not None:
        curl.setopt(pycurl.SSLKEY, request.client_key)


def _set_credentials(curl: Any, request: Request) -> None:
    if request.auth_username is None:
        return
    is_digest = (request.auth_mode or "basic").lower() == "digest"
    curl.setopt(
        pycurl.HTTPAUTH, pycurl.HTTPAUTH_DIGEST if is_digest else pycurl.HTTPAUTH_BASIC
    )
    # Not as one option: the name may contain a colon.
    curl.setopt(pycurl.USERNAME, request.auth_username)
    curl.setopt(pycurl.PASSWORD, request.auth_password or "")


def _set_body(curl: Any, request: Request) -> None:
    method = request.method
    body = str_to_bytes(request.body) if request.body is not None else None
    if method == "PUT":
        source = BytesIO(body or b"")
        curl.setopt(pycurl.UPLOAD, 1)
        curl.setopt(pycurl.READFUNCTION, source.read)
        # For sending it again, after a redirection or an authentication.
        curl.setopt(pycurl.SEEKFUNCTION, lambda offset, origin: _seek(source, offset))
        curl.setopt(pycurl.INFILESIZE_LARGE, len(body or b""))
    elif method == "POST":
        curl.setopt(pycurl.POST, 1)
        curl.setopt(pycurl.COPYPOSTFIELDS, body or b"")
    elif method == "HEAD":
        curl.setopt(pycurl.NOBODY, 1)
    else:
        if body:
            curl.setopt(pycurl.COPYPOSTFIELDS, body)
        if method != "GET" or body:
            curl.setopt(pycurl.CUSTOMREQUEST, method)


def _seek(source: BytesIO, offset: int) -> int:
    source.seek(offset)
    return int(pycurl.SEEKFUNC_OK)
