"""The one guarded HTTP client: every byte from outside comes through here.

The address guard sits where a connection is made: the host's name is resolved once, every address
is checked, and the socket connects to a checked address. So neither a redirect nor a second answer
of the DNS leads anywhere else.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import socket
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Retry
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from harvesters.errors import (
    AddressForbidden,
    RedirectsExhausted,
    SourceAnsweredError,
    SourceInterrupted,
    SourceTooLarge,
    SourceTooSlow,
    SourceUnreachable,
    UrlRefused,
)

CHUNK_BYTES = 1 << 18
PACKAGE = "hanoiic"
USER_AGENT = f"{PACKAGE}-harvest/{metadata.version(PACKAGE)}"
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True)
class FetchLimits:
    """Caps of one download."""

    max_bytes: int = 2 << 30
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    total_s: float = 1_800.0
    redirects: int = 5
    retries: int = 3
    backoff_s: float = 0.5
    retry_after_s: int = 30


@dataclass(frozen=True)
class Validators:
    """What a server said of a file when it was last fetched, and the file's hash."""

    etag: str | None
    last_modified: str | None
    sha256: str


@dataclass(frozen=True)
class Fetched:
    """A file in the raw store. `not_modified`: the server said that it is still the same."""

    url: str
    path: Path
    sha256: str
    byte_count: int
    etag: str | None
    last_modified: str | None
    not_modified: bool = False


class Client:
    """Fetches files into `raw_dir`, where they lie under their SHA-256.

    `allowed_hosts` (`host` or `host:port`, as in the URL) may have private addresses.
    """

    def __init__(
        self,
        raw_dir: Path,
        allowed_hosts: Iterable[str] = (),
        limits: FetchLimits = FetchLimits(),
    ) -> None:
        self.raw_dir = raw_dir
        self.limits = limits
        self._session = requests.Session()
        # No proxies and no .netrc: what the environment says of them is not for sources.
        self._session.trust_env = False
        self._session.max_redirects = limits.redirects
        self._session.hooks["response"].append(_leave_redirect_unread)
        self._session.headers["User-Agent"] = USER_AGENT
        adapter = _GuardedAdapter(frozenset(host.lower() for host in allowed_hosts), limits)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def close(self) -> None:
        self._session.close()

    def fetch(self, url: str, known: Validators | None = None) -> Fetched:
        """Fetch one file, or confirm that the `known` one is still the same.

        Raises UrlRefused, AddressForbidden, RedirectsExhausted, SourceUnreachable,
        SourceAnsweredError, SourceInterrupted, SourceTooSlow, SourceTooLarge.
        """
        headers = {}
        if known and self.raw_path(known.sha256).exists():
            if known.etag:
                headers["If-None-Match"] = known.etag
            if known.last_modified:
                headers["If-Modified-Since"] = known.last_modified
        with self._get(url, headers, stream=True) as answer:
            if answer.status_code == 304 and known:
                path = self.raw_path(known.sha256)
                return Fetched(
                    *(url, path, known.sha256, path.stat().st_size),
                    *(known.etag, known.last_modified, True),
                )
            _expect_ok(answer)
            sha256, size = self.store(answer)
            return Fetched(
                *(url, self.raw_path(sha256), sha256, size),
                *(answer.headers.get("ETag"), answer.headers.get("Last-Modified")),
            )

    def json(self, url: str, parameters: dict[str, str | int]) -> Any:
        """The JSON answer of an API. Raises as `fetch`, and ValueError when it is no JSON."""
        with self._get(url, {}, stream=True, parameters=parameters) as answer:
            _expect_ok(answer)
            sha256, _ = self.store(answer)
        path = self.raw_path(sha256)
        try:
            return json.loads(path.read_bytes())
        finally:
            path.unlink(missing_ok=True)

    def raw_path(self, sha256: str) -> Path:
        return self.raw_dir / sha256[:2] / sha256

    def _get(
        self,
        url: str,
        headers: dict[str, str],
        *,
        stream: bool,
        parameters: dict[str, str | int] | None = None,
    ) -> requests.Response:
        check_url(url)
        timeouts = (self.limits.connect_timeout_s, self.limits.read_timeout_s)
        host = urlsplit(url).hostname or ""
        try:
            return self._session.get(
                url, headers=headers, params=parameters, timeout=timeouts, stream=stream
            )
        except requests.TooManyRedirects as error:
            raise RedirectsExhausted(
                f"{host} redirects more than {self.limits.redirects} times."
            ) from error
        except requests.exceptions.SSLError as error:
            raise SourceUnreachable(f"The TLS certificate of {host} is not valid.") from error
        except requests.exceptions.ConnectTimeout as error:
            raise SourceUnreachable(f"{host} does not answer.") from error
        except requests.exceptions.Timeout as error:
            raise SourceTooSlow(
                f"{host} sent nothing for {self.limits.read_timeout_s:.0f} s."
            ) from error
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
            raise UrlRefused(f"{host} redirects to an address that can't be fetched.") from error
        except requests.ConnectionError as error:
            raise SourceUnreachable(f"No connection to {host}.") from error

    def store(self, answer: requests.Response) -> tuple[str, int]:
        """Write the body, its hash counted while it is written; the file appears when whole."""
        announced = answer.headers.get("Content-Length", "")
        if announced.isdigit() and int(announced) > self.limits.max_bytes:
            raise self._too_large()
        self.raw_dir.mkdir(parents=True, exist_ok=True)
        digest, size, started = hashlib.sha256(), 0, time.monotonic()
        with tempfile.NamedTemporaryFile(dir=self.raw_dir, prefix=".incoming-") as file:
            try:
                for chunk in answer.iter_content(CHUNK_BYTES):
                    size += len(chunk)
                    if size > self.limits.max_bytes:
                        raise self._too_large()
                    if time.monotonic() - started > self.limits.total_s:
                        raise SourceTooSlow(
                            f"The download took longer than {self.limits.total_s:.0f} s."
                        )
                    digest.update(chunk)
                    file.write(chunk)
            except requests.exceptions.ConnectionError as error:
                raise SourceTooSlow("The source stopped sending.") from error
            except requests.RequestException as error:
                raise SourceInterrupted("The answer ended before its announced length.") from error
            file.flush()
            os.fsync(file.fileno())
            sha256 = digest.hexdigest()
            kept = self.raw_path(sha256)
            try:
                # Bytes that a run needs are young: upkeep removes only what is old.
                os.utime(kept)
            except FileNotFoundError:
                kept.parent.mkdir(exist_ok=True)
                linked = kept.with_suffix(f".{os.getpid()}-{time.monotonic_ns()}")
                os.link(file.name, linked)
                linked.replace(kept)
        return sha256, size

    def _too_large(self) -> SourceTooLarge:
        return SourceTooLarge(
            f"The file is larger than {self.limits.max_bytes >> 20} MiB.",
            max_bytes=self.limits.max_bytes,
        )


