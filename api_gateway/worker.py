"""A query process: one locked engine, one job at a time, its answer as frames on a socket.

It begins as a spare that has connected but holds no table. Its first job, `open`, gives it its
tables and closes the locks; from then on it parses (a process without tables) or queries.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from api_gateway import answers, engine, failures, frames, plan, sandbox
from api_gateway.engine import Source
from api_gateway.gate import TREE_BYTES
from api_gateway.sandbox import Locks
from api_gateway.settings import STALL_S
from lake import logs

log = logging.getLogger(__name__)

_SERIALIZE = "SELECT json_serialize_sql(?::VARCHAR, skip_null := true, skip_empty := true)"
_DESERIALIZE = "SELECT json_deserialize_sql(?::JSON)"


@dataclass(frozen=True)
class Room:
    """What a query process may have: where the lake is, a folder of its own, and its memory."""

    lake_root: Path
    spill: Path
    memory_mb: int
    locks: Locks

    @property
    def spill_mb(self) -> int:
        return 4 * self.memory_mb


class Stopwatch:
    """Counts engine time, not the time a slow reader takes, and interrupts when it is used up."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._deadline: float | None = None
        self._interrupt: Callable[[], None] = lambda: None
        self._left_s = 0.0
        self.fired = False
        threading.Thread(target=self._watch, daemon=True).start()

    def start(self, seconds: float, interrupt: Callable[[], None]) -> None:
        """Give a new job `seconds`."""
        self._left_s, self._interrupt, self.fired = seconds, interrupt, False

    @contextmanager
    def running(self) -> Iterator[None]:
        """Inside, time counts."""
        begun = time.monotonic()
        self._arm(begun + self._left_s)
        try:
            yield
        finally:
            self._arm(None)
            self._left_s -= time.monotonic() - begun

    def _arm(self, deadline: float | None) -> None:
        with self._changed:
            self._deadline = deadline
            self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while True:
                left = None if self._deadline is None else self._deadline - time.monotonic()
                if left is not None and left <= 0:
                    self.fired, self._deadline = True, None
                    self._interrupt()
                    continue
                self._changed.wait(left)


class Worker:
    """The life of one query process after its fork, until the other end of `sock` closes."""

    def __init__(self, sock: socket.socket, room: Room) -> None:
        self._sock = sock
        self._room = room
        sock.settimeout(None)
        self._connection = self._enter()
        self._jobs: dict[str, Callable[[dict[str, Any]], None]] = {
            "open": self._open,
            "parse": self._parse,
            "query": self._query,
            "plan": self._plan,
        }

    def serve(self) -> None:
        """Do jobs until the gateway hangs up or a failure makes the engine doubtful."""
        while True:
            self._sock.settimeout(None)
            try:
                _, payload = frames.receive(self._sock)
            except (frames.Closed, OSError):
                return
            job = json.loads(payload)
            # A reader that stalls for so long is gone; its query must not hold a place.
            self._sock.settimeout(STALL_S)
            with logs.request(job.get("request_id")):
                self._jobs[job["kind"]](job)

    def _enter(self) -> duckdb.DuckDBPyConnection:
        sandbox.limit_resources(self._room.memory_mb, self._room.spill_mb)
        self._restrict_files([self._room.lake_root])
        if sandbox.restrict_calls() != self._room.locks.seccomp:
            raise RuntimeError("seccomp does not hold as it did at the start")
        # Single-threaded until `open`: Landlock binds a thread and those it starts afterwards.
        return engine.connect(self._room.memory_mb)

    def _restrict_files(self, readable: list[Path]) -> None:
        held = sandbox.restrict_files(readable, self._room.spill)
        if held != self._room.locks.landlock:
            raise RuntimeError("Landlock does not hold as it did at the start")

    def _open(self, job: dict[str, Any]) -> None:
        sources = [
            Source(each["table"], tuple(each["files"]), tuple(each["times"]))
            for each in job["sources"]
        ]
        self._sources = sources
        self._restrict_files([Path(file) for source in sources for file in source.files])
        engine.lock(self._connection, sources, self._room.spill, self._room.spill_mb)
        self._stopwatch = Stopwatch()

    def _parse(self, job: dict[str, Any]) -> None:
        """Answer END with the tree, the SQL printed from it, and the tree of that."""
        cursor = self._connection.cursor()
        try:
            parsed = self._text(cursor, _SERIALIZE, job["sql"])
            printed = again = ""
            if len(parsed) <= TREE_BYTES and not json.loads(parsed)["error"]:
                printed = self._text(cursor, _DESERIALIZE, parsed)
                again = self._text(cursor, _SERIALIZE, printed)
        except (duckdb.Error, RecursionError):
            # Several statements, or a tree the engine itself cannot read back.
            printed = again = ""
        frames.send_json(
            self._sock,
            frames.END,
            {"parsed": parsed[: TREE_BYTES + 1], "printed": printed, "again": again},
        )

    @staticmethod
    def _text(cursor: duckdb.DuckDBPyConnection, statement: str, argument: str) -> str:
        found = cursor.execute(statement, [argument]).fetchone()
        return str(found[0]) if found else ""

    def _query(self, job: dict[str, Any]) -> None:
        begun = time.monotonic()
        cursor = self._connection.cursor()
        self._stopwatch.start(job["timeout_s"], cursor.interrupt)
        try:
            job["folder"] = str(self._room.spill)
            rows = answers.answer(cursor, job, self._sock, self._stopwatch.running)
        except (OSError, frames.Closed) as error:
            if not isinstance(error, OSError) or not failures.is_engine_failure(error):
                raise
            self._fail(error)
        except Exception as error:
            self._fail(error)
        else:
            log.info(
                "query_done",
                extra=logs.facts(
                    format=job["format"], rows=rows, duration_s=round(time.monotonic() - begun, 4)
                ),
            )
        finally:
            cursor.close()

    def _plan(self, job: dict[str, Any]) -> None:
        """Answer END with what the query would do."""
        cursor = self._connection.cursor()
        self._stopwatch.start(job["timeout_s"], cursor.interrupt)
        try:
            with self._stopwatch.running():
                found = plan.explain(cursor, job, self._sources)
        except Exception as error:
            self._fail(error)
        else:
            frames.send_json(self._sock, frames.END, found)
        finally:
            cursor.close()

    def _fail(self, error: Exception) -> None:
        report = failures.report(error, timed_out=self._stopwatch.fired)
        log.info(
            "query_failed", extra=logs.facts(code=report["code"], error=type(error).__qualname__)
        )
        frames.send_json(self._sock, frames.FAILED, report)
        if report["code"] in failures.FINAL:
            # After an internal error the engine refuses everything; a new process is cheap.
            os._exit(1)
