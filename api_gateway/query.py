"""A query from its SQL to its bytes.

SQL ──gate──► the tables it touches ──portal──► may the caller read them all?
                                                    │
    bytes ◄──relay── query process ◄──shelf── their versions and files
"""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from api_gateway import frames, gate
from api_gateway.asked import Asked
from api_gateway.decisions import Decisions, fingerprint
from api_gateway.engine import quoted
from api_gateway.errors import (
    BY_CODE,
    GatewayError,
    QueryTimeout,
    TooComplex,
    WorkerDied,
)
from api_gateway.gate import Statement
from api_gateway.pool import Lease, Pool
from api_gateway.processes import ClientGone, Nursery
from api_gateway.settings import GATE_TIMEOUT_S, QUEUE_S, Settings
from api_gateway.shelf import Shelf, Shelved
from api_gateway.verdicts import require_locks, require_network, require_permits
from lake import logs

log = logging.getLogger(__name__)

# Past its engine time a query is interrupted; past this much more, its process is killed.
_GRACE_S = 2.0
_GATE_PROCESSES = 2
# A reading depends on nothing but the SQL: the same text, up to this long, is read once.
_REMEMBERED_SQL = 4096
# How often an answer that is being sent asks whether it may go on.
_RECHECK_S = 2.0


@dataclass(frozen=True)
class Caller:
    """Who asks: its token, its connection, watched for a hang-up, and its IP address."""

    token: str | None
    connection: socket.socket | None = None
    address: str | None = None


@dataclass(frozen=True)
class Answer:
    """An answer whose first rows are there. `end` gives its process back, read in full or not."""

    asked: Asked
    shelved: tuple[Shelved, ...]
    truncated: bool
    chunks: Iterator[bytes]
    end: Callable[[], None]


