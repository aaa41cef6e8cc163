"""How fast harvesting is, beside what it could be and what CKAN's own way takes, in one run.

    .venv/bin/python benchmarks/harvest.py csv --rows 10000000
    .venv/bin/python benchmarks/harvest.py peer --rows 10000000
    HANOIIC_HOME=.portal .venv/bin/python benchmarks/harvest.py catalogue --datasets 5000

`csv`: a file to a published version by the real pipeline, beside DuckDB's plain COPY of it to
Parquet, each in a process of its own. `peer`: the same beside CKAN's own way into its DataStore.
`catalogue`: a catalogue into a running portal, twice; needs one started with `hanoiic up`, whose
harvest worker should rest meanwhile. Walls are fair on a quiet machine only; CPU times nearly so.
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
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import harvest_sources as sources

HERE = Path(__file__).resolve()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parts = parser.add_subparsers(dest="part", required=True)
    for name in ("csv", "peer"):
        part = parts.add_parser(name)
        part.add_argument("--rows", type=int, default=1_000_000)
        part.add_argument("--folder", type=Path, help="keeps the file there")
    part = parts.add_parser("catalogue")
    part.add_argument("--datasets", type=int, default=200)
    part.add_argument("--links", action="store_true", help="datasets with a link instead of a file")
    for name in ("_pipeline", "_copy"):
        part = parts.add_parser(name)
        part.add_argument("file", type=Path)
        part.add_argument("folder", type=Path)
    given = parser.parse_args(arguments)
    if not given.part.startswith("_"):
        memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        load = os.getloadavg()[0]
        print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs,", end=" ")
        print(f"{memory_gib:.0f} GiB; load before: {load:.1f}")
    run = {"csv": csv, "peer": peer, "catalogue": catalogue, "_pipeline": pipeline, "_copy": copy}
    run[given.part](given)
    return 0


def csv(given: argparse.Namespace) -> None:
    """Print the pipeline's time and memory beside DuckDB's plain COPY."""
    with tempfile.TemporaryDirectory(prefix="harvest-bench-") as scratch:
        file = _file(given, Path(scratch))
        plain = _measured("_copy", file, Path(scratch))
        ours = _measured("_pipeline", file, Path(scratch))
    size = file_size(ours)
    _line("DuckDB COPY (read_csv) TO parquet", plain, size)
    _line("pipeline, file to published version", ours, size)
    share = plain["wall_s"] / ours["wall_s"]
    cpu = plain["cpu_s"] / ours["cpu_s"]
    print(f"speed of the pipeline: {share:.0%} of COPY (bar: 50 %); by CPU time {cpu:.0%}")
    print(f"peak memory: {ours['rss_gib']:.2f} GiB (bar: 1.5 GiB)")
    print("stages: " + ", ".join(f"{name} {took:.2f} s" for name, took in ours["stages"].items()))


def file_size(measured: dict[str, Any]) -> int:
    return int(measured["bytes"])


def peer(given: argparse.Namespace) -> None:
    """Print the pipeline's time beside CKAN's own way into the DataStore."""
    with tempfile.TemporaryDirectory(prefix="harvest-bench-") as scratch:
        file = _file(given, Path(scratch))
        ours = _measured("_pipeline", file, Path(scratch))
        theirs = datastore(file)
    size = file_size(ours)
    _line("pipeline, file to published version", ours, size)
    for name, took in theirs.items():
        print(f"  DataStore: {name:38} {took:8.1f} s")
    factor = sum(theirs.values()) / ours["wall_s"]
    print(f"pipeline: {factor:.1f} times as fast as CKAN's way (bar: 10)")


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


def catalogue(given: argparse.Namespace) -> None:
    """Harvest a catalogue into a running portal, then again; print datasets a second."""
    from harvesters import opening
    from harvesters.pipeline import harvest
    from harvesters.portal import Portal
    from harvesters.report import Report
    from harvesters.settings import read
    from harvesters.source import Source

    home = Path(os.environ["HANOIIC_HOME"])
    with sources.catalogue(given.datasets, with_files=not given.links) as address:
        host = address.split("/")[2]
        settings = read({**os.environ, "HANOIIC_HARVEST_ALLOWED_HOSTS": host})
        room = opening.room(settings)
        token = json.loads((home / "demo.json").read_text())["users"]["operator"]["ckan_token"]
        operator = Portal(settings.portal_url, token)
        name = f"do-{uuid.uuid4().hex[:8]}"
        made = operator.call(
            "hanoiic_source_create",
            name=name,
            title="Danh mục đo tốc độ",
            owner_org=operator.call("organization_list")[0],
            kind="ckan",
            url=address,
            dataset={"table": name.replace("-", "_"), "access_tier": "open"},
        )
        source = Source.of(room.portal.call("hanoiic_source_show", id=made["id"]))
        for what, bar in (("first harvest", 20), ("unchanged", 100), ("unchanged", 100)):
            report = Report()
            calls = _counting(room.portal)
            begun, cpu = time.monotonic(), time.process_time()
            harvest(source, room, report, f"bench-{uuid.uuid4().hex[:8]}")
            wall_s, cpu_s = time.monotonic() - begun, time.process_time() - cpu
            speed, each_ms = given.datasets / wall_s, wall_s / given.datasets * 1000
            print(f"{what}: {speed:.1f} datasets/s (bar: {bar}), {each_ms:.1f} ms each,", end=" ")
            print(f"{cpu_s / given.datasets * 1000:.1f} ms of it the harvester's and source's CPU")
            if what == "unchanged" and not given.links:
                print(f"  that is {speed:.1f} unchanged resources/s of one worker (bar: 50)")
            for stage in report.stages.values():
                if stage.duration_s:
                    print(f"  {stage.stage:10} {stage.duration_s:8.2f} s  {stage.counts}")
            for action, (count, took) in sorted(calls.items(), key=lambda item: -item[1][1]):
                print(f"  {action:28} {count:6} calls  {took / count * 1000:7.1f} ms each")
            if failed := report.stages["fetch"].counts.get("failed_files"):
                print(f"  {failed} files failed: {report.stages['fetch'].messages[:2]}")
        room.client.close()


def _counting(portal: Any) -> dict[str, tuple[int, float]]:
    """Counts and times of a portal's calls from now on."""
    counted: dict[str, tuple[int, float]] = {}
    call = type(portal).call

    def measured(action: str, **data: Any) -> Any:
        begun = time.monotonic()
        try:
            return call(portal, action, **data)
        finally:
            count, took = counted.get(action, (0, 0.0))
            counted[action] = (count + 1, took + time.monotonic() - begun)

    portal.call = measured
    return counted


def pipeline(given: argparse.Namespace) -> None:
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
    _tell(begun, bytes=fetched.byte_count, rows=done.row_count, stages=stages, held=held)


def copy(given: argparse.Namespace) -> None:
    """DuckDB's plain COPY, in this process."""
    import duckdb

    begun = time.monotonic()
    target = given.folder / "plain.parquet"
    duckdb.sql(f"COPY (SELECT * FROM read_csv('{given.file}')) TO '{target}'")
    _tell(begun, bytes=given.file.stat().st_size)


def _file(given: argparse.Namespace, scratch: Path) -> Path:
    folder = given.folder or scratch
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"long-{given.rows}.csv"
    if not file.exists():
        sources.write_csv(file, given.rows)
    return file


def _measured(part: str, file: Path, folder: Path) -> dict[str, Any]:
    command = [sys.executable, str(HERE), part, str(file), str(folder)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return dict(json.loads(answer.splitlines()[-1]))


def _tell(begun: float, **facts: Any) -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    facts |= {
        "wall_s": time.monotonic() - begun,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "rss_gib": usage.ru_maxrss / 2**20,
    }
    print(json.dumps(facts))


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
