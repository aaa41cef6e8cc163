"""The demo departments: the same files every time, 304 for who has them, new ones on request."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import zipfile
from collections import Counter
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import openpyxl
import pytest

from deploy.departments import create_app
from deploy.departments.app import content
from deploy.departments.environment import _PM25_AT, FIRST_HOURS, vn_aqi
from deploy.departments.offers import HANOI
from deploy.departments.settings import Settings
from lake import names
from lake.settings import rows

ROOT = Path(__file__).resolve().parents[2]
REAL_DATA = Path(os.environ.get("HANOIIC_TEST_DATA", ROOT.parent / "shared" / "data"))
FILES = [
    "/planning/hanoi-wards.csv",
    "/transport/hanoi-bus-gtfs.zip",
    "/environment/air-quality-hourly.csv",
    "/agriculture/market-prices.xlsx",
    "/health/public-facilities.geojson",
]
AIR = "/environment/air-quality-hourly.csv"
PRICES = "/agriculture/market-prices.xlsx"


def client_of(folder: Path, **more: str):
    return create_app({"HANOIIC_DEPARTMENTS_DIR": str(folder), **more}).test_client()


@pytest.fixture
def departments(tmp_path):
    return client_of(tmp_path)


def wards_of(departments) -> dict[str, dict[str, str]]:
    text = departments.get(FILES[0]).get_data(as_text=True)
    return {row["Mã phường"]: row for row in csv.DictReader(io.StringIO(text))}


def air_of(departments) -> list[dict[str, str]]:
    text = departments.get(AIR).get_data().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text), delimiter=";"))


def prices_of(departments) -> list[tuple]:
    workbook = openpyxl.load_workbook(io.BytesIO(departments.get(PRICES).data))
    return list(workbook.active.values)


@pytest.mark.parametrize("path", FILES)
def test_a_file_is_the_same_every_time_and_on_every_machine(departments, tmp_path, path):
    first = departments.get(path)
    content.cache_clear()
    again = client_of(tmp_path / "other").get(path)
    assert first.status_code == again.status_code == 200
    assert first.data == again.data
    assert first.headers["ETag"] == again.headers["ETag"]
    assert first.headers["Last-Modified"] == again.headers["Last-Modified"]


@pytest.mark.parametrize("path", FILES)
def test_who_has_the_file_is_answered_304(departments, path):
    headers = departments.get(path).headers
    by_etag = departments.get(path, headers={"If-None-Match": headers["ETag"]})
    by_time = departments.get(path, headers={"If-Modified-Since": headers["Last-Modified"]})
    assert (by_etag.status_code, by_etag.data) == (304, b"")
    assert (by_time.status_code, by_time.data) == (304, b"")
    assert departments.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    assert departments.head(path).headers["ETag"] == headers["ETag"]


def test_the_wards_are_the_126_of_hanoi(departments):
    wards = wards_of(departments)
    assert len(wards) == 126
    assert Counter(ward["Loại"] for ward in wards.values()) == {"Phường": 51, "Xã": 75}
    assert all(re.fullmatch(r"\d{5}", code) for code in wards)
    assert wards["00070"]["Tên phường"] == "Phường Hoàn Kiếm"
    assert sum(float(ward["Diện tích (km²)"]) for ward in wards.values()) == pytest.approx(
        3360, rel=0.01
    )


def test_the_bus_feed_keeps_the_rules_of_gtfs(departments):
    archive = zipfile.ZipFile(io.BytesIO(departments.get(FILES[1]).data))
    assert archive.testzip() is None
    feed = {
        name.removesuffix(".txt"): list(csv.DictReader(io.StringIO(archive.read(name).decode())))
        for name in archive.namelist()
    }
    assert len(feed["routes"]) >= 10
    assert len(feed["stops"]) >= 200
    keys = {"routes": "route_id", "stops": "stop_id", "trips": "trip_id", "calendar": "service_id"}
    ids = {table: [row[key] for row in feed[table]] for table, key in keys.items()}
    for table, listed in ids.items():
        assert len(set(listed)) == len(listed), table
    shapes = {row["shape_id"] for row in feed["shapes"]}
    for trip in feed["trips"]:
        assert trip["route_id"] in ids["routes"]
        assert trip["service_id"] in ids["calendar"]
        assert trip["shape_id"] in shapes
    assert {stop["zone_id"] for stop in feed["stops"]} <= set(wards_of(departments))
    assert "mô phỏng" in feed["feed_info"][0]["feed_publisher_name"].casefold()

    times: dict[str, list] = {}
    for row in feed["stop_times"]:
        times.setdefault(row["trip_id"], []).append(row)
    assert set(times) == set(ids["trips"])
    for trip in times.values():
        assert [int(row["stop_sequence"]) for row in trip] == list(range(1, len(trip) + 1))
        clock = [row[key] for row in trip for key in ("arrival_time", "departure_time")]
        assert clock == sorted(clock)
        assert {row["stop_id"] for row in trip} <= set(ids["stops"])
    assert max(row["arrival_time"] for row in feed["stop_times"]) > "24:00:00"


def test_air_quality_is_hourly_in_hanoi_time_with_decimal_commas(departments):
    rows_ = air_of(departments)
    stations = {row["Trạm quan trắc"] for row in rows_}
    assert len(stations) >= 8
    assert len(rows_) == FIRST_HOURS * len(stations)
    times = sorted({datetime.fromisoformat(row["Thời gian"]) for row in rows_})
    assert times[0] == datetime(2026, 1, 1, tzinfo=HANOI)
    assert times[-1] - times[0] == timedelta(days=30, hours=-1)
    assert {row["Mã phường"] for row in rows_} <= set(wards_of(departments))
    values = [row["PM2.5 (µg/m³)"] for row in rows_ if row["PM2.5 (µg/m³)"]]
    assert all(re.fullmatch(r"\d+,\d", value) for value in values)
    assert 0.98 < len(values) / len(rows_) < 1
    assert {row["Mô phỏng"] for row in rows_} == {"Có"}


@pytest.mark.parametrize(
    ("pm25", "index"), [(0, 0), (12.5, 25), (25, 50), (50, 100), (150, 200), (300, 350), (900, 500)]
)
def test_the_index_follows_decision_1459(pm25, index):
    assert vn_aqi(pm25, _PM25_AT) == index


def test_the_workbook_has_titles_above_its_header_and_real_dates(departments):
    listed = prices_of(departments)
    assert "GIÁ NÔNG SẢN" in listed[0][0]
    assert "Dữ liệu mô phỏng" in listed[1][0]
    assert not any(listed[2])
    header, *body = listed[3:]
    assert header[:2] == ("Ngày", "Chợ")
    assert {row[0].date() for row in body} == {
        date(2026, 1, 1) + timedelta(days=n) for n in range(30)
    }
    codes = set(wards_of(departments))
    for day, market, code, goods, wholesale, retail, simulated in body:
        assert isinstance(day, datetime)
        assert market.startswith("Chợ ")
        assert goods
        assert code in codes
        assert 0 < wholesale < retail
        assert simulated == "Có"


def test_the_facilities_are_points_and_areas_of_every_ward(departments):
    collection = json.loads(departments.get(FILES[4]).data)
    assert collection["type"] == "FeatureCollection"
    features = collection["features"]
    assert {f["properties"]["Mã phường"] for f in features} == set(wards_of(departments))
    assert Counter(f["geometry"]["type"] for f in features).keys() == {"Point", "Polygon"}
    assert len({f["properties"]["Mã cơ sở"] for f in features}) == len(features)
    for feature in features:
        geometry = feature["geometry"]
        is_area = geometry["type"] == "Polygon"
        ring = geometry["coordinates"][0] if is_area else [geometry["coordinates"]]
        assert all(105 < lon < 107 and 20 < lat < 22 for lon, lat in ring)
        if is_area:
            assert ring[0] == ring[-1]
            turns = sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(ring))
            assert turns > 0, "RFC 7946 wants outer rings counter-clockwise"
        assert feature["properties"]["Mô phỏng"] is True


def test_advancing_adds_an_hour_and_keeps_the_rows_before(departments):
    before, old = air_of(departments), departments.get(AIR)
    answer = departments.post("/environment/advance")
    assert answer.json == {"department": "environment", "steps": 1}
    new = departments.get(AIR, headers={"If-None-Match": old.headers["ETag"]})
    assert new.status_code == 200
    assert new.headers["ETag"] != old.headers["ETag"]
    assert new.last_modified == old.last_modified + timedelta(hours=1)
    after = air_of(departments)
    assert after[: len(before)] == before
    assert {row["Thời gian"] for row in after[len(before) :]} == {"2026-01-31T00:00:00+07:00"}


def test_advancing_adds_a_day_of_prices_and_no_other_file_changes(departments):
    etags = {path: departments.get(path).headers["ETag"] for path in FILES}
    before = prices_of(departments)
    departments.post("/agriculture/advance?steps=2")
    after = prices_of(departments)
    assert after[: len(before)] == before
    assert {row[0].date() for row in after[len(before) :]} == {
        date(2026, 1, 31),
        date(2026, 2, 1),
    }
    changed = [path for path in FILES if departments.get(path).headers["ETag"] != etags[path]]
    assert changed == [PRICES]


def test_how_far_a_department_is_survives_a_restart(tmp_path):
    client_of(tmp_path).post("/environment/advance?steps=3")
    restarted = client_of(tmp_path)
    assert restarted.post("/environment/advance").json["steps"] == 4


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/planning/advance", 404),
        ("/nowhere/advance", 404),
        ("/environment/advance?steps=0", 400),
        ("/environment/advance?steps=100000", 400),
        ("/environment/advance?steps=x", 200),
    ],
)
def test_what_can_be_advanced(departments, path, status):
    assert departments.post(path).status_code == status


def test_only_this_machine_may_advance(departments):
    other = {"REMOTE_ADDR": "192.0.2.7"}
    assert departments.post("/environment/advance", environ_base=other).status_code == 403
    assert departments.get(AIR, environ_base=other).status_code == 200


def test_every_department_registers_its_files_in_every_tier(departments):
    found = departments.get("/sources.json").json
    owners = {organization["name"] for organization in found["organizations"]}
    assert len(owners) >= 5
    assert all(o["org_kind"] == "department" and o["title_en"] for o in found["organizations"])
    sources = found["sources"]
    assert {source["owner_org"] for source in sources} == owners
    assert {source["dataset"]["access_tier"] for source in sources} == {"open", "click", "request"}
    assert len({source["name"] for source in sources}) == len(sources)
    for source in sources:
        dataset = source["dataset"]
        assert names.check(dataset["table"])
        assert dataset["title"]
        assert dataset["title_en"]
        assert ("mô phỏng" in dataset["notes"]) == (dataset["is_simulated"] == "true")
        assert departments.get(source["url"]).status_code == 200


def test_pinned_columns_are_those_of_the_file(departments):
    pins = {
        source["dataset"]["table"]: list(source["options"].get("columns", {}))
        for source in departments.get("/sources.json").json["sources"]
    }
    assert pins["planning_wards"] == list(next(iter(wards_of(departments).values())))
    assert pins["environment_air_quality_hourly"] == list(air_of(departments)[0])
    assert pins["agriculture_market_prices"] == list(prices_of(departments)[3])
    feature = json.loads(departments.get(FILES[4]).data)["features"][0]
    assert pins["health_public_facilities"] == list(feature["properties"])


def test_the_front_page_lists_every_file_in_vietnamese(departments):
    page = departments.get("/").get_data(as_text=True)
    assert '<html lang="vi">' in page
    assert all(f'href="{path}"' in page for path in FILES)
    assert "POST http://localhost/environment/advance" in page


def test_settings_are_documented():
    text = (ROOT / "docs/settings.d/departments.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)
    assert documented == [row.name for row in rows(Settings)]


def test_without_real_data_there_are_no_real_files(departments):
    assert departments.get("/planning/files/hanoi-wards-2025-list.csv").status_code == 404
    found = departments.get("/sources.json").json["sources"]
    assert not any("/files/" in source["url"] for source in found)


def test_only_listed_files_of_the_demo_folder_are_served(tmp_path):
    data = tmp_path / "data"
    (data / "planning").mkdir(parents=True)
    (data / "secret").mkdir()
    (data / "planning" / "hanoi-wards-2025-list.csv").write_text("ma\n00070\n")
    (data / "secret" / "key").write_text("secret")
    client = client_of(tmp_path / "state", HANOIIC_DEMO_DATA=str(data))
    served = client.get("/planning/files/hanoi-wards-2025-list.csv")
    assert served.data == b"ma\n00070\n"
    known = {"If-None-Match": served.headers["ETag"]}
    assert client.get(served.request.path, headers=known).status_code == 304
    for path in ("/secret/files/key", "/planning/files/..%2F..%2Fsecret%2Fkey"):
        assert client.get(path).status_code == 404
    real = [s for s in client.get("/sources.json").json["sources"] if "/files/" in s["url"]]
    assert [source["dataset"]["table"] for source in real] == ["planning_wards_2025"]


@pytest.mark.realdata
@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the folder of real data is not here")
def test_every_real_tabular_file_is_served_and_registered(tmp_path):
    client = client_of(tmp_path, HANOIIC_DEMO_DATA=str(REAL_DATA))
    found = client.get("/sources.json").json
    real = {s["url"].rsplit("/", 1)[1]: s for s in found["sources"] if "/files/" in s["url"]}
    tabular = {
        path.name
        for suffix in ("csv", "txt", "xls", "xlsx", "geojson", "zip")
        for path in REAL_DATA.rglob(f"*.{suffix}")
        if not path.name.endswith(".truth.txt")
    }
    assert set(real) == tabular
    owners = {organization["name"] for organization in found["organizations"]}
    everything = [source["dataset"]["table"] for source in found["sources"]]
    assert len(set(everything)) == len(everything)
    for name, source in real.items():
        assert source["owner_org"] in owners
        answer = client.get(source["url"])
        assert answer.data == next(REAL_DATA.rglob(name)).read_bytes()
        known = {"If-None-Match": answer.headers["ETag"]}
        assert client.get(source["url"], headers=known).status_code == 304
