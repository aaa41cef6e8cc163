"""An adapter for requests whose connections check where they lead, end in time, and carry a
source's secret to its own host only."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, Self

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Retry
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import MaxRetryError

from harvesters.addresses import connect
from harvesters.credentials import Carried
from harvesters.fetch_limits import FetchLimits
from harvesters.http_dates import moment


class Deadline(threading.local):
    """The end of a thread's present download: its sockets are shut then, whatever is read.

    A socket's timeout only ends a silence: a source that sends a byte now and then could keep the
    read of a line or block waiting for days.
    """

    def __init__(self) -> None:
        self._sockets: set[socket.socket] | None = None
        self._is_over = threading.Event()

    @contextlib.contextmanager
    def after(self, seconds: float) -> Iterator[None]:
        sockets: set[socket.socket] = set()
        self._is_over = threading.Event()

        def shut(is_over: threading.Event = self._is_over) -> None:
            is_over.set()
            for sock in tuple(sockets):
                _shut(sock)

        timer = threading.Timer(seconds, shut)
        timer.daemon = True
        self._sockets = sockets
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            self._sockets = None

    def holds(self, sock: socket.socket | None) -> None:
        if sock is not None and self._sockets is not None:
            self._sockets.add(sock)
            # A retry that connects after the end gets no time of its own.
            if self._is_over.is_set():
                _shut(sock)


def _shut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


class PatientRetry(Retry):
    """Gives up at once when the source asks for a longer pause than is waited here."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: Any = None,
        error: Exception | None = None,
        _pool: Any = None,
        _stacktrace: Any = None,
    ) -> Self:
        said = retry_after_s(response.headers.get("Retry-After", "")) if response else None
        if said is not None and said > self.retry_after_max:
            raise MaxRetryError(_pool, url or "")
        return super().increment(method, url, response, error, _pool, _stacktrace)

    def parse_retry_after(self, retry_after: str) -> float:
        """A header that makes no sense is ignored: the answer's status says enough."""
        return retry_after_s(retry_after) or 0


class GuardedAdapter(HTTPAdapter):
    """`carried`: the secret of the source that is harvested, if it has one."""

    def __init__(self, allowed_hosts: frozenset[str], limits: FetchLimits) -> None:
        self._allowed_hosts = allowed_hosts
        self._connect_timeout_s = limits.connect_timeout_s
        self.deadline = Deadline()
        self.carried: Carried | None = None
        retry = PatientRetry(
            total=limits.retries,
            connect=1,
            redirect=False,
            backoff_factor=limits.backoff_s,
            status_forcelist=(429, 500, 502, 503, 504),
            # POST only sends questions here, which change nothing: it may be repeated too.
            allowed_methods=("GET", "POST"),
            raise_on_status=False,
            retry_after_max=limits.retry_after_s,
        )
        super().__init__(max_retries=retry)

    def send(
        self, request: requests.PreparedRequest, *arguments: Any, **named: Any
    ) -> requests.Response:
        # Redirects come by here as well, as copies of the first request with another address.
        headers: Mapping[str, str] = self.carried.for_url(request.url or "") if self.carried else {}
        if headers:
            request = request.copy()
            request.headers.update(headers)
        return super().send(request, *arguments, **named)

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        allowed_hosts, timeout_s = self._allowed_hosts, self._connect_timeout_s
        deadline = self.deadline

        class GuardedConnection(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return connect(self, allowed_hosts, timeout_s)

            def getresponse(self) -> Any:
                deadline.holds(self.sock)
                return super().getresponse()

        class GuardedTlsConnection(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return connect(self, allowed_hosts, timeout_s)

            def getresponse(self) -> Any:
                deadline.holds(self.sock)
                return super().getresponse()

        class GuardedPool(HTTPConnectionPool):
            ConnectionCls = GuardedConnection

        class GuardedTlsPool(HTTPSConnectionPool):
            ConnectionCls = GuardedTlsConnection

        super().init_poolmanager(*arguments, **named)
        manager: PoolManager = self.poolmanager
        manager.pool_classes_by_scheme = {"http": GuardedPool, "https": GuardedTlsPool}


def retry_after_s(said: str) -> int | None:
    """The seconds of a Retry-After (RFC 9110, 10.2.3: seconds or a date); None when it makes no
    sense."""
    if said.isdecimal():
        return int(said[:6])
    at = moment(said)
    return None if at is None else max(0, round(at - time.time()))
