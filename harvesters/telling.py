"""Telling the portal how a run goes, and how it ended.

While a run works, a thread tells the portal what changed, once a second at most, and now and then
that the work goes on. Progress may get lost while the portal is away; the end of a run must not.
"""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType

from harvesters.errors import HarvestError, PortalFailed, PortalRefused
from harvesters.portal import Portal
from harvesters.report import Report, problem
from lake import logs

log = logging.getLogger(__name__)

TELL_EVERY_S = 1.0
# A long report takes the portal a while: the pause before the next one is so many times as long.
REST_FACTOR = 20
# The report of a run's end is larger.
DATASETS_MEANWHILE = 200
# The portal hands a run out again when nobody reports on it.
KEEP_LEASE_EVERY_S = 60.0


class RunStopped(Exception):
    """The portal has ended the run meanwhile (its source was deleted): stop working on it."""


class Teller:
    """Use as a context manager around the work; give `changed` to the report as `on_change`.

    `say` tells the portal of a report, or of nothing but that the work goes on (None). It answers
    false when the portal wants no more.
    """

    def __init__(self, say: Callable[[Report | None], bool]) -> None:
        self._say = say
        self._report: Report | None = None
        self._wake = threading.Event()
        self._done = threading.Event()
        self._stopped = False
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=context.run, args=(self._tell,), name="teller", daemon=True
        )

    def changed(self, report: Report) -> None:
        """Note that something changed. Raises RunStopped when the portal has ended the run."""
        self._report = report
        self._wake.set()
        if self._stopped:
            raise RunStopped

    def __enter__(self) -> Teller:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._wake.set()
        self._thread.join()

    def _tell(self) -> None:
        while not self._done.is_set():
            news = self._wake.wait(KEEP_LEASE_EVERY_S)
            self._wake.clear()
            if self._done.is_set():
                return
            started = time.monotonic()
            try:
                self._stopped = not self._say(self._report if news else None)
            except PortalFailed as error:
                log.warning("progress_not_told", extra=logs.facts(code=error.code))
            took_s = time.monotonic() - started
            self._done.wait(max(TELL_EVERY_S, REST_FACTOR * took_s))


def tell(portal: Portal, run_id: str, report: Report | None = None) -> bool:
    """Tell progress; false when the portal has ended the run."""
    said = report.as_dict(DATASETS_MEANWHILE) if report else {}
    # Holds are told at the end of the run only.
    said.pop("holds", None)
    try:
        portal.call("hanoiic_run_update", id=run_id, state="running", **said)
    except PortalRefused as error:
        if _is_over(error):
            return False
        log.warning("progress_refused", extra=logs.facts(code=error.code))
    except PortalFailed as error:
        log.warning("progress_not_told", extra=logs.facts(code=error.code))
    return True


def finish(
    portal: Portal, run_id: str, state: str, report: Report | None, error: HarvestError | None
) -> None:
    """Tell how a run ended. Raises what the portal raises: a run must not stay open."""
    said = report.as_dict() if report else {}
    try:
        portal.call(
            "hanoiic_run_update",
            id=run_id,
            state=state,
            error=problem(error) if error else None,
            **said,
        )
    except PortalRefused as refused:
        if not _is_over(refused):
            raise
    log.info(
        "run_finished",
        extra=logs.facts(
            run=run_id,
            state=state,
            code=error.code if error else None,
            tables=len(said.get("tables", [])),
        ),
    )


def _is_over(refused: PortalRefused) -> bool:
    return "run_finished" in str(refused.facts.get("fields"))
