"""`hanoiic-harvest`: run a source by hand, try one out, or keep the worker going.

Exit codes: 0 published or unchanged · 1 the run failed · 2 the command line or a setting is wrong ·
3 the data was refused.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import click

from harvesters import database
from harvesters.connectors import CONNECTORS
from harvesters.errors import DataRefused, HarvestError
from harvesters.fetch import Client
from harvesters.pipeline import Room, harvest
from harvesters.plan import PlannedFile, PlannedTable, plan
from harvesters.portal import Portal
from harvesters.receipts import Receipts
from harvesters.report import FAILED, PUBLISHED, REFUSED, UNCHANGED, Report, ending
from harvesters.settings import Settings, read
from harvesters.source import Source
from harvesters.worker import Worker
from lake import logs
from lake.errors import LakeError
from lake.settings import read_secret
from lake.store import Lake

EXIT = {PUBLISHED: 0, UNCHANGED: 0, FAILED: 1, REFUSED: 3}
EXIT_USAGE = 2
KIND_OF_SUFFIX = {
    **dict.fromkeys((".csv", ".tsv", ".txt"), "csv"),
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "excel"),
    **dict.fromkeys((".geojson", ".json"), "geojson"),
    ".zip": "gtfs",
}


def _ends_clearly(command: Callable[..., int | None]) -> Callable[..., None]:
    """An error as one sentence with its code on stderr, and its exit code."""

    @wraps(command)
    def run(*arguments: Any, **named: Any) -> None:
        try:
            code = command(*arguments, **named) or 0
        except HarvestError as error:
            click.echo(f"{error.code}: {error.detail}", err=True)
            code = EXIT[ending(error)]
        except LakeError as error:
            click.echo(f"{error.code}: {error.detail}", err=True)
            code = EXIT_USAGE
        sys.exit(code)

    return run


@click.group(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    pass


@main.command()
@click.argument("source")
@click.option("--dry-run", is_flag=True, help="Show what would change; publish nothing.")
@_ends_clearly
def run(source: str, dry_run: bool) -> int:
    """Harvest SOURCE (its name in the portal) now.

    The run is recorded in the portal like any other. With --dry-run nothing is: every table is
    shown with its columns, types and rejected rows, and whether it would get a new version.
    """
    settings = read(os.environ)
    room = open_room(settings)
    row = room.portal.find("hanoiic_source_show", id=source)
    if row is None:
        click.echo(f"source_unknown: The portal has no source {source!r}.", err=True)
        return EXIT_USAGE
    wanted = Source.of(row)
    if dry_run:
        return _show(plan(wanted, room.client, room.lake))
    database.migrate(database.address(read_secret(settings.harvest_database_url_file)))
    return _run(wanted, room)


def _run(source: Source, room: Room) -> int:
    made = room.portal.call(
        "hanoiic_run_create", source_id=source.id, trigger="manual", state="running"
    )
    run_id = str(made["id"])

    def progress(report: Report) -> None:
        room.portal.call("hanoiic_run_update", id=run_id, state="running", **report.as_dict())

    report = Report(progress)
    error: HarvestError | None = None
    with logs.request(run_id):
        try:
            harvest(source, room, report, run_id)
        except HarvestError as caught:
            error = caught
    state = ending(error) if error else report.outcome
    problem = {"code": error.code, "detail": error.detail} if error else None
    room.portal.call(
        "hanoiic_run_update", id=run_id, state=state, error=problem, **report.as_dict()
    )
    for stage in report.stages.values():
        counts = ", ".join(f"{name} {number}" for name, number in stage.counts.items())
        click.echo(f"{stage.stage:<10} {stage.state:<8} {stage.duration_s:>8.2f} s  {counts}")
        for message in stage.messages:
            click.echo(f"           {message}")
    for table in report.tables:
        change = "new version" if table["changed"] else "unchanged, version"
        click.echo(f"{table['table']}: {change} {table['version']}, {table['row_count']} rows")
    click.echo(state)
    if error:
        click.echo(f"{error.code}: {error.detail}", err=True)
    return EXIT[state]


@main.command()
@click.argument("url")
@click.option("--kind", type=click.Choice(list(CONNECTORS)), help="Default: by the URL's ending.")
@click.option("--allow-host", multiple=True, help="A host that may have a private address.")
@_ends_clearly
def preview(url: str, kind: str | None, allow_host: tuple[str, ...]) -> int:
    """Decode URL and show what would become of it. Needs no portal, and changes nothing."""
    found = kind or KIND_OF_SUFFIX.get(Path(url.partition("?")[0]).suffix.lower(), "csv")
    name = Path(url.partition("?")[0]).stem or "table"
    source = Source.of({"id": "preview", "name": name, "kind": found, "url": url})
    with tempfile.TemporaryDirectory(prefix="hanoiic-preview-") as folder:
        return _show(plan(source, Client(Path(folder), allow_host), None))


@main.command()
def kinds() -> None:
    """The kinds of source, and what can be pinned for each."""
    for connector in CONNECTORS.values():
        click.echo(click.style(f"{connector.kind:<8}", bold=True) + f" {connector.title}")
        click.echo(
            click.wrap_text(connector.help, initial_indent=" " * 9, subsequent_indent=" " * 9)
        )


@main.command()
@_ends_clearly
def migrate() -> int:
    """Make the job queue and the receipts in PostgreSQL where they are missing."""
    settings = read(os.environ)
    database.migrate(database.address(read_secret(settings.harvest_database_url_file)))
    click.echo("The job queue is ready.")
    return 0


@main.command()
@_ends_clearly
def worker() -> int:
    """Claim runs from the portal and work them off until stopped. Start as many as you like."""
    settings = read(os.environ)
    logs.configure("harvest", settings.log_level)
    logging.getLogger("procrastinate").setLevel(logging.WARNING)
    conninfo = database.address(read_secret(settings.harvest_database_url_file))
    database.migrate(conninfo)
    busy = Worker(database.queue(conninfo), lambda: open_room(settings), open_portal(settings))
    asyncio.run(busy.run())
    return 0


def open_portal(settings: Settings) -> Portal:
    return Portal(settings.portal_url, read_secret(settings.harvest_credential_file))


def open_room(settings: Settings) -> Room:
    """The room's connections, by its settings. Raises SecretMissing."""
    return Room(
        client=Client(settings.harvest_raw_dir, settings.harvest_allowed_hosts),
        lake=Lake(settings.lake_root),
        portal=open_portal(settings),
        receipts=Receipts(database.address(read_secret(settings.harvest_database_url_file))),
        gateway_url=settings.gateway_url,
    )