def check_url(url: str) -> None:
    """Raises UrlRefused for anything but http(s) without credentials in it."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  (it parses, and raises)
    except ValueError as error:
        raise UrlRefused("The address is not a URL.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UrlRefused("Only http and https addresses are harvested.")
    if parts.username is not None or parts.password is not None:
        raise UrlRefused("The address carries a user name or a password; take them out.")


def is_public(address: str) -> bool:
    """Whether an IP address is one of the Internet at large, also when wrapped in IPv6."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        wrapped = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if wrapped is None and ip in _NAT64:
            wrapped = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if wrapped is not None:
            return is_public(str(wrapped))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _leave_redirect_unread(answer: requests.Response, **_: Any) -> None:
    """requests reads the body of every redirect whole, before any limit of ours counts it."""
    if answer.is_redirect:
        answer.close()


def _expect_ok(answer: requests.Response) -> None:
    if answer.status_code != 200:
        raise SourceAnsweredError(
            f"The source answered {answer.status_code} {answer.reason or ''}".rstrip() + ".",
            status=answer.status_code,
            retry_after_s=_retry_after_s(answer.headers.get("Retry-After", "")),
        )


def _retry_after_s(said: str) -> int | None:
    """Seconds of a Retry-After (RFC 9110, 10.2.3: seconds or a date); None when it has no sense."""
    if said.isdecimal():
        return int(said[:6])
    try:
        return max(0, round(parsedate_to_datetime(said).timestamp() - time.time()))
    except ValueError:
        return None


def _connect(
    connection: HTTPConnection, allowed_hosts: frozenset[str], timeout_s: float
) -> socket.socket:
    host, port = connection.host.strip("[]").lower(), connection.port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise NameResolutionError(
            host, connection, error if isinstance(error, socket.gaierror) else socket.gaierror()
        ) from error
    allowed = bool({host, f"{host}:{port}"} & allowed_hosts)
    if not allowed and not all(is_public(str(address[4][0])) for address in found):
        raise AddressForbidden(
            f"{host} has a private or local address; the operator may allow it in "
            "HANOIIC_HARVEST_ALLOWED_HOSTS.",
            host=host,
        )
    failure: OSError | None = None
    for family, kind, protocol, _, address in found:
        try:
            sock = socket.socket(family, kind, protocol)
            sock.settimeout(timeout_s)
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
        else:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
    if isinstance(failure, TimeoutError):
        raise ConnectTimeoutError(connection, f"{host} does not answer") from failure
    raise NewConnectionError(connection, f"no connection to {host}") from failure


class _GuardedAdapter(HTTPAdapter):
    """requests' adapter over connections that check where they lead."""

    def __init__(self, allowed_hosts: frozenset[str], limits: FetchLimits) -> None:
        self._allowed_hosts = allowed_hosts
        self._connect_timeout_s = limits.connect_timeout_s
        retry = Retry(
            total=limits.retries,
            connect=1,
            redirect=False,
            backoff_factor=limits.backoff_s,
            status_forcelist=(429, 500, 502, 503, 504),
            allowed_methods=("GET",),
            raise_on_status=False,
            retry_after_max=limits.retry_after_s,
        )
        super().__init__(max_retries=retry)

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        allowed_hosts, timeout_s = self._allowed_hosts, self._connect_timeout_s

        class GuardedConnection(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return _connect(self, allowed_hosts, timeout_s)

        class GuardedTlsConnection(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return _connect(self, allowed_hosts, timeout_s)

        class GuardedPool(HTTPConnectionPool):
            ConnectionCls = GuardedConnection

        class GuardedTlsPool(HTTPSConnectionPool):
            ConnectionCls = GuardedTlsConnection

        super().init_poolmanager(*arguments, **named)
        manager: PoolManager = self.poolmanager
        manager.pool_classes_by_scheme = {"http": GuardedPool, "https": GuardedTlsPool}
