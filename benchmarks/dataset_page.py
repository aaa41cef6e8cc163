"""How fast a dataset's page comes: ``python benchmarks/dataset_page.py [--datasets 300]``.

Starts the real portal (CKAN under gunicorn, with its servers) in a folder of its own, registers
datasets of the portal's schema, and reads their pages over HTTP as an anonymous reader, each page
another dataset's. Prints milliseconds (p50, p99) once the portal is warm, with the bar beside them,
and what the processors worked for a page (the portal's processes and PostgreSQL's), which other
load changes less. The search page and CKAN's front page are printed for comparison.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles

import requests

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from deploy.postgres import PORTAL_ROLE  # noqa: E402
from tests import portal_server  # noqa: E402
from tests.servers import postgres, temporary_home, valkey  # noqa: E402

BAR_P50_MS = 60
WARMING = 60  # pages, over all workers
PAGES = {"dataset page": "/dataset/dataset-{n}", "search page": "/dataset?q={n}", "front page": "/"}


def descendants(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield int(child)
            yield from descendants(int(child))


def worked_ms(roots: list[int]) -> float:
    """How long the processors worked for these processes and those they started, until now."""
    ticks = 0
    for pid in [*roots, *(child for root in roots for child in descendants(root))]:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks * 1000 / os.sysconf("SC_CLK_TCK")


def measure(portal: portal_server.Portal, roots: list[int], datasets: int, rounds: int) -> None:
    print(f"{'ms':16}{'p50':>8}{'p99':>8}{'bar':>6}{'cpu':>8}{'load':>7}")
    reader = requests.Session()
    for name, path in PAGES.items():
        numbers = itertools.count()

        def read(path: str = path, numbers: Iterator[int] = numbers) -> float:
            start = time.perf_counter()
            answer = reader.get(portal.url + path.format(n=next(numbers) % datasets), timeout=60)
            answer.raise_for_status()
            return (time.perf_counter() - start) * 1000

        for _ in range(WARMING):
            read()
        before = worked_ms(roots)
        cut = quantiles([read() for _ in range(rounds)], n=100)
        worked = (worked_ms(roots) - before) / rounds
        bar = BAR_P50_MS if name == "dataset page" else "-"
        print(
            f"{name:16}{cut[49]:8.1f}{cut[98]:8.1f}{bar:>6}{worked:8.1f}{os.getloadavg()[0]:7.1f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    with temporary_home("page-bench-") as home, postgres(home) as database, valkey(home) as cache:
        url = database.url(PORTAL_ROLE, home.secret("database_portal"))
        with portal_server.running(home, url, cache.url) as portal:
            filler = [sys.executable, str(ROOT / "benchmarks/reindex.py"), "--fill"]
            subprocess.run(
                [*filler, str(home.ckan_ini), "--datasets", str(options.datasets)],
                cwd=ROOT,
                check=True,
            )
            postmaster = int((home.postgres / "postmaster.pid").read_text().split()[0])
            measure(portal, [portal.master, postmaster], options.datasets, options.rounds)


if __name__ == "__main__":
    main()
