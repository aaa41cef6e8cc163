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
    """Who asks: its token, its connection, watched for a hang-up, its IP address, the address it
    reached the gateway at, the key under which it repeats a request, the tags of answers that it
    has, its name for the query, and the encoding it likes answers in."""

    token: str | None
    connection: socket.socket | None = None
    address: str | None = None
    reached_at: str = ""
    idempotency_key: str | None = None
    held: ETags = field(default_factory=ETags)
    query_id: str = ""
    encoding: str | None = None
    # Whether an answer of unknown length has an end of its own there (HTTP/1.1), or that of its
    # connection.
    framed: bool = True

    @property
    def name(self) -> str:
        """A key for this caller; those without a token are told apart by their address."""
        return fingerprint(self.token) or f"address:{self.address}"


@dataclass(frozen=True)
class Answer:
    """An answer whose first rows are there. `end` gives its process back, read in full or not.

    `tag` names what it says; `held`: the caller has just that already, and no rows come.
    """

    asked: Asked
    shelved: tuple[Shelved, ...]
    tag: str | None = None
    held: bool = False
    truncated: bool = False
    # The answer's rows, known beforehand where a limit keeps them few, and all there are, if asked.
    row_count: int | None = None
    total: int | None = None
    columns: tuple[dict[str, Any], ...] = ()
    receipt: str | None = None
    # What its bytes are encoded in; how many they are, where that is known beforehand.
    encoding: str | None = None
    byte_count: int | None = None
    chunks: Iterable[bytes] = ()
    # Writes them to a connection whose HTTP response is sent in chunks, where they are not known
    # beforehand. What it yields is empty: the response's headers go with it.
    onto: Callable[[socket.socket], Iterator[bytes]] | None = None
    end: Callable[[], None] = lambda: None
    rows_sent: Callable[[], int] = lambda: 0
