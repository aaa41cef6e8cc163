"""Who works where and when: one run a source, few a host, the urgent first, pauses that fit."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

import psycopg
import pytest
from procrastinate.exceptions import JobAborted
from pytest_httpserver import HTTPServer
from werkzeug import Response

from harvesters import database
from harvesters.attempt import Attempts, TryAgain
from harvesters.errors import SourceAnsweredError, SourceUnreachable
from harvesters.fetch import Client
from harvesters.lanes import LaneBusy, Lanes
from harvesters.portal import Portal
from harvesters.room import Room
from harvesters.telling import RunStopped, Teller
from harvesters.tries import Tries
from harvesters.worker import Pace, Worker
from tests.harvesters.conftest import QUICK
from tests.harvesters.fake_portal import FINISHED, TOKEN
from tests.servers import wait_for

CSV = "mã,tên\n00004,Ba Đình\n"


@pytest.fixture
def busy_server():
    """A server that answers many at once."""
    with HTTPServer(host="127.0.0.1", threaded=True) as server:
        yield server


@pytest.fixture
def address(database_url, empty_queue) -> str:
    return database.address(database_url)


def test_a_source_is_one_workers_at_a_time(address):
    lanes, others = Lanes(address), Lanes(address)
    with lanes.taken("s", "https://a.example/x"):
        with pytest.raises(LaneBusy), others.taken("s", "https://b.example/x"):
            pass
        with others.taken("t", "https://b.example/x"):
            pass
    with others.taken("s", "https://a.example/x"):
        pass


def test_a_host_has_so_many_places_over_all_workers(address):
    lanes = [Lanes(address, host_runs=2) for _ in range(3)]
    with lanes[0].taken("a", "https://x.example/1"), lanes[1].taken("b", "http://X.example:81/2"):
        with pytest.raises(LaneBusy), lanes[2].taken("c", "https://x.example/3"):
            pass
        # What lies in the portal burdens nobody.
        with lanes[2].taken("c", "upload:7"), lanes[0].taken("d", "https://y.example/"):
            pass
    with lanes[2].taken("c", "https://x.example/3"):
        pass


def test_a_lost_connection_gives_its_lane_back(address):
    lanes = Lanes(address)
    with lanes.taken("s", "https://x.example/"):
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks "
                "WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
            )
        wait_for(lambda: _is_free(address), "the lane")


def _is_free(address: str) -> bool:
    try:
        with Lanes(address).taken("s", "https://x.example/"):
            return True
    except LaneBusy:
        return False


def test_tries_count_what_was_begun(address):
    tries = Tries(address)
    assert [tries.begin("r"), tries.begin("r"), tries.begin("other")] == [1, 2, 1]
    tries.take_back("r")
    assert tries.count("r") == 1
    tries.forget("r")
    assert (tries.count("r"), tries.count("other")) == (0, 1)


def answered(status, retry_after_s=None):
    return SourceAnsweredError("…", status=status, retry_after_s=retry_after_s)


@pytest.mark.parametrize(
    ("error", "begun", "pause_s"),
    [
        (SourceUnreachable("…"), 1, 10),
        (SourceUnreachable("…"), 4, 640),
        (SourceUnreachable("…"), 5, None),
        (answered(503), 2, 40),
        (answered(404), 1, None),
        (answered(429, 120), 1, 120),
        (answered(429, 3), 1, 10),
        (answered(503, 86_400), 1, 640),
    ],
)
def test_pauses_grow_and_heed_the_source(address, error, begun, pause_s):
    attempts = Attempts(Pace().retry_after_s, Lanes(address), Tries(address))
    assert attempts._pause_s(error, begun) == pause_s


def test_a_source_that_says_when_to_come_back_is_heard(run, httpserver, portal):
    httpserver.expect_request("/x.csv").respond_with_data(
        "", status=429, headers={"Retry-After": "0"}
    )
    ran = run(portal.add_source(name="x", kind="csv", url=httpserver.url_for("/x.csv")))
    assert ran.error.facts["retry_after_s"] == 0
    assert ran.error.passing


def test_a_run_stopped_by_the_portal_is_left(room, portal, serve, address):
    source = portal.add_source(name="a", kind="csv", url=serve(CSV))
    run = portal.ask_for_run(source)
    attempts = Attempts((0,), Lanes(address), Tries(address))
    portal.before["hanoiic_run_update"] = lambda data: portal.runs[run["id"]].update(
        state="failed", error={"code": "source_deleted", "detail": "…"}
    )
    attempts.run(run["id"], room, lambda: False)
    assert portal.runs[run["id"]]["error"]["code"] == "source_deleted"
    assert portal.datasets == {}


def test_a_worker_that_stops_gives_the_try_back(room, portal, serve, address):
    run = portal.ask_for_run(portal.add_source(name="a", kind="csv", url=serve(CSV)))
    attempts = Attempts((0,), Lanes(address), Tries(address))
    with pytest.raises(JobAborted):
        attempts.run(run["id"], room, lambda: True)
    assert Tries(address).count(run["id"]) == 0


def test_what_may_pass_ends_when_the_tries_are_used_up(room, portal, httpserver, address):
    httpserver.expect_request("/x.csv").respond_with_data("", status=500)
    source = portal.add_source(name="a", kind="csv", url=httpserver.url_for("/x.csv"))
    run = portal.ask_for_run(source)
    attempts = Attempts((0, 0), Lanes(address), Tries(address))
    for _ in range(2):
        with pytest.raises(TryAgain):
            attempts.run(run["id"], room, lambda: False)
        assert portal.runs[run["id"]]["state"] == "running"
    attempts.run(run["id"], room, lambda: False)
    assert portal.runs[run["id"]]["state"] == "failed"
    assert Tries(address).count(run["id"]) == 0


def test_progress_is_told_seldom_and_its_refusal_stops_the_work():
    told, answers = [], iter([True, False])

    def say(report):
        told.append(report)
        return next(answers)

    teller = Teller(say)
    with teller:
        for _ in range(1000):
            teller.changed("report")
        wait_for(lambda: len(told) == 1, "the first word")
        teller.changed("more")
        wait_for(lambda: len(told) == 2, "the second word")
        wait_for(lambda: teller._stopped, "the refusal")
        with pytest.raises(RunStopped):
            teller.changed("still more")
    assert told == ["report", "more"]


def test_what_officers_wait_for_is_worked_off_first(room, portal, address):
    for trigger in ("schedule", "retry", "manual", "release"):
        source = portal.add_source(name=trigger, kind="csv", url=f"https://x.example/{trigger}")
        portal.ask_for_run(source, trigger)
    worker = Worker(
        database.queue(address), lambda: room, room.portal, Lanes(address), Tries(address)
    )

    async def queue_and_take() -> list[str]:
        async with worker.app.open_async():
            await worker._claim()
            jobs = [await worker.app.job_manager.fetch_job(["harvest"], None) for _ in range(4)]
            return [portal.runs[job.task_kwargs["run_id"]]["trigger"] for job in jobs]

    assert asyncio.run(queue_and_take()) == ["release", "manual", "retry", "schedule"]


def test_a_slow_host_holds_up_nobody_else(room, portal, busy_server, address):
    """Two workers on one queue: a host that does not answer has its two places, and no more."""
    at_once, most, lock, go_on = [0], [0], threading.Lock(), threading.Event()
    order: list[str] = []

    def slow(_) -> Response:
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        go_on.wait(30)
        with lock:
            at_once[0] -= 1
        return Response(CSV)

    def quick(request) -> Response:
        order.append(request.path)
        return Response(CSV)

    for number in range(5):
        busy_server.expect_request(f"/slow{number}.csv").respond_with_handler(slow)
    for name in ("release", "manual", "schedule"):
        busy_server.expect_request(f"/{name}.csv").respond_with_handler(quick)
    here, there = (f"{host}:{busy_server.port}" for host in ("127.0.0.1", "localhost"))
    slow_ones = [
        portal.add_source(name=f"slow{number}", kind="csv", url=f"http://{here}/slow{number}.csv")
        for number in range(5)
    ]
    slow_runs = [portal.ask_for_run(source, "schedule") for source in slow_ones]

    def make_room() -> Room:
        client = Client(room.client.raw_dir, [here, there], replace(QUICK, read_timeout_s=60))
        return replace(room, client=client, portal=Portal(portal.url, TOKEN))

    pace = Pace(claim_every_s=0.2, lane_pause_s=0.2, concurrency=3)
    workers = [
        Worker(
            database.queue(address), make_room, room.portal, Lanes(address), Tries(address),
            pace=pace,
        )
        for _ in range(2)
    ]  # fmt: skip

    async def work() -> None:
        working = [asyncio.create_task(worker.run()) for worker in workers]
        await asyncio.to_thread(wait_for, lambda: at_once[0] == 2, "two slow runs")
        quick_runs = [
            portal.ask_for_run(
                portal.add_source(name=name, kind="csv", url=f"http://{there}/{name}.csv"),
                name,
            )
            for name in ("schedule", "manual", "release")
        ]
        for run in quick_runs:
            ended = lambda run=run: portal.runs[run["id"]]["state"] in FINISHED  # noqa: E731
            await asyncio.to_thread(wait_for, ended, "a quick run")
        assert at_once == [2]
        go_on.set()
        for run in slow_runs:
            ended = lambda run=run: portal.runs[run["id"]]["state"] in FINISHED  # noqa: E731
            await asyncio.to_thread(wait_for, ended, "a slow run", 60)
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)

    try:
        asyncio.run(work())
    finally:
        go_on.set()
    assert most == [2]
    assert {portal.runs[run["id"]]["state"] for run in slow_runs} == {"published"}
    # A portal that answered late has a run tried again; nobody waited for the slow host.
    assert set(order) == {"/schedule.csv", "/manual.csv", "/release.csv"}


def test_a_run_that_is_over_at_once_holds_up_nobody(room, portal, address):
    """Another worker may be quicker than the word that the run is queued."""
    runs = [
        portal.ask_for_run(portal.add_source(name=name, kind="csv", url="https://x.example/"))
        for name in ("a", "b")
    ]
    portal.before["hanoiic_run_update"] = lambda data: portal.runs[data["id"]].update(
        state="published"
    )
    worker = Worker(
        database.queue(address), lambda: room, room.portal, Lanes(address), Tries(address)
    )

    async def queue() -> int:
        async with worker.app.open_async():
            await worker._claim()
            return len(list(await worker.app.job_manager.list_jobs_async()))

    assert asyncio.run(queue()) == len(runs)
