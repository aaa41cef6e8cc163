"""What becomes of datasets that a catalogue no longer has.

An absent dataset is first marked as missing, archived after some runs and days, and restored when
it returns. When too many would go at once, or the catalogue came empty, nothing changes and an
officer is asked; an approval is for exactly that set of datasets. Nothing is ever purged.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from harvesters import holds
from harvesters.errors import HeldVersionRejected
from harvesters.passages import DatasetPart
from harvesters.portal import NotThere, Portal
from harvesters.presence import ARCHIVED, MISSING, PRESENT, Known, Presence
from harvesters.report import Report
from harvesters.source import Source
from lake import logs

log = logging.getLogger(__name__)

SHOWN_MISSING = 1_000
SHOWN_ROWS = 20
RESTORED = "restored"


@dataclass(frozen=True)
class Patience:
    """How long an absent dataset stays `missing`, and how large a share may become missing without
    an officer's word."""

    runs: int = 3
    days: int = 7
    max_share: float = 0.2

    def of(self, source: Source) -> Patience:
        """The operator's settings, with what the source's officer pinned instead."""
        said = source.options
        return Patience(
            runs=self.runs if said.archive_runs is None else said.archive_runs,
            days=self.days if said.archive_days is None else said.archive_days,
            max_share=self.max_share if said.max_missing_share is None else said.max_missing_share,
        )

    def ends(self, dataset: Known, run_id: str, now: datetime) -> bool:
        enough_days = dataset.time_missing(now) >= timedelta(days=self.days)
        return enough_days and dataset.runs_missing(run_id) >= self.runs


@dataclass(frozen=True)
class Departures:
    """What a run that saw the whole catalogue would change."""

    returned: list[Known] = field(default_factory=list)
    missing: list[Known] = field(default_factory=list)
    archived: list[Known] = field(default_factory=list)
    let_go: list[Known] = field(default_factory=list)
    hold: holds.Hold | None = None
    messages: list[str] = field(default_factory=list)


def foresee(
    source: Source,
    seen: Mapping[str, Any],
    known: list[Known],
    run_id: str,
    patience: Patience,
    now: datetime,
) -> Departures:
    """What becomes of the `known` datasets when these identifiers were `seen`. Changes nothing."""
    patience = patience.of(source)
    returned = [one for one in known if one.identifier in seen and one.state != PRESENT]
    living = [one for one in known if one.state != ARCHIVED]
    absent = [one for one in living if one.identifier not in seen]
    unasked = [one for one in absent if not one.let_go]
    asked_about: list[Known] = []
    if unasked and (not seen or len(unasked) > patience.max_share * len(living)):
        hold = _hold(unasked, len(living), bool(seen))
        try:
            left = holds.undecided([hold], source)
        except HeldVersionRejected:
            kept = f"{len(unasked)} datasets are absent and stay as they are: an officer said so."
            return Departures(returned, messages=[kept])
        if left:
            return Departures(returned, hold=hold, messages=[hold.reason])
        asked_about = unasked
    archived = [one for one in absent if patience.ends(one, run_id, now)]
    missing = [one for one in absent if one not in archived]
    return Departures(returned, missing, archived, asked_about)


def settle(
    source: Source,
    seen: Mapping[str, tuple[str, str] | None],
    presence: Presence,
    portal: Portal,
    report: Report,
    run_id: str,
    patience: Patience,
) -> None:
    """Note which datasets came, went and returned, in the portal and in `presence`, when a whole
    catalogue was `seen`: identifier → (dataset id, name), or None for a dataset that could not be
    registered.

    The portal is told first: if this breaks off in between, the next run does it again.
    """
    now = datetime.now(UTC)
    found = foresee(source, seen, presence.known(source.id), run_id, patience, now)
    log.debug("departures", extra=logs.facts(source=source.name, missing=len(found.missing)))
    fetch = report.stages["fetch"]
    fetch.say(*found.messages)
    for state, datasets in ((PRESENT, found.returned), (ARCHIVED, found.archived)):
        for one in datasets:
            _mark(one, state, portal, report)
    for one in found.missing:
        if one.state == MISSING:
            continue
        _mark(one, MISSING, portal, report)
    there = [(identifier, *dataset) for identifier, dataset in seen.items() if dataset]
    registered = {identifier for identifier, _, _ in there}
    there += [
        (one.identifier, one.dataset_id, one.name)
        for one in found.returned
        if one.identifier not in registered
    ]
    presence.saw(source.id, there)
    presence.let_go(source.id, [one.identifier for one in found.let_go])
    presence.missed(
        source.id,
        [one.identifier for one in found.missing],
        [one.identifier for one in found.archived],
        run_id,
    )
    if found.hold:
        report.add_hold(found.hold)


def _mark(dataset: Known, state: str, portal: Portal, report: Report) -> None:
    try:
        portal.call("package_patch", id=dataset.dataset_id, harvest_state=state)
    except NotThere:
        # Somebody removed the dataset from the portal, so there is nothing to mark.
        return
    told = RESTORED if state == PRESENT else state
    report.add_dataset(DatasetPart(dataset.identifier, dataset.name, told))


def _hold(absent: list[Known], living_count: int, has_datasets: bool) -> holds.Hold:
    identifiers = sorted(one.identifier for one in absent)
    what = (
        f"{len(absent)} of {living_count} datasets are no longer in the catalogue."
        if has_datasets
        else f"The catalogue is empty; it had {living_count} datasets."
    )
    return holds.Hold(
        table="",
        kind=holds.DELETES,
        fingerprint=holds.fingerprint(holds.DELETES, "", identifiers),
        reason=f"{what} None was marked as missing before somebody agrees.",
        facts={
            "missing": identifiers[:SHOWN_MISSING],
            "missing_count": len(absent),
            "known_count": living_count,
        },
        preview={
            "columns": ["identifier", "dataset"],
            "rows": [[one.identifier, one.name] for one in absent[:SHOWN_ROWS]],
        },
    )
