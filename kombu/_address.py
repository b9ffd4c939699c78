"""Where a broker is, and how to log in there: the parameters of a connection."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

from kombu import exceptions
from kombu._failover import FAILOVER_STRATEGIES, split_urls, strategy_by_name
from kombu._parameters import PARAMETER_NAMES, parse_host
from kombu.transport import DEFAULT_TRANSPORT
from kombu.utils.collections import HashedSeq
from kombu.utils.url import as_url, maybe_sanitize_url

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("Address",)


class InvalidStrictness(exceptions.KombuError, ValueError):
    """``strict`` is none of the words that it can be."""


class Address:
    """The parameters of a :class:`~kombu.Connection`, and how they are shown."""

    port: int | None = None
    virtual_host: str | None = "/"
    connect_timeout: float = 5
    hostname: str | None = None
    userid: str | None = None
    password: Any = None
    ssl: Any = None
    login_method: str | None = None
    heartbeat: Any = None
    credential_provider: Any = None
    transport_options: dict[str, Any] = None  # type: ignore[assignment]
    failover_strategy: Any = "round-robin"
    uri_prefix: str | None = None

    #: What to do when something is asked that the transport does not offer.
    strict: bool | str = "warn"

    #: Iterator over the URLs, if there are several.
    cycle: Iterator[str] | None = None

    #: Names by which transports are shown.
    resolve_aliases = {"pyamqp": "amqp", "librabbitmq": "amqp"}

    failover_strategies = FAILOVER_STRATEGIES

    transport_cls: Any
    transport: Any

    def __init__(
        self,
        hostname: Any = "localhost",
        userid: str | None = None,
        password: Any = None,
        virtual_host: str | None = None,
        port: int | None = None,
        insist: bool = False,
        ssl: Any = False,
        transport: Any = None,
        connect_timeout: float = 5,
        transport_options: dict[str, Any] | None = None,
        login_method: str | None = None,
        uri_prefix: str | None = None,
        heartbeat: Any = 0,
        failover_strategy: Any = "round-robin",
        alternates: list[str] | None = None,
        credential_provider: Any = None,
        *,
        strict: bool | str = "warn",
        **kwargs: Any,
    ) -> None:
        self.strict = strict
        self._check_strictness()
        host, self.alt = split_urls(hostname, alternates)
        self._initial_params: dict[str, Any] = {
            "hostname": host,
            "userid": userid,
            "password": password,
            "virtual_host": virtual_host,
            "port": port,
            "insist": insist,
            "ssl": ssl,
            "transport": transport,
            "connect_timeout": connect_timeout,
            "login_method": login_method,
            "heartbeat": heartbeat,
            "credential_provider": credential_provider,
        }
        self.transport_options = dict(transport_options or {})
        self._failover_strategy = failover_strategy or "round-robin"
        self.failover_strategy = strategy_by_name(self._failover_strategy)
        if self.alt:
            self.cycle = self.failover_strategy(self.alt)
            next(self.cycle)  # the one that we begin with
        if uri_prefix is not None:
            self.uri_prefix = uri_prefix
        self._use_host(host)
        self._begin()

    def _begin(self) -> None:
        """Is called once the parameters are known."""

    def _use_host(self, host: str | None) -> None:
        """Take the parameters that *host*, a URL or a name, gives."""
        params = self._initial_params
        if host:
            found, prefix = parse_host(host, params["transport"])
            if prefix is not None:
                self.uri_prefix = prefix
            params = {**params, **found}
        self._init_params(**params)

    def _init_params(
        self,
        hostname: str | None,
        userid: str | None,
        password: Any,
        virtual_host: str | None,
        port: int | None,
        insist: bool,
        ssl: Any,
        transport: Any,
        connect_timeout: float,
        login_method: str | None,
        heartbeat: Any,
        credential_provider: Any = None,
    ) -> None:
        self.hostname = hostname
        self.userid = userid
        self.password = password
        self.login_method = login_method
        self.virtual_host = virtual_host or type(self).virtual_host
        self.port = port or type(self).port
        self.insist = insist
        self.connect_timeout = connect_timeout
        self.ssl = ssl
        self.transport_cls = transport or DEFAULT_TRANSPORT
        self.heartbeat = heartbeat and float(heartbeat)
        self.credential_provider = credential_provider

    # -- showing, copying, comparing -------------------------------------------

    def __repr__(self) -> str:
        return f"<Connection: {self.as_uri()} at {id(self):#x}>"

    def __copy__(self) -> Any:
        return self.clone()

    def __reduce__(self) -> tuple[Any, ...]:
        state = {"_initial_params": self._initial_params, "strict": self.strict}
        return self._class_of_copies(), tuple(self.info().values()), state

    def _class_of_copies(self) -> type[Address]:
        return type(self)

    def __eqhash__(self) -> HashedSeq:
        return HashedSeq(
            self.transport_cls,
            self.hostname,
            self.userid,
            self.password,
            self.virtual_host,
            self.port,
            repr(self.transport_options),
        )

    def clone(self, **kwargs: Any) -> Any:
        """Return a connection like this one, not connected.

        Arguments:
            **kwargs: Arguments to change.
        """
        arguments = {**dict(self._info(resolve=False)), "strict": self.strict}
        clone = self._class_of_copies()(**{**arguments, **kwargs})
        clone._inherit(self, **kwargs)
        return clone

    def _inherit(self, other: Address, **changed: Any) -> None:
        """Fail over as *other* does: what its current URL says is not for all."""
        changed = {k: v for k, v in changed.items() if k in PARAMETER_NAMES}
        self._initial_params = {**other._initial_params, **changed}

    def info(self) -> dict[str, Any]:
        """Return the arguments of the connection, with the transport's defaults."""
        return dict(self._info())

    def _info(self, resolve: bool = True) -> tuple[tuple[str, Any], ...]:
        transport_cls = self.transport_cls
        defaults: dict[str, Any] = {}
        hostname = self.hostname
        if resolve:
            transport_cls = self._shown_transport()
            defaults = self._default_params()
            hostname = hostname or defaults.get("hostname")
        if self.uri_prefix:
            hostname = f"{self.uri_prefix}+{hostname}"
        return (
            ("hostname", hostname),
            ("userid", self.userid or defaults.get("userid")),
            ("password", self.password or defaults.get("password")),
            ("virtual_host", self.virtual_host or defaults.get("virtual_host")),
            ("port", self.port or defaults.get("port")),
            ("insist", self.insist),
            ("ssl", self.ssl),
            ("transport", transport_cls),
            ("connect_timeout", self.connect_timeout),
            ("transport_options", self.transport_options),
            ("login_method", self.login_method or defaults.get("login_method")),
            ("uri_prefix", self.uri_prefix),
            ("heartbeat", self.heartbeat),
            ("failover_strategy", self._failover_strategy),
            ("alternates", self.alt),
            ("credential_provider", self.credential_provider),
        )

    def _check_strictness(self) -> None:
        if self.strict not in (True, False, "warn"):
            raise InvalidStrictness(
                f"strict must be True, False or 'warn': {self.strict!r} is not"
            )

    def _shown_transport(self) -> Any:
        if isinstance(self.transport_cls, str):
            return self.resolve_aliases.get(self.transport_cls, self.transport_cls)
        return self.transport_cls

    def _default_params(self) -> dict[str, Any]:
        # To show a connection its transport need not be installed.
        try:
            return dict(self.transport.default_connection_params)
        except (exceptions.TransportNotFound, ImportError):
            return {}

    def as_uri(
        self,
        include_password: bool = False,
        mask: str = "**",
        getfields: Any = itemgetter(
            "port", "userid", "password", "virtual_host", "transport"
        ),
    ) -> str:
        """Return the connection as a URL.

        Arguments:
            include_password: Show the password.
            mask: What to show instead of it.
            getfields: Picks port, user, password, virtual host and transport
                from :meth:`info`.
        """
        hostname = self.hostname or "localhost"
        if self.uri_prefix:
            hostname = f"{self.uri_prefix}+{hostname}"
        if "://" in hostname:
            return (
                hostname
                if include_password
                else str(maybe_sanitize_url(hostname, mask))
            )

        fields = self.info()
        port, userid, password, virtual_host, transport = getfields(fields)
        if not isinstance(transport, str):
            transport = f"{transport.__module__}:{transport.__qualname__}"
        return as_url(
            transport,
            fields["hostname"] or hostname,
            port,
            userid,
            password if password is None else str(password),
            virtual_host or "/",
            sanitize=not include_password and password is not None,
            mask=mask,
        )

    @property
    def host(self) -> str:
        """The host as ``name:port``."""
        return f"{self.hostname or 'localhost'}:{self.port}"
