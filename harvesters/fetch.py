"""The one guarded HTTP client: every byte from outside comes through here.

`addresses` decides which addresses are allowed, `guarded` makes connections to no others,
`politeness` spares the hosts, `incoming` stores what comes, and `credentials` are sent to the
source's own host only. `fetch_failures` says why a fetch failed.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from harvesters.addresses import Address, check_url, is_public, resolved
from harvesters.credentials import Carried, Credential
from harvesters.errors import (
    SecretUnfit,
    SourceAnsweredError,
    SourceInterrupted,
    SourceTooSlow,
    SourceUnreachable,
)
from harvesters.fetch_failures import expect_ok, failure
from harvesters.fetch_limits import FetchLimits
from harvesters.guarded import GuardedAdapter
from harvesters.incoming import Incoming, raw_path
from harvesters.politeness import HOSTS, Host

PACKAGE = "hanoiic"
USER_AGENT = f"{PACKAGE}-harvest/{metadata.version(PACKAGE)}"
# The folder of the raw store that keeps what servers said of pages when they were last fetched.
REMEMBERED = "pages"


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
    content_type: str | None = None
    link: str | None = None


class Client:
    """Fetches files into `raw_dir`, where they lie under their SHA-256.

    `allowed_hosts` (`host` or `host:port`, as in the URL) may have private addresses.
    """

    def __init__(
        self,
        raw_dir: Path,
        allowed_hosts: Iterable[str] = (),
        limits: FetchLimits | None = None,
    ) -> None:
        self.raw_dir = raw_dir
        self.limits = limits = limits or FetchLimits()
        # The secret of a source that is not reached over http: its connector logs in with it.
        self.credential: Credential | None = None
        self._allowed_hosts = frozenset(host.lower() for host in allowed_hosts)
        self._session = requests.Session()
        # No proxies and no .netrc: the environment must not decide how sources are reached.
        self._session.trust_env = False
        self._session.max_redirects = limits.redirects
        self._session.hooks["response"].append(_leave_redirect_unread)
        self._session.headers["User-Agent"] = USER_AGENT
        self._adapter = GuardedAdapter(self._allowed_hosts, limits)
        self._session.mount("http://", self._adapter)
        self._session.mount("https://", self._adapter)

    def close(self) -> None:
        self._session.close()

    def carry(self, credential: Credential | None, url: str) -> None:
        """Send a secret with every request to the host of the source at `url`, and with no other.

        Raises SecretUnfit.
        """
        is_http = urlsplit(url).scheme in ("http", "https")
        self._adapter.carried = Carried.to(url, credential) if credential and is_http else None
        if credential and not is_http and (urlsplit(url).hostname or "") != credential.host.lower():
            raise SecretUnfit("The secret is for another host than the source's.")
        self.credential = None if is_http else credential

    def fetch(
        self,
        url: str,
        known: Validators | None = None,
        accept: str = "*/*",
        parameters: Mapping[str, str | int] | None = None,
        body: bytes | None = None,
    ) -> Fetched:
        """Fetch one file, or confirm that the `known` one is still the same. A download that breaks
        off is resumed if the server can do that, and begun again if not. A `body` (JSON) is sent by
        POST, and its answer is the file.

        Raises UrlRefused, AddressForbidden, RedirectsExhausted, SourceUnreachable, TlsFailed,
        SourceAnsweredError, SourceInterrupted, SourceTooSlow, SourceTooLarge.
        """
        check_url(url)
        headers = {"Accept": accept}
        if body is not None:
            headers["Content-Type"] = "application/json"
        conditions = self._conditions(known)
        headers |= conditions
        with (
            self.visit(url) as host,
            Incoming(self.raw_dir, self.limits) as incoming,
            self._adapter.deadline.after(self.limits.total_s),
        ):
            try:
                return self._whole(
                    url, headers, parameters, known if conditions else None, incoming, body
                )
            except SourceAnsweredError as error:
                if rest := error.facts.get("retry_after_s"):
                    host.rest(rest, error.facts["status"])
                raise

    @contextmanager
    def visit(self, url: str) -> Iterator[Host]:
        """Wait for a turn at the host of an address, and hold it inside. Raises as `Host.visit`."""
        authority = urlsplit(url).netloc.lower()
        is_own = bool({authority, urlsplit(url).hostname} & self._allowed_hosts)
        host = HOSTS.of(authority, self.limits.at_once)
        with host.visit(self.limits, 0.0 if is_own else self.limits.pause_s):
            yield host

    def addresses(self, host: str, port: int) -> list[Address]:
        """The checked addresses of a host that is not reached over http. Connect to them as they
        are: a name might lead elsewhere by then. Raises AddressForbidden, SourceUnreachable."""
        try:
            return resolved(host, port, self._allowed_hosts)
        except (OSError, UnicodeError) as error:
            raise SourceUnreachable(f"There is no host {host}.") from error

    def fetch_again(self, url: str, owner: str, accept: str = "*/*") -> Fetched:
        """As `fetch`, for a page that `owner` (a source's id) asks for in every run: it is only
        sent if it has changed."""
        key = hashlib.sha256(json.dumps([owner, url, accept]).encode()).hexdigest()
        remembered = self.raw_dir / REMEMBERED / key
        before = _remembered(remembered)
        known = Validators(before["etag"], before["last_modified"], before["sha256"])
        fetched = self.fetch(url, known if before["sha256"] else None, accept)
        if fetched.not_modified:
            # Keep both young, so that upkeep does not remove them.
            os.utime(fetched.path)
            os.utime(remembered)
            kept = {name: before[name] for name in ("content_type", "link")}
            return replace(fetched, **kept)
        said = {name: asdict(fetched)[name] for name in before}
        remembered.parent.mkdir(exist_ok=True)
        written = remembered.with_suffix(f".{os.getpid()}-{time.monotonic_ns()}")
        written.write_text(json.dumps(said))
        written.replace(remembered)
        return fetched

    def store(self, answer: requests.Response) -> tuple[str, int]:
        """Put the body of an answer into the raw store. Returns its SHA-256 and size. Raises as
        `fetch`."""
        with Incoming(self.raw_dir, self.limits) as incoming:
            incoming.take(answer)
            return incoming.keep(), incoming.byte_count

    def raw_path(self, sha256: str) -> Path:
        return raw_path(self.raw_dir, sha256)

    def _whole(
        self,
        url: str,
        headers: Mapping[str, str],
        parameters: Mapping[str, str | int] | None,
        known: Validators | None,
        incoming: Incoming,
        body: bytes | None,
    ) -> Fetched:
        """Fetch a file, resuming it up to `limits.resumes` times when it breaks off."""
        for resumes_left in range(self.limits.resumes, -1, -1):
            try:
                # HTTP knows no ranges for answers to POST.
                wanted = incoming.wanted() if body is None else {}
                with self._ask(url, {**headers, **wanted}, parameters, incoming, body) as got:
                    if got.status_code == 304 and known and not incoming.byte_count:
                        return self._unchanged(url, known)
                    if not incoming.goes_on(got):
                        incoming.begin()
                        if got.status_code in (206, 416):
                            raise SourceInterrupted("The rest of the download did not fit to it.")
                        expect_ok(got)
                        incoming.begin(got)
                    incoming.take(got)
                    sha256 = incoming.keep()
                    return Fetched(
                        *(url, self.raw_path(sha256), sha256, incoming.byte_count),
                        *(got.headers.get("ETag"), got.headers.get("Last-Modified")),
                        content_type=got.headers.get("Content-Type"),
                        link=got.headers.get("Link"),
                    )
            except (SourceInterrupted, SourceUnreachable) as error:
                is_begun = isinstance(error, SourceInterrupted) or incoming.byte_count
                if not is_begun or not resumes_left:
                    if error.facts.get("silent"):
                        raise SourceTooSlow(error.detail) from error
                    raise
                time.sleep(self.limits.backoff_s * 2 ** (self.limits.resumes - resumes_left))
        raise AssertionError("the last piece returns or raises")

    def _conditions(self, known: Validators | None) -> dict[str, str]:
        """Headers that ask for the file only if it is not the `known` one; none without it."""
        if known is None or not self.raw_path(known.sha256).exists():
            return {}
        said = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified}
        return {name: value for name, value in said.items() if value}

    def _unchanged(self, url: str, known: Validators) -> Fetched:
        path = self.raw_path(known.sha256)
        return Fetched(
            *(url, path, known.sha256, path.stat().st_size),
            *(known.etag, known.last_modified, True),
        )

    def _ask(
        self,
        url: str,
        headers: Mapping[str, str],
        parameters: Mapping[str, str | int] | None,
        incoming: Incoming,
        body: bytes | None,
    ) -> requests.Response:
        timeouts = (self.limits.connect_timeout_s, self.limits.read_timeout_s)
        host = urlsplit(url).hostname or ""
        try:
            return self._session.request(
                "GET" if body is None else "POST",
                url,
                headers=dict(headers),
                params=parameters,
                data=body,
                timeout=timeouts,
                stream=True,
                allow_redirects=True,
            )
        except (requests.RequestException, ValueError) as error:
            raise failure(error, host, self.limits, is_late=incoming.is_late) from error


def _remembered(path: Path) -> dict[str, Any]:
    unknown = dict.fromkeys(("etag", "last_modified", "sha256", "content_type", "link"))
    try:
        return {**unknown, **json.loads(path.read_text())}
    except (FileNotFoundError, ValueError):
        return unknown


def _leave_redirect_unread(answer: requests.Response, **_: Any) -> None:
    """Close redirects unread: requests would read their whole body, without any of our limits."""
    if answer.is_redirect:
        answer.close()


__all__ = [
    "Client",
    "FetchLimits",
    "Fetched",
    "Validators",
    "check_url",
    "is_public",
]
