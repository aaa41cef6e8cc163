"""How close the gateway is to DuckDB itself, and how far ahead of its peers: every figure beside
its bar, as ratios of one run.

    .venv/bin/python benchmarks/gateway.py                       # 10 M rows, some minutes
    .venv/bin/python benchmarks/gateway.py --rows 1000000 light aggregate

CKAN is this environment's own, with its DataStore. Datasette and ROAPI are asked when their
programs are found (`pip install datasette roapi` into an environment of their own, and `--peers
ENVIRONMENT/bin`). The portal is a small one that permits
everything; gateway, Valkey and lake are the real ones.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import logging
import os
import platform
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import duckdb
import redis
from pytest_httpserver import HTTPServer

sys.path.insert(0, str(Path(__file__).parents[1]))
from api_gateway.engine import THREADS
from benchmarks import peer_ckan
from lake import Lake, Provenance
from tests import servers
from tests.api_gateway import gateway as gateways
from tests.api_gateway.portal import CREDENTIAL, FakePortal, permit
from tests.api_gateway.quota_office import QuotaOffice

TABLE = "readings"
COLUMNS = """i AS id, 'Trạm ' || (i % 1000) AS station, (i % 126)::INTEGER AS ward,
    (hash(i) % 100000) / 100.0::DOUBLE AS pm25_ug_m3, random() AS humidity,
    DATE '2020-01-01' + (i % 2000)::INTEGER AS day,
    TIMESTAMPTZ '2020-01-01 00:00:00+00' + to_seconds(i) AS measured_at, i % 3 = 0 AS checked"""
LIGHT = f"SELECT * FROM {TABLE} WHERE id = 4711 LIMIT 1"
HEAVY = f"SELECT ward, avg(pm25_ug_m3) AS mean, max(humidity) AS most FROM {TABLE} GROUP BY ward"
# The same on every peer: standard SQL over columns that all of them hold.
ANALYTIC = (
    f"SELECT count(*) AS n, avg(pm25_ug_m3) AS mean FROM {TABLE}",
    f"SELECT ward, count(*) AS n, avg(pm25_ug_m3) AS mean FROM {TABLE} GROUP BY ward ORDER BY ward",
    f"SELECT station, max(pm25_ug_m3) AS most FROM {TABLE} WHERE ward < 20 GROUP BY station "
    "ORDER BY most DESC LIMIT 10",
    f"SELECT count(*) AS n FROM {TABLE} WHERE pm25_ug_m3 > 900 AND humidity < 0.1",
    f"SELECT ward, sum(humidity) AS total FROM {TABLE} WHERE pm25_ug_m3 BETWEEN 100 AND 200 "
    "GROUP BY ward ORDER BY total DESC LIMIT 5",
)
# Tokens of the organisations that share the gateway in `mixed`.
ORGANIZATIONS = tuple(f"hic_organisation_{number}" for number in range(10))
BARS = {"arrow": 0.65, "ndjson": 0.40, "csv": 0.30, "parquet": 0.20}
TEXTS = ("ndjson", "csv")
Ask = Callable[[str], object]
# As the launcher starts it (deploy/programs.py).
WEB_THREADS = 64


@dataclass
class Scene:
    """What is measured, and where."""

    gateway: gateways.Gateway
    raw: duckdb.DuckDBPyConnection
    file: Path
    rows: int
    folder: Path
    peers: Path | None
    portal: FakePortal

    def client(self, token: str | None = None) -> Client:
        return Client(self.gateway.url, token)


class Client:
    """One kept connection, as thin as Python has one: what is measured is the gateway."""

    def __init__(self, url: str, token: str | None = None) -> None:
        parts = urllib.parse.urlsplit(url)
        self._headers = {"Content-Type": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=600)

    def ask(self, sql: str, **more: object) -> bytes:
        body = json.dumps({"sql": sql, **more})
        self._connection.request("POST", "/v1/sql", body, self._headers)
        return self._read()

    def get(self, path: str, **headers: str) -> bytes:
        self._connection.request("GET", path, headers=headers)
        return self._read()

    def _read(self) -> bytes:
        answer = self._connection.getresponse()
        content = answer.read()
        assert answer.status in (200, 304), content[:500]
        self.tag = answer.headers.get("ETag")
        return content

    def stream(self, sql: str, format_name: str) -> tuple[int, float]:
        """Bytes of an answer, and seconds to its first one."""
        begun, received = time.perf_counter(), 0
        body = json.dumps({"sql": sql, "format": format_name})
        self._connection.request("POST", "/v1/sql", body, self._headers)
        answer = self._connection.getresponse()
        assert answer.status == 200, answer.read(500)
        piece = answer.read1(1 << 20)
        first_s = time.perf_counter() - begun
        while piece:
            received += len(piece)
            piece = answer.read1(1 << 20)
        return received, first_s


def line(work: str, figure: str, beside: str, bar: str, *, holds: bool) -> None:
    print(f"{work:44} {figure:>24}   {beside:38} {bar:22} {'✓' if holds else '✗'}", flush=True)


def timed(ask: Callable[[], object], times: int) -> list[float]:
    """Durations in ms, in order of size."""
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        ask()
        found.append((time.perf_counter() - begun) * 1000)
    return sorted(found)


def at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def light(scene: Scene) -> None:
    client = scene.client()

    def in_process() -> object:
        return scene.raw.cursor().execute(LIGHT).fetchall()

    timed(in_process, 50), timed(lambda: client.ask(LIGHT), 50)
    raw, ours = timed(in_process, 500), timed(lambda: client.ask(LIGHT), 500)
    for name, share, most_ms in (("p50", 0.5, 3), ("p99", 0.99, 10)):
        more = at(ours, share) - at(raw, share)
        line(
            f"light query, {name}", f"{at(ours, share):.1f} ms", f"raw {at(raw, share):.1f} ms",
            f"≤ raw + {most_ms} ms", holds=more <= most_ms,
        )  # fmt: skip


def etag(scene: Scene) -> None:
    client = scene.client()
    client.ask(LIGHT)
    path, tag = f"/v1/sql?q={urllib.parse.quote(LIGHT)}", ""
    client.get(path)
    tag = client.tag or ""
    empty = timed(lambda: client.get("/v1/health"), 300)
    hits = timed(lambda: client.get(path, **{"If-None-Match": tag}), 300)
    line(
        "ETag hit, p50", f"{at(hits, 0.5):.1f} ms", f"/v1/health {at(empty, 0.5):.1f} ms", "≤ 2 ms",
        holds=at(hits, 0.5) <= 2,
    )  # fmt: skip


def aggregate(scene: Scene) -> None:
    for clients in (1, 4):
        gateway = rate([scene.client().ask for _ in range(clients)])
        raw = rate([_asks(scene.raw) for _ in range(clients)])
        line(
            f"aggregate of {scene.rows:,} rows, {clients} client(s)", f"{gateway:.2f} queries/s",
            f"raw {raw:.2f} queries/s", "≥ 0.95 of raw", holds=gateway >= 0.95 * raw,
        )  # fmt: skip


def _asks(connection: duckdb.DuckDBPyConnection) -> Ask:
    cursor = connection.cursor()
    return lambda sql: cursor.execute(sql).fetchall()


def rate(asks: list[Ask], sql: str = HEAVY, seconds: float = 8.0) -> float:
    """Queries a second, all clients together."""
    for ask in asks:
        ask(sql)
    until, done = time.perf_counter() + seconds, [0] * len(asks)

    def run(number: int) -> None:
        while time.perf_counter() < until:
            asks[number](sql)
            done[number] += 1

    begun = time.perf_counter()
    with ThreadPoolExecutor(len(asks)) as threads:
        list(threads.map(run, range(len(asks))))
    return sum(done) / (time.perf_counter() - begun)


def stream(scene: Scene) -> None:
    """How fast five million rows leave, beside DuckDB's own Arrow reader over the same rows.

    Arrow and Parquet answers stand for the Arrow bytes of their rows, however few bytes they take.
    A text takes several times the bytes of a number that it writes, and making those is the work:
    it is judged by the bytes received, as the bars are, which ask more of the format whose rows are
    longer. What it comes to in Arrow bytes is printed beside it.
    """
    # A LIMIT of millions would be collected before its first row, by DuckDB itself too.
    sql = f"SELECT * FROM {TABLE} WHERE id < {min(scene.rows, 5_000_000)}"
    begun = time.perf_counter()
    reader = scene.raw.cursor().sql(sql).to_arrow_reader(50_000)
    arrow_bytes = sum(batch.nbytes for batch in reader)
    raw = arrow_bytes / (time.perf_counter() - begun)
    for format_name, bar in BARS.items():
        before = resident_mb(scene.gateway.web)
        with Highest(scene.gateway.web) as most:
            begun = time.perf_counter()
            received, first_s = scene.client().stream(sql, format_name)
            taken_s = time.perf_counter() - begun
        in_arrow, in_bytes = arrow_bytes / taken_s / raw, received / taken_s / raw
        ratio = in_bytes if format_name in TEXTS else in_arrow
        line(
            f"answer of 5 M × 8 as {format_name}", f"{received / taken_s / 1e6:.0f} MB/s",
            f"raw {raw / 1e6:.0f} MB/s: {in_bytes:.2f}, {in_arrow:.2f} in Arrow", f"≥ {bar:.2f}",
            holds=ratio >= bar,
        )  # fmt: skip
        line("  first byte", f"{first_s * 1000:.0f} ms", "", "≤ 100 ms", holds=first_s <= 0.1)
        grown = most.mb - before
        line("  web process grew by", f"{grown:.0f} MB", "", "≤ 64 MB", holds=grown <= 64)


def resident_mb(process: int) -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class Highest:
    """The largest resident memory of a process while inside."""

    def __init__(self, process: int) -> None:
        self._process, self.mb, self._over = process, 0.0, threading.Event()

    def __enter__(self) -> Highest:
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self.mb = max(self.mb, resident_mb(self._process))

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def download(scene: Scene) -> None:
    port = servers.free_port()
    plain = subprocess.Popen(
        [sys.executable, "-m", "http.server", str(port), "-b", "127.0.0.1"],
        cwd=scene.file.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        servers.wait_for(lambda: _listens(port), "http.server")
        theirs = _speed(f"http://127.0.0.1:{port}/{scene.file.name}")
        ours = _speed(f"{scene.gateway.url}/v1/tables/{TABLE}/download.parquet")
    finally:
        plain.terminate()
        plain.wait()
    line(
        "whole table as Parquet", f"{ours / 1e6:.0f} MB/s", f"http.server {theirs / 1e6:.0f} MB/s",
        "≥ 0.8 of it", holds=ours >= 0.8 * theirs,
    )  # fmt: skip


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError):
        http.client.HTTPConnection("127.0.0.1", port, timeout=1).connect()
        return True
    return False


def _speed(url: str) -> float:
    """Bytes a second, the best of five."""
    best = 0.0
    for _ in range(5):
        parts, received, begun = urllib.parse.urlsplit(url), 0, time.perf_counter()
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=600)
        connection.request("GET", parts.path)
        answer = connection.getresponse()
        buffer = bytearray(1 << 20)
        while count := answer.readinto(buffer):
            received += count
        best = max(best, received / (time.perf_counter() - begun))
    return best


@dataclass
class Crowd:
    """What a hundred clients met: durations of light answers in ms, answers by organisation and
    kind, and what went wrong."""

    light_ms: list[float]
    counts: dict[tuple[str, bool], int]
    wrong: list[str]


def hundred(new: Callable[[str], Ask], seconds: float, *, pauses: bool) -> Crowd:
    """A hundred clients of ten organisations at once. Of ten clients one asks for heavy things, one
    after the other, and nine look up a row: about once a second each, as pages and programs do, or
    without `pauses`."""
    until = time.perf_counter() + seconds
    durations: list[float] = []
    wrong: list[str] = []
    counts: defaultdict[tuple[str, bool], int] = defaultdict(int)

    def run(number: int) -> None:
        token, heavy = ORGANIZATIONS[number // 10], number % 10 == 0
        ask, pause = new(token), random.Random(number)
        while time.perf_counter() < until:
            if pauses and not heavy:
                time.sleep(pause.uniform(0.5, 1.5))
            begun = time.perf_counter()
            try:
                ask(HEAVY if heavy else LIGHT)
            except (AssertionError, OSError, http.client.HTTPException) as error:
                wrong.append(str(error)[:200])
                ask = new(token)
                continue
            counts[token, heavy] += 1
            if not heavy:
                durations.append((time.perf_counter() - begun) * 1000)

    with ThreadPoolExecutor(100) as threads:
        list(threads.map(run, range(100)))
    return Crowd(sorted(durations), counts, wrong)


def mixed(scene: Scene, seconds: float = 60.0) -> None:
    """Clients that pause, beside DuckDB alone with the same clients inside its process."""
    single = scene.client(ORGANIZATIONS[0])
    quiet = at(timed(lambda: single.ask(LIGHT), 300), 0.99)
    raw = hundred(lambda _: _asks(scene.raw), min(seconds, 20), pauses=True)
    crowd = hundred(lambda token: scene.client(token).ask, seconds, pauses=True)
    print("100 clients, 10 of them heavy without a pause, 90 light about once a second:")
    _met(crowd, seconds)
    loud, beside = at(crowd.light_ms, 0.99), at(raw.light_ms, 0.99)
    line(
        "  light p99", f"{loud:.0f} ms", f"quiet {quiet:.0f} ms, raw so {beside:.0f} ms",
        "≤ 5 × quiet p99", holds=loud <= 5 * quiet,
    )  # fmt: skip


def stress(scene: Scene, seconds: float = 60.0) -> None:
    """Clients without any pause: 90 light ones are never answered sooner than this machine answers
    90 light queries."""
    clients = [scene.client(token).ask for token in ORGANIZATIONS for _ in range(4)]
    most = rate(clients, LIGHT)
    crowd = hundred(lambda token: scene.client(token).ask, seconds, pauses=False)
    print("100 clients without a pause, 10 heavy, 90 light:")
    _met(crowd, seconds)
    line(
        "  light p50, p99",
        f"{at(crowd.light_ms, 0.5):.0f} ms, {at(crowd.light_ms, 0.99):.0f} ms",
        f"limit: 90 at {most:.0f}/s, {90e3 / most:.0f} ms", "", holds=not crowd.wrong,
    )  # fmt: skip


def _met(crowd: Crowd, seconds: float) -> None:
    line("  errors", str(len(crowd.wrong)), "", "0", holds=not crowd.wrong)
    print("".join(f"    {each}\n" for each in sorted(set(crowd.wrong))[:5]), end="")
    for kind, heavy in (("light", False), ("heavy", True)):
        done = [crowd.counts[token, heavy] for token in ORGANIZATIONS]
        line(
            f"  fair: {kind} answers of an organisation", f"{min(done)} … {max(done)}",
            f"{sum(done) / seconds:.1f} a second", "most ≤ 1.5 × fewest",
            holds=max(done) <= 1.5 * max(1, min(done)),
        )  # fmt: skip


def peers(scene: Scene) -> None:
    client = scene.client()
    ours = [at(timed(lambda sql=sql: client.ask(sql), 5), 0.5) for sql in ANALYTIC]
    large = scene.rows > 1_000_000
    for name, start, bar in (
        ("CKAN", ckan, 15.0 if large else 8.0),
        ("Datasette", datasette, 20.0),
        ("ROAPI", roapi, 1.0),
    ):
        if name != "CKAN" and (scene.peers is None or not (scene.peers / name.lower()).exists()):
            print(f"{name}: not found; see --peers")
            continue
        with start(scene) as ask:
            theirs = [at(timed(lambda sql=sql: ask(sql), 3), 0.5) for sql in ANALYTIC]
        ratio = statistics.geometric_mean(b / a for a, b in zip(ours, theirs, strict=True))
        line(
            f"five analytic queries against {name}", f"{ratio:.1f} × as fast",
            f"{sum(ours):.0f} ms against {sum(theirs):.0f} ms", f"≥ {bar:.0f} ×",
            holds=ratio >= bar,
        )  # fmt: skip


@contextlib.contextmanager
def ckan(scene: Scene) -> Iterator[Callable[[str], object]]:
    columns = ", ".join(peer_ckan.FIELDS)
    rows = scene.raw.cursor().execute(f"SELECT {columns} FROM {TABLE}")
    with peer_ckan.ckan(scene.folder, TABLE, rows) as ask:
        yield ask


@contextlib.contextmanager
def datasette(scene: Scene) -> Iterator[Callable[[str], object]]:
    database, port = scene.folder / "peer.db", servers.free_port()
    with contextlib.closing(sqlite3.connect(database)) as made:
        made.execute(f"CREATE TABLE {TABLE} (id, station, ward, pm25_ug_m3, humidity)")
        reader = scene.raw.cursor().execute(
            f"SELECT id, station, ward, pm25_ug_m3, humidity FROM {TABLE}"
        )
        while rows := reader.fetchmany(100_000):
            made.executemany(f"INSERT INTO {TABLE} VALUES (?, ?, ?, ?, ?)", rows)
        made.commit()
    command = ["serve", str(database), "--port", str(port), "--setting", "sql_time_limit_ms",
               "600000"]  # fmt: skip
    with _peer(scene, "datasette", command, port) as get:
        yield lambda sql: get("GET", f"/peer.json?sql={urllib.parse.quote(sql)}&_shape=array", None)


@contextlib.contextmanager
def roapi(scene: Scene) -> Iterator[Callable[[str], object]]:
    port = servers.free_port()
    command = ["--table", f"{TABLE}={scene.file}", "--addr-http", f"127.0.0.1:{port}"]
    with _peer(scene, "roapi", command, port) as get:
        yield lambda sql: get("POST", "/api/sql", sql)


@contextlib.contextmanager
def _peer(
    scene: Scene, program: str, command: list[str], port: int
) -> Iterator[Callable[[str, str, str | None], bytes]]:
    assert scene.peers is not None
    with (scene.folder / f"{program}.log").open("wb") as output:
        process = subprocess.Popen(
            [str(scene.peers / program), *command], stdout=output, stderr=output
        )
    try:
        servers.wait_for(lambda: _listens(port), program, timeout_s=300)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=900)

        def get(method: str, path: str, body: str | None) -> bytes:
            connection.request(method, path, body)
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status == 200, content[:500]
            return content

        yield get
    finally:
        process.terminate()
        process.wait()


WORKS = {
    each.__name__: each for each in (light, etag, aggregate, stream, download, mixed, stress, peers)
}


def _lake(folder: Path, rows: int) -> Lake:
    """A lake with the table, made unless it is there."""
    lake = Lake(folder)
    if not folder.exists():
        maker = duckdb.connect()
        reader = maker.sql(f"SELECT {COLUMNS} FROM range({rows}) t(i)").to_arrow_reader(100_000)
        lake.table(TABLE).publish(reader, Provenance(), schema=reader.schema)
        maker.close()
    return lake


@contextlib.contextmanager
def scene(rows: int, peers_bin: Path | None, data: Path | None = None) -> Iterator[Scene]:
    with (
        tempfile.TemporaryDirectory(prefix="hanoiic-bench-") as made,
        servers.temporary_home() as home,
        servers.valkey(home) as valkey,
        HTTPServer(threaded=True) as server,
    ):
        # The portal lives in this process: a line for each of its requests would be measured too.
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        folder = Path(made)
        folder.chmod(0o755)
        lake = _lake((data or folder) / f"lake-{rows}", rows)
        files = {"REDIS_URL_FILE": valkey.url, "GATEWAY_CREDENTIAL_FILE": CREDENTIAL}
        for name, content in files.items():
            (folder / name).write_text(content)
        client = redis.Redis.from_url(valkey.url)
        portal = FakePortal(server, client, QuotaOffice(server))
        portal.tables = {token: {TABLE: permit()} for token in (None, *ORGANIZATIONS)}
        portal.organizations = {token: token for token in ORGANIZATIONS}
        portal.change()
        file = Path(lake.table(TABLE).files(1)[0])
        raw = duckdb.connect(config={"threads": THREADS})
        raw.execute(f"CREATE VIEW {TABLE} AS FROM read_parquet('{file}')")
        settings = {
            "LAKE_ROOT": lake.root,
            "PORTAL_URL": server.url_for("").rstrip("/"),
            "GATEWAY_SPILL_DIR": folder / "spill",
            "GATEWAY_REQUESTS_PER_MINUTE": 0,
            "GATEWAY_ANONYMOUS_REQUESTS_PER_MINUTE": 0,
            "GATEWAY_ANONYMOUS_CONCURRENT_QUERIES": 8,
            **{name: folder / name for name in files},
        }
        with gateways.running(folder, settings, threads=WEB_THREADS) as gateway:
            yield Scene(gateway, raw, file, rows, folder, peers_bin, portal)


def _processor() -> str:
    with contextlib.suppress(OSError):
        for fact in Path("/proc/cpuinfo").read_text().splitlines():
            if fact.startswith("model name"):
                return fact.partition(":")[2].strip()
    return platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("works", nargs="*", choices=[*WORKS, []], help="what to measure: all")
    parser.add_argument("--rows", type=int, default=10_000_000)
    found = shutil.which("datasette")
    parser.add_argument(
        "--peers", type=Path, default=Path(found).parent if found else None,
        help="folder of the programs datasette and roapi",
    )  # fmt: skip
    parser.add_argument("--data", type=Path, help="folder where the tables stay for the next run")
    asked = parser.parse_args()
    print(f"{_processor()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, "
          f"Python {platform.python_version()}, DuckDB {duckdb.__version__}, {asked.rows:,} rows "
          f"× 8")  # fmt: skip
    with scene(asked.rows, asked.peers, asked.data) as made:
        for name in asked.works or WORKS:
            WORKS[name](made)


if __name__ == "__main__":
    main()
