"""How fast a gateway answers: light queries one after another, and a whole table in every format.

.venv/bin/python benchmarks/gateway_stream.py http://127.0.0.1:8000 --table demo_bus_stops
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import requests

FORMATS = ("arrow", "ndjson", "json", "csv", "parquet")


def light(session: requests.Session, url: str, table: str, times: int) -> None:
    """Print the median and the 95th percentile of a query that reads one row, in milliseconds."""
    durations_ms = []
    for _ in range(times):
        begun = time.perf_counter()
        answer = session.post(f"{url}/v1/sql", json={"sql": f"SELECT * FROM {table} LIMIT 1"})
        answer.raise_for_status()
        durations_ms.append((time.perf_counter() - begun) * 1000)
    p95 = statistics.quantiles(durations_ms, n=20)[-1]
    print(f"light query: p50 {statistics.median(durations_ms):.1f} ms, p95 {p95:.1f} ms")


def stream(session: requests.Session, url: str, sql: str, format_name: str) -> None:
    """Print the throughput of one answer in MB/s, and the time of its first byte."""
    begun = time.perf_counter()
    body = {"sql": sql, "format": format_name}
    with session.post(f"{url}/v1/sql", json=body, stream=True) as answer:
        answer.raise_for_status()
        first_s = time.perf_counter() - begun
        received = sum(len(chunk) for chunk in answer.iter_content(1 << 20))
    taken_s = time.perf_counter() - begun
    print(
        f"{format_name:8} {received / 1e6:8.1f} MB  {received / 1e6 / taken_s:7.1f} MB/s  "
        f"first byte {first_s * 1000:.0f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--table", required=True, help="a table that the caller may read")
    parser.add_argument("--token", type=Path, help="file that holds a hic_… token")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the long answers")
    parser.add_argument("--times", type=int, default=100, help="light queries to send")
    asked = parser.parse_args()
    session = requests.Session()
    if asked.token:
        session.headers["Authorization"] = f"Bearer {asked.token.read_text().strip()}"
    light(session, asked.url.rstrip("/"), asked.table, asked.times)
    sql = (
        f"SELECT i, i / 7 AS part, 'Trạm ' || (i % 100) AS name, i % 2 = 0 AS even "
        f"FROM range({asked.rows}) t(i)"
    )
    for format_name in FORMATS:
        stream(session, asked.url.rstrip("/"), sql, format_name)


if __name__ == "__main__":
    main()
