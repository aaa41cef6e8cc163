"""How close the gateway is to DuckDB itself, and how far ahead of its peers: every figure beside
its bar, as ratios of one run.

    .venv/bin/python benchmarks/gateway.py                       # 10 M rows, some minutes
    .venv/bin/python benchmarks/gateway.py --rows 1000000 light aggregate

CKAN is this environment's own, with its DataStore. Datasette and ROAPI are asked when their
programs are found (`pip install datasette roapi` into an environment of their own, and `--peers
ENVIRONMENT/bin`). The portal is a small one that permits everything; gateway, Valkey and lake are
the real ones. What is compared takes turns, so that a slower minute of the machine slows both.
"Raw" is DuckDB in this process over the lake's Parquet files, "hot" over the database that the
gateway has made of them since.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import shutil
import statistics
import sys
import urllib.parse
from pathlib import Path

import duckdb

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.gateway_answers import download, stream
from benchmarks.gateway_crowd import mixed, stress
from benchmarks.gateway_peers import peers
from benchmarks.gateway_scene import LIGHT, Scene, asks_in_process, at, line, rate, scene, timed


def light(scene: Scene) -> None:
    client = scene.client()

    def inside(connection: duckdb.DuckDBPyConnection) -> list[float]:
        ask = asks_in_process(connection)
        timed(lambda: ask(LIGHT), 50)
        return timed(lambda: ask(LIGHT), 500)

    timed(lambda: client.ask(LIGHT), 50)
    raw, ours = inside(scene.raw), timed(lambda: client.ask(LIGHT), 500)
    hot = inside(scene.hot) if scene.hot else raw
    for name, share, most_ms in (("p50", 0.5, 3), ("p99", 0.99, 10)):
        more = at(ours, share) - at(raw, share)
        line(
            f"light query, {name}", f"{at(ours, share):.1f} ms",
            f"raw {at(raw, share):.1f} ms, hot {at(hot, share):.1f} ms", f"≤ raw + {most_ms} ms",
            holds=more <= most_ms,
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
        ours = [scene.client().ask for _ in range(clients)]
        inside = [
            [asks_in_process(each) for _ in range(clients)]
            for each in (scene.raw, scene.hot or scene.raw)
        ]
        turns = [[rate(each, seconds=3) for each in (ours, *inside)] for _ in range(4)]
        gateway, raw, hot = (statistics.mean(each) for each in zip(*turns, strict=True))
        line(
            f"aggregate of {scene.rows:,} rows, {clients} client(s)", f"{gateway:.2f} queries/s",

            f"raw {raw:.2f}: {gateway / raw:.2f}, hot {hot:.2f}: {gateway / hot:.2f}",
            "≥ 0.95 of raw",
            holds=gateway >= 0.95 * raw,
        )  # fmt: skip


WORKS = {
    each.__name__: each for each in (light, etag, aggregate, stream, download, mixed, stress, peers)
}


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
    parser.add_argument(
        "--cold", action="store_true", help="have the gateway read the lake's files, as of a table "
        "that is seldom asked for",
    )  # fmt: skip
    asked = parser.parse_args()
    print(f"{_processor()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, "
          f"Python {platform.python_version()}, DuckDB {duckdb.__version__}, {asked.rows:,} rows "
          f"× 8")  # fmt: skip
    with scene(asked.rows, asked.peers, asked.data, hot=not asked.cold) as made:
        for name in asked.works or WORKS:
            WORKS[name](made)


if __name__ == "__main__":
    main()
