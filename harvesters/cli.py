"""`hanoiic-harvest`: fetch what the departments publish, check it, and publish it in the portal.

A newcomer starts with `preview URL`: it shows what would become of a file, an API or a catalogue,
and changes nothing; `kinds` lists the kinds of source that there are, and what can be pinned for
each. The sources themselves are registered in the portal's pages; `run SOURCE` harvests one of them
now, and `worker` keeps harvesting all of them as their schedules say.

Exit codes: 0 published or unchanged · 1 the run failed · 2 the command line or a setting is wrong ·
3 the data was refused · 4 something waits for an officer.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import logging
import os
import sys
import tempfile
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from harvesters import database, opening
from harvesters.connectors import CONNECTORS
from harvesters.display import complain, print_plan, print_report
from harvesters.errors import HarvestError
from harvesters.fetch import Client
from harvesters.lanes import LaneBusy
from harvesters.passages import UNCHANGED
from harvesters.pipeline import harvest
from harvesters.plan import Ground, plan
from harvesters.report import FAILED, HELD, PUBLISHED, REFUSED, Report, ending
from harvesters.room import Room
from harvesters.settings import read
from harvesters.source import Source
from harvesters.telling import Teller, finish, tell
from harvesters.tries import Tries
from harvesters.worker import Worker
from lake import logs
from lake.errors import LakeError

EXIT = {PUBLISHED: 0, UNCHANGED: 0, FAILED: 1, REFUSED: 3, HELD: 4}
EXIT_USAGE = 2


def parser() -> argparse.ArgumentParser:
    """The commands and their help."""
    top = argparse.ArgumentParser(
        prog="hanoiic-harvest",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(metavar="COMMAND", title="commands", required=True)

    def add(command: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        text = inspect.getdoc(command) or ""
        added = commands.add_parser(
            command.__name__,
            help=text.splitlines()[0],
            description=text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        added.set_defaults(command=command)
        return added

    harvesting = add(run)
    harvesting.add_argument("source", metavar="SOURCE", help="name of a source of the portal")
    harvesting.add_argument(
        "--dry-run", action="store_true", help="show what would change; change nothing"
    )
    harvesting.add_argument(
        "--replay",
        action="store_true",
        help="read the files again as they were last fetched, without asking for them",
    )
    looking = add(preview)
    looking.add_argument(
        "url",
        metavar="URL",
        help="address of a file, an API, a map server, a database, a catalogue: of any kind that "
        "`kinds` lists",
    )
    looking.add_argument(
        "--kind",
        choices=CONNECTORS,
        metavar="KIND",
        help="what is there, one of those that `kinds` lists; default: found out from the address "
        "or from what it answers",
    )
    looking.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="HOST[:PORT]",
        help="a host that may have a private address (may be repeated)",
    )
    listing = add(kinds)
    listing.add_argument(
        "kind", metavar="KIND", nargs="?", choices=CONNECTORS, help="only this one; default: all"
    )
    for command in (worker, migrate):
        add(command)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; an error is one sentence with its code on stderr, and an exit code."""
    given = parser().parse_args(arguments)
    try:
        return int(given.command(given))
    except HarvestError as error:
        complain(f"{error.code}: {error.detail}")
        return EXIT[ending(error)]
    except LakeError as error:
        complain(f"{error.code}: {error.detail}")
        return EXIT_USAGE
    except LaneBusy:
        complain("source_busy: A worker is at this source or its host; try again later.")
        return EXIT[FAILED]


