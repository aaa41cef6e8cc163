"""Upkeep removes what nobody can ask for any more, and nothing else."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from harvesters import database, fetch
from harvesters.lanes import Lanes
from harvesters.portal import Portal
from harvesters.receipts import Receipt
from harvesters.tries import Tries
from harvesters.upkeep import DAY_S, Keep, remove_raw, tend
from harvesters.worker import UPKEEP_CRON, Worker
from lake import edition, rejected
from lake.rejected import Rejected
from lake.table import Provenance
from tests.harvesters.fake_portal import TOKEN


def age(path: Path, days: float) -> None:
    when = time.time() - days * DAY_S
    os.utime(path, (when, when))


def raw_file(raw: Path, sign: str, days: float) -> Path:
    path = raw / (sign * 2) / (sign * 64)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(sign)
    age(path, days)
    return path


def publish(lake, *texts: str) -> int:
    rows = pa.table({"a": list(texts)})
    return lake.table("t").publish(rows, Provenance("run", "http://x/", "0")).version


def receipt(sha256: str) -> Receipt:
    return Receipt("s", f"http://x/{sha256}", None, None, sha256, "asked", "d", [])


@pytest.mark.usefixtures("empty_queue")
def test_everything_old_goes_and_is_counted(room, lake, caplog):
    raw = room.client.raw_dir
    first, second = publish(lake, "một"), publish(lake, "hai")
    for version in (first, second):
        edition.write(lake, "t", version, "thin", {"columns": ["a"]})
    rejected.write(lake, "t", "old", [Rejected(1, "a", "x", "required", "…")])
    rejected.write(lake, "t", "new", [Rejected(1, "a", "x", "required", "…")])
    age(Path(lake.root) / "rejected" / "t" / "old.parquet", 91)
    room.receipts.settle(receipt("a" * 64))
    used, unused, young = (raw_file(raw, *given) for given in (("a", 40), ("b", 31), ("c", 29)))
    half = raw / ".incoming-x"
    half.write_text("half")
    age(half, 2)

    with caplog.at_level(logging.INFO, logger="harvesters.upkeep"):
        removed = tend(lake, room.receipts, raw, Keep(version_days=0))

    assert removed.version_files == 1
    assert removed.edition_files == 1
    assert removed.rejected_files == 1
    assert removed.raw_files == 2
    assert removed.failed_tables == 0
    assert [version.number for version in lake.table("t").versions()] == [second]
    assert rejected.read(lake, "t", "old") == []
    assert len(rejected.read(lake, "t", "new")) == 1
    assert used.exists()
    assert young.exists()
    assert not unused.exists()
    assert not half.exists()
    assert [record.message for record in caplog.records] == ["upkeep_done"]

    again = tend(lake, room.receipts, raw, Keep(version_days=0))
    assert {*vars(again).values()} == {0}


def test_what_is_within_its_days_stays(room, lake):
    versions = [publish(lake, "một"), publish(lake, "hai")]
    kept = raw_file(room.client.raw_dir, "d", 29.9)
    removed = tend(lake, room.receipts, room.client.raw_dir, Keep())
    assert {*vars(removed).values()} == {0}
    assert kept.exists()
    assert sorted(version.number for version in lake.table("t").versions()) == versions


def test_the_days_of_a_raw_file_count_from_when_it_was_last_needed(tmp_path):
    path = raw_file(tmp_path, "e", 400)
    assert remove_raw(tmp_path, {path.name}, 30) == 0
    assert remove_raw(tmp_path, set(), 30) == 0
    age(path, 31)
    assert remove_raw(tmp_path, set(), 30) == 1


def test_bytes_that_a_run_has_just_met_again_stay(client, serve):
    url = serve("x\n1\n")
    path = client.fetch(url).path
    age(path, 400)
    assert client.fetch(url).path == path
    assert remove_raw(client.raw_dir, set(), 30) == 0
    assert path.exists()


def test_a_table_that_fails_does_not_keep_the_others_from_it(room, lake):
    publish(lake, "một")
    publish(lake, "hai")
    log = Path(lake.root) / "tables" / "broken" / "_delta_log"
    log.mkdir(parents=True)
    lake.tables = lambda: ["Not A Name", "t"]
    removed = tend(lake, room.receipts, room.client.raw_dir, Keep(version_days=0))
    assert removed.failed_tables == 1
    assert removed.version_files == 1


@pytest.mark.usefixtures("empty_queue")
def test_a_worker_tends_once_a_day(room, portal, database_url, lake):
    unused = raw_file(room.client.raw_dir, "f", 31)
    queue = database.queue(database.address(database_url))
    address = database.address(database_url)
    busy = Worker(queue, lambda: room, Portal(portal.url, TOKEN), Lanes(address), Tries(address))
    (daily,) = queue.periodic_registry.periodic_tasks.values()
    assert daily.cron == UPKEEP_CRON

    async def work() -> None:
        async with queue.open_async():
            await daily.task.defer_async(timestamp=int(datetime.now(UTC).timestamp()))
        working = asyncio.create_task(busy.run())
        for _ in range(600):
            if not unused.exists():
                break
            await asyncio.sleep(0.05)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    asyncio.run(work())
    assert not unused.exists()


def test_the_client_says_who_it_is(client, httpserver):
    httpserver.expect_request("/who").respond_with_data("x")
    client.fetch(httpserver.url_for("/who"))
    ((request, _),) = httpserver.log
    assert request.headers["User-Agent"] == fetch.USER_AGENT
    assert fetch.USER_AGENT.startswith("hanoiic-harvest/")
    assert "http" not in fetch.USER_AGENT
