"""Tables that are asked for often: read from DuckDB's own form, and said the same of."""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

import pyarrow as pa
import pytest

from api_gateway import kept
from api_gateway.engine import Source
from api_gateway.hot import HotTables
from api_gateway.nursery import Nursery
from api_gateway.settings import Settings
from lake import Lake, Provenance
from lake.errors import BadSetting
from tests.api_gateway import gateway as gateways
from tests.api_gateway.gateway import Gateway
from tests.api_gateway.portal import STARTUP, permit
from tests.servers import wait_for

MB = 2**20


@pytest.fixture(scope="module")
def hot_folder(folder) -> Path:
    return folder / "cache-hot"


@pytest.fixture(scope="module")
def heated(folder, settings, hot_folder):
    own = settings | {"GATEWAY_CACHE_DIR": hot_folder, "GATEWAY_SPILL_DIR": folder / "spill-hot"}
    with gateways.running(folder, own) as gateway:
        yield gateway


@pytest.fixture
def nursery(folder, lake, settings, tmp_path_factory):
    place = folder / f"nursery-{time.monotonic_ns()}"
    files = ("redis_url_file", "gateway_credential_file")
    made = Nursery(
        Settings(
            lake_root=lake.root, portal_url=settings["PORTAL_URL"], gateway_memory_mb=256,
            gateway_spill_dir=place / "spill", gateway_cache_dir=place / "cache",
            **{name: Path(settings[name.upper()]) for name in files},
        )
    )  # fmt: skip
    yield made, place / "cache" / "hot"
    made.close()


def made(folder: Path) -> list[Path]:
    return list(folder.glob("hot/*.duckdb"))


def heat(gateway: Gateway, *tables: str) -> None:
    """Ask for tables until they are hot."""
    for table in tables:
        for _ in range(3):
            assert gateway.sql(f"SELECT count(*) FROM {table}", STARTUP).ok
    for table in tables:
        told = f'"table": "{table}"'
        wait_for(
            lambda told=told: any(
                '"hot_made"' in line and told in line
                for line in gateway.log.read_text().splitlines()
            ),
            f"{table} to be hot",
            60,
        )


def said(answer) -> tuple[object, ...]:
    body = answer.json()
    return answer.headers.get("ETag"), body["columns"], body["rows"], body["tables"]


QUESTIONS = (
    "SELECT * FROM typed",
    'SELECT count(*) AS n, max("time") AS latest, sum("decimal") AS total FROM typed',
    'SELECT * FROM typed WHERE "int64" = 7',
    'SELECT b.* FROM bus_stops b JOIN typed t ON b."mã" = t."int64" - 4',
)


def test_a_table_asked_for_often_says_the_same_from_its_hot_form(heated, portal, hot_folder):
    portal.tables[STARTUP] |= {"typed": permit()}
    portal.change()
    cold = [said(heated.sql(sql, STARTUP)) for sql in QUESTIONS]
    heat(heated, "typed", "bus_stops")
    for _ in range(3):
        assert [said(heated.sql(sql, STARTUP)) for sql in QUESTIONS] == cold
    for name in ("arrow", "csv", "parquet"):
        answer = heated.sql(QUESTIONS[0], STARTUP, format=name)
        assert answer.ok
    log = heated.log.read_text()
    assert '"hot_made"' in log
    assert "hot_not_read" not in log


def test_a_plan_names_the_table_and_its_bytes_and_no_place(heated, portal):
    heat(heated, "bus_stops")
    plan = heated.sql('SELECT "tên" FROM bus_stops WHERE "mã" > 1', STARTUP, dry_run=True).json()
    scan = plan["plan"]
    while "children" in scan:
        scan = scan["children"][0]
    assert scan["operator"] == "SCAN"
    assert scan["table"] == "bus_stops"
    assert plan["estimate"]["bytes_read"] > 0
    assert "hot" not in json.dumps(plan)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM hot_0.main.rows",
        "SELECT * FROM hot_0.rows",
        "SELECT * FROM rows",
        "SELECT * FROM duckdb_databases()",
        "ATTACH 'x.duckdb' AS x",
        "DETACH hot_0",
    ],
)
def test_nobody_reaches_the_hot_form_by_its_name(heated, portal, hot_folder, sql):
    heat(heated, "bus_stops")
    answer = heated.sql(sql, STARTUP)
    assert answer.status_code in (400, 403, 404)
    assert str(hot_folder) not in answer.text


