"""Parquet keeps its types, GeoParquet its places; what is broken is refused by name."""

from __future__ import annotations

import io
import json
import subprocess
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pyproj
import pytest
import shapely

from tests.harvesters.conftest import rows, types


def parquet(table: pa.Table, **options) -> bytes:
    stream = io.BytesIO()
    pq.write_table(table, stream, **options)
    return stream.getvalue()


def test_types_are_kept(taken, lake):
    table = pa.table(
        {
            "mã": pa.array(["007", "12"]),
            "số": pa.array([1, None], pa.int16()),
            "lớn": pa.array([2**64 - 1, 0], pa.uint64()),
            "tiền": pa.array([Decimal("1.50"), Decimal("2.25")], pa.decimal128(9, 2)),
            "ngày": pa.array([date(2024, 1, 31), None]),
            "lúc": pa.array([datetime(2024, 1, 31, 7, 30)] * 2, pa.timestamp("ns")),  # noqa: DTZ001
            "giờ": pa.array([time(8, 5), None], pa.time32("s")),
            "mở": pa.array([True, False]),
            "loại": pa.array(["x", "y"]).dictionary_encode(),
            "điểm": pa.array([{"x": 1.5, "y": {"z": "a"}}, None]),
            "thẻ": pa.array([["a", "b"], None]),
            "ba": pa.array([[{"a": 1}], []]),
            "mẹ": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
        }
    )
    ran = taken("parquet", parquet(table))
    assert ran.error is None
    assert types(lake, "t") == {
        **{"mã": "string", "số": "int64", "lớn": "decimal(20,0)", "tiền": "decimal(9,2)"},
        **{"ngày": "date", "lúc": "timestamp", "giờ": "time", "mở": "boolean", "loại": "string"},
        **{"điểm.x": "float64", "điểm.y.z": "string", "thẻ": "list<string>", "ba": "string"},
        "mẹ": "string",
    }
    first = rows(lake, "t")[0]
    assert first["lớn"] == Decimal(2**64 - 1)
    assert first["lúc"] == datetime(2024, 1, 31, 0, 30, tzinfo=UTC)
    assert first["giờ"] == time(8, 5)
    assert first["điểm.y.z"] == "a"
    assert first["thẻ"] == ["a", "b"]
    assert json.loads(first["ba"]) == [{"a": 1}]
    assert json.loads(first["mẹ"]) == {"k": 1}


def test_an_officer_may_pin_another_type(taken, lake):
    table = pa.table({"Mã số": [7, 8], "ngày": ["31/01/2024", "01/02/2024"]})
    pins = {"ma_so": {"type": "string"}, "ngày": {"type": "date"}}
    assert taken("parquet", parquet(table), columns=pins).error is None
    assert rows(lake, "t")[0] == {"Mã số": "7", "ngày": date(2024, 1, 31)}


def geoparquet(points: list, **column) -> bytes:
    about = {"encoding": "WKB", "geometry_types": ["Point"], **column}
    metadata = {"version": "1.1.0", "primary_column": "geom", "columns": {"geom": about}}
    table = pa.table({"tên": ["a"] * len(points), "geom": pa.array(points, pa.binary())})
    return parquet(table.replace_schema_metadata({"geo": json.dumps(metadata)}))


def test_geometries_are_moved_to_longitude_and_latitude(taken, lake):
    vn2000 = pyproj.CRS("EPSG:3405").to_json_dict()
    point = shapely.to_wkb(shapely.Point(586300, 2325600))
    assert taken("parquet", geoparquet([point, None], crs=vn2000)).error is None
    first, second = rows(lake, "t")
    assert first["lon"] == pytest.approx(105.832, abs=0.002)
    assert first["lat"] == pytest.approx(21.029, abs=0.002)
    assert shapely.from_wkb(first["geometry"]).x == first["lon"]
    assert second["geometry"] is None


