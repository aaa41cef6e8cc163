"""Workers killed with -9 at every stage, at random times: every run ends, and the lake, the
catalogue and the memory are those of runs that nobody disturbed.

The short form kills a few times. `HANOIIC_TEST_KILLS=100` does it so often, and the last tenth of
it at the pace of an installation, where a run must go on within a minute.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from harvesters import database
from harvesters.fetch import Client
from harvesters.passages import STAGES
from harvesters.pipeline import harvest
from harvesters.portal import Portal
from harvesters.report import Report
from harvesters.room import Room
from harvesters.source import Source
from harvesters.worker import Pace
from lake import rejected
from lake.store import Lake
from tests.harvesters.conftest import QUICK
from tests.harvesters.fake_portal import FINISHED, TOKEN, FakePortal
from tests.servers import wait_for

ROUNDS = int(os.environ.get("HANOIIC_TEST_KILLS", "6"))
SEED = int(os.environ.get("HANOIIC_TEST_SEED", "20261122"))
HASTY = Pace(
    claim_every_s=0.2, rescue_every_s=0.2, heartbeat_s=0.3, stalled_s=1.5, lane_pause_s=0.2
)
# Where a worker is killed: where it takes the run, in each stage, before datasets that went are
# marked, or at any moment.
MOMENTS = (
    *("publish", "register", "departures", "run_queued", "any", "fetch", "validate"),
    *("decode", "normalise"),
)
WITHIN_S = 60
ROWS = 2_000


class Department:
    """A catalogue of three datasets. `round` changes the files; the third one comes and goes."""

    def __init__(self, server: HTTPServer) -> None:
        self.round = 0
        self._server = server
        server.expect_request("/api/3/action/package_search").respond_with_handler(self._search)
        for number in range(3):
            server.expect_request(f"/{number}.csv").respond_with_handler(self._file)

    def _search(self, _: Request) -> Response:
        there = [0, 1] if self.round % 4 in (2, 3) else [0, 1, 2]
        results = [
            {
                "id": f"d{number}",
                "name": f"d{number}",
                "title": f"Bộ {number}",
                "resources": [
                    {"id": "r", "format": "CSV", "url": self._server.url_for(f"/{number}.csv")}
                ],
            }
            for number in there
        ]
        answer = {"success": True, "result": {"count": len(results), "results": results}}
        return Response(json.dumps(answer), content_type="application/json")

    def _file(self, request: Request) -> Response:
        number = int(request.path[1])
        # One of the three stays as it is for a while.
        version = self.round // 3 if number == 1 else self.round
        lines = [f"{row},{row * (version + 1)},Phường {row}" for row in range(ROWS)]
        return Response("mã,số,tên\n" + "\n".join(lines) + "\n1,2,3,4\n")


class Watched:
    """A worker process whose log is read while it writes it."""

    def __init__(self, home: Path, pace: Pace) -> None:
        self.events: list[str] = []
        self.complaints: list[str] = []
        self._news = threading.Condition()
        self.child = subprocess.Popen(
            [sys.executable, "-m", "tests.harvesters.hasty", json.dumps(asdict(pace))],
            env={
                "PATH": os.defpath,
                "HANOIIC_HOME": str(home),
                "HANOIIC_LOG_LEVEL": "DEBUG",
                "OMP_NUM_THREADS": "1",
            },
            cwd=Path(__file__).parents[2],
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.child.stderr or ():
            said = json.loads(line) if line.startswith("{") else {}
            if said.get("level", "error") == "error":
                self.complaints.append(line)
            with self._news:
                self.events.append(str(said.get("stage") or said.get("event")))
                self._news.notify_all()

    def wait_for(self, moment: str, since: int, timeout_s: float, times: int = 1) -> bool:
        """Whether a moment came so many times since the event of that number."""
        with self._news:
            return self._news.wait_for(
                lambda: self.events[since:].count(moment) >= times, timeout_s
            )

    def kill(self) -> None:
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()
        self._reader.join()


class Workers:
    """Two workers of one queue; the one that is killed is replaced."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.pace = HASTY
        self._alive: list[Watched] = []
        self._dead: list[Watched] = []

    @property
    def complaints(self) -> list[str]:
        return [line for worker in (*self._dead, *self._alive) for line in worker.complaints]

    def fill(self) -> None:
        while len(self._alive) < 2:
            self._alive.append(Watched(self._home, self.pace))
        assert self._alive[0].wait_for("worker_started", 0, 60)

    def kill_at(self, moment: str, times: int, delay_s: float, ended: threading.Event) -> bool:
        """Kill the worker that comes to a moment for that time, `delay_s` later; false when the
        run ended before."""
        marks = {id(worker): len(worker.events) for worker in self._alive}
        while not ended.is_set():
            for worker in self._alive:
                if moment == "any" or worker.wait_for(moment, marks[id(worker)], 0.005, times):
                    time.sleep(delay_s)
                    self._alive.remove(worker)
                    worker.kill()
                    self._dead.append(worker)
                    return True
        return False

    def stop(self) -> None:
        for worker in self._alive:
            worker.kill()
        self._alive.clear()


