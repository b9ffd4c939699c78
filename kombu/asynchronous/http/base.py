"""What all HTTP clients of the event loop share: requests and responses."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kombu.asynchronous.hub import Hub, get_event_loop
from kombu.exceptions import HttpError, KombuError
from kombu.utils.compat import coro
from kombu.utils.encoding import bytes_to_str
from kombu.utils.functional import maybe_list

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from io import BytesIO
    from types import TracebackType
    from typing import TypeAlias

__all__ = ("BaseClient", "Headers", "InvalidRequest", "Request", "Response")

#: Status of responses to requests that got no answer at all.
NO_RESPONSE = 599


class InvalidRequest(KombuError, ValueError, KeyError):
    """A request asks for something that can not be done."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


@lru_cache(maxsize=1000)
def normalize_header(key: str) -> str:
    """Return a header's name as it is usually written: ``Content-Type``."""
    return "-".join(part.capitalize() for part in key.split("-"))


class Headers(dict[str, str]):
    """HTTP headers by name.

    Attributes:
        complete: True once the empty line that ends the headers was seen.
    """

    #: Name of the header that a folded line goes on with.
    _last_name: str | None = None

    complete = False


@coro
def header_parser(
    keyt: Callable[[str], str] = normalize_header,
) -> Generator[None, tuple[str | bytes, Headers], None]:
    """Parse header lines that are sent to it.

    Arguments:
        keyt: How to write the names of headers.

    Returns:
        A generator, to which pairs of a line and the :class:`Headers` to put
        it in are sent.  Lines of several responses may come in any order.
        A status line begins anew, and a line that is no header is passed
        over.
    """
    while True:
        line, headers = yield
        parse_header(bytes_to_str(line), headers, keyt)


def parse_header(
    line: str, headers: Headers, keyt: Callable[[str], str] = normalize_header
) -> None:
    """Put what *line* says into *headers*; see :func:`header_parser`."""
    text = line.strip()
    if not text:
        headers.complete = True
    elif line.startswith("HTTP/"):
        if headers.complete:  # of a redirection, or a provisional response
            headers.clear()
        headers.complete = False
        headers._last_name = None
    elif line[0] in " \t":
        if headers._last_name is not None:
            headers[headers._last_name] += " " + text
    else:
        name, colon, value = text.partition(":")
        if colon:
            headers._last_name = keyt(name.rstrip())
            headers[headers._last_name] = value.strip()


def no_response_error(cause: BaseException) -> HttpError:
    """Return the error of a request that failed because of *cause*."""
    error = HttpError(NO_RESPONSE, f"{type(cause).__name__}: {cause}")
    error.__cause__ = cause
    return error


def require_hub(hub: Hub | None) -> Hub:
    """Return *hub*, or else the event loop that was set.

    Raises:
        KombuError: There is none.
    """
    hub = hub or get_event_loop()
    if hub is None:
        raise KombuError(
            "an HTTP client needs an event loop: pass hub=..., or set one by "
            "kombu.asynchronous.set_event_loop()"
        )
    return hub


def _maybe_promise(callback: Any) -> Any:
    from vine import maybe_promise

    return maybe_promise(callback)