def test_geometries_without_a_known_system_need_a_pin(taken, lake):
    content = geoparquet([shapely.to_wkb(shapely.Point(586300, 2325600))], crs=None)
    assert taken("parquet", content).code == "crs_missing"
    assert taken("parquet", content, crs="EPSG:99999").code == "crs_unsupported"
    assert taken("parquet", content, crs="EPSG:3405").error is None
    assert rows(lake, "t")[0]["lat"] == pytest.approx(21.029, abs=0.002)


def test_a_geometry_that_is_none_is_a_rejected_row(taken, lake):
    points = [shapely.to_wkb(shapely.Point(105, 21))] * 40
    ran = taken(
        "parquet", geoparquet([*points, b"\x01\x02", shapely.to_wkb(shapely.Point(586300, 2))])
    )
    assert ran.error is None
    assert [row.row for row in ran.rejected] == [41, 42]
    assert len(rows(lake, "t")) == 40


class _Keys(pe.KmsClient):
    def wrap_key(self, key_bytes, master_key_identifier):
        return key_bytes.hex()

    def unwrap_key(self, wrapped_key, master_key_identifier):
        return bytes.fromhex(wrapped_key)


def encrypted(plaintext_footer: bool) -> bytes:
    factory = pe.CryptoFactory(lambda _: _Keys())
    properties = factory.file_encryption_properties(
        pe.KmsConnectionConfig(),
        pe.EncryptionConfiguration(
            footer_key="k", column_keys={"k": ["a"]}, plaintext_footer=plaintext_footer
        ),
    )
    stream = io.BytesIO()
    with pq.ParquetWriter(
        stream, pa.schema([("a", pa.int64())]), encryption_properties=properties
    ) as writer:
        writer.write_table(pa.table({"a": [1, 2]}))
    return stream.getvalue()


WHOLE = parquet(pa.table({"a": list(range(1000)), "b": ["x"] * 1000}))


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (WHOLE[:-20], "parquet_broken"),
        (WHOLE[: len(WHOLE) // 2], "parquet_broken"),
        (WHOLE[:4] + bytes(len(WHOLE) - 400) + WHOLE[-396:], "parquet_broken"),
        (b"PAR1" + bytes(64) + b"PAR1", "parquet_broken"),
        (b"PAR1" + bytes(60) + b"\xff\xff\xff\x7fPAR1", "parquet_broken"),
        (encrypted(plaintext_footer=False), "parquet_encrypted"),
        (encrypted(plaintext_footer=True), "parquet_encrypted"),
        (parquet(pa.table({"a": pa.array([], pa.int64())})), "table_empty"),
        (parquet(pa.table({f"c{n}": [1] for n in range(2001)})), "too_many_columns"),
        (b"a,b\n1,2\n", "parquet_broken"),
        (b"<html>", "html_instead_of_data"),
    ],
    ids=map(str, range(11)),
)
def test_what_is_no_whole_parquet_is_refused_by_name(taken, lake, content, code):
    assert taken("parquet", content).code == code
    assert lake.tables() == []


def test_a_file_that_unpacks_without_end_breaks_its_reader_only(taken, lake):
    bomb = pa.table({"a": pa.array(["x" * (1 << 20)]).dictionary_encode().take([0] * 100_000)})
    content = parquet(bomb, row_group_size=100_000)
    assert len(content) < 1 << 20
    assert taken("parquet", content).code in ("reader_died", "archive_too_large")
    assert lake.tables() == []


def test_the_reader_reaches_no_other_file_and_no_network(tmp_path):
    """What a reader of a hostile file could try, tried in a process as locked as its own."""
    tried = """
import socket, sys
from pathlib import Path
from harvesters.readers import process
given, other = map(Path, sys.argv[1:])
process.limit()
process.lock(given)
print(given.read_text())
for attempt in (other.read_text, lambda: given.write_text("x"), socket.socket):
    try:
        attempt()
        print("reached")
    except OSError:
        print("refused")
"""
    import sys

    given, other = tmp_path / "given", tmp_path / "other"
    given.write_text("the file")
    other.write_text("a secret")
    done = subprocess.run(
        [sys.executable, "-I", "-c", tried, given, other],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split("\n")[:4] == ["the file", "refused", "refused", "refused"]
