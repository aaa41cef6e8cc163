"""Every tabular file of the real-data folder becomes a sensible table."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from harvesters.connectors import CONNECTORS
from harvesters.normalise import normalise
from harvesters.publish import publish
from harvesters.source import Options
from harvesters.validate import refuse_unfit, validate
from harvesters.workbench import Workbench
from lake import names
from tests.harvesters.conftest import rows, types

pytestmark = pytest.mark.realdata

WARDS = (
    "planning/hanoi-wards-2025-list.csv",
    "dirty/DERIVED-wards-utf16le-bom-tab.txt",
    "dirty/DERIVED-wards-cp1258-semicolon-comma-decimal.csv",
)


@pytest.fixture
def read(data, lake):
    """Take one real file through decode, normalise, validate and publish; its table names."""

    def read(path: str, kind: str, **options) -> list[str]:
        pinned = Options.of(options)
        tables = []
        with Workbench() as bench:
            for raw in CONNECTORS[kind].decode(data / path, pinned, bench):
                checked = validate(normalise(raw, pinned, bench), pinned, bench)
                refuse_unfit(checked, pinned)
                table = names.table_name(path.replace("/", " ").rpartition(".")[0], raw.part or "t")
                done = publish(
                    checked, lake, table, run_id="r", source_url="http://x/", source_hash=""
                )
                assert done.rejected_count == 0
                tables.append(table)
        return tables

    return read


def test_the_three_ward_files_are_equal_after_decoding(read, lake):
    tables = [read(path, "csv")[0] for path in WARDS]
    first, second, third = (rows(lake, table) for table in tables)
    assert len(first) == 126
    assert first == second == third
    assert types(lake, tables[2]) == {
        "ma": "string",
        "ten": "string",
        "loai": "string",
        "dien_tich_km2": "float64",
        "vi_do": "float64",
        "kinh_do": "float64",
    }


def test_wards_codes_keep_leading_zeros(read, lake):
    (table,) = read("planning/hanoi-wards-2025-list.csv", "csv")
    codes = {row["ma"] for row in rows(lake, table)}
    assert len(codes) == 126
    assert {len(code) for code in codes} == {5}
    (table,) = read("planning/hanoi-wards-legacy-list.csv", "csv")
    legacy = rows(lake, table)
    assert len(legacy) == 526
    assert legacy[0]["ma_huyen"] == "001"


@pytest.mark.parametrize(("year", "count", "missing"), [(2018, 8339, 145), (2019, 1921, 36)])
def test_hourly_pm25_is_in_utc_and_its_sentinels_are_empty(read, lake, year, count, missing):
    (table,) = read(f"environment/Hanoi_PM2.5_{year}_YTD.csv", "csv")
    found = rows(lake, table)
    assert len(found) == count
    concentrations = [row["Raw Conc."] for row in found]
    assert concentrations.count(None) == missing
    assert min(value for value in concentrations if value is not None) > -999
    if year == 2018:
        assert found[0]["Date (LT)"] == datetime(2017, 12, 31, 18, tzinfo=UTC)
        assert -15.0 in concentrations
    assert types(lake, table)["AQI"] == "int64"


def test_world_food_programme_prices_are_month_day_year(read, lake):
    (table,) = read("agriculture/wfp_food_prices_vnm.csv", "csv")
    found = rows(lake, table)
    assert len(found) == 389
    assert found[0]["date"] == date(2008, 1, 15)
    assert found[0]["price"] == 5317.5


@pytest.mark.parametrize(("year", "hanoi_ha"), [(2014, 332400), (2017, 335900)])
def test_rice_workbooks_have_integers_and_units(read, lake, year, hanoi_ha):
    (table,) = read(f"agriculture/Rice_production_{year}_GSO.xlsx", "excel")
    found = rows(lake, table)
    assert len(found) == 12
    assert found[0]["Total area (ha)"] == hanoi_ha
    columns = {column.name: column.unit for column in lake.table(table).columns(1)}
    assert columns["Total area (ha)"] == "ha"
    assert columns["Rice yield (ton/ha)"] == "ton/ha"


def test_statistics_with_an_empty_first_header(read, lake):
    (table,) = read("statistics/gso-V02.01-2015.csv", "csv")
    found = rows(lake, table)
    assert len(found) == 70
    assert found[0]["column_1"] == "CẢ NƯỚC"
    assert found[0]["Diện tích(*) (Km2)"] == 330972.4


def test_universities(read, lake):
    (table,) = read("education/dai-hoc-vietnam.csv", "csv")
    assert len(rows(lake, table)) == 21
    assert types(lake, table)["nam_thanh_lap"] == "int64"


def test_bus_stop_names_below_junk_lines(read, lake):
    (table,) = read("transport/hanoi-dsa-busStopName.txt", "csv")
    found = rows(lake, table)
    assert len(found) == 2343
    assert list(found[0].values()) == [738814284, "Nhà N2C KĐT Trung Hòa Nhân Chính"]


def test_bus_stops_have_their_places(read, lake):
    (table,) = read("transport/hanoi-bus-stops-osm.geojson", "geojson")
    found = rows(lake, table)
    assert len(found) == 3326
    assert (found[0]["lon"], found[0]["lat"]) == (105.8442159, 20.9466009)
    assert found[0]["name"] == "Đối diện Trụ sở HĐND huyện Thanh Trì - Ngọc Hồi"
    assert types(lake, table)["geometry"] == "geometry"


def test_ward_borders_have_a_point_inside_and_a_box(read, lake):
    (table,) = read("planning/hanoi-wards-2025-osm.geojson", "geojson")
    found = rows(lake, table)
    assert len(found) == 126
    assert all(row["min_lon"] < row["lon"] < row["max_lon"] for row in found)
    assert {row["ma"] for row in found} >= {"00097", "00004"}


@pytest.mark.parametrize(
    ("feed", "counts"),
    [
        (
            "cairns",
            {"routes": 22, "trips": 1339, "stops": 416, "stop_times": 37790, "shapes": 22784},
        ),
        ("spo", {"routes": 19, "shapes": 12295, "stop_times": 860, "stops": 654, "trips": 36}),
        ("ggl", {"routes": 1, "shapes": 3, "stop_times": 11, "stops": 16, "trips": 2}),
    ],
)
def test_gtfs_feeds_become_one_table_a_file(read, lake, feed, counts):
    tables = read(f"transport/gtfs-{feed}.zip", "gtfs")
    found = {table.rpartition(f"{feed}_")[2]: table for table in tables}
    assert {part: lake.table(found[part]).resolve().row_count for part in counts} == counts
    stops = types(lake, found["stops"])
    assert stops["stop_id"] == "string"
    assert stops["stop_lat"] == "float64"
    times = rows(lake, found["stop_times"])
    hours, minutes, seconds = map(int, times[0]["arrival_time"].split(":"))
    assert times[0]["arrival_time_s"] == hours * 3600 + minutes * 60 + seconds
    assert types(lake, found["calendar"])["start_date"] == "date"


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("business/mpi-fdi-2005-08.xls", [19, 7, 72, 66]),
        ("budget/cangio-quyet-toan-cap-huyen-2004.xls", [26]),
    ],
)
def test_old_workbooks_come_apart_into_their_tables(read, lake, path, counts):
    tables = read(path, "excel")
    assert [len(rows(lake, table)) for table in tables] == counts
    assert next(iter(rows(lake, tables[0])[0])) == "STT"
    if len(tables) > 1:
        sectors, forms, countries, provinces = (rows(lake, table) for table in tables)
        assert sectors[1]["STT"] == "I"
        assert [row["row_kind"] for row in sectors].count("total") == 1
        assert forms[0]["Hình thức đầu tư"] == "Công ty quản lý vốn"
        # The parts of each table add up to the sum that it says itself.
        for table, name in ((forms, "TVĐT"), (countries, "TVĐT"), (provinces, "TVĐT")):
            parts = sum(row[name] for row in table if row["row_kind"] == "row")
            assert [row[name] for row in table if row["row_kind"] == "total"] == [parts]
