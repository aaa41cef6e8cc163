"""The harvest worker: claims the portal's runs, queues them, works them off, rescues lost; and
once a day, one of the workers tends the lake and the raw store.

A run is one job of procrastinate: one at a time a source (its lock), once in the queue (its
queueing lock), again after a pause when what stopped it may pass. A worker that is killed stops its
heartbeat; any other worker puts its jobs back within STALLED_S and a rescue's pause.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from procrastinate import App, BaseRetryStrategy, JobContext, RetryDecision
from procrastinate.exceptions import AlreadyEnqueued, JobAborted
from procrastinate.jobs import Job, Status

from harvesters.errors import HarvestError, PortalFailed, PortalRefused, WorkerLost
from harvesters.pipeline import Room, harvest
from harvesters.portal import Portal
from harvesters.report import FAILED, Report, ending
from harvesters.source import Source
from harvesters.upkeep import Keep, tend
from lake import logs

log = logging.getLogger(__name__)

CLAIM_EVERY_S = 2.0
RESCUE_EVERY_S = 3.0
HEARTBEAT_S = 3.0
STALLED_S = 15.0
# The portal hands a run out again when nobody reports on it.
KEEP_LEASE_EVERY_S = 60.0
RETRY_AFTER_S = (10, 40, 160, 640)
SHUTDOWN_S = 10.0
CONCURRENCY = 2
# At night in Hanoi (19:17 UTC is 02:17 there).
UPKEEP_CRON = "17 19 * * *"
UNFINISHED = ("requested", "running")

MakeRoom = Callable[[], Room]


class RunStopped(Exception):
    """The portal has ended the run meanwhile (its source was deleted): stop working on it."""


class Backoff(BaseRetryStrategy):
    """Again, later and later, when it may pass; at once after a shutdown; else never."""

    def __init__(self, retry_after_s: tuple[int, ...] = RETRY_AFTER_S) -> None:
        self.retry_after_s = retry_after_s

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if isinstance(exception, JobAborted):
            return RetryDecision()
        if self.may_pass(exception, job.attempts):
            return RetryDecision(retry_in={"seconds": self.retry_after_s[job.attempts]})
        return None

    def may_pass(self, error: BaseException, attempts: int) -> bool:
        passing = isinstance(error, HarvestError) and error.passing
        return passing and attempts < len(self.retry_after_s)


class Worker:
    """`make_room` opens a run's own connections; `app` is the queue, not yet opened."""

    def __init__(
        self,
        app: App,
        make_room: MakeRoom,
        portal: Portal,
        *,
        retry_after_s: tuple[int, ...] = RETRY_AFTER_S,
        keep: Keep | None = None,
    ) -> None:
        self.app = app
        self.name = f"{socket.gethostname()}-{os.getpid()}"
        self._make_room = make_room
        self._portal = portal
        self._backoff = Backoff(retry_after_s)
        self._task = app.task(
            name="harvest_run", pass_context=True, retry=self._backoff, queue="harvest"
        )(self._run_job)
        self._keep = keep or Keep()
        tended = app.task(name="harvest_upkeep", queue="harvest", queueing_lock="upkeep")(
            self._tend
        )
        app.periodic(cron=UPKEEP_CRON)(tended)

    async def run(self) -> None:
        """Work until told to stop (SIGTERM, SIGINT)."""
        async with self.app.open_async():
            sides = [
                asyncio.create_task(self._repeat(self._claim, CLAIM_EVERY_S)),
                asyncio.create_task(self._repeat(self._rescue, RESCUE_EVERY_S)),
            ]
            log.info("worker_started", extra=logs.facts(worker=self.name))
            try:
                await self.app.run_worker_async(
                    queues=["harvest"],
                    name=self.name,
                    concurrency=CONCURRENCY,
                    fetch_job_polling_interval=CLAIM_EVERY_S,
                    update_heartbeat_interval=HEARTBEAT_S,
                    stalled_worker_timeout=STALLED_S,
                    shutdown_graceful_timeout=SHUTDOWN_S,
                    delete_jobs="always",
                )
            finally:
                for side in sides:
                    side.cancel()
                await asyncio.gather(*sides, return_exceptions=True)
                log.info("worker_stopped", extra=logs.facts(worker=self.name))

    async def _repeat(self, step: Callable[[], Any], every_s: float) -> None:
        """A step for ever: the portal or the database may be away for a while."""
        failing = ""
        while True:
            try:
                await step()
                failing = ""
            except Exception as error:
                code = getattr(error, "code", type(error).__name__)
                if code != failing:
                    log.warning(
                        f"{step.__name__.strip('_')}_failed",
                        extra=logs.facts(code=code),
                        exc_info=None if isinstance(error, HarvestError) else error,
                    )
                failing = code
            await asyncio.sleep(every_s)

    async def _claim(self) -> None:
        """Take the portal's runs into the queue."""
        claimed = await asyncio.to_thread(
            self._portal.call, "hanoiic_run_claim", worker=self.name, limit=10
        )
        for run in claimed:
            queued = self._task.configure(lock=run["source_id"], queueing_lock=run["id"])
            try:
                await queued.defer_async(run_id=run["id"])
            except AlreadyEnqueued:
                continue
            log.info("run_queued", extra=logs.facts(run=run["id"], source=run["source_id"]))

    async def _rescue(self) -> None:
        """Put the jobs of workers whose heartbeat stopped back into the queue."""
        jobs = self.app.job_manager
        for job in await jobs.get_stalled_jobs(seconds_since_heartbeat=STALLED_S):
            log.warning("run_rescued", extra=logs.facts(job=job.id, attempts=job.attempts))
            if job.attempts < len(self._backoff.retry_after_s):
                await jobs.retry_job(job)
                continue
            error = WorkerLost("The workers that tried this run died each time.")
            if run_id := job.task_kwargs.get("run_id"):
                await asyncio.to_thread(_finish, self._portal, str(run_id), FAILED, None, error)
            await jobs.finish_job(job, status=Status.FAILED, delete_job=True)

    def _tend(self, timestamp: int) -> None:
        """The daily upkeep; `timestamp` is when it was due."""
        del timestamp
        with logs.request(None):
            room = self._make_room()
            try:
                tend(room.lake, room.receipts, room.client.raw_dir, self._keep)
            finally:
                room.client.close()

    def _run_job(self, context: JobContext, run_id: str) -> None:
        """One attempt of one run, in a thread of its own."""
        with logs.request(run_id):
            room = self._make_room()
            try:
                self._attempt(context, run_id, room)
            except RunStopped:
                log.info("run_stopped", extra=logs.facts(run=run_id))
            finally:
                room.client.close()

    def _attempt(self, context: JobContext, run_id: str, room: Room) -> None:
        portal, attempts = room.portal, context.job.attempts

        def progress(report: Report) -> None:
            if context.should_abort():
                raise JobAborted
            _tell(portal, id=run_id, state="running", **report.as_dict())

        report = Report(progress)
        if attempts:
            tries = len(self._backoff.retry_after_s) + 1
            report.stages["fetch"].say(f"Attempt {attempts + 1} of {tries}.")
        run = portal.call("hanoiic_run_show", id=run_id)
        if run["state"] not in UNFINISHED:
            return
        try:
            _tell(portal, id=run_id, state="running")
            with _lease_kept(portal, run_id):
                source = Source.of(portal.call("hanoiic_source_show", id=run["source_id"]))
                harvest(source, room, report, run_id)
        except (JobAborted, RunStopped):
            raise
        except HarvestError as error:
            if self._backoff.may_pass(error, attempts):
                pause_s = self._backoff.retry_after_s[attempts]
                report.stages["fetch"].say(f"{error.detail} Tried again in {pause_s} s.")
                _tell(portal, id=run_id, state="running", **report.as_dict())
                raise
            _finish(portal, run_id, ending(error), report, error)
        except Exception:
            log.exception("run_broke", extra=logs.facts(run=run_id))
            broke = HarvestError("Something in the harvester broke; its log says what.")
            _finish(portal, run_id, FAILED, report, broke)
        else:
            _finish(portal, run_id, report.outcome, report, None)


