"""A folder of an SFTP server: its files, at any depth, each a dataset.

Its server is known by a key that the officer pins (`host_key`): nothing is told to another one.
The time and the size of a file are no proof that it is the same, so each is read, and its hash
decides; they only tell that a download may go on where it broke off.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import paramiko  # type: ignore[import-untyped]

from harvesters.connectors import listing, sftp_login
from harvesters.connectors.base import Connector, Offer
from harvesters.connectors.listing import Listed
from harvesters.connectors.sftp_login import named_errors
from harvesters.errors import (
    CatalogueBroken,
    SourceAnsweredError,
    SourceInterrupted,
    SourceTooLarge,
    SourceUnreachable,
    UrlRefused,
)
from harvesters.fetch import Client, Fetched
from harvesters.incoming import Incoming
from harvesters.source import Source

MOST_DEPTH = 8
# Entries of folders, and what telling of them may take.
MOST_ENTRIES = 100_000
LISTING_BYTES = 64 << 20
CHUNK_BYTES = 1 << 15
REQUESTS_AT_ONCE = 64
_SPARE_BYTES = 4 << 20


def discover(source: Source, client: Client) -> Iterator[Offer]:
    """A dataset for each file that can be read. Raises UrlRefused, HostKeyMismatch, LoginRefused,
    SecretMissing, SecretUnfit, CatalogueBroken, SourceAnsweredError (404: no such folder), and
    the errors of `listing.offers`."""

    def get(each: Listed, client: Client) -> Fetched:
        return _get(each, source, client)

    yield from listing.offers(source, _listed(source, client), get)


def _root(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "sftp" or not parts.hostname or parts.query or parts.fragment:
        raise UrlRefused("The address of a folder is such as sftp://files.example.vn/folder/.")
    return unquote(parts.path) or "/"


def _listed(source: Source, client: Client) -> list[Listed]:
    root = _root(source.url)
    began = time.monotonic()
    with client.visit(source.url), named_errors(source.url):  # noqa: SIM117  (the visit comes first)
        with sftp_login.session(source, client, LISTING_BYTES) as session:
            found: list[Listed] = []
            for count, path in enumerate(_walk(session, root, 0), start=1):
                if count > MOST_ENTRIES or time.monotonic() - began > client.limits.total_s:
                    raise CatalogueBroken(
                        f"The folder has over {MOST_ENTRIES} entries, or its listing takes over "
                        f"{client.limits.total_s:.0f} s; give the address of a folder in it."
                    )
                if path is not None:
                    address = urlsplit(source.url)._replace(path=quote(path)).geturl()
                    found.append(Listed(path.removeprefix(root).lstrip("/"), address))
            # The order of a server's entries is none.
            return sorted(found, key=lambda each: each.path)


def _walk(session: paramiko.SFTPClient, folder: str, depth: int) -> Iterator[str | None]:
    """The paths of the plain files in a folder, and None for each entry that is something else:
    links lead out of it."""
    folders: list[str] = []
    for entry in session.listdir_iter(folder, read_aheads=8):
        name, mode = entry.filename, entry.st_mode or 0
        if "/" in name or name in ("", ".", "..") or name.startswith("."):
            yield None
        elif stat.S_ISDIR(mode):
            folders.append(str(PurePosixPath(folder) / name))
            yield None
        else:
            yield str(PurePosixPath(folder) / name) if stat.S_ISREG(mode) else None
    for each in folders:
        if depth >= MOST_DEPTH:
            raise CatalogueBroken(f"Folders lie more than {MOST_DEPTH} levels deep in each other.")
        yield from _walk(session, each, depth + 1)


def _get(each: Listed, source: Source, client: Client) -> Fetched:
    """A file in as many pieces as it breaks into, up to a cap. Raises SourceInterrupted (it broke
    off, or changed meanwhile), SourceTooLarge, SourceTooSlow, SourceAnsweredError."""
    limits = client.limits
    path = unquote(urlsplit(each.url).path)
    before: tuple[int, int] | None = None
    with client.visit(source.url), Incoming(client.raw_dir, limits) as incoming:
        incoming.begin()
        for resumes_left in range(limits.resumes, -1, -1):
            try:
                budget = limits.max_bytes + _SPARE_BYTES
                with (
                    named_errors(source.url),
                    sftp_login.session(source, client, budget) as session,
                ):
                    now = _state(session, path)
                    if now != before:
                        incoming.begin()
                    before = now
                    _take(session, path, now[0], incoming)
                    if _state(session, path) != now:
                        raise SourceInterrupted("The file changed while it was read.")
                sha256 = incoming.keep()
                return Fetched(
                    *(each.url, client.raw_path(sha256), sha256, incoming.byte_count, None, None)
                )
            except (SourceInterrupted, SourceUnreachable):
                if not resumes_left:
                    raise
                time.sleep(limits.backoff_s * 2 ** (limits.resumes - resumes_left))
    raise AssertionError("the last piece returns or raises")


def _state(session: paramiko.SFTPClient, path: str) -> tuple[int, int]:
    """The size and the time of change of a plain file."""
    about = session.lstat(path)
    if not stat.S_ISREG(about.st_mode or 0):
        raise SourceAnsweredError("The server has no such file any more.", status=404)
    return int(about.st_size or 0), int(about.st_mtime or 0)


def _take(session: paramiko.SFTPClient, path: str, size: int, incoming: Incoming) -> None:
    """The bytes of a file that did not come so far."""
    if size > incoming.most_bytes:
        raise SourceTooLarge(f"The file is larger than {incoming.most_bytes >> 20} MiB.")
    with session.open(path, "rb") as file:
        start = incoming.byte_count
        chunks = [(at, min(CHUNK_BYTES, size - at)) for at in range(start, size, CHUNK_BYTES)]
        arriving: Any = file.readv(chunks, max_concurrent_prefetch_requests=REQUESTS_AT_ONCE)
        for (_, wanted), chunk in zip(chunks, arriving, strict=True):
            if len(chunk) != wanted:
                raise SourceInterrupted("The file ended before its announced length.")
            incoming.add(chunk)


CONNECTOR = Connector(
    kind="sftp",
    title="SFTP folder",
    help="The files of a folder (address: sftp://files.example.vn:22/folder/), at any depth: each "
    "whose ending says a kind that can be read becomes a dataset; links are not followed. The "
    "option host_key pins the server's key (SHA256:…; a first try says which it has), secret is of "
    "kind basic (user:password) or ssh_key (user:private key). Options: host_key, parts (a pattern "
    "of paths, such as 2026/*.csv), secret.",
    decode=None,
    discover=discover,
)