def run(given: argparse.Namespace) -> int:
    """Harvest a source now; the portal records the run like any other.

    With --dry-run nothing is recorded or published. Every table is shown with its columns, types
    and rejected rows, whether it would get a new version or wait for an officer; of a catalogue,
    which datasets would be noted as missing, be archived or return; and at the end the stages with
    their counts, bytes and durations.

    With --replay every file is taken from the raw store, as it was when it was last published, and
    goes the whole way once more; a catalogue is still asked which files it has.
    """
    if given.dry_run and given.replay:
        complain("usage: --dry-run and --replay exclude each other.")
        return EXIT_USAGE
    settings = read(os.environ)
    room = replace(opening.room(settings), replay=given.replay)
    row = room.portal.find("hanoiic_source_show", id=given.source)
    if row is None:
        complain(f"source_unknown: The portal has no source {given.source!r}.")
        return EXIT_USAGE
    source = Source.of(row)
    database.migrate(opening.conninfo(settings))
    if given.dry_run:
        ground = Ground(
            room.client,
            room.lake,
            room.portal,
            room.presence,
            room.receipts,
            mask_secret=room.mask_secret,
            references=room.references,
            patience=room.patience,
        )
        report = Report()
        return EXIT[print_plan(plan(source, ground, report), report)]
    with opening.lanes(settings).taken(source.id, source.url):
        return _run(source, room)


def preview(given: argparse.Namespace) -> int:
    """Show what would become of a source: its tables, columns, types and first values.

    Rows that would be rejected, and what would wait for an officer, are shown as well, and at the
    end the stages with their counts, bytes and durations. Of a catalogue every file is fetched.
    Needs no portal and no settings, and changes nothing:

        hanoiic-harvest preview https://example.org/stations.csv
        hanoiic-harvest preview https://example.org/arcgis/rest/services/tram/FeatureServer/0
        hanoiic-harvest preview https://example.org/catalog.ttl --kind dcat

    It has no options and no secrets: a source that needs them is tried in the portal's wizard.
    """
    name = Path(urlsplit(given.url).path).stem or "table"
    row = {"id": "preview", "name": name, "kind": given.kind or "", "url": given.url}
    with tempfile.TemporaryDirectory(prefix="hanoiic-preview-") as folder:
        client = Client(Path(folder), given.allow_host)
        report = Report()
        return EXIT[print_plan(plan(Source.of(row), Ground(client), report), report)]


def worker(_given: argparse.Namespace) -> int:
    """Harvest all sources as the portal asks for it, until stopped.

    Start as many workers as you like, on as many machines: they share the work through the harvest
    database. When one dies, another takes over what it had.
    """
    settings = read(os.environ)
    logs.configure("harvest", settings.log_level)
    logging.getLogger("procrastinate").setLevel(logging.WARNING)
    conninfo = opening.conninfo(settings)
    database.migrate(conninfo)
    busy = Worker(
        database.queue(conninfo),
        lambda: opening.room(settings),
        opening.portal(settings),
        opening.lanes(settings),
        Tries(conninfo),
        lake=opening.lake(settings),
        keep=opening.keep(settings),
    )
    asyncio.run(busy.run())
    return 0


def kinds(given: argparse.Namespace) -> int:
    """List the kinds of source, and what can be pinned for each; or tell of one.

    What is pinned stands in a source's `options`, in the portal's wizard or its form.
    """
    for connector in [CONNECTORS[given.kind]] if given.kind else CONNECTORS.values():
        print(f"{connector.kind:<12} {connector.title}")
        said = textwrap.fill(connector.help, 80, break_on_hyphens=False, break_long_words=False)
        print(textwrap.indent(said, " " * 13))
    return 0


def migrate(_given: argparse.Namespace) -> int:
    """Make the harvest database's tables where they are missing.

    `worker` and `run` do it too; by hand it shows whether the database can be reached.
    """
    database.migrate(opening.conninfo(read(os.environ)))
    print("The harvest database is ready.")
    return 0


def _run(source: Source, room: Room) -> int:
    made = room.portal.call(
        "hanoiic_run_create", source_id=source.id, trigger="manual", state="running"
    )
    run_id = str(made["id"])
    teller = Teller(lambda report: tell(room.portal, run_id, report))
    report, error = Report(teller.changed), None
    with logs.request(run_id):
        try:
            with teller:
                harvest(source, room, report, run_id)
        except HarvestError as caught:
            error = caught
    state = ending(error) if error else report.outcome
    finish(room.portal, run_id, state, report, error)
    print_report(report, state)
    if error:
        complain(f"{error.code}: {error.detail}")
    return EXIT[state]


if __name__ == "__main__":
    sys.exit(main())
