"""The worker on a real queue: runs are claimed, tried again, rescued, and always end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from werkzeug import Response

from harvesters import database
from harvesters.fetch import Client
from harvesters.lanes import Lanes
from harvesters.portal import Portal
from harvesters.room import Room
from harvesters.tries import Tries
from harvesters.worker import Pace, Worker, end
from tests.harvesters.conftest import QUICK
from tests.harvesters.fake_portal import FINISHED, TOKEN
from tests.servers import wait_for

CSV = "mã,tên\n00004,Ba Đình\n"


@contextlib.contextmanager
def worker(home: Path, log: Path) -> Iterator[subprocess.Popen]:
    """`hanoiic-harvest worker` as its own process."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "harvesters.cli", "worker"],
            env={"PATH": os.defpath, "HANOIIC_HOME": str(home)},
            cwd=Path(__file__).parents[2],
            stdout=output,
            stderr=output,
        )
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def ended(portal, run: dict, timeout_s: float = 120) -> dict:
    wait_for(lambda: portal.runs[run["id"]]["state"] in FINISHED, "the run's end", timeout_s)
    return portal.runs[run["id"]]


@pytest.mark.usefixtures("empty_queue")
def test_runs_are_claimed_worked_off_and_told(settings_home, portal, serve, lake, tmp_path):
    source = portal.add_source(name="a", kind="csv", url=serve(CSV), dataset={"table": "wards"})
    gone = portal.add_source(
        name="b", kind="csv", url=serve("<html>", "/b"), dataset={"table": "other"}
    )
    runs = [portal.ask_for_run(source), portal.ask_for_run(gone)]
    log = tmp_path / "worker.log"
    with worker(settings_home, log) as child:
        published, refused = (ended(portal, run) for run in runs)
        assert published["state"] == "published"
        assert published["tables"][0]["row_count"] == 1
        assert [stage["state"] for stage in published["stages"]] == ["done"] * 6
        assert refused["state"] == "refused"
        assert refused["error"]["code"] == "html_instead_of_data"
        assert lake.table("wards").resolve().run_id == runs[0]["id"]
        again = portal.ask_for_run(source)
        assert ended(portal, again)["state"] == "unchanged"
        child.send_signal(signal.SIGTERM)
        assert child.wait(20) == 0
    assert TOKEN not in log.read_text()
    assert '"run_finished"' in log.read_text()


@pytest.mark.usefixtures("empty_queue")
def test_a_run_whose_worker_is_killed_ends_the_same(
    settings_home, portal, httpserver, lake, tmp_path
):
    """Killed while it registers: the version is there, the dataset is not."""
    httpserver.expect_request("/slow.csv").respond_with_data(CSV)
    source = portal.add_source(
        name="a",
        kind="csv",
        url=httpserver.url_for("/slow.csv"),
        dataset={"table": "wards"},
    )
    reached, go_on = threading.Event(), threading.Event()

    def hold(_) -> None:
        reached.set()
        go_on.wait(120)

    portal.before["package_create"] = hold
    run = portal.ask_for_run(source)
    with worker(settings_home, tmp_path / "first.log") as first:
        assert reached.wait(40)
        first.kill()
        first.wait()
    assert lake.table("wards").resolve().run_id == run["id"]
    assert portal.datasets == {}
    del portal.before["package_create"]
    with worker(settings_home, tmp_path / "second.log"):
        finished = ended(portal, run, 60)
    go_on.set()
    assert finished["state"] == "published"
    assert finished["tables"][0]["changed"] is True
    assert len(lake.table("wards").versions()) == 1
    assert len(portal.datasets) >= 1
    assert "Attempt 2 of 5." in finished["stages"][0]["messages"]


def test_what_may_pass_is_tried_again_and_what_may_not_is_not(
    room, portal, httpserver, database_url, empty_queue
):
    answers = iter([500, 500, 500, 200])
    httpserver.expect_request("/shaky.csv").respond_with_handler(
        lambda _: Response(CSV, status=next(answers))
    )
    httpserver.expect_request("/missing.csv").respond_with_data("", status=404)
    sources = [
        portal.add_source(name=name, kind="csv", url=httpserver.url_for(f"/{name}.csv"))
        for name in ("shaky", "missing")
    ]
    shaky, missing = (portal.ask_for_run(source) for source in sources)

    def make_room() -> Room:
        client = Client(room.client.raw_dir, [f"localhost:{httpserver.port}"], QUICK)
        return replace(room, client=client, portal=Portal(portal.url, TOKEN))

    queue = database.queue(database.address(database_url))
    address = database.address(database_url)
    pace = Pace(retry_after_s=(0, 0))
    busy = Worker(queue, make_room, room.portal, Lanes(address), Tries(address), pace=pace)

    async def work() -> None:
        working = asyncio.create_task(busy.run())
        await asyncio.to_thread(ended, portal, shaky)
        await asyncio.to_thread(ended, portal, missing)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    asyncio.run(work())
    assert portal.runs[shaky["id"]]["state"] == "published"
    assert "Attempt 2 of 3." in portal.runs[shaky["id"]]["stages"][0]["messages"]
    assert portal.runs[missing["id"]]["state"] == "failed"
    assert portal.runs[missing["id"]]["error"]["code"] == "source_answered_error"
    missed = [request for request, _ in httpserver.log if request.path == "/missing.csv"]
    assert len(missed) == 1


@pytest.mark.timeout(30)
def test_a_worker_that_stops_waits_for_no_task_that_lost_its_cancellation():
    """As Python 3.11 loses it, when a database is back in that moment."""

    async def loses_one() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        await asyncio.sleep(3600)

    async def stop() -> bool:
        side = asyncio.create_task(loses_one())
        await asyncio.sleep(0)
        await end([side])
        return side.cancelled()

    assert asyncio.run(stop())


def test_migrating_twice_changes_nothing(database_url):
    conninfo = database.address(database_url)
    database.migrate(conninfo)
    with psycopg.connect(conninfo) as connection:
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'harvest'"
        ).fetchall()
        public = connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone()
    assert {"procrastinate_jobs", "receipts"} <= {name for (name,) in tables}
    assert public == (0,)