class Gateway:
    """The parts a request passes; one for a web process."""

    def __init__(self, settings: Settings, decisions: Decisions) -> None:
        self.settings = settings
        self.decisions = decisions
        self.shelf = Shelf(settings.lake_root)
        self.nursery = Nursery(settings)
        self.pool = Pool(self.nursery, settings.worker_count, QUEUE_S, spare=True)
        self._remembered = lru_cache(maxsize=1024)(self._read)
        self._gates = Pool(self.nursery, _GATE_PROCESSES, QUEUE_S, spare=False)

    def query(self, asked: Asked, caller: Caller) -> Answer:
        """Answer a caller's SQL. Raises any GatewayError."""
        short = len(asked.sql) <= _REMEMBERED_SQL
        statement = self._remembered(asked.sql) if short else self._read(asked.sql)
        return self._answer(statement, asked, caller, "query")

    def download(self, table: str, asked: Asked, caller: Caller) -> Answer:
        """Answer with a whole table. Raises any GatewayError."""
        whole = Statement(f"SELECT * FROM {quoted(table)}", (table,))  # noqa: S608
        return self._answer(whole, asked, caller, "download")

    def take(
        self, tables: tuple[str, ...], asked: Asked, caller: Caller, action: str
    ) -> tuple[Shelved, ...]:
        """The tables at the versions asked for, if the caller may read every one of them."""
        decision = self.decisions.decide(caller.token, tables, action)
        require_network(decision, caller.address)
        require_permits(decision, tables, caller.token, self.decisions)
        if not self.settings.allow_weak_sandbox:
            require_locks(decision, tables, self.nursery.locks)
        return tuple(
            self.shelf.take(name, decision.of(name), asked.as_of.of(name)) for name in tables
        )

    def close(self) -> None:
        """End every query process."""
        self.nursery.close()

    def _read(self, sql: str) -> Statement:
        gate.measure(sql)
        with self._gates.process("gate", ()) as lease:
            lease.process.ask({"kind": "parse", "sql": sql, "request_id": logs.request_id()})
            try:
                _, payload = lease.process.receive(GATE_TIMEOUT_S)
            except TimeoutError:
                raise TooComplex("the query takes too long to parse") from None
            lease.finish()
        trees = json.loads(payload)
        return gate.accept(sql, trees["parsed"], trees["printed"], trees["again"])

    def _answer(self, statement: Statement, asked: Asked, caller: Caller, action: str) -> Answer:
        shelved = self.take(statement.tables, asked, caller, action)
        sources = [each.source for each in shelved]
        lease = self.pool.lease((fingerprint(caller.token), frozenset(sources)), sources)
        try:
            timeout_s = min(asked.timeout_s or 1e9, self.settings.gateway_timeout_s)
            lease.process.ask(_job(statement, asked, shelved, timeout_s), caller.connection)
            header = self._first(lease, asked, timeout_s)
        except BaseException:
            lease.end()
            raise
        recheck = (caller.token, statement.tables, action)
        chunks = self._relay(lease, timeout_s, recheck)
        return Answer(asked, shelved, header["truncated"], chunks, lease.end)

    def _first(self, lease: Lease, asked: Asked, timeout_s: float) -> dict[str, Any]:
        try:
            kind, payload = lease.process.receive(timeout_s + _GRACE_S)
        except TimeoutError:
            raise QueryTimeout(timeout_s=timeout_s) from None
        content: dict[str, Any] = json.loads(payload)
        if kind == frames.HEADER:
            return content
        if content["code"] not in ("query_crashed", "query_memory_exceeded"):
            lease.finish()
        raise _reported(content, asked, timeout_s, self.settings.gateway_memory_mb)

    def _relay(
        self, lease: Lease, timeout_s: float, recheck: tuple[str | None, tuple[str, ...], str]
    ) -> Iterator[bytes]:
        """The answer's bytes. What goes wrong now can only break the connection off: the caller
        sees an incomplete answer, never a short one that looks whole."""
        checked_at, epoch = time.monotonic(), self.decisions.epoch()
        try:
            while True:
                kind, payload = lease.process.receive(timeout_s + _GRACE_S)
                if kind == frames.END:
                    lease.finish()
                    return
                if kind != frames.DATA:
                    raise Interrupted(json.loads(payload)["code"])
                yield payload
                if time.monotonic() - checked_at > _RECHECK_S:
                    checked_at, epoch = time.monotonic(), self._still_permitted(epoch, recheck)
        except (TimeoutError, WorkerDied) as error:
            raise Interrupted(type(error).__name__) from error
        except ClientGone:
            log.info("client_gone")
        finally:
            lease.end()

    def _still_permitted(
        self, epoch: int | None, recheck: tuple[str | None, tuple[str, ...], str]
    ) -> int | None:
        now = self.decisions.epoch()
        if now != epoch or now is None:
            token, tables, action = recheck
            try:
                decision = self.decisions.decide(token, tables, action)
                require_permits(decision, tables, token, self.decisions)
            except GatewayError as error:
                raise Interrupted(error.code) from error
        return now


class Interrupted(Exception):
    """An answer that cannot be completed after its first bytes were sent."""


def _job(
    statement: Statement, asked: Asked, shelved: tuple[Shelved, ...], timeout_s: float
) -> dict[str, Any]:
    return {
        "kind": "query",
        "sql": statement.sql,
        "params": asked.params,
        "format": asked.format,
        "limit": asked.limit,
        "csv_safe": asked.csv_safe,
        "timeout_s": timeout_s,
        "request_id": logs.request_id(),
        "envelope": {
            "request_id": logs.request_id(),
            "tables": [each.attribution for each in shelved],
        },
    }


def _reported(
    content: dict[str, Any], asked: Asked, timeout_s: float, memory_mb: int
) -> GatewayError:
    facts: dict[str, Any] = {}
    if content["code"] == QueryTimeout.code:
        facts["timeout_s"] = timeout_s
    if content["code"] == "query_memory_exceeded":
        facts["memory_mb"] = memory_mb
    if near := content.get("near"):
        place = asked.sql.find(near)
        facts |= {"near": near, "position": place if place >= 0 else None}
    return BY_CODE[content["code"]](content["detail"], **facts)
