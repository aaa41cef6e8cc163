"""Flight SQL's queries: begun, waiting, fetched or cancelled.

A query begins when its FlightInfo is asked for and is fetched once, by the same caller. Whoever
hangs up meanwhile, or says so, cancels it.
"""

from __future__ import annotations

import io
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from api_gateway.asked import Asked, AsOf
from api_gateway.errors import QueryNotFound
from api_gateway.exchange import Answer, Caller
from api_gateway.query import Gateway

# A query that is not fetched for so long is ended.
WAITING_S = 30.0
_LOOK_S = 0.25


@dataclass(frozen=True)
class Waiting:
    """An answer that was begun and is not fetched yet."""

    caller: str
    answer: Answer
    reader: pa.RecordBatchReader
    begun_at: float
    source: io.BufferedIOBase

    def finish(self) -> None:
        """Take what follows the last batch: only then it is an answer that was sent in full."""
        self.source.read()


class FlightQueries:
    """The queries of one Flight server, by their handles."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._waiting: dict[bytes, Waiting] = {}
        # Calls that wait for a first batch: their context is gone when they return.
        self._calls: dict[bytes, tuple[Any, str]] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._look, name="flight-queries", daemon=True).start()

    def begin(
        self, context: Any, who: Caller, sql: str, params: Any, limit: int | None = None
    ) -> tuple[bytes, pa.Schema]:
        """Begin a query; returns its handle and its schema. Raises any GatewayError."""
        self._gateway.count(who)
        handle = secrets.token_bytes(16)
        asked = Asked(format="arrow", as_of=AsOf(), sql=sql, params=params, limit=limit)
        with self._watched(handle, context, who):
            answer = self._gateway.query(asked, replace(who, query_id=handle.hex()), "flight")
            source = io.BufferedReader(_Chunks(answer))
            try:
                reader = pa.ipc.open_stream(source)
            except BaseException:
                answer.end()
                raise
        with self._lock:
            self._waiting[handle] = Waiting(who.name, answer, reader, time.monotonic(), source)
        return handle, reader.schema

    def fetch(self, handle: bytes, who: Caller) -> Waiting:
        """As `take`, of a caller who may still read it: what waits is watched by nobody. Raises
        QueryNotFound, AccessDenied, and what asking the portal raises."""
        waiting = self.take(handle, who)
        try:
            self._gateway.running.require(who.token, who.address, "query", waiting.answer.shelved)
        except BaseException:
            waiting.answer.end()
            raise
        return waiting

    def take(self, handle: bytes, who: Caller) -> Waiting:
        """A begun query of this caller, to be read and ended. Raises QueryNotFound."""
        with self._lock:
            waiting = self._waiting.get(handle)
            if waiting is None or waiting.caller != who.name:
                raise QueryNotFound("no such query, or it was fetched already")
            return self._waiting.pop(handle)

    def cancel(self, handle: bytes, who: Caller) -> bool:
        """End a query of this caller, fetched already or not. Whether there was one."""
        try:
            self.take(handle, who).answer.end()
        except QueryNotFound:
            return self._gateway.queries.cancel(handle.hex(), who.name)
        return True

    @contextmanager
    def _watched(self, handle: bytes, context: Any, who: Caller) -> Iterator[None]:
        with self._lock:
            self._calls[handle] = context, who.name
        try:
            yield
        finally:
            with self._lock:
                del self._calls[handle]

    def _look(self) -> None:
        while True:
            time.sleep(_LOOK_S)
            oldest = time.monotonic() - WAITING_S
            with self._lock:
                gone = [
                    (handle, name)
                    for handle, (context, name) in self._calls.items()
                    if context.is_cancelled()
                ]
                late = [each for each, of in self._waiting.items() if of.begun_at < oldest]
                ended = [self._waiting.pop(handle) for handle in late]
            for handle, name in gone:
                self._gateway.queries.cancel(handle.hex(), name)
            for waiting in ended:
                waiting.answer.end()


class _Chunks(io.RawIOBase):
    """An answer's bytes as a file that Arrow reads."""

    def __init__(self, answer: Answer) -> None:
        self._chunks, self._left = iter(answer.chunks), b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._left = chunk
        count = min(len(buffer), len(self._left))
        buffer[:count], self._left = self._left[:count], self._left[count:]
        return count
