"""`hanoiic-harvest`: run a source by hand, try one out, or keep the worker going.

Exit codes: 0 published or unchanged · 1 the run failed · 2 the command line or a setting is wrong ·
3 the data was refused.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

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
from harvesters.upkeep import Keep
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


def parser() -> argparse.ArgumentParser:
    """The commands and their help."""
    top = argparse.ArgumentParser(
        prog="hanoiic-harvest",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(metavar="COMMAND", required=True)

    def add(command: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        text = command.__doc__ or ""
        added = commands.add_parser(command.__name__, help=text.splitlines()[0], description=text)
        added.set_defaults(command=command)
        return added

    harvesting = add(run)
    harvesting.add_argument("source", metavar="SOURCE", help="name of a source of the portal")
    harvesting.add_argument(
        "--dry-run", action="store_true", help="show what would change; publish nothing"
    )
    looking = add(preview)
    looking.add_argument("url", metavar="URL", help="address of a file, or of a CKAN catalogue")
    looking.add_argument("--kind", choices=CONNECTORS, help="default: by the URL's ending")
    looking.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="HOST[:PORT]",
        help="a host that may have a private address (may be repeated)",
    )
    for command in (worker, kinds, migrate):
        add(command)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; an error is one sentence with its code on stderr, and an exit code."""
    given = parser().parse_args(arguments)
    try:
        return int(given.command(given))
    except HarvestError as error:
        _complain(f"{error.code}: {error.detail}")
        return EXIT[ending(error)]
    except LakeError as error:
        _complain(f"{error.code}: {error.detail}")
        return EXIT_USAGE


def run(given: argparse.Namespace) -> int:
    """Harvest a source now; the portal records the run like any other.

    With --dry-run nothing is recorded or published: every table is shown with its columns, types
    and rejected rows, and whether it would get a new version.
    """
    settings = read(os.environ)
    room = open_room(settings)
    row = room.portal.find("hanoiic_source_show", id=given.source)
    if row is None:
        _complain(f"source_unknown: The portal has no source {given.source!r}.")
        return EXIT_USAGE
    source = Source.of(row)
    if given.dry_run:
        return _show(plan(source, room.client, room.lake))
    database.migrate(database.address(read_secret(settings.harvest_database_url_file)))
    return _run(source, room)


def preview(given: argparse.Namespace) -> int:
    """Decode a file and show what would become of it; needs no portal, changes nothing."""
    path = Path(urlsplit(given.url).path)
    kind = given.kind or KIND_OF_SUFFIX.get(path.suffix.lower(), "csv")
    source = Source.of(
        {"id": "preview", "name": path.stem or "table", "kind": kind, "url": given.url}
    )
    with tempfile.TemporaryDirectory(prefix="hanoiic-preview-") as folder:
        return _show(plan(source, Client(Path(folder), given.allow_host), None))


def worker(_given: argparse.Namespace) -> int:
    """Claim runs from the portal and work them off until stopped; start as many as you like."""
    settings = read(os.environ)
    logs.configure("harvest", settings.log_level)
    logging.getLogger("procrastinate").setLevel(logging.WARNING)
    conninfo = database.address(read_secret(settings.harvest_database_url_file))
    database.migrate(conninfo)
    keep = Keep(
        version_days=settings.harvest_keep_version_days,
        raw_days=settings.harvest_keep_raw_days,
        rejected_days=settings.harvest_keep_rejected_days,
    )
    busy = Worker(
        database.queue(conninfo), lambda: open_room(settings), open_portal(settings), keep=keep
    )
    asyncio.run(busy.run())
    return 0


def kinds(_given: argparse.Namespace) -> int:
    """The kinds of source, and what can be pinned for each."""
    for connector in CONNECTORS.values():
        print(f"{connector.kind:<8} {connector.title}")
        print(textwrap.indent(textwrap.fill(connector.help, 80), " " * 9))
    return 0


def migrate(_given: argparse.Namespace) -> int:
    """Make the job queue and the receipts in PostgreSQL where they are missing."""
    settings = read(os.environ)
    database.migrate(database.address(read_secret(settings.harvest_database_url_file)))
    print("The job queue is ready.")
    return 0


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
        print(f"{stage.stage:<10} {stage.state:<8} {stage.duration_s:>8.2f} s  {counts}")
        for message in stage.messages:
            print(f"           {message}")
    for table in report.tables:
        change = "new version" if table["changed"] else "unchanged, version"
        print(f"{table['table']}: {change} {table['version']}, {table['row_count']} rows")
    print(state)
    if error:
        _complain(f"{error.code}: {error.detail}")
    return EXIT[state]


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
    print(f"{file.dataset}: {file.file.name} ({file.file.kind})")
    for message in file.messages:
        print(f"  {message}")
    for table in file.tables:
        _show_table(table)
    if file.error:
        verdict = "refused" if isinstance(file.error, DataRefused) else "failed"
        _complain(f"  {verdict}: {file.error.code}: {file.error.detail}")


def _show_table(table: PlannedTable) -> None:
    now = f" (now version {table.current_version})" if table.current_version is not None else ""
    print(f"\n  {table.table}: {table.change}{now}")
    print(f"  {table.accepted_count} rows accepted, {table.rejected_count} rejected\n")
    rows = [("column", "type", "unit", "read as", "first value")]
    first = table.first_rows[0] if table.first_rows else [""] * len(table.columns)
    rows += [
        (column.name, column.type, column.unit, column.reading, value[:40])
        for column, value in zip(table.columns, first, strict=True)
    ]
    _show_rows(rows)
    if table.rejected:
        print()
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
        print(f"    {line}".rstrip())


def _complain(sentence: str) -> None:
    print(sentence, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