class Request:
    """An HTTP request.

    All callbacks are called in the thread of the event loop.

    Arguments:
        url: What to request.
        method: Verb of the request.
        on_ready: Called with the :class:`Response`, also if there is none: see
            :attr:`Response.error`.
        on_timeout: Called with the request if it was not over in time, before
            *on_ready* is.
        on_stream: Called with each part of the body; the response has no body
            then.
        on_prepare: Called right before the request is sent, with what the
            client makes of it: a ``pycurl.Curl``, or this request itself,
            which may be changed then.
        on_header: Called with the headers so far, and each line of them.
        headers: Headers to send.
        kwargs: Any of the attributes below.

    Attributes:
        body: What to send; text is sent as UTF-8.
        connect_timeout: Seconds until the connection must stand.
        request_timeout: Seconds until all must be over; 0 or :const:`None`
            for no limit.
        follow_redirects: Whether to go where the server says.
        max_redirects: How often at most.
        use_gzip: Whether to accept a compressed body, which is unpacked.
        validate_cert: Whether to insist on a certificate that is valid.
        ca_certs: File of the authorities that are trusted.
        client_cert: File of our own certificate.
        client_key: File of its key, if that is another one.
        auth_username: Name to authenticate with.
        auth_password: Password for it.
        auth_mode: ``basic``, the default, or ``digest`` with the curl client.
        user_agent: What we call ourselves.
        network_interface: Name or address of the interface to use.
        proxy_host: Host of an HTTP proxy.
        proxy_port: Port of it; must be given with the host.
        proxy_username: Name to authenticate with there.
        proxy_password: Password for it.
    """

    body: Any = None
    user_agent: str | None = None
    network_interface: str | None = None
    validate_cert: bool = True
    ca_certs: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    auth_username: str | None = None
    auth_password: str | None = None
    auth_mode: str | None = None
    proxy_host: str | None = None
    proxy_port: int | None = None
    proxy_username: str | None = None
    proxy_password: str | None = None
    use_gzip: bool = True
    connect_timeout: float | None = 30.0
    request_timeout: float | None = 30.0
    follow_redirects: bool = True
    max_redirects: int = 6

    __slots__ = (
        "__dict__",
        "__weakref__",
        "headers",
        "method",
        "on_header",
        "on_prepare",
        "on_ready",
        "on_stream",
        "on_timeout",
        "url",
    )

    def __init__(
        self,
        url: str,
        method: str = "GET",
        on_ready: Callable[[Response], Any] | None = None,
        on_timeout: Callable[[Request], Any] | None = None,
        on_stream: Callable[[bytes], Any] | None = None,
        on_prepare: Callable[[Any], Any] | None = None,
        on_header: Callable[[Headers, bytes], Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self.url = url
        self.method = method or "GET"
        self.on_ready = _maybe_promise(on_ready) or _new_promise()
        self.on_timeout = _maybe_promise(on_timeout)
        self.on_stream = _maybe_promise(on_stream)
        self.on_prepare = _maybe_promise(on_prepare)
        self.on_header = _maybe_promise(on_header)
        if not isinstance(headers, Headers):
            headers = Headers(headers or {})
        self.headers = headers
        for name, value in kwargs.items():
            setattr(self, name, value)

    def then(
        self,
        callback: Callable[[Response], Any],
        errback: Callable[[BaseException], Any] | None = None,
    ) -> Any:
        """Call *callback* with the response, besides ``on_ready``."""
        return self.on_ready.then(callback, errback)

    def __repr__(self) -> str:
        # The URL is shown up to its query, which may hold credentials.
        url = str(self.url).partition("?")[0]
        return f"<Request: {self.method} {_without_password(url)}>"


def _new_promise() -> Any:
    from vine import promise

    return promise()


def _without_password(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}"


class Response:
    """The answer to a request.

    Arguments:
        request: What it answers.
        code: Status; 599 if there was no answer.
        headers: Headers received.
        buffer: The body.
        effective_url: Where the answer came from in the end.
        error: What went wrong; by default an :exc:`HttpError` if *code* says
            so.
        status: Reason, by default the usual one.
    """

    __slots__ = (
        "__weakref__",
        "_body",
        "buffer",
        "code",
        "effective_url",
        "error",
        "headers",
        "request",
        "status",
    )

    def __init__(
        self,
        request: Request,
        code: int,
        headers: Headers | None = None,
        buffer: BytesIO | None = None,
        effective_url: str | None = None,
        error: BaseException | None = None,
        status: str | None = None,
    ) -> None:
        self.request = request
        self.code = code
        self.headers = headers if headers is not None else Headers()
        self.buffer = buffer
        self.effective_url = effective_url or request.url
        self._body: bytes | None = None
        self.status = status or _reason_of(code)
        self.error = error
        if error is None and not 200 <= code < 300:
            self.error = HttpError(code, self.status, self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.code} {self.status}, {self.request!r}>"

    def raise_for_error(self) -> None:
        """Raise what went wrong, if anything did.

        Raises:
            HttpError: The status is not one of success.
        """
        if self.error:
            raise self.error

    @property
    def body(self) -> bytes | None:
        """The full content; :const:`None` if there was no answer."""
        if self._body is None and self.buffer is not None:
            self._body = self.buffer.getvalue()
        return self._body

    @property
    def status_code(self) -> int:
        """The same as :attr:`code`."""
        return self.code

    @property
    def content(self) -> bytes | None:
        """The same as :attr:`body`."""
        return self.body


def _reason_of(code: int) -> str:
    from http.client import responses

    return responses.get(code, "Unknown")


#: Names for these classes that no client's attributes hide.
HttpHeaders: TypeAlias = Headers
HttpRequest: TypeAlias = Request


class BaseClient:
    """What performs requests.

    Arguments:
        hub: The event loop in which callbacks are called.
        kwargs: For subclasses.
    """

    Headers = Headers
    Request = Request
    Response = Response

    def __init__(self, hub: Hub, **kwargs: Any) -> None:
        self.hub = hub
        #: True once nothing more can be requested.
        self.is_closed = False
        self._header_parser = header_parser()

    def perform(self, request: Any, **kwargs: Any) -> None:
        """Perform one request, or several.

        Arguments:
            request: A :class:`Request` or a URL, or a list of them.
            kwargs: Arguments for the requests that are made of URLs.
        """
        for item in maybe_list(request) or []:
            if not isinstance(item, self.Request):
                item = self.Request(item, **kwargs)
            self.add_request(item)

    def add_request(self, request: HttpRequest) -> Any:
        """Perform *request* as soon as possible; subclasses say how."""
        raise NotImplementedError("must implement add_request")

    def close(self) -> None:
        """Give back what is held, and drop what is under way."""
        self.is_closed = True

    def on_header(self, headers: HttpHeaders, line: str | bytes) -> None:
        """Put a header *line* into *headers*."""
        self._header_parser.send((line, headers))

    def _tell(self, callback: Any, *args: Any) -> None:
        """Have a callback of a request called by the event loop."""
        if callback is not None:
            # Not given to the loop itself: it calls thenables without
            # arguments.
            self.hub.call_soon(_call, callback, args)

    def _fail(self, request: HttpRequest, error: BaseException) -> None:
        """Answer *request*, to which there is no answer."""
        if not isinstance(error, HttpError):
            error = no_response_error(error)
        self._tell(request.on_ready, self.Response(request, NO_RESPONSE, error=error))

    def __enter__(self) -> Any:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self.close()


def _call(callback: Callable[..., Any], args: tuple[Any, ...]) -> None:
    callback(*args)