def test_a_new_version_is_read_at_once(heated, portal, lake):
    rows = pa.table({"n": [1]})
    lake.table("fresh").publish(rows.to_batches(), Provenance(), schema=rows.schema)
    portal.tables[STARTUP] |= {"fresh": permit()}
    portal.change()
    heat(heated, "fresh")
    rows = pa.table({"n": [1, 2]})
    lake.table("fresh").publish(rows.to_batches(), Provenance(), schema=rows.schema)
    counted = "SELECT count(*) AS n FROM fresh"
    assert heated.sql(counted, STARTUP).json()["rows"] == [{"n": 2}]
    assert heated.sql(counted, STARTUP, as_of=1).json()["rows"] == [{"n": 1}]


def test_a_broken_or_removed_hot_table_is_no_harm(heated, portal, hot_folder):
    portal.tables[STARTUP] |= {"wards": permit()}
    portal.change()
    before = set(made(hot_folder))
    asked = "SELECT count(*) AS n FROM wards"
    heat(heated, "wards")
    (file,) = set(made(hot_folder)) - before
    file.write_bytes(b"no database")
    # A process that opens it now: with another table it is a new one.
    both = "SELECT count(*) AS n FROM wards, (SELECT 1 FROM bus_stops LIMIT 1)"
    assert heated.sql(both, STARTUP).json()["rows"] == [{"n": 2}]
    file.unlink()
    assert heated.sql(asked, STARTUP).json()["rows"] == [{"n": 2}]


def large(lake: Lake, name: str) -> Source:
    rows = pa.table({"text": [os.urandom(64).hex() for _ in range(20_000)]})
    lake.table(name).publish(rows.to_batches(), Provenance(), schema=rows.schema)
    return Source(name, tuple(lake.table(name).files(1)))


def test_hot_tables_keep_to_their_room(lake, nursery):
    spawner, folder = nursery
    first, second = (large(lake, f"large_{number}") for number in (1, 2))
    small = HotTables(spawner, folder, 4 * MB)
    for _ in range(3):
        assert small.find(first).hot is None
    small.close(wait=True)
    assert not list(folder.iterdir())
    tables = HotTables(spawner, folder, 16 * MB)
    for source in (first, second):
        for _ in range(3):
            tables.find(source)
        wait_for(lambda source=source: tables.find(source).hot, "a hot table", 60)
    assert len(list(folder.glob("*.duckdb"))) == 2
    tables.close()
    # Another process of the gateway, or the next one, finds what is there.
    assert HotTables(spawner, folder, 16 * MB).find(first).hot


def test_a_disk_that_is_nearly_full_is_left_to_others(lake, nursery, monkeypatch):
    monkeypatch.setattr("api_gateway.hot.LEAST_FREE_BYTES", 2**62)
    spawner, folder = nursery
    tables = HotTables(spawner, folder, 16 * MB)
    source = large(lake, "large_3")
    for _ in range(3):
        assert tables.find(source).hot is None
    tables.close(wait=True)
    assert not list(folder.iterdir())


def test_what_nobody_used_goes_first_and_after_a_day(tmp_path):
    for name, age_s, size in (("old", 5000, 10), ("new", 10, 10), ("a.part", 5000, 1)):
        (tmp_path / name).write_bytes(b"x" * size)
        os.utime(tmp_path / name, (time.time() - age_s,) * 2)
    assert kept.make_room(tmp_path, 5, 30)
    assert kept.make_room(tmp_path, 15, 30)
    assert {file.name for file in tmp_path.iterdir()} == {"new", "a.part"}
    assert not kept.make_room(tmp_path, 25, 30)
    kept.forget(tmp_path, 5.0)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_others_write_into_is_not_used(tmp_path):
    open_one = tmp_path / "cache"
    open_one.mkdir()
    open_one.chmod(0o777)
    with pytest.raises(BadSetting, match="HANOIIC_GATEWAY_CACHE_DIR"):
        kept.own(open_one)


def test_a_damaged_hot_table_is_read_from_the_lake_again(heated, hot_folder, lake, portal):
    numbers = [draw.getrandbits(60) for draw in [random.Random(1)] for _ in range(300_000)]
    rows = pa.table({"x": numbers})
    lake.table("rotten").publish(rows.to_batches(), Provenance(), schema=rows.schema)
    portal.tables[STARTUP]["rotten"] = permit()
    portal.change()
    before = set(made(hot_folder))
    heat(heated, "rotten")
    (file,) = set(made(hot_folder)) - before
    with file.open("r+b") as damaged:
        # The first blocks hold the rows.
        damaged.seek(3 * 4096 + 2 * 262_144 + 1000)
        damaged.write(bytes(64))
    unread, read = (heated.sql("SELECT sum(x % 10) AS s FROM rotten", STARTUP) for _ in range(2))
    assert (unread.status_code, unread.json()["code"]) == (503, "table_unreadable")
    assert unread.headers["Retry-After"]
    assert read.json()["rows"] == [{"s": sum(number % 10 for number in numbers)}]
