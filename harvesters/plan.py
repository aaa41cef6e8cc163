"""The dry run: everything up to publishing, and what publishing would change, without effect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harvesters import connectors
from harvesters.connectors import File
from harvesters.errors import HarvestError
from harvesters.fetch import Client
from harvesters.pipeline import prepare, table_name
from harvesters.publish import publish
from harvesters.report import Report
from harvesters.source import Source
from harvesters.validate import Checked
from harvesters.workbench import Workbench
from lake.errors import TableNotFound
from lake.rejected import Rejected
from lake.store import Lake

PREVIEWED_ROWS = 5


@dataclass(frozen=True)
class PlannedColumn:
    """A column as it was decided. `reading` is how its texts are read."""

    name: str
    type: str
    unit: str
    reading: str


@dataclass(frozen=True)
class PlannedTable:
    """What a run would do to one table: `new table`, `new version` or `unchanged`."""

    table: str
    change: str
    current_version: int | None
    columns: list[PlannedColumn]
    accepted_count: int
    rejected_count: int
    rejected: list[Rejected]
    first_rows: list[list[str]]


@dataclass(frozen=True)
class PlannedFile:
    """One file of a source: its tables, or the error that would keep it out."""

    file: File
    dataset: str
    tables: list[PlannedTable]
    messages: list[str]
    error: HarvestError | None = None


def plan(source: Source, client: Client, lake: Lake | None) -> Iterator[PlannedFile]:
    """Each file of a source as a run would publish it; nothing is published or registered.

    Without a lake every table counts as new. Raises what discovering raises; what is wrong with
    one file is in its `error`.
    """
    for offer in connectors.of(source.kind).discover(source, client):
        for file in offer.files:
            report = Report()
            tables: list[PlannedTable] = []
            error = None
            try:
                tables = _tables(file, source, client, lake, report)
            except HarvestError as caught:
                error = caught
            messages = [text for stage in report.stages.values() for text in stage.messages]
            yield PlannedFile(file, offer.name, tables, messages, error)


def _tables(
    file: File, source: Source, client: Client, lake: Lake | None, report: Report
) -> list[PlannedTable]:
    with report.stage("fetch"):
        fetched = client.fetch(file.url)
    with Workbench() as bench:
        scratch = Lake(bench.folder / "lake")
        return [
            _planned(table_name(file, checked), checked, scratch, lake)
            for checked in prepare(file, fetched, source, bench, report)
        ]


def _planned(table: str, checked: Checked, scratch: Lake, lake: Lake | None) -> PlannedTable:
    # The same content has the same hash in whichever lake it lies.
    done = publish(checked, scratch, table, run_id="plan", source_url="", source_hash="")
    change, current = "new table", None
    if lake is not None:
        try:
            latest = lake.table(table).resolve()
        except TableNotFound:
            pass
        else:
            current = latest.number
            same = latest.content_hash == done.content_hash
            change = "unchanged" if same else "new version"
    columns = [
        PlannedColumn(typed.column.name, typed.column.type, typed.column.unit, typed.reading)
        for typed in checked.typed.columns
    ]
    return PlannedTable(
        table=table,
        change=change,
        current_version=current,
        columns=columns,
        accepted_count=checked.accepted_count,
        rejected_count=checked.rejected_count,
        rejected=checked.shown(),
        first_rows=_first_rows(scratch, table, done.version),
    )


def _first_rows(lake: Lake, table: str, version: int) -> list[list[str]]:
    for batch in lake.table(table).batches(version):
        columns = [column.slice(0, PREVIEWED_ROWS).to_pylist() for column in batch.columns]
        return [[_shown(value) for value in row] for row in zip(*columns, strict=True)]
    return []


def _shown(value: object) -> str:
    if value is None:
        return ""
    return f"{len(value)} bytes" if isinstance(value, bytes) else str(value)
