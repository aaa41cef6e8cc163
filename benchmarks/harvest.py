"""How fast harvesting is, beside what it could be and what CKAN's own way takes, in one run.

    .venv/bin/python benchmarks/harvest.py csv --rows 10000000
    .venv/bin/python benchmarks/harvest.py peer --rows 10000000
    HANOIIC_HOME=.portal .venv/bin/python benchmarks/harvest.py catalogue --datasets 5000
    HANOIIC_HOME=.portal .venv/bin/python benchmarks/harvest.py unchanged --resources 2000

`csv`: a file to a published version by the real pipeline, beside DuckDB's plain COPY of it to
Parquet, each in a process of its own. `peer`: the same beside CKAN's own way into its DataStore.
Both begin with the file in the raw store, as DuckDB and PostgreSQL begin with it on the disk, and
end with the Delta version: the fetch is left out, and so is the registration in the catalogue,
which takes as long for any number of rows (`catalogue` measures it). `csv` measures the fetch from
a server on loopback by itself, and says what the speed is with it.

`catalogue`: a catalogue into a running portal, then twice unchanged. `unchanged`: one of many files
that did not change. Both need a portal started with `hanoiic up`, whose harvest worker should rest
meanwhile. Walls are fair on a quiet machine only; CPU times nearly so.

A bar that is missed ends with exit status 1.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import harvest_sources as sources
from harvest_bars import judged

HERE = Path(__file__).resolve()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(dest="part", required=True)
    for name in ("csv", "peer"):
        part = parts.add_parser(name)
        part.add_argument("--rows", type=int, default=1_000_000)
        part.add_argument("--folder", type=Path, help="keeps the file there")
    part = parts.add_parser("catalogue")
    part.add_argument("--datasets", type=int, default=200)
    part.add_argument("--links", action="store_true", help="datasets with a link instead of a file")
    part = parts.add_parser("unchanged")
    part.add_argument("--resources", type=int, default=200)
    for name in ("_pipeline", "_copy", "_fetch"):
        part = parts.add_parser(name)
        part.add_argument("file", type=Path if name != "_fetch" else str)
        part.add_argument("folder", type=Path)
    given = parser.parse_args(arguments)
    if not given.part.startswith("_"):
        memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        load = os.getloadavg()[0]
        print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs,", end=" ")
        print(f"{memory_gib:.0f} GiB; load before: {load:.1f}")
    run: dict[str, Callable[[argparse.Namespace], bool]] = {
        **{"csv": csv, "peer": peer, "catalogue": into_portal, "unchanged": into_portal},
        **{"_pipeline": pipeline, "_copy": copy, "_fetch": fetch},
    }
    return 0 if run[given.part](given) else 1


def csv(given: argparse.Namespace) -> bool:
    """Print the pipeline's time and memory beside DuckDB's plain COPY; whether the bars are met."""
    with tempfile.TemporaryDirectory(prefix="harvest-bench-") as scratch:
        file = _file(given, Path(scratch))
        plain = _measured("_copy", file, Path(scratch))
        ours = _measured("_pipeline", file, Path(scratch))
        with sources.served(file) as address:
            fetched = _measured("_fetch", address, Path(scratch))
    size = file_size(ours)
    _line("DuckDB COPY (read_csv) TO parquet", plain, size)
    _line("pipeline, file to published version", ours, size)
    _line("fetch from a server on loopback", fetched, size)
    print("stages: " + ", ".join(f"{name} {took:.2f} s" for name, took in ours["stages"].items()))
    by_cpu = plain["cpu_s"] / ours["cpu_s"]
    with_fetch = plain["wall_s"] / (ours["wall_s"] + fetched["wall_s"])
    print(f"by CPU time {by_cpu:.0%} of COPY; with the fetch {with_fetch:.0%} by the clock")
    speed = 100 * plain["wall_s"] / ours["wall_s"]
    return all(
        [
            judged("speed of the pipeline", speed, "% of COPY", at_least=50),
            judged("its peak memory", ours["rss_gib"], "GiB", at_most=1.5),
        ]
    )


def file_size(measured: dict[str, Any]) -> int:
    return int(measured["bytes"])


def peer(given: argparse.Namespace) -> bool:
    """Print the pipeline's time beside CKAN's own way into the DataStore; whether it is fast
    enough."""
    with tempfile.TemporaryDirectory(prefix="harvest-bench-") as scratch:
        file = _file(given, Path(scratch))
        ours = _measured("_pipeline", file, Path(scratch))
        theirs = datastore(file)
    size = file_size(ours)
    _line("pipeline, file to published version", ours, size)
    for name, took in theirs.items():
        print(f"  DataStore: {name:38} {took:8.1f} s")
    factor = sum(theirs.values()) / ours["wall_s"]
    return judged("speed of the pipeline", factor, "times CKAN's way", at_least=10)


def into_portal(given: argparse.Namespace) -> bool:
    """A part that needs a running portal. What it imports is no memory of the other parts."""
    import harvest_portal

    part: Callable[[argparse.Namespace], bool] = getattr(harvest_portal, given.part)
    return part(given)


def datastore(file: Path) -> dict[str, float]:
    """What xloader has PostgreSQL do: a table of text columns with `_id` and `_full_text`, COPY,
    then the search vector of every row and its index. Seconds a step.

    Source: ckanext-xloader 2.x, loader.load_csv, and CKAN's datastore backend for PostgreSQL.
    """
    import psycopg
    from psycopg import sql

    sys.path.insert(0, str(HERE.parents[1]))
    from tests import servers

    with file.open(encoding="utf-8") as text:
        names = text.readline().rstrip("\n").split(",")
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    typed = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(name)) for name in names)
    words = sql.SQL(" || ' ' || ").join(
        sql.SQL("coalesce({}, '')").format(sql.Identifier(name)) for name in names
    )
    took: dict[str, float] = {}
    with servers.temporary_home() as home, servers.postgres(home) as server:
        address = server.url("hanoiic_harvest", home.secret("database_harvest"))
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(
                sql.SQL(
                    "CREATE TABLE loaded (_id serial PRIMARY KEY, _full_text tsvector, {})"
                ).format(typed)
            )

            def copy_in() -> None:
                into = sql.SQL("COPY loaded ({}) FROM STDIN WITH (FORMAT csv, HEADER)")
                with (
                    file.open("rb") as data,
                    connection.cursor().copy(into.format(columns)) as stream,
                ):
                    while chunk := data.read(1 << 20):
                        stream.write(chunk)

            vectors = sql.SQL("UPDATE loaded SET _full_text = to_tsvector({})").format(words)
            index = "CREATE INDEX ON loaded USING gist (_full_text)"
            _timed(took, "COPY into text columns", copy_in)
            _timed(took, "search vector of every row", lambda: connection.execute(vectors))
            _timed(took, "full-text index", lambda: connection.execute(index))
    return took


def pipeline(given: argparse.Namespace) -> bool:
    """One file's way from the raw store to a published version, in this process."""
    from harvesters.connectors.base import File
    from harvesters.fetch import Fetched
    from harvesters.prepare import gate, prepare
    from harvesters.publish import publish
    from harvesters.report import Report
    from harvesters.source import Source
    from harvesters.workbench import Workbench
    from lake.store import Lake

    source = Source.of({"id": "s", "name": "do", "kind": "csv", "url": "http://so.example/do.csv"})
    file = File(source.url, "csv", "do", "Đo")
    fetched = Fetched(source.url, given.file, "0" * 64, given.file.stat().st_size, None, None)
    lake, report = Lake(given.folder / "lake"), Report()
    begun = time.monotonic()
    with Workbench(given.folder) as bench:
        checked = prepare(file, fetched, source, bench, report, None)
        (gated,) = gate(file, checked, source, lake, report)
        with report.stage("publish"):
            done = publish(
                gated.checked, lake, "do", run_id="r", source_url=file.url, source_hash="0" * 64
            )
    stages = {name: stage.duration_s for name, stage in report.stages.items() if stage.duration_s}
    held = [hold.reason for hold in gated.holds]
    return _tell(begun, bytes=fetched.byte_count, rows=done.row_count, stages=stages, held=held)


