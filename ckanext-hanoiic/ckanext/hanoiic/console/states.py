"""States of sources, runs, held versions and previews, and the ways between them."""

from __future__ import annotations

from .errors import RunFinished, RunStateConflict

SOURCE_STATES = ("active", "paused")
DELETED = "deleted"

TRIGGERS = ("manual", "schedule", "retry", "release")
STAGES = ("fetch", "decode", "normalise", "validate", "publish", "register")
STAGE_STATES = ("pending", "running", "done", "skipped", "failed")

# What became of a catalogue's datasets, as a report tells it: what needs somebody comes first.
DATASET_URGENCY = (
    *("failed", "refused", "held", "missing", "archived", "restored", "published", "unchanged"),
)

REQUESTED, RUNNING = "requested", "running"
OPEN = (REQUESTED, RUNNING)
HELD = "held"
ENDS = frozenset({"published", "unchanged", HELD, "refused", "failed"})
# A worker's word that the run began may be lost on its way; its end counts. An ended run never
# reopens.
TRANSITIONS: dict[str, frozenset[str]] = {
    REQUESTED: ENDS | {RUNNING},
    RUNNING: ENDS,
    **dict.fromkeys(sorted(ENDS), frozenset()),
}
FINISHED = tuple(state for state, following in TRANSITIONS.items() if not following)

# What the last run says of its source.
HEALTH: dict[str | None, str] = {
    None: "never_run",
    "requested": "in_progress",
    "running": "in_progress",
    "published": "healthy",
    "unchanged": "healthy",
    "held": "held",
    "refused": "refused",
    "failed": "failed",
}

# A held version waits until an officer decides, or until another finding takes its place.
HOLD_KINDS = ("personal_data", "schema_drift", "deletes")
HOLD_OPEN, SUPERSEDED = "open", "superseded"
HOLD_STATES = (HOLD_OPEN, "approved", "rejected", SUPERSEDED)
DECISIONS = {"approve": "approved", "reject": "rejected"}
# A rejection may be taken back; what was published cannot be.
DECIDABLE = {HOLD_OPEN: frozenset(DECISIONS), "rejected": frozenset({"approve"})}
MASKS = ("drop", "hash", "truncate")

READY, FAILED = "ready", "failed"
PREVIEW_STATES = (*OPEN, READY, FAILED)


def move(current: str, wanted: str) -> str:
    """``wanted`` when a run may go there; asking for the state it has is no change.

    Raises RunFinished when the run has ended in another state, RunStateConflict when the table has
    no such way.
    """
    if wanted == current or wanted in TRANSITIONS[current]:
        return wanted
    if current in FINISHED:
        raise RunFinished(f"The run has ended ({current}) and does not reopen.")
    ways = ", ".join(sorted(TRANSITIONS[current]))
    raise RunStateConflict(f"A run that is {current} cannot become {wanted}; it can become {ways}.")