def _tell(portal: Portal, **said: Any) -> None:
    """Progress is told as far as the portal listens; only its end of a run counts."""
    try:
        portal.call("hanoiic_run_update", **said)
    except PortalRefused as error:
        if "run_finished" in str(error.facts.get("fields")):
            raise RunStopped from error
        log.warning("progress_refused", extra=logs.facts(code=error.code))
    except PortalFailed as error:
        log.warning("progress_not_told", extra=logs.facts(code=error.code))


def _finish(
    portal: Portal,
    run_id: str,
    state: str,
    report: Report | None,
    error: HarvestError | None,
) -> None:
    """Tell how a run ended. Raises what the portal raises: a run must not stay open."""
    said = report.as_dict() if report else {}
    problem = {"code": error.code, "detail": error.detail} if error else None
    try:
        portal.call("hanoiic_run_update", id=run_id, state=state, error=problem, **said)
    except PortalRefused as refused:
        if "run_finished" not in str(refused.facts.get("fields")):
            raise
    tables = said.get("tables", [])
    log.info(
        "run_finished",
        extra=logs.facts(
            run=run_id, state=state, code=error.code if error else None, tables=len(tables)
        ),
    )


@contextmanager
def _lease_kept(portal: Portal, run_id: str) -> Iterator[None]:
    """Tell the portal now and then that somebody works on the run, however long a stage takes."""
    done = threading.Event()

    def keep() -> None:
        while not done.wait(KEEP_LEASE_EVERY_S):
            try:
                portal.call("hanoiic_run_update", id=run_id)
            except PortalFailed as error:
                log.warning("lease_not_kept", extra=logs.facts(code=error.code))

    keeper = threading.Thread(target=keep, name=f"lease-{run_id}", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        done.set()
        keeper.join()