def fetch(given: argparse.Namespace) -> bool:
    """One file from a server into a raw store, by the harvesters' client, in this process."""
    from harvesters.fetch import Client

    client = Client(given.folder / "raw", [given.file.split("/")[2]])
    begun = time.monotonic()
    fetched = client.fetch(given.file)
    return _tell(begun, bytes=fetched.byte_count)


def copy(given: argparse.Namespace) -> bool:
    """DuckDB's plain COPY, in this process."""
    import duckdb

    begun = time.monotonic()
    target = given.folder / "plain.parquet"
    duckdb.sql(f"COPY (SELECT * FROM read_csv('{given.file}')) TO '{target}'")
    return _tell(begun, bytes=given.file.stat().st_size)


def _file(given: argparse.Namespace, scratch: Path) -> Path:
    folder = given.folder or scratch
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"long-{given.rows}.csv"
    if not file.exists():
        sources.write_csv(file, given.rows)
    return file


def _measured(part: str, file: Path | str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, str(HERE), part, str(file), str(folder)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return dict(json.loads(answer.splitlines()[-1]))


def _tell(begun: float, **facts: Any) -> bool:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    facts |= {
        "wall_s": time.monotonic() - begun,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "rss_gib": usage.ru_maxrss / 2**20,
    }
    print(json.dumps(facts))
    return True


def _line(what: str, measured: dict[str, Any], size: int) -> None:
    speed = size / 1e6 / measured["wall_s"]
    print(
        f"{what:38} {measured['wall_s']:8.2f} s  {speed:6.0f} MB/s  "
        f"{measured['cpu_s']:7.2f} s CPU  {measured['rss_gib']:.2f} GiB"
    )


def _timed(took: dict[str, float], step: str, work: Callable[[], object]) -> None:
    begun = time.monotonic()
    work()
    took[step] = time.monotonic() - begun


if __name__ == "__main__":
    sys.exit(main())
