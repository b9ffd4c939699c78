"""The default HTTP client: urllib3 in a few threads, callbacks in the loop.

Only the network is waited for in threads.  Requests are taken up, and all
callbacks are called, in the thread of the event loop, to which the others hand
over what they got by :meth:`Hub.call_soon
<kombu.asynchronous.Hub.call_soon>`.

A request has ``request_timeout`` seconds from when a thread takes it up, all
included; the event loop sees to that, also while a thread hangs in a name
server's absence.  Such a thread counts among the ``max_clients`` until the
operating system lets it go.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from kombu.asynchronous.http._transfer import (
    Transfer,
    manager_options,
    new_manager,
    proxy_options,
)
from kombu.asynchronous.http.base import (
    NO_RESPONSE,
    BaseClient,
    InvalidRequest,
    require_hub,
)
from kombu.exceptions import DriverNotInstalled, HttpError
from kombu.log import get_logger
from kombu.utils.eventio import forks

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from urllib3 import PoolManager

    from kombu.asynchronous.http.base import Request
    from kombu.asynchronous.hub import Hub

    #: What to run in a thread, and what to call there afterwards.
    Job: TypeAlias = tuple[Callable[[], Any], Callable[[], Any]]
    Jobs: TypeAlias = SimpleQueue[Job | None]

__all__ = ("ThreadedClient",)

logger = get_logger(__name__)

#: Kinds of connections (by TLS options and proxy) that are kept at once.
MAX_MANAGERS = 16


def _work(jobs: Jobs) -> None:
    """Run jobs until there is none; the life of each thread."""
    while (job := jobs.get()) is not None:
        run, hand_over = job
        run()
        hand_over()
        del job, run, hand_over  # keep nothing alive while waiting


def _dismiss(jobs: Jobs, threads: list[threading.Thread]) -> None:
    for _ in threads:
        jobs.put(None)


class ThreadedClient(BaseClient):
    """HTTP client that performs requests in threads.

    Arguments:
        hub: The event loop, by default the one that was set.
        max_clients: Most requests at once; others wait their turn.

    Raises:
        DriverNotInstalled: urllib3 is not installed.
        KombuError: There is no event loop.
    """

    def __init__(self, hub: Hub | None = None, max_clients: int = 10) -> None:
        try:
            import urllib3  # noqa: F401
        except ImportError as exc:
            raise DriverNotInstalled(
                "The HTTP client needs urllib3: pip install 'kombu[http]'"
            ) from exc
        super().__init__(require_hub(hub))
        self.max_clients = max_clients
        self._pending: deque[Request] = deque()
        self._start_afresh()
        self.hub.on_close.add(self._on_hub_close)

    def __repr__(self) -> str:
        state = "closed" if self.is_closed else f"{len(self._active)} under way"
        return f"<{type(self).__name__}: {state}, {len(self._pending)} waiting>"

    def _start_afresh(self) -> None:
        """Have no threads and no connections yet; also in a child process."""
        self._forks = forks.count
        self._active: set[Transfer] = set()
        self._managers: dict[Any, PoolManager] = {}
        self._jobs: Jobs = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._dismissal = weakref.finalize(self, _dismiss, self._jobs, self._threads)
        self._dismissal.atexit = False

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
            self._dismissal.detach()
            self._start_afresh()
        self._pending.append(request)
        self._start_pending()
        return request

    def close(self) -> None:
        """Drop what waits and what is under way; nobody is told any more.

        Threads are not waited for: they end with what they are doing, or with
        the process.
        """
        self.is_closed = True
        self.hub.on_close.discard(self._on_hub_close)
        self._pending.clear()
        for transfer in self._active:
            transfer.is_abandoned = True
            if transfer.timer is not None:
                transfer.timer.cancel()
        self._active.clear()
        if self._forks == forks.count:
            self._dismissal()
            for manager in self._managers.values():
                manager.clear()
        self._managers.clear()

    def _on_hub_close(self, hub: Hub) -> None:
        self.close()

    def _start_pending(self) -> None:
        while self._pending and len(self._active) < self.max_clients:
            request = self._pending.popleft()
            try:
                self._start(request)
            except Exception as exc:
                self._fail(request, exc)

    def _start(self, request: Request) -> None:
        if request.on_prepare is not None:
            request.on_prepare(request)
            _validate(request)
        transfer = Transfer(request, self._manager_for(request), self._tell)
        self._ensure_threads(len(self._active) + 1)
        self._active.add(transfer)
        if request.request_timeout:
            transfer.timer = self.hub.call_later(
                request.request_timeout, self._expire, transfer
            )
        self._jobs.put((transfer.run, lambda: self._hand_over(transfer)))

    def _ensure_threads(self, wanted: int) -> None:
        while len(self._threads) < wanted:
            thread = threading.Thread(
                target=_work,
                args=(self._jobs,),
                name=f"kombu-http-{len(self._threads) + 1}",
                daemon=True,
            )
            try:
                thread.start()
            except RuntimeError:  # no more threads to be had
                if not self._threads:
                    raise
                return
            self._threads.append(thread)

    def _manager_for(self, request: Request) -> PoolManager:
        """Return what keeps the connections for requests like this one."""
        options, proxy = manager_options(request), proxy_options(request)
        key = (tuple(sorted(options.items())), proxy)
        manager = self._managers.pop(key, None)
        if manager is None:
            if len(self._managers) >= MAX_MANAGERS:
                # The one that was not used for longest; see below.
                self._managers.pop(next(iter(self._managers))).clear()
            manager = new_manager(options, proxy, self.max_clients)
        self._managers[key] = manager  # moved to the end
        return manager

    def _hand_over(self, transfer: Transfer) -> None:
        """Called in the thread that ran *transfer*."""
        self.hub.call_soon(self._finish, transfer)

    def _finish(self, transfer: Transfer) -> None:
        if transfer not in self._active:
            return  # closed, or forked
        self._active.discard(transfer)
        if transfer.timer is not None:
            transfer.timer.cancel()
        if not transfer.is_abandoned:
            self._respond(transfer)
        self._start_pending()

    def _respond(self, transfer: Transfer) -> None:
        request = transfer.request
        if transfer.error is not None and transfer.has_timed_out():
            self._tell(request.on_timeout, request)
        self._tell(
            request.on_ready,
            self.Response(
                request,
                transfer.code,
                headers=transfer.headers,
                buffer=transfer.buffer,
                effective_url=transfer.effective_url,
                error=transfer.error,
            ),
        )

    def _expire(self, transfer: Transfer) -> None:
        """Give up waiting for *transfer*; its thread finds out by itself."""
        if transfer not in self._active or transfer.is_abandoned:
            return
        transfer.is_abandoned = True
        request = transfer.request
        self._tell(request.on_timeout, request)
        self._fail(
            request,
            HttpError(
                NO_RESPONSE,
                f"request timed out after {request.request_timeout} seconds",
            ),
        )


def _validate(request: Request) -> None:
    """Raise for what is known to fail, while the caller is there to see it."""
    proxy_options(request)
    manager_options(request)
    if (request.auth_mode or "basic").lower() != "basic":
        raise InvalidRequest(
            f"auth_mode={request.auth_mode!r}: this client can do 'basic' only; "
            "kombu.asynchronous.http.curl.CurlClient can do 'digest'"
        )
