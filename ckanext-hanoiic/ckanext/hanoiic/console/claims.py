"""Hands runs out to harvest workers: those that were asked for, that came due, or that a lost
worker left behind.

Every claim is one transaction and skips rows that another claim holds, so that no two workers ever
get the same run. A run that was handed out stays ``requested`` until its worker reports; every
report renews its lease. When the lease ends without a report, the run is handed out again; this
comes sooner when the worker did not even say that it queued the run. A running one to which this
happens too often fails with ``worker_lost``.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from ckan import model
from ckan.plugins import toolkit as tk

from . import schedule
from .errors import WORKER_LOST
from .model import Run, Source
from .states import FINISHED, OPEN, REQUESTED, RUNNING

# A run that kills its worker must not come back for ever.
LOSSES_ALLOWED = 3
# How long a worker has to say that it queued a run.
QUEUED_WITHIN = timedelta(seconds=30)
# What an officer waits for goes first.
URGENCY = {"release": 0, "manual": 1}


def lease_end(now: datetime) -> datetime:
    return now + timedelta(minutes=tk.config["hanoiic.run_lease_minutes"])


def claim(worker: str, limit: int, now: datetime) -> list[Run]:
    """Hand out at most ``limit`` runs to ``worker``: the most urgent first, and of equals the one
    that waits longest.

    The caller commits.
    """
    request_due(limit, now)
    urgency = sa.case(URGENCY, value=Run.trigger, else_=len(URGENCY))
    free = sa.or_(Run.lease_until.is_(None), Run.lease_until <= now)
    query = (
        model.Session.query(Run)
        .filter(Run.state.in_(OPEN), free)
        .order_by(urgency, Run.requested_at, Run.id)
        .limit(limit)
        .with_for_update(of=Run, skip_locked=True)
    )
    return [run for run in query.populate_existing().all() if hand_out(run, worker, now)]


def hand_out(run: Run, worker: str, now: datetime) -> bool:
    """Give a run to a worker, or end the run if workers were lost with it too often."""
    run.losses += run.state == RUNNING
    if run.losses > LOSSES_ALLOWED:
        detail = f"The worker was lost {run.losses} times while it ran; it is not tried again."
        run.finish("failed", {"code": WORKER_LOST, "detail": detail})
        return False
    run.worker = worker
    run.lease_until = lease_end(now) if run.state == RUNNING else now + QUEUED_WITHIN
    return True


def reschedule(run: Run, now: datetime) -> None:
    """Set when a source comes due next. One that stays unchanged comes due less often; any other
    end of a run restores its schedule.

    Called when a run has ended and its source is locked; the caller commits. A source whose option
    ``adaptive`` is false keeps to its schedule.
    """
    source = run.source
    if source.next_due_at is None or not _is_adaptive(source):
        return
    if run.state != "unchanged":
        if schedule.every_nth(unchanged_runs(source.id, before=run)) > 1:
            source.next_due_at = schedule.next_due(source.schedule, now)
    elif run.trigger == "schedule":
        count = unchanged_runs(source.id)
        later = schedule.next_due(source.schedule, run.requested_at, count)
        source.next_due_at = max(source.next_due_at, later)


def every_nth(source: Source) -> int:
    """The n of "every n-th time of its schedule", at which an unchanged source is asked now."""
    return schedule.every_nth(unchanged_runs(source.id)) if _is_adaptive(source) else 1


def _is_adaptive(source: Source) -> bool:
    return bool(source.schedule) and source.options.get("adaptive", True)


def unchanged_runs(source_id: str, before: Run | None = None) -> int:
    """How many of a source's last runs, in a row, found nothing new (counted up to nine)."""
    query = model.Session.query(Run.state).filter(
        Run.source_id == source_id, Run.state.in_(FINISHED)
    )
    if before is not None:
        query = query.filter(Run.requested_at < before.requested_at)
    most = schedule.UNCHANGED_RUNS * 3
    states = [state for (state,) in query.order_by(Run.requested_at.desc()).limit(most)]
    return next((n for n, state in enumerate(states) if state != "unchanged"), len(states))


def request_due(limit: int, now: datetime) -> list[Run]:
    """Make runs for at most ``limit`` sources that are due.

    Missed times collapse into one run, and the next time is counted from now. A source whose run is
    not finished waits for that.
    """
    unfinished = sa.exists().where(Run.source_id == Source.id, Run.state.in_(OPEN))
    query = (
        model.Session.query(Source)
        .filter(Source.state == "active", Source.next_due_at <= now, ~unfinished)
        .order_by(Source.next_due_at)
        .limit(limit)
        .with_for_update(of=Source, skip_locked=True)
    )
    runs = []
    for source in query.populate_existing().all():
        # The row is ours now; a run may have been made between the search and the lock.
        if not schedule.is_due(source.next_due_at, now) or source.open_run():
            continue
        runs.append(Run(source_id=source.id, state=REQUESTED, trigger="schedule", requested_at=now))
        source.next_due_at = schedule.next_due(source.schedule, now)
    model.Session.add_all(runs)
    model.Session.flush()
    return runs
