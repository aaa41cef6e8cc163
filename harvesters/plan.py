"""The dry run: does everything that a run does before publishing, and tells what the run would
change: tables, what would wait for an officer, and datasets that would go. Nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from harvesters import credentials, departures
from harvesters.connectors import File, Offer
from harvesters.contract import References
from harvesters.departures import Departures, Patience
from harvesters.errors import HarvestError
from harvesters.fetch import Client, Fetched
from harvesters.holds import Hold
from harvesters.passages import UNCHANGED, URGENCY
from harvesters.pipeline import discover, is_catalogue
from harvesters.portal import Portal
from harvesters.prepare import Gated, fetch, gate, guessed, prepare
from harvesters.presence import Presence
from harvesters.publish import publish
from harvesters.receipts import Receipts
from harvesters.report import HELD, PUBLISHED, REFUSED, Report, ending, problem
from harvesters.showing import show
from harvesters.signs import Signs
from harvesters.source import Source
from harvesters.workbench import Workbench
from lake.errors import TableNotFound
from lake.rejected import Rejected
from lake.store import Lake

PREVIEWED_ROWS = 5
# A run that is only planned.
NO_RUN = "plan"
# What a dataset is by the change of one of its tables.
_BECOMES = {
    "new table": PUBLISHED,
    "new version": PUBLISHED,
    "unchanged": UNCHANGED,
    "held": HELD,
    "rejected": REFUSED,
}


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
    receipts: Receipts | None = None
    mask_secret: str | None = None
    references: References | None = None
    patience: Patience = field(default_factory=Patience)


def plan(source: Source, ground: Ground, report: Report) -> Iterator[PlannedFile | Departures]:
    """Each file of a source as a run would publish it, and last, of a catalogue, what would go.

    Nothing is published, registered or remembered; `report` gets the stages as those of a run, of
    `publish` what would be. Raises what discovering raises; what is wrong with one file is in its
    `error`.
    """
    fetched: dict[str, Fetched] = {}
    if ground.portal:
        ground.client.carry(credentials.read(source, ground.portal), source.url)
    if not source.kind:
        source, first = guessed(source, ground.client, ground.portal, report)
        if first is not None:
            fetched[source.url] = first
    seen: dict[str, None] = {}
    broken = False
    for offer in discover(source, ground.client, report):
        seen[offer.identifier] = None
        with report.dataset(offer.identifier, offer.name) as part:
            if offer.broken:
                part.state, part.error = ending(offer.broken), problem(offer.broken)
            for file in offer.files:
                whole = fetched.get(file.url) if file.collect is None else None
                planned = _file(file, offer, source, ground, report, whole)
                part.state = _worse(part.state, planned)
                if planned.error:
                    part.error, broken = problem(planned.error), True
                yield planned
    if is_catalogue(source) and ground.presence:
        known = ground.presence.known(source.id)
        yield departures.foresee(source, seen, known, NO_RUN, ground.patience, datetime.now(UTC))
    if is_catalogue(source) or not broken:
        report.close()


def _file(
    file: File,
    offer: Offer,
    source: Source,
    ground: Ground,
    report: Report,
    fetched: Fetched | None,
) -> PlannedFile:
    """One file through the stages; what they say of it is its own, and the report's."""
    own = Report()
    tables: list[PlannedTable] = []
    error = None
    try:
        tables = _tables(file, source, ground, own, fetched)
    except HarvestError as caught:
        error = caught
    report.include(own)
    messages = [text for stage in own.stages.values() for text in stage.messages]
    return PlannedFile(file, offer.name, tables, messages, error)


def _worse(state: str, planned: PlannedFile) -> str:
    """What becomes of a dataset by one more of its files."""
    found = [_BECOMES[table.change] for table in planned.tables]
    found += [ending(planned.error)] if planned.error else []
    return min([state, *found], key=URGENCY.index)


def _tables(
    file: File, source: Source, ground: Ground, report: Report, fetched: Fetched | None
) -> list[PlannedTable]:
    with report.stage("fetch") as stage:
        if fetched is None:
            fetched = fetch(file, ground.client, ground.portal)
        stage.count(files=1, bytes=fetched.byte_count)
    with Workbench() as bench:
        scratch = Lake(bench.folder / "lake")
        signs: dict[str, Signs] = {}
        if ground.receipts:
            last = ground.receipts.find(source.id, file.url)
            signs = ground.receipts.signs(source.id, last, many=is_catalogue(source))
        checked = prepare(
            file, fetched, source, bench, report, ground.mask_secret, ground.references, signs
        )
        gated = gate(file, checked, source, ground.lake, report)
        with report.stage("publish") as stage:
            planned = [_planned(one, scratch, ground.lake) for one in gated]
            would = [one for one in planned if _BECOMES[one.change] in (PUBLISHED, UNCHANGED)]
            stage.count(
                tables=len(would),
                new_versions=sum(_BECOMES[one.change] == PUBLISHED for one in would),
                rows=sum(one.accepted_count for one in would),
            )
        return planned


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
