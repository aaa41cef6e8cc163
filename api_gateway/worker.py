"""A query process: one locked engine, one job at a time, its answer as frames on a socket.

It begins as a spare that has connected but holds no table. Its first job, `open`, gives it its
tables and closes the locks; from then on it parses (a process without tables) or queries.
"""

from __future__ import annotations

import hashlib
import logging
import marshal
import os
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from api_gateway import answers, engine, failures, frames, plan, reading, sandbox
from api_gateway.bound_values import bound
from api_gateway.engine import Source
from api_gateway.errors import TableUnreadable
from api_gateway.sandbox import Locks
from api_gateway.stopwatch import Stopwatch
from lake import logs

log = logging.getLogger(__name__)

_PIECE_BYTES = 1 << 20
_STORE_NICE = 10


@dataclass(frozen=True)
class Room:
    """What a query process may use: the folders of the lake and of hot tables, to read; a folder of
    its own, to spill into; and memory."""

    readable: tuple[Path, ...]
    spill: Path
    memory_mb: int
    locks: Locks
    slow_query_s: float

    @property
    def spill_mb(self) -> int:
        return 4 * self.memory_mb


class Worker:
    """The life of one query process after its fork, until the other end of `sock` closes."""

    def __init__(self, sock: socket.socket, room: Room) -> None:
        self._sock = sock
        self._room = room
        sock.settimeout(None)
        self._connection = self._enter()
        self._jobs: dict[str, Callable[[dict[str, Any]], None]] = {
            "open": self._open,
            "store": self._store,
            "parse": self._parse,
            "query": self._query,
            "plan": self._plan,
        }

    def serve(self) -> None:
        """Do jobs until the gateway hangs up or a failure makes the engine doubtful."""
        while True:
            try:
                _, payload = frames.receive(self._sock)
            except (frames.Closed, OSError):
                return
            job = marshal.loads(payload)  # noqa: S302 (from the gateway, whom it serves)
            with logs.request(job.get("request_id")):
                self._jobs[job["kind"]](job)

    def _enter(self) -> duckdb.DuckDBPyConnection:
        sandbox.limit_resources(self._room.memory_mb, self._room.spill_mb)
        self._restrict_files(self._room.readable)
        if sandbox.restrict_calls() != self._room.locks.seccomp:
            raise RuntimeError("seccomp does not hold as it did at the start")
        # Single-threaded until `open`: Landlock binds a thread and those it starts afterwards.
        return engine.connect(self._room.memory_mb)

    def _restrict_files(self, readable: Iterable[Path]) -> None:
        held = sandbox.restrict_files(readable, self._room.spill)
        if held != self._room.locks.landlock:
            raise RuntimeError("Landlock does not hold as it did at the start")

    def _open(self, job: dict[str, Any]) -> None:
        sources = [_source(each) for each in job["sources"]]
        self._sources = sources
        self._restrict_files(file for source in sources for file in source.readable)
        if job["memory_mb"]:
            sandbox.take_memory(self._room.memory_mb - job["memory_mb"])
            self._room = replace(self._room, memory_mb=job["memory_mb"])
        room = self._room
        engine.lock(self._connection, sources, room.spill, room.spill_mb, room.memory_mb)
        self._stopwatch = Stopwatch()
        self._parsed = engine.Parsed(self._connection)
        self._cursor = self._reading_cursor()
        self._beside: duckdb.DuckDBPyConnection | None = None

    def _store(self, job: dict[str, Any]) -> None:
        """Make a DuckDB database of a source's rows: answer HEADER with its `bytes`, then the
        database itself as DATA. It is the only job of this process."""
        # Behind other queries, but not behind everything: hot tables matter most on a busy machine.
        os.nice(_STORE_NICE)
        source = _source(job["source"])
        self._restrict_files(source.readable)
        made = engine.store(self._connection, source, self._room.spill)
        frames.send_json(self._sock, frames.HEADER, {"bytes": made.stat().st_size})
        with made.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                frames.send(self._sock, frames.DATA, piece)
        frames.send(self._sock, frames.END, b"")

    def _cursor_beside(self) -> duckdb.DuckDBPyConnection:
        self._beside = self._reading_cursor()
        return self._beside

    def _interrupt(self) -> None:
        self._cursor.interrupt()
        if self._beside:
            self._beside.interrupt()

    def _reading_cursor(self) -> duckdb.DuckDBPyConnection:
        """A cursor that can change nothing that the next query would see; made before it comes."""
        cursor = self._connection.cursor()
        cursor.execute("BEGIN TRANSACTION READ ONLY")
        return cursor

    def _parse(self, job: dict[str, Any]) -> None:
        """Answer END with the verdict on the SQL."""
        cursor = self._connection.cursor()
        self._stopwatch.start(job["timeout_s"], cursor.interrupt)
        with self._stopwatch.running():
            verdict = reading.told(job["sql"], partial(self._text, cursor), (duckdb.Error,))
        # An interrupted parser only says that the SQL can't be parsed. The gateway, whose time is
        # over too, says the true reason.
        if not self._stopwatch.fired:
            frames.send_json(self._sock, frames.END, verdict)

    @staticmethod
    def _text(cursor: duckdb.DuckDBPyConnection, statement: str, argument: str) -> str:
        found = cursor.execute(statement, [argument]).fetchone()
        return str(found[0]) if found else ""

    def _query(self, job: dict[str, Any]) -> None:
        begun = time.monotonic()
        self._stopwatch.start(job["timeout_s"], self._interrupt, slow=job.get("slow", False))
        if not job["repeatable"]:
            # `now()` is the beginning of the transaction, which may be long ago: begin another one.
            self._begin_anew()
        try:
            job |= {"folder": str(self._room.spill), "params": bound(job["params"])}
            rows = answers.answer(
                self._cursor, self._cursor_beside, self._parsed, job, self._sock,
                self._stopwatch.running,
            )  # fmt: skip
        except (OSError, frames.Closed) as error:
            if not isinstance(error, OSError) or not failures.is_engine_failure(error):
                raise
            self._fail(error)
        except Exception as error:
            self._fail(error)
        else:
            self._log(job, rows, time.monotonic() - begun)
            self._begin_anew()

    def _plan(self, job: dict[str, Any]) -> None:
        """Answer END with what the query would do."""
        self._stopwatch.start(job["timeout_s"], self._cursor.interrupt)
        try:
            with self._stopwatch.running():
                found = plan.explain(self._cursor, job, self._sources)
        except Exception as error:
            self._fail(error)
        else:
            frames.send_json(self._sock, frames.END, found)
            self._begin_anew()

    def _begin_anew(self) -> None:
        self._beside = None
        self._cursor.close()
        self._cursor = self._reading_cursor()

    def _log(self, job: dict[str, Any], rows: int, duration_s: float) -> None:
        found = {"format": job["format"], "rows": rows, "duration_s": round(duration_s, 4)}
        if duration_s < self._room.slow_query_s:
            log.info("query_done", extra=logs.facts(**found))
        else:
            # The text is the caller's own and is not logged; equal queries have equal fingerprints.
            told = hashlib.sha256(job["sql"].encode()).hexdigest()[:16]
            log.warning("slow_query", extra=logs.facts(query=told, **found))

    def _fail(self, error: Exception) -> None:
        files = [str(file) for source in self._sources for file in source.readable]
        report = failures.report(error, timed_out=self._stopwatch.fired, files=files)
        told: dict[str, Any] = {"code": report["code"], "error": type(error).__qualname__}
        if report["code"] == TableUnreadable.code:
            # Not the caller's failure: operators find the file by it.
            told["tables"] = [source.table for source in self._sources]
            told["detail"] = str(error)[:500]
        log.info("query_failed", extra=logs.facts(**told))
        frames.send_json(self._sock, frames.FAILED, report)
        # Ends the process, with whatever the error left behind in the engine; a new one is cheap.
        os._exit(1)


def _source(told: dict[str, Any]) -> Source:
    return Source(told["table"], tuple(told["files"]), tuple(told["times"]), told["hot"])