def state_of(lake: Lake, portal: FakePortal, database_url: str, source: dict[str, Any]) -> Any:
    """What must be the same, however often a worker died: no identifier or moment is in it."""
    names = {dataset["id"]: dataset["name"] for dataset in portal.datasets.values()}
    tables = {}
    for name in lake.tables():
        versions = lake.table(name).versions()
        tables[name] = [
            (one.number, one.row_count, one.content_hash, one.source_hash,
             [asdict(row) for row in rejected.read(lake, name, one.run_id)])
            for one in versions
        ]  # fmt: skip
    datasets = {}
    for dataset in portal.datasets.values():
        assert dataset["name"] not in datasets
        plain = {**dataset, "id": "", "harvest_source": ""}
        plain["resources"] = [
            {**resource, "id": "", "lake_version_at": ""} for resource in dataset["resources"]
        ]
        datasets[dataset["name"]] = plain
    with psycopg.connect(database.address(database_url)) as connection:
        receipts = connection.execute(
            "SELECT url, sha256, dataset_id, tables FROM receipts "
            "WHERE source_id = %s ORDER BY url",
            (source["id"],),
        ).fetchall()
        seen = connection.execute(
            "SELECT identifier, dataset_id, state, missing_runs FROM datasets_seen "
            "WHERE source_id = %s ORDER BY identifier",
            (source["id"],),
        ).fetchall()
    receipts = [(url, sha256, names[id_], rows) for url, sha256, id_, rows in receipts]
    seen = [(identifier, names[id_], *rest) for identifier, id_, *rest in seen]
    return {"tables": tables, "datasets": datasets, "receipts": receipts, "seen": seen}


@contextmanager
def another_portal() -> Iterator[FakePortal]:
    portal = FakePortal()
    try:
        yield portal
    finally:
        portal.close()


@pytest.mark.timeout(max(300, 60 * ROUNDS))
@pytest.mark.usefixtures("empty_queue")
def test_a_worker_killed_at_any_stage_changes_nothing(
    settings_home, room, portal, lake, httpserver, database_url, tmp_path
):
    chance = random.Random(SEED)
    department = Department(httpserver)
    fields = {
        "name": "danh-muc",
        "kind": "ckan",
        "url": httpserver.url_for("/"),
        "dataset": {"table": "dm", "access_tier": "open"},
        "options": {"max_missing_share": 0.5, "archive_runs": 2, "archive_days": 0},
    }
    workers, recoveries = Workers(settings_home), []
    with another_portal() as calm_portal:
        disturbed, calm = portal.add_source(**fields), calm_portal.add_source(**fields)
        calm_room = replace(
            room, lake=Lake(tmp_path / "calm"), portal=Portal(calm_portal.url, TOKEN)
        )
        try:
            for number in range(ROUNDS):
                if number == ROUNDS - ROUNDS // 10:
                    workers.stop()
                    workers.pace = Pace()
                department.round = number
                workers.fill()
                moment = MOMENTS[number % len(MOMENTS)]
                took_s = disturb(portal, disturbed, workers, moment, chance)
                recoveries.append(took_s)
                harvest(Source.of(calm), fresh(calm_room, httpserver), Report(), f"calm-{number}")
                wait_for(lambda: queue_is_empty(database_url), "an empty queue")
                assert state_of(lake, portal, database_url, disturbed) == state_of(
                    calm_room.lake, calm_portal, database_url, calm
                ), f"round {number}, killed at {moment}, seed {SEED}"
        finally:
            workers.stop()
    killed = [took_s for took_s in recoveries if took_s is not None]
    print(f"{len(killed)} of {ROUNDS} rounds killed; longest until the end {max(killed):.1f} s")
    assert len(killed) >= ROUNDS * 0.7
    assert max(killed) < WITHIN_S


def disturb(
    portal: FakePortal,
    source: dict[str, Any],
    workers: Workers,
    moment: str,
    chance: random.Random,
) -> float | None:
    """One run with one kill; seconds from the kill to the run's end, None without a kill."""
    ended = threading.Event()
    killed_at: list[float] = []
    delay_s = chance.uniform(0, 1.5) if moment == "any" else chance.uniform(0, 0.15)
    # The first dataset may be the one in that stage, or another.
    times = chance.randint(1, 2) if moment in STAGES else 1

    def kill() -> None:
        if workers.kill_at(moment, times, delay_s, ended):
            killed_at.append(time.monotonic())

    # A claim whose worker dies before it queues the run is handed out again.
    portal.claim_lease_s = 3.0 if workers.pace is HASTY else 30.0
    killer = threading.Thread(target=kill)
    killer.start()
    run = portal.ask_for_run(source)
    try:
        wait_for(lambda: portal.runs[run["id"]]["state"] in FINISHED, f"the end ({moment})", 90)
        end = time.monotonic()
    finally:
        ended.set()
        killer.join()
    workers.fill()
    finished = portal.runs[run["id"]]
    assert finished["state"] in ("published", "unchanged"), (finished["error"], workers.complaints)
    return max(0.0, end - killed_at[0]) if killed_at else None


def fresh(room: Room, httpserver: HTTPServer) -> Room:
    return replace(
        room, client=Client(room.client.raw_dir, [f"localhost:{httpserver.port}"], QUICK)
    )


def queue_is_empty(database_url: str) -> bool:
    with psycopg.connect(database.address(database_url)) as connection:
        counted = connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone()
    return counted == (0,)
