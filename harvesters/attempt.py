"""One attempt of one run: from getting its lane (its turn at the host) to the run's end, or to the
pause before the next attempt."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from procrastinate.exceptions import JobAborted

from harvesters.errors import HarvestError, WorkerLost
from harvesters.lanes import Lanes
from harvesters.pipeline import harvest
from harvesters.portal import Portal
from harvesters.rejections import hand_over
from harvesters.report import FAILED, Report, ending
from harvesters.room import Room
from harvesters.source import Source
from harvesters.telling import RunStopped, Teller, finish, tell
from harvesters.tries import Tries
from lake import logs

log = logging.getLogger(__name__)

UNFINISHED = ("requested", "running")
# All shorter than the portal's lease on a running run.
LONGEST_PAUSE_S = 640


class TryAgain(Exception):
    """What stopped the run may pass: try again after `pause_s` seconds."""

    def __init__(self, pause_s: float) -> None:
        super().__init__(f"again in {pause_s} s")
        self.pause_s = pause_s


@dataclass(frozen=True)
class Attempts:
    """How runs are attempted: the pauses between attempts, and the lanes that keep runs apart."""

    retry_after_s: tuple[int, ...]
    lanes: Lanes
    tries: Tries

    def run(self, run_id: str, room: Room, should_abort: Callable[[], bool]) -> None:
        """Attempt a run. Raises LaneBusy or TryAgain if it is to be tried later, JobAborted if at
        once."""
        run = room.portal.call("hanoiic_run_show", id=run_id)
        if run["state"] not in UNFINISHED:
            return
        row = room.portal.call("hanoiic_source_show", id=run["source_id"])
        with self.lanes.taken(row["id"], row["url"]):
            # Another worker may have ended it while this one waited for the lane.
            run = room.portal.call("hanoiic_run_show", id=run_id)
            if run["state"] not in UNFINISHED:
                return
            begun = self.tries.begin(run_id)
            try:
                self._work(run_id, row, room, begun, should_abort)
            except JobAborted:
                self.tries.take_back(run_id)
                raise
            except RunStopped:
                log.info("run_stopped", extra=logs.facts(run=run_id))
            self.tries.forget(run_id)

    def give_up(self, run_id: str, portal: Portal) -> bool:
        """Fail a run that has used up its attempts, as workers died in all of them. Returns whether
        it did."""
        if self.tries.count(run_id) <= len(self.retry_after_s):
            return False
        error = WorkerLost("The workers that tried this run died each time.")
        finish(portal, run_id, FAILED, None, error)
        self.tries.forget(run_id)
        return True

    def _work(
        self,
        run_id: str,
        row: dict[str, Any],
        room: Room,
        begun: int,
        should_abort: Callable[[], bool],
    ) -> None:
        teller = Teller(lambda report: tell(room.portal, run_id, report))

        def changed(report: Report) -> None:
            if should_abort():
                raise JobAborted
            teller.changed(report)

        report = Report(changed, partial(hand_over, room.portal, run_id))
        if begun > 1:
            tries = len(self.retry_after_s) + 1
            report.stages["fetch"].say(f"Attempt {begun} of {tries}.")
        if not tell(room.portal, run_id):
            raise RunStopped
        try:
            with teller:
                harvest(Source.of(row), room, report, run_id)
        except HarvestError as error:
            pause_s = self._pause_s(error, begun)
            if pause_s is None:
                finish(room.portal, run_id, ending(error), report, error)
                return
            report.stages["fetch"].say(f"{error.detail} Tried again in {pause_s} s.")
            tell(room.portal, run_id, report)
            raise TryAgain(pause_s) from error
        except (JobAborted, RunStopped):
            raise
        except Exception:
            log.exception("run_broke", extra=logs.facts(run=run_id))
            broke = HarvestError("Something in the harvester broke; its log says what.")
            finish(room.portal, run_id, FAILED, report, broke)
        else:
            finish(room.portal, run_id, report.outcome, report, None)

    def _pause_s(self, error: HarvestError, begun: int) -> int | None:
        """Seconds until the next attempt: more each time, and not before the source allows it. None
        when there is no further attempt, as the error can't pass by itself."""
        if not error.passing or begun > len(self.retry_after_s):
            return None
        said = int(error.facts.get("retry_after_s") or 0)
        return max(self.retry_after_s[begun - 1], min(said, LONGEST_PAUSE_S))
