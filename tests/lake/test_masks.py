"""What an edition shows of a masked column, of chosen rows, and of a sample."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from lake import edition, ward_points
from lake.errors import EditionSpecInvalid
from lake.schema import Column, to_arrow
from lake.store import Lake
from lake.table import Provenance

COLUMNS = [
    Column("mã", "int64"),
    Column("tên", "string"),
    Column("phường", "string"),
    Column("ngày", "date"),
    Column("lúc", "timestamp"),
    Column("giá", "decimal(12,2)", unit="VND"),
    Column("lượng", "float64", unit="µg/m³"),
    Column("vĩ độ", "float64"),
    Column("chỗ", "geometry"),
    Column("mở", "boolean"),
    Column("giờ", "time"),
]
HOAN_KIEM = shapely.Point(105.8525, 21.0287)
SALT = b"a key of thirty-two bytes or more"


def row(number: int) -> dict:
    return {
        "mã": number,
        "tên": f"Hộ số {number} — bí mật",
        "phường": f"P{number % 3}",
        "ngày": date(2026, 1 + number % 12, 15),
        "lúc": datetime(2026, 1 + number % 12, 15, 10, 45, 30, tzinfo=UTC),
        "giá": Decimal(number) * 1000 + Decimal("0.25"),
        "lượng": number + 0.75,
        "vĩ độ": 21.0287,
        "chỗ": shapely.to_wkb(HOAN_KIEM),
        "mở": number % 2 == 0,
        "giờ": f"{number % 24:02}:30:00",
    }


EMPTY = dict.fromkeys(column.name for column in COLUMNS)


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    lake = Lake(tmp_path_factory.mktemp("lake"))
    rows = [*map(row, range(1000)), EMPTY]
    # Of several batches: what is chosen must not depend on how rows are cut.
    table = pa.Table.from_pylist(rows, schema=to_arrow(COLUMNS))
    lake.table("t").publish(iter(table.to_batches(max_chunksize=97)), Provenance())
    return lake


def shown(lake, salt: bytes | None = None, **spec) -> pa.Table:
    key = hashlib.sha256(repr((spec, salt)).encode()).hexdigest()[:32]
    return pq.read_table(edition.write(lake, "t", 1, f"e{key}", spec, salt))


def first(lake, column: str, mask: dict, salt: bytes | None = None) -> list:
    """The masked values of row 0, row 999 and the empty row; a look shows the same."""
    table = shown(lake, salt, columns=[column], masks={column: mask})
    values = table.column(column).to_pylist()
    looked = edition.look(lake, "t", 1, {"columns": [column], "masks": {column: mask}}, salt)
    assert [one[column] for one in looked.rows] == values[:20]
    assert values[1000] is None
    return [values[0], values[999]]


@pytest.mark.parametrize(
    ("column", "mask", "expected"),
    [
        ("tên", {"kind": "truncate", "length": 5}, ["Hộ số", "Hộ số"]),
        ("tên", {"kind": "truncate", "length": 0}, ["", ""]),
        ("ngày", {"kind": "truncate", "length": 4}, ["2026", "2026"]),
        ("mã", {"kind": "bucket", "width": 100, "origin": 50}, [-50, 950]),
        ("lượng", {"kind": "bucket", "width": 2.5}, [0.0, 997.5]),
        ("giá", {"kind": "bucket", "width": 50_000}, [0.0, 950_000.0]),
        ("ngày", {"kind": "bucket", "width": "quarter"}, [date(2026, 1, 1), date(2026, 4, 1)]),
        (
            "lúc",
            {"kind": "bucket", "width": "month"},
            [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)],
        ),
        (
            "lúc",
            {"kind": "bucket", "width": "hour"},
            [datetime(2026, 1, 15, 10, tzinfo=UTC), datetime(2026, 4, 15, 10, tzinfo=UTC)],
        ),
        ("vĩ độ", {"kind": "round_geo", "to": "ward"}, [21.05, 21.05]),
    ],
)
def test_masked_values(lake, column, mask, expected):
    assert first(lake, column, mask) == expected


def test_a_hash_is_keyed_equal_within_an_agreement_and_not_beyond_it(lake):
    value = "Hộ số 0 — bí mật".encode()
    mine = first(lake, "tên", {"kind": "hash"}, SALT)
    assert mine[0] == hmac.digest(SALT, value, hashlib.sha256).hex()
    assert mine[0] != first(lake, "tên", {"kind": "hash"}, SALT + b"2")[0]
    wards = shown(lake, SALT, columns=["phường"], masks={"phường": {"kind": "hash"}})
    assert len(set(wards.column("phường").to_pylist()) - {None}) == 3


def test_a_place_becomes_the_point_of_its_ward(lake):
    first_place, last_place = first(lake, "chỗ", {"kind": "round_geo", "to": "ward"})
    assert first_place == last_place
    point = shapely.from_wkb(first_place)
    assert [point.x, point.y] in ward_points.points().tolist()
    assert 0 < point.distance(HOAN_KIEM) < 0.02
    # A polygon counts by its middle; far from Hanoi there is a grid; nonsense is nothing.
    square, hue = HOAN_KIEM.buffer(0.001), shapely.Point(107.5931, 16.4619)
    places = [shapely.to_wkb(one) for one in (square, hue, shapely.Point())] + [b"?", None]
    near = ward_points.nearest(pa.array(places, pa.binary())).to_pylist()
    assert near[0] == first_place
    assert near[1] == shapely.to_wkb(shapely.Point(107.6, 16.45))
    assert near[2:] == [None, None, None]


def test_masked_columns_keep_their_place_and_lose_their_unit(lake):
    table = shown(lake, SALT, columns=["giá", "mã"], masks={"giá": {"kind": "hash"}})
    field = table.schema.field("giá")
    assert table.schema.names == ["giá", "mã"]
    assert (field.type, field.metadata[b"hanoiic:type"]) == (pa.string(), b"string")
    assert b"hanoiic:unit" not in field.metadata


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ([("mã", "lt", 10)], 10),
        ([("mã", "ge", 10), ("mã", "le", 12)], 3),
        ([("mã", "ne", 5)], 999),
        ([("mã", "is_null", None)], 1),
        ([("tên", "not_null", None)], 1000),
        ([("phường", "in", ["P0", "P1"])], 667),
        ([("ngày", "eq", "2026-02-15")], 84),
        ([("lúc", "gt", "2026-12-15T17:00:00+07:00")], 83),
        ([("giá", "eq", "7000.25")], 1),
        ([("lượng", "le", 3)], 3),
        ([("mở", "eq", True)], 500),
        ([("mã", "gt", 5000)], 0),
        ([("mã", "le", 9.0)], 10),
        # A decimal(12,2) is compared with what it can't hold itself.
        ([("giá", "lt", "7000.255")], 8),
        ([("giá", "lt", 1e15)], 1000),
        ([("giá", "in", ["7000.25", "7000.255", 1e15])], 1),
        # The same texts by another keyboard, the same time of day written shorter.
        ([("tên", "eq", unicodedata.normalize("NFD", "Hộ số 5 — bí mật"))], 1),
        ([("tên", "ne", unicodedata.normalize("NFD", "Hộ số 5 — bí mật"))], 999),
        ([("giờ", "eq", "08:30")], 42),
        ([("giờ", "ne", "08:30")], 958),
        ([("giờ", "le", "00:30:00")], 42),
        ([("giờ", "in", ["00:30", "23:30:00.000"])], 83),
    ],
)
def test_rows_that_stay(lake, where, count):
    said = [{"column": c, "op": op, "value": v} for c, op, v in where]
    table = shown(lake, columns=["mã"], where=said)
    assert table.num_rows == count
    assert edition.look(lake, "t", 1, {"columns": ["mã"], "where": said}).rows == (
        table.slice(0, 20).to_pylist()
    )


@pytest.mark.parametrize(
    "predicate",
    [
        ("mã", "gt", 10**30),
        ("mã", "in", [10**30]),
        ("mã", "eq", 1.5),
        ("giá", "gt", "NaN"),
        ("giá", "gt", "1e999999999"),
        ("tên", "eq", "\ud800"),
        ("giờ", "eq", "8h30"),
        ("giờ", "eq", "08:30+07:00"),
        ("lượng", "gt", 10**400),
    ],
)
def test_a_value_that_fits_to_no_row_is_told(lake, predicate):
    said = dict(zip(("column", "op", "value"), predicate, strict=True))
    with pytest.raises(EditionSpecInvalid, match=f"value for {predicate[0]} is no"):
        shown(lake, columns=["mã"], where=[said])


@pytest.mark.parametrize(
    ("values", "kind"),
    [([2**63 - 1, -(2**63)], "int64"), ([1e308, 1.0], "float64")],
)
def test_a_value_whose_bucket_ends_beyond_its_type_is_told(tmp_path, values, kind):
    lake = Lake(tmp_path)
    schema = to_arrow([Column("x", kind)])
    lake.table("t").publish(pa.table({"x": values}, schema=schema), Provenance())
    with pytest.raises(EditionSpecInvalid, match="column x does not fit"):
        shown(lake, masks={"x": {"kind": "bucket", "width": 10}})


def test_metres_are_not_rounded_as_degrees(tmp_path):
    lake = Lake(tmp_path)
    place = shapely.to_wkb(shapely.Point(583_412.3, 2_325_871.7))
    schema = to_arrow([Column("x", "float64"), Column("chỗ", "geometry")])
    rows = pa.table({"x": [583_412.3, 105.8525], "chỗ": [place, None]}, schema=schema)
    lake.table("t").publish(rows, Provenance())
    masks = {name: {"kind": "round_geo", "to": "ward"} for name in ("x", "chỗ")}
    table = shown(lake, masks=masks)
    assert table.column("x").to_pylist() == [None, 105.85]
    assert table.column("chỗ").to_pylist() == [None, None]


def test_a_sample_is_the_same_each_time_and_has_every_stratum(lake, tmp_path):
    spec = {"columns": ["mã", "phường", "ngày"], "sample": {"rows": 30, "by": "phường"}}
    table = shown(lake, **spec)
    assert Counter(table.column("phường").to_pylist()) == {"P0": 10, "P1": 10, "P2": 9, None: 1}
    rows = table.to_pylist()
    assert rows == sorted(rows, key=lambda one: (one["mã"] is None, one["mã"]))
    other = Lake(tmp_path)
    whole = lake.table("t").batches(1)
    other.table("t").publish(pa.Table.from_batches(whole).to_reader(11), Provenance())
    assert shown(other, **spec) == table
    monthly = shown(lake, columns=["ngày"], sample={"rows": 13, "by": "ngày"})
    assert len(set(monthly.column("ngày").to_pylist())) == 13
    plain = shown(lake, columns=["mã"], sample={"rows": 4})
    assert plain.column("mã").to_pylist() == [125, 375, 625, 875]
    assert shown(lake, columns=["mã"], sample={"rows": 5000}).num_rows == 1001
    few = shown(lake, columns=["phường"], sample={"rows": 2, "by": "phường"})
    assert few.num_rows == 2


def test_a_sample_of_very_many_strata_stays_within_its_rows(lake):
    table = shown(lake, columns=["mã"], sample={"rows": 40, "by": "tên"})
    assert table.num_rows == 40


def test_a_sample_is_taken_of_the_rows_that_stay_by_a_column_that_is_hidden(lake):
    where = [{"column": "phường", "op": "eq", "value": "P2"}]
    table = shown(lake, columns=["mã"], where=where, sample={"rows": 12, "by": "ngày"})
    assert table.num_rows == 12
    assert all(number % 3 == 2 for number in table.column("mã").to_pylist())


def test_case_17_parquet_metadata_knows_nothing_of_what_is_hidden(lake):
    """Statistics, dictionaries and key-value metadata of the file are of the shown rows alone."""
    spec = {
        "columns": ["mã", "tên"],
        "masks": {"tên": {"kind": "truncate", "length": 2}},
        "where": [{"column": "mã", "op": "lt", "value": 10}],
    }
    path = edition.write(lake, "t", 1, "e17", spec)
    meta = pq.read_metadata(path)
    assert meta.num_rows == 10
    stats = [meta.row_group(0).column(i).statistics for i in range(meta.num_columns)]
    assert [(one.min, one.max) for one in stats] == [(0, 9), ("Hộ", "Hộ")]
    told = str(meta.to_dict()) + str(meta.metadata)
    for hidden in ("bí mật", "phường", "999", "lượng"):
        assert hidden not in told
    assert edition.row_count(lake, "t", 1, "e17") == 10
    assert [column.name for column in edition.columns(lake, "t", 1, "e17")] == ["mã", "tên"]


def test_versions_of_an_edition_are_found_and_unwanted_editions_go(lake):
    spec = {"columns": ["mã"]}
    table = lake.table("t")
    assert edition.versions(lake, "t", "ewanted") == []
    for name in ("ewanted", "eunwanted"):
        edition.write(lake, "t", 1, name, spec)
    assert edition.versions(lake, "t", "ewanted") == [1]
    edition.vacuum(lake, "t")
    assert edition.versions(lake, "t", "eunwanted") == [1]
    edition.vacuum(lake, "t", {"ewanted"})
    assert edition.versions(lake, "t", "ewanted") == [1]
    assert edition.versions(lake, "t", "eunwanted") == []
    assert table.resolve().number == 1
