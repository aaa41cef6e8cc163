"""Who asks, and what is answered."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from werkzeug.datastructures import ETags

from api_gateway.asked import Asked
from api_gateway.decisions import fingerprint
from api_gateway.shelf import Shelved


@dataclass(frozen=True)
class Caller:
    """Who asks, and how."""

    token: str | None
    # Watched, so that a query ends when its caller hangs up.
    connection: socket.socket | None = None
    # The caller's IP address, and the address that it reached the gateway at.
    address: str | None = None
    reached_at: str = ""
    # What the request's headers say: `Idempotency-Key`, `If-None-Match`, `Hanoiic-Query-Id`, and
    # the encoding chosen from `Accept-Encoding`.
    idempotency_key: str | None = None
    held: ETags = field(default_factory=ETags)
    query_id: str = ""
    encoding: str | None = None
    # Whether the end of an answer of unknown length is marked (HTTP/1.1). Else the end of the
    # connection is all that says so, and a broken one looks like a whole answer.
    framed: bool = True

    @property
    def name(self) -> str:
        """What tells this caller from others: of the token, or of the address without one."""
        return fingerprint(self.token) or f"address:{self.address}"


@dataclass(frozen=True)
class Answer:
    """An answer whose first rows are there. It must be `end`ed, read in full or not.

    `tag` is its entity tag. `held`: the caller has this answer already (304), and no rows come.
    """

    asked: Asked
    shelved: tuple[Shelved, ...]
    tag: str | None = None
    held: bool = False
    truncated: bool = False
    # How many rows the answer has, where that is known beforehand; and how many there are without
    # its limit, if the caller asked.
    row_count: int | None = None
    total: int | None = None
    columns: tuple[dict[str, Any], ...] = ()
    receipt: str | None = None
    # The `Content-Encoding` of its bytes, and how many they are, where that is known beforehand.
    encoding: str | None = None
    byte_count: int | None = None
    chunks: Iterable[bytes] = ()
    # For answers of unknown length: writes the bytes itself, as HTTP's chunks, to the connection it
    # is given. What it yields is empty, and only makes the server send the headers first.
    onto: Callable[[socket.socket], Iterator[bytes]] | None = None
    end: Callable[[], None] = lambda: None
    rows_sent: Callable[[], int] = lambda: 0
