"""The queries that run now, and how to cancel one, whichever web process it runs in.

A web process keeps its own queries in memory, so one that nobody cancels costs nothing. A
cancellation is sent to all gateway processes over Valkey, and each answers whether it had that
query.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import redis

from api_gateway.errors import QueryCancelled, TableUnreadable
from api_gateway.pool import Lease
from api_gateway.process import Process
from lake import logs

log = logging.getLogger(__name__)

CHANNEL = "hanoiic:gateway:cancel"
_ANSWERS = "hanoiic:gateway:cancelled:"
_WAIT_S = 1.0
_RECONNECT_S = 1.0


class Query:
    """One query: whose it is, the process it runs in, and whether it was cancelled."""

    def __init__(self, queries: Queries, key: tuple[str, str]) -> None:
        self._queries, self._key = queries, key
        self._process: Process | None = None
        self.cancelled = False

    def runs_in(self, process: Process) -> None:
        """Note the process that the query got. Raises QueryCancelled if it was cancelled while it
        waited."""
        with self._queries.lock:
            if self.cancelled:
                raise QueryCancelled
            self._process = process

    def cancel(self) -> None:
        """End its process, which the reader of its answer notices. To be called under the lock."""
        self.cancelled = True
        if self._process:
            self._process.end_soon()

    def end(self) -> None:
        """It is over; safe to repeat."""
        with self._queries.lock:
            self._process = None
            running = self._queries.running.get(self._key, set())
            running.discard(self)
            if not running:
                self._queries.running.pop(self._key, None)


class Queries:
    """The queries of this web process, by (id, caller). Callers choose the ids, so two queries may
    have the same."""

    def __init__(self, valkey: redis.Redis | None = None) -> None:
        self.lock = threading.Lock()
        self.running: dict[tuple[str, str], set[Query]] = {}
        self._valkey = valkey
        if valkey is not None:
            threading.Thread(target=self._listen, name="cancellations", daemon=True).start()

    def begin(self, query_id: str, caller: str) -> Query:
        """A query begins; it must `end`."""
        query = Query(self, (query_id, caller))
        with self.lock:
            self.running.setdefault((query_id, caller), set()).add(query)
        return query

    def cancel(self, query_id: str, caller: str) -> bool:
        """End the caller's queries of that id, here and in every other process. Whether there was
        one."""
        return self._cancel_here(query_id, caller) or self._call_out(query_id, caller)

    def _cancel_here(self, query_id: str, caller: str) -> bool:
        with self.lock:
            found = list(self.running.get((query_id, caller), ()))
            for query in found:
                query.cancel()
        return bool(found)

    def _call_out(self, query_id: str, caller: str) -> bool:
        if self._valkey is None:
            return False
        answers = _ANSWERS + uuid.uuid4().hex
        message = {"id": query_id, "caller": caller, "answers": answers}
        try:
            waiting = int(self._valkey.publish(CHANNEL, json.dumps(message)))
            deadline = time.monotonic() + _WAIT_S
            while waiting > 0 and (left := deadline - time.monotonic()) > 0:
                said: Any = self._valkey.blpop([answers], timeout=left)
                if said is None or said[1] == b"1":
                    return said is not None
                waiting -= 1
        except redis.RedisError as error:
            log.warning("cancel_not_called", extra=logs.facts(error=type(error).__qualname__))
        return False

    def _listen(self) -> None:
        assert self._valkey is not None  # noqa: S101 (for the type checker)
        while True:
            try:
                pubsub: Any = self._valkey.pubsub
                with pubsub(ignore_subscribe_messages=True) as channel:
                    channel.subscribe(CHANNEL)
                    while True:
                        if said := channel.get_message(timeout=60.0):
                            self._answer(json.loads(said["data"]))
            except redis.RedisError as error:
                log.warning("cancel_unheard", extra=logs.facts(error=type(error).__qualname__))
                time.sleep(_RECONNECT_S)

    def _answer(self, message: dict[str, str]) -> None:
        assert self._valkey is not None  # noqa: S101 (for the type checker)
        had = self._cancel_here(message["id"], message["caller"])
        self._valkey.rpush(message["answers"], b"1" if had else b"0")
        self._valkey.expire(message["answers"], 10)


@dataclass(frozen=True)
class Turn:
    """A query's hold on its process, and its place in the list of what runs."""

    lease: Lease
    query: Query
    # Told of a table's files that could not be read.
    unread: Callable[[], None]

    def failed(self, code: str) -> None:
        """The process reported a failure of this code; it ends."""
        self.lease.fail(code)
        if code == TableUnreadable.code:
            self.unread()

    def end(self) -> None:
        """Give both back; safe to repeat."""
        self.query.end()
        self.lease.end()
