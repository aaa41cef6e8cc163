"""Asking for runs of a source; the caller holds the source's lock and commits."""

from __future__ import annotations

from ckan import model

from .errors import HarvesterMissing
from .hold_model import Hold
from .membership import ensure_harvester_may_register
from .model import Run, Source
from .refusals import refused
from .states import REQUESTED


def open_the_door(source: Source) -> None:
    """Let the harvest worker register what the source publishes; raises ValidationError."""
    topics = [topic["name"] for topic in source.dataset.get("groups", [])]
    try:
        ensure_harvester_may_register(source.owner_org, topics)
    except HarvesterMissing as error:
        model.Session.rollback()
        raise refused(error) from error


def request_run(source: Source, trigger: str, user_id: str | None) -> Run:
    """A new run in state ``requested``, or the unfinished one that the source has."""
    run = source.open_run()
    if run is None:
        # Somebody may have taken the worker's membership away since.
        open_the_door(source)
        run = Run(source_id=source.id, state=REQUESTED, trigger=trigger, requested_by=user_id)
        model.Session.add(run)
        model.Session.flush()
    return run


def release_what_was_approved_meanwhile(source: Source, run: Run, holds: list[Hold]) -> None:
    """A run may end ``held`` by what an officer approved after it began: the next one publishes it.

    A finding approved before the run began asks for nothing: it would be found again for ever.
    """
    began = run.started_at or run.requested_at
    if any(hold.state == "approved" and hold.decided_at >= began for hold in holds):
        request_run(source, "release", None)
