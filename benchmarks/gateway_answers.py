"""How fast many rows leave the gateway: answers in every format, whole tables."""

from __future__ import annotations

import http.client
import os
import statistics
import subprocess
import sys
import threading
import time
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

import duckdb

from benchmarks.gateway_scene import TABLE, Scene, line, listens
from tests import servers

BARS = {"arrow": 0.65, "ndjson": 0.40, "csv": 0.30, "parquet": 0.20}
TEXTS = ("ndjson", "csv")
ROUNDS = 3


def stream(scene: Scene) -> None:
    """How fast five million rows leave, beside DuckDB's own Arrow reader over the same rows.

    Arrow and Parquet answers stand for the Arrow bytes of their rows, however few bytes they take.
    A text takes several times the bytes of a number that it writes, and making those is the work:
    it is judged by the bytes received, as the bars are, which ask more of the format whose rows are
    longer. What it comes to in Arrow bytes is printed beside it.
    """
    # A LIMIT of millions would be collected before its first row, by DuckDB itself too.
    sql = f"SELECT * FROM {TABLE} WHERE id < {min(scene.rows, 5_000_000)}"
    for format_name, bar in BARS.items():
        turns = [
            (
                _raw(scene.raw, sql),
                _raw(scene.hot or scene.raw, sql),
                _sent(scene, sql, format_name),
            )
            for _ in range(ROUNDS)
        ]
        raw, hot, speed = (
            statistics.median(each.speed for each in one) for one in zip(*turns, strict=True)
        )
        arrow_bytes, sent = turns[0][0].received, [each for _, _, each in turns]
        in_bytes = speed / raw
        in_arrow = in_bytes * arrow_bytes / sent[0].received
        ratio = in_bytes if format_name in TEXTS else in_arrow
        line(
            f"answer of 5 M × 8 as {format_name}", f"{speed / 1e6:.0f} MB/s",
            f"raw {raw / 1e6:.0f}: {in_bytes:.2f}, {in_arrow:.2f} in Arrow; hot {hot / 1e6:.0f}",
            f"≥ {bar:.2f}",
            holds=ratio >= bar,
        )  # fmt: skip
        first_s = statistics.median(each.first_s for each in sent)
        line("  first byte", f"{first_s * 1000:.0f} ms", "", "≤ 100 ms", holds=first_s <= 0.1)
        grown = max(each.grown_mb for each in sent)
        line("  web process grew by", f"{grown:.0f} MB", "", "≤ 64 MB", holds=grown <= 64)


@dataclass(frozen=True)
class Sent:
    """One answer: its bytes, how long it took, its first byte, how much the web process grew."""

    received: int
    taken_s: float
    first_s: float = 0.0
    grown_mb: float = 0.0

    @property
    def speed(self) -> float:
        """Bytes a second."""
        return self.received / self.taken_s


def _raw(connection: duckdb.DuckDBPyConnection, sql: str) -> Sent:
    begun = time.perf_counter()
    reader = connection.cursor().sql(sql).to_arrow_reader(50_000)
    received = sum(batch.nbytes for batch in reader)
    return Sent(received, time.perf_counter() - begun)


def _sent(scene: Scene, sql: str, format_name: str) -> Sent:
    before = resident_mb(scene.gateway.web)
    with Highest(scene.gateway.web) as most:
        begun = time.perf_counter()
        received, first_s = scene.client().stream(sql, format_name)
        taken_s = time.perf_counter() - begun
    return Sent(received, taken_s, first_s, most.mb - before)


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
        servers.wait_for(lambda: listens(port), "http.server")
        theirs = _speed(f"http://127.0.0.1:{port}/{scene.file.name}")
        ours = _speed(f"{scene.gateway.url}/v1/tables/{TABLE}/download.parquet")
    finally:
        plain.terminate()
        plain.wait()
    line(
        "whole table as Parquet", f"{ours / 1e6:.0f} MB/s", f"http.server {theirs / 1e6:.0f} MB/s",
        "≥ 0.8 of it", holds=ours >= 0.8 * theirs,
    )  # fmt: skip


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
