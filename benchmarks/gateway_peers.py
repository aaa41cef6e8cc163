"""The same five analytic queries over the same rows: the gateway and its peers."""

from __future__ import annotations

import contextlib
import http.client
import sqlite3
import statistics
import subprocess
import urllib.parse
from collections.abc import Callable, Iterator

from benchmarks import peer_ckan
from benchmarks.gateway_scene import TABLE, Scene, at, line, listens, timed
from tests import servers

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
        servers.wait_for(lambda: listens(port), program, timeout_s=300)
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
