"""Makes the exports, one at a time in each gateway process, the way any query is answered."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from werkzeug.datastructures import MIMEAccept

from api_gateway import asked
from api_gateway.errors import (
    AccessDenied,
    ExportsFull,
    GatewayError,
    QueryCancelled,
    WorkerDied,
    kinds,
)
from api_gateway.exchange import Caller
from api_gateway.exports import KEPT_S, UNFINISHED, Export, Exports, on_disk
from api_gateway.query import Gateway
from api_gateway.relay import Interrupted
from lake import logs

log = logging.getLogger(__name__)

_LOOK_S = 1.0
_REPORT_S = 1.0
_PAUSE_S = 5.0
_MOST_ATTEMPTS = 3
# Errors that may have passed when the export is tried again.
_PASSING = frozenset(
    {
        "busy", "decision_unavailable", "edition_not_ready", "lake_unavailable", "rate_limited",
        "table_unreadable", "too_many_queries",
    }
)  # fmt: skip


class Exporter:
    """The thread of one gateway process that makes exports."""

    def __init__(self, gateway: Gateway, exports: Exports) -> None:
        self._gateway, self.exports = gateway, exports
        self._woken, self._closing = threading.Event(), False
        self._thread = threading.Thread(target=self._work, name="exporter", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is something new to do."""
        self._woken.set()

    def cancel(self, export: Export) -> None:
        """Stop an export, in whichever process it runs, and remove it."""
        caller = Caller(self.exports.token(export), address=export.address)
        self.exports.cancel(export)
        self._gateway.queries.cancel(export.id, caller.name)

    def close(self) -> None:
        """Leave what is unfinished to the next process."""
        self._closing = True
        self._woken.set()

    def _work(self) -> None:
        while not self._closing:
            try:
                self._look()
            except Exception:
                # Perhaps the disk failed; look again later.
                log.exception("exporter_failed")
            self._woken.wait(_LOOK_S)
            self._woken.clear()

    def _look(self) -> None:
        now = time.time()
        for export in self.exports.all():
            if export.finished_at and export.finished_at + KEPT_S < now:
                self.exports.remove(export.id)
        for export in self.exports.in_turn():
            if self._closing:
                return
            with self.exports.held(export.id) as mine:
                if mine:
                    self._take_up(export.id)
                    # An export that was added meanwhile may come first: look at all of them again.
                    self._woken.set()
                    return

    def _take_up(self, export_id: str) -> None:
        # Another process may have finished it before this one had the lock.
        found = [each for each in self.exports.all() if each.id == export_id]
        if not found or found[0].state not in UNFINISHED:
            return
        export = found[0]
        if self.exports.is_cancelled(export_id):
            self.exports.remove(export_id)
            return
        attempts = export.attempts + 1
        with logs.request(export.request_id):
            if attempts > _MOST_ATTEMPTS:
                self._fail(export, WorkerDied("the gateway ended each time it made this export"))
                return
            export = self.exports.change(
                export, state="running", attempts=attempts, started_at=time.time(), byte_count=0
            )
            self._run(export)

    def _run(self, export: Export) -> None:
        part = self.exports.path(export.id) / "result.part"
        try:
            export = self._write(export, part)
        except GatewayError as error:
            self._stopped(export, error)
        except Interrupted as error:
            self._stopped(export, _broken_off_by(str(error)))
        else:
            part.replace(part.with_name("result"))
            export = self.exports.change(export, state="ready", finished_at=time.time())
            log.info("export_ready", extra=logs.facts(bytes=export.byte_count))
        finally:
            if self.exports.is_cancelled(export.id):
                self.exports.remove(export.id)

    def _write(self, export: Export, part: Path) -> Export:
        caller = Caller(
            self.exports.token(export), None, export.address, export.reached_at, export.id,
            query_id=export.id,
        )  # fmt: skip
        answer = self._gateway.export(asked.from_body(export.body, MIMEAccept()), caller)
        reported, others = time.monotonic(), self.exports.used_bytes()
        written = 0
        try:
            with on_disk(), part.open("wb") as file:
                for chunk in answer.chunks:
                    file.write(chunk)
                    written += len(chunk)
                    if time.monotonic() - reported > _REPORT_S:
                        reported = time.monotonic()
                        export = self.exports.change(
                            export, byte_count=written, row_count=answer.rows_sent()
                        )
                    if others + written > self.exports.most_bytes:
                        raise ExportsFull
                    if self._closing or self.exports.is_cancelled(export.id):
                        raise Interrupted(QueryCancelled.code)
        finally:
            answer.end()
        return self.exports.change(
            export, byte_count=written, row_count=answer.rows_sent(), receipt=answer.receipt,
            truncated=answer.truncated,
            read_editions={each.table: each.decision.edition for each in answer.shelved},
        )  # fmt: skip

    def _stopped(self, export: Export, error: GatewayError) -> None:
        """An export failed: try it again later, or give it up."""
        if self._closing:
            # The gateway is closing: the next process begins again, and this try does not count.
            self.exports.change(export, attempts=export.attempts - 1)
        elif error.code in _PASSING:
            later = time.time() + _PAUSE_S
            self.exports.change(
                export, state="queued", not_before=later, attempts=export.attempts - 1
            )
        else:
            self._fail(export, error)

    def _fail(self, export: Export, error: GatewayError) -> None:
        for left in self.exports.path(export.id).glob("result*"):
            left.unlink(missing_ok=True)
        problem = error.problem(logs.request_id())
        self.exports.change(export, state="failed", finished_at=time.time(), error=problem)
        log.info("export_failed", extra=logs.facts(code=error.code))


def _broken_off_by(reason: str) -> GatewayError:
    """The error that an answer was broken off by: of this code, or AccessDenied where `reason` says
    why the right to read ended."""
    detail = f"the export was broken off: {reason}"
    kind = kinds().get(reason)
    return kind(detail) if kind else AccessDenied(detail, reason=reason)
