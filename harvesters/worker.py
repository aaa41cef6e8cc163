"""The harvest worker. It claims the portal's runs, queues them and works them off, takes over those
of workers that died, and shows officers previews. Once a day, one of the workers tidies the lake
and the raw store.

A run is one job of procrastinate. Its lock lets a source have one run at a time, its queueing lock
keeps it in the queue only once, and its trigger decides its place there. When what stopped a run
may pass, the job comes back after a pause. A worker that is killed stops its heartbeat: after
`Pace.stalled_s`, any other worker puts its jobs back. Start as many workers as you like, on as many
machines.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from procrastinate import App, BaseRetryStrategy, JobContext, RetryDecision
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException, JobAborted
from procrastinate.jobs import Job, Status

from harvesters import editions
from harvesters.attempt import Attempts, TryAgain
from harvesters.errors import HarvestError, PortalRefused, PortalUnavailable
from harvesters.lanes import LaneBusy, Lanes
from harvesters.portal import Portal
from harvesters.preview import answer_one
from harvesters.room import Room
from harvesters.tries import Tries
from harvesters.upkeep import Keep, tend
from lake import logs
from lake.store import Lake

log = logging.getLogger(__name__)

CLAIM_LIMIT = 10
CANCEL_AGAIN_S = 0.5
# Trigger of a run → its priority; higher ones are worked off first.
PRIORITY = {"release": 30, "manual": 20, "retry": 10, "schedule": 0}
# At night in Hanoi (19:17 UTC is 02:17 there).
UPKEEP_CRON = "17 19 * * *"

MakeRoom = Callable[[], Room]


@dataclass(frozen=True)
class Pace:
    """How often things are done, and how long a worker may be silent before it counts as dead; in
    seconds."""

    claim_every_s: float = 2.0
    preview_every_s: float = 2.0
    editions_every_s: float = 2.0
    rescue_every_s: float = 2.0
    heartbeat_s: float = 2.0
    stalled_s: float = 12.0
    lane_pause_s: float = 2.0
    shutdown_s: float = 10.0
    retry_after_s: tuple[int, ...] = (10, 40, 160, 640)
    concurrency: int = 2


async def end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks until each has ended: Python 3.11's `asyncio.wait_for` loses a cancellation that
    comes together with what it waits for, such as a database that is back."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN_S)


class Again(BaseRetryStrategy):
    """When a job comes back into the queue: at once after a shutdown, after its pause when it is to
    be tried again, and never otherwise."""

    def __init__(self, lane_pause_s: float) -> None:
        self._lane_pause_s = lane_pause_s

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        del job
        if isinstance(exception, JobAborted):
            return RetryDecision()
        if isinstance(exception, TryAgain):
            return RetryDecision(retry_in={"seconds": int(exception.pause_s)})
        if isinstance(exception, LaneBusy | PortalUnavailable | psycopg.OperationalError):
            # The run could not even begin, or the portal was not told its end.
            return RetryDecision(retry_in={"milliseconds": int(self._lane_pause_s * 1000)})
        return None


class Worker:
    """One worker process. `make_room` opens a run's own connections; `app` is the queue, not yet
    opened. With a `lake` the worker also writes the editions that become wanted between runs."""

    def __init__(
        self,
        app: App,
        make_room: MakeRoom,
        portal: Portal,
        lanes: Lanes,
        tries: Tries,
        *,
        lake: Lake | None = None,
        pace: Pace | None = None,
        keep: Keep | None = None,
    ) -> None:
        self.app = app
        self.name = f"{socket.gethostname()}-{os.getpid()}"
        self._make_room = make_room
        self._portal = portal
        self._lake = lake
        self._pace = pace or Pace()
        self._keep = keep or Keep()
        self._attempts = Attempts(self._pace.retry_after_s, lanes, tries)
        self._task = app.task(
            name="harvest_run",
            pass_context=True,
            retry=Again(self._pace.lane_pause_s),
            queue="harvest",
        )(self._run_job)
        tended = app.task(name="harvest_upkeep", queue="harvest", queueing_lock="upkeep")(
            self._tend
        )
        app.periodic(cron=UPKEEP_CRON)(tended)

    async def run(self) -> None:
        """Work until told to stop (SIGTERM, SIGINT)."""
        pace = self._pace
        async with self.app.open_async():
            sides = [
                asyncio.create_task(self._repeat(step, every_s))
                for step, every_s in (
                    (self._claim, pace.claim_every_s),
                    (self._rescue, pace.rescue_every_s),
                    (self._preview, pace.preview_every_s),
                    (self._write_editions, pace.editions_every_s),
                )
            ]
            log.info("worker_started", extra=logs.facts(worker=self.name))
            try:
                while await self._work_until_stopped():
                    await asyncio.sleep(pace.claim_every_s)
            finally:
                await end(sides)
                log.info("worker_stopped", extra=logs.facts(worker=self.name))

    async def _work_until_stopped(self) -> bool:
        """Work off the queue. Returns True when the worker lost its registration there and needs a
        new one.

        It loses it when the database was away, or when it was frozen for so long that others took
        it for dead.
        """
        pace = self._pace
        try:
            await self.app.run_worker_async(
                queues=["harvest"],
                name=self.name,
                concurrency=pace.concurrency,
                fetch_job_polling_interval=pace.claim_every_s,
                update_heartbeat_interval=pace.heartbeat_s,
                stalled_worker_timeout=pace.stalled_s,
                shutdown_graceful_timeout=pace.shutdown_s,
                delete_jobs="always",
            )
        except ConnectorException as error:
            log.warning("place_lost", extra=logs.facts(code=type(error.__cause__).__name__))
            return True
        return False

    async def _repeat(self, step: Callable[[], Any], every_s: float) -> None:
        """Repeat a step for ever. Its errors are only logged: the portal or the database may be
        away for a while."""
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
        """Take all runs that the portal has ready into the queue."""
        while True:
            claimed = await asyncio.to_thread(
                self._portal.call, "hanoiic_run_claim", worker=self.name, limit=CLAIM_LIMIT
            )
            for run in claimed:
                await self._queue(run)
            if len(claimed) < CLAIM_LIMIT:
                return

    async def _queue(self, run: dict[str, Any]) -> None:
        queued = self._task.configure(
            lock=run["source_id"],
            queueing_lock=run["id"],
            priority=PRIORITY.get(run["trigger"], 0),
        )
        try:
            await queued.defer_async(run_id=run["id"])
            log.info("run_queued", extra=logs.facts(run=run["id"], source=run["source_id"]))
        except AlreadyEnqueued:
            pass
        # Tell the portal that the run is queued, else it soon hands it out again. A quick run may
        # be over by now, which is no error.
        with suppress(PortalRefused):
            await asyncio.to_thread(self._portal.call, "hanoiic_run_update", id=run["id"])

    async def _rescue(self) -> None:
        """Put the jobs of workers whose heartbeat stopped back into the queue."""
        jobs = self.app.job_manager
        for job in await jobs.get_stalled_jobs(seconds_since_heartbeat=self._pace.stalled_s):
            log.warning("run_rescued", extra=logs.facts(job=job.id))
            if await asyncio.to_thread(self._give_up, job):
                await jobs.finish_job(job, status=Status.FAILED, delete_job=True)
            else:
                await jobs.retry_job(job)

    def _give_up(self, job: Job) -> bool:
        run_id = job.task_kwargs.get("run_id")
        if run_id is None:
            return job.attempts >= len(self._pace.retry_after_s)
        return self._attempts.give_up(str(run_id), self._portal)

    async def _preview(self) -> None:
        """Make the previews that officers wait for, one after the other."""
        while await asyncio.to_thread(answer_one, self._portal, self._make_room, self.name):
            continue

    async def _write_editions(self) -> None:
        """Answer officers who look at an edition, then write the editions that became wanted."""
        if self._lake is not None:
            await asyncio.to_thread(editions.answer_previews, self._portal, self._lake)
            await asyncio.to_thread(editions.write_wanted, self._portal, self._lake)

    def _tend(self, timestamp: int) -> None:
        """The daily upkeep; `timestamp` is when it was due."""
        del timestamp
        with logs.request(None):
            room = self._make_room()
            try:
                # Agreements pin versions: while the portal can't say which, nothing is removed.
                pinned = self._portal.call("hanoiic_pins_list")
                wanted = {one["edition"] for one in self._portal.call("hanoiic_edition_list")}
                tend(room.lake, room.receipts, room.client.raw_dir, self._keep, pinned, wanted)
            finally:
                room.client.close()

    def _run_job(self, context: JobContext, run_id: str) -> None:
        """One attempt of one run, in a thread of its own."""
        with logs.request(run_id):
            room = self._make_room()
            try:
                self._attempts.run(run_id, room, context.should_abort)
            finally:
                room.client.close()