def _show(files: Any) -> int:
    """Print planned files; the exit code is that of the worst one."""
    code = 0
    for file in files:
        _show_file(file)
        if file.error:
            code = max(code, EXIT[ending(file.error)])
    return code


def _show_file(file: PlannedFile) -> None:
    click.echo(click.style(f"{file.dataset}: {file.file.name} ({file.file.kind})", bold=True))
    for message in file.messages:
        click.echo(f"  {message}")
    for table in file.tables:
        _show_table(table)
    if file.error:
        verdict = "refused" if isinstance(file.error, DataRefused) else "failed"
        click.echo(f"  {verdict}: {file.error.code}: {file.error.detail}", err=True)


def _show_table(table: PlannedTable) -> None:
    now = f" (now version {table.current_version})" if table.current_version is not None else ""
    click.echo(f"\n  {table.table}: {table.change}{now}")
    click.echo(f"  {table.accepted_count} rows accepted, {table.rejected_count} rejected\n")
    rows = [("column", "type", "unit", "read as", "first value")]
    first = table.first_rows[0] if table.first_rows else [""] * len(table.columns)
    rows += [
        (column.name, column.type, column.unit, column.reading, value[:40])
        for column, value in zip(table.columns, first, strict=True)
    ]
    _show_rows(rows)
    if table.rejected:
        click.echo()
        rejected = [("row", "column", "reason", "text")]
        rejected += [
            (str(row.row), row.column, row.reason_code, (row.value or "")[:60])
            for row in table.rejected[:10]
        ]
        _show_rows(rejected)


def _show_rows(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(f"    {line}".rstrip())


if __name__ == "__main__":
    main()
