"""The dry run: everything a run would do up to publishing, and what it would change, without
effect: tables, what waits for an officer, and datasets that would go.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from harvesters import connectors, credentials, departures
from harvesters.connectors import File
from harvesters.contract import References
from harvesters.departures import Departures, Patience
from harvesters.errors import HarvestError
from harvesters.fetch import Client, Fetched
from harvesters.holds import Hold
from harvesters.pipeline import is_catalogue
from harvesters.portal import Portal
from harvesters.prepare import Gated, fetch, gate, guessed, prepare
from harvesters.presence import Presence
from harvesters.publish import publish
from harvesters.report import Report
from harvesters.showing import show
from harvesters.source import Source
from harvesters.workbench import Workbench
from lake.errors import TableNotFound
from lake.rejected import Rejected
from lake.store import Lake

PREVIEWED_ROWS = 5
# A run that is only planned.
NO_RUN = "plan"


@dataclass(frozen=True)
class PlannedColumn:
    """A column as it was decided. `reading` is how its texts are read."""

    name: str
    type: str
    unit: str
    reading: str


@dataclass(frozen=True)
class PlannedTable:
    """What a run would do to one table: `new table`, `new version`, `unchanged`, `held` or
    `rejected`."""

    table: str
    change: str
    current_version: int | None
    columns: list[PlannedColumn]
    accepted_count: int
    rejected_count: int
    rejected: list[Rejected]
    first_rows: list[list[str]]
    holds: list[Hold]


@dataclass(frozen=True)
class PlannedFile:
    """One file of a source: its tables, or the error that would keep it out."""

    file: File
    dataset: str
    tables: list[PlannedTable]
    messages: list[str]
    error: HarvestError | None = None


@dataclass(frozen=True)
class Ground:
    """What a plan looks at; without a lake every table is new, without a memory nothing goes."""

    client: Client
    lake: Lake | None = None
    portal: Portal | None = None
    presence: Presence | None = None
    mask_secret: str | None = None
    references: References | None = None
    patience: Patience = field(default_factory=Patience)


def plan(source: Source, ground: Ground) -> Iterator[PlannedFile | Departures]:
    """Each file of a source as a run would publish it, and last, of a catalogue, what would go.

    Nothing is published, registered or remembered. Raises what discovering raises; what is wrong
    with one file is in its `error`.
    """
    fetched: dict[str, Fetched] = {}
    if ground.portal:
        ground.client.carry(credentials.read(source, ground.portal), source.url)
    if not source.kind:
        source, first = guessed(source, ground.client, ground.portal, Report())
        if first is not None:
            fetched[source.url] = first
    seen: dict[str, None] = {}
    for offer in connectors.of(source.kind).discover(source, ground.client):
        seen[offer.identifier] = None
        for file in offer.files:
            report = Report()
            tables: list[PlannedTable] = []
            error = None
            try:
                whole = fetched.get(file.url) if file.collect is None else None
                tables = _tables(file, source, ground, report, whole)
            except HarvestError as caught:
                error = caught
            messages = [text for stage in report.stages.values() for text in stage.messages]
            yield PlannedFile(file, offer.name, tables, messages, error)
    if is_catalogue(source) and ground.presence:
        known = ground.presence.known(source.id)
        yield departures.foresee(source, seen, known, NO_RUN, ground.patience, datetime.now(UTC))


def _tables(
    file: File, source: Source, ground: Ground, report: Report, fetched: Fetched | None
) -> list[PlannedTable]:
    if fetched is None:
        with report.stage("fetch"):
            fetched = fetch(file, ground.client, ground.portal)
    with Workbench() as bench:
        scratch = Lake(bench.folder / "lake")
        checked = prepare(
            file, fetched, source, bench, report, ground.mask_secret, ground.references
        )
        gated = gate(file, checked, source, ground.lake, report)
        return [_planned(one, scratch, ground.lake) for one in gated]


def _planned(gated: Gated, scratch: Lake, lake: Lake | None) -> PlannedTable:
    checked = gated.checked
    current, content_hash = _current(lake, gated.table)
    if not gated.passes:
        change = "rejected" if gated.rejected else "held"
    elif current is None:
        change = "new table"
    else:
        # The same content has the same hash in whichever lake it lies.
        done = publish(checked, scratch, gated.table, run_id=NO_RUN, source_url="", source_hash="")
        change = "unchanged" if done.content_hash == content_hash else "new version"
    columns = [
        PlannedColumn(typed.column.name, typed.column.type, typed.column.unit, typed.reading)
        for typed in checked.typed.columns
    ]
    return PlannedTable(
        table=gated.table,
        change=change,
        current_version=current,
        columns=columns,
        accepted_count=checked.accepted_count,
        rejected_count=checked.rejected_count,
        rejected=checked.shown(),
        first_rows=show(gated, PREVIEWED_ROWS).rows,
        holds=gated.holds,
    )


def _current(lake: Lake | None, table: str) -> tuple[int | None, str | None]:
    """Number and content hash of a table's latest version."""
    if lake is None:
        return None, None
    try:
        latest = lake.table(table).resolve()
    except TableNotFound:
        return None, None
    return latest.number, latest.content_hash
