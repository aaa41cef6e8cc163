"""What the gateway is measured in: a lake with one table of eight columns, DuckDB over its file,
the real gateway and Valkey, and a small portal that permits everything; and how figures are taken.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import duckdb
import redis
from pytest_httpserver import HTTPServer

from api_gateway.engine import THREADS
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
# Tokens of the organisations that share the gateway in `mixed`.
ORGANIZATIONS = tuple(f"hic_organisation_{number}" for number in range(10))
Ask = Callable[[str], object]
# As the launcher starts it (deploy/programs.py).
WEB_THREADS = 64


@dataclass
class Scene:
    """What is measured, and where."""

    gateway: gateways.Gateway
    raw: duckdb.DuckDBPyConnection
    # DuckDB over the database that the gateway reads once the table is hot.
    hot: duckdb.DuckDBPyConnection | None
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
        begun = time.perf_counter()
        body = json.dumps({"sql": sql, "format": format_name})
        self._connection.request("POST", "/v1/sql", body, self._headers)
        answer = self._connection.getresponse()
        assert answer.status == 200, answer.read(500)
        received = len(answer.read1(1 << 16))
        first_s = time.perf_counter() - begun
        # One buffer for all: to make one for each piece takes as long as to receive it.
        buffer = bytearray(1 << 20)
        while count := answer.readinto(buffer):
            received += count
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


def asks_in_process(connection: duckdb.DuckDBPyConnection) -> Ask:
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


def listens(port: int) -> bool:
    with contextlib.suppress(OSError):
        http.client.HTTPConnection("127.0.0.1", port, timeout=1).connect()
        return True
    return False


def _lake(folder: Path, rows: int) -> Lake:
    """A lake with the table, made unless it is there."""
    lake = Lake(folder)
    if not folder.exists():
        maker = duckdb.connect()
        reader = maker.sql(f"SELECT {COLUMNS} FROM range({rows}) t(i)").to_arrow_reader(100_000)
        lake.table(TABLE).publish(reader, Provenance(), schema=reader.schema)
        maker.close()
    return lake


def _heated(gateway: gateways.Gateway, folder: Path) -> duckdb.DuckDBPyConnection:
    """Ask for the table until it is hot."""
    client, begun = Client(gateway.url), time.perf_counter()
    for _ in range(3):
        client.ask(LIGHT)
    servers.wait_for(lambda: list(folder.glob("*.duckdb")), "the hot table", 120)
    made_s, (file,) = time.perf_counter() - begun, folder.glob("*.duckdb")
    print(f"hot {made_s:.1f} s after the first query: {file.stat().st_size / 1e6:.0f} MB")
    client.ask(LIGHT)
    hot = duckdb.connect(config={"threads": THREADS})
    hot.execute(f"ATTACH '{file}' AS hot (READ_ONLY)")
    hot.execute(f"CREATE VIEW {TABLE} AS FROM hot.main.rows")
    return hot


@contextlib.contextmanager
def scene(
    rows: int, peers_bin: Path | None, data: Path | None = None, *, hot: bool = True
) -> Iterator[Scene]:
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
            "GATEWAY_CACHE_DIR": folder / "cache",
            **({} if hot else {"GATEWAY_HOT_MB": 0}),
            "GATEWAY_REQUESTS_PER_MINUTE": 0,
            "GATEWAY_ANONYMOUS_REQUESTS_PER_MINUTE": 0,
            "GATEWAY_ANONYMOUS_CONCURRENT_QUERIES": 8,
            **{name: folder / name for name in files},
        }
        with gateways.running(folder, settings, threads=WEB_THREADS) as gateway:
            heated = _heated(gateway, folder / "cache" / "hot") if hot else None
            yield Scene(gateway, raw, heated, file, rows, folder, peers_bin, portal)
