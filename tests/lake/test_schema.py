"""Column types: what is stored, what is refused, what comes back."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings

from lake import schema
from lake.content import ContentHash
from lake.errors import InvalidSchema, ValueDoesNotFit
from lake.schema import Column
from lake.store import Lake
from lake.table import Provenance
from tests.lake.strategies import VALUES, arrow, rows_of, tables


@pytest.fixture(scope="module")
def shared_lake(tmp_path_factory):
    return Lake(tmp_path_factory.mktemp("lake"))


def stored_batches(table: pa.Table, rows_per_batch: int | None = None) -> list[pa.RecordBatch]:
    stored = schema.stored_schema(table.schema)
    batches = table.to_batches(max_chunksize=rows_per_batch)
    return [schema.store(batch, stored) for batch in batches]


def content_hash(table: pa.Table, rows_per_batch: int | None = None) -> str:
    content = ContentHash(schema.stored_schema(table.schema))
    for batch in stored_batches(table, rows_per_batch):
        content.update(batch)
    return content.hexdigest()


def test_every_type_round_trips_through_arrow():
    columns = [Column(f"cột {t}", t, unit="m", title="tên") for t in VALUES]
    back = schema.from_arrow(schema.to_arrow(columns))
    assert [(c.name, c.type, c.unit, c.title) for c in back] == [
        (c.name, c.type, c.unit, c.title) for c in columns
    ]
    assert all(c.ascii for c in back)


@settings(max_examples=40, deadline=None)
@given(tables())
def test_every_value_survives_publishing(shared_lake, made):
    columns, rows = made
    table = shared_lake.table("survives")
    done = table.publish(arrow(columns, rows), Provenance())
    assert rows_of(table, done.version) == rows
    assert [(c.name, c.type, c.unit) for c in table.columns(done.version)] == [
        (c.name, c.type, c.unit) for c in columns
    ]


@given(tables())
def test_content_hash_does_not_see_batches(made):
    table = arrow(*made)
    assert content_hash(table) == content_hash(table, 1) == content_hash(table, 3)


@given(tables(), tables())
def test_content_hash_tells_contents_apart(one, other):
    same = repr(one) == repr(other)  # tells -0.0 from 0.0
    assert (content_hash(arrow(*one)) == content_hash(arrow(*other))) == same


def test_content_hash_tells_near_contents_apart():
    def of(values, kind):
        return content_hash(pa.table({"x": pa.array(values, kind)}))

    text, lists = pa.string(), pa.list_(pa.string())
    assert of(["a", None], text) != of(["a", ""], text)
    assert of(["ab", "c"], text) != of(["a", "bc"], text)
    assert of([0, None], pa.int64()) != of([None, 0], pa.int64())
    assert of([["a"], ["b"]], lists) != of([["a", "b"], []], lists)
    assert of([[None]], lists) != of([[]], lists) != of([None], lists)
    assert of([1], pa.int64()) != of([1], pa.float64())


def test_content_hash_does_not_see_what_a_null_hides():
    hidden = pa.Array.from_buffers(
        pa.int64(), 2, [pa.py_buffer(b"\x01"), pa.array([1, 77]).buffers()[1]]
    )
    assert hidden.to_pylist() == [1, None]
    assert content_hash(pa.table({"x": hidden})) == content_hash(pa.table({"x": [1, None]}))


def test_a_corrected_unit_is_new_content():
    def of(unit):
        return content_hash(arrow([Column("x", "int64", unit=unit)], [{"x": 1}]))

    assert of("m") != of("km")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (pa.array([1], pa.int8()), "int64"),
        (pa.array([2**63 - 1], pa.uint64()), "int64"),
        (pa.array([1.5], pa.float32()), "float64"),
        (pa.array(["đ"]).dictionary_encode(), "string"),
        (pa.array(["đ"], pa.large_string()), "string"),
        (pa.array(["đ"], pa.string_view()), "string"),
        (
            pa.array(
                [datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)],
                pa.timestamp("ms", "Asia/Ho_Chi_Minh"),
            ),
            "timestamp",
        ),
        (pa.array([Decimal("100")], pa.decimal128(3, -2)), "decimal(5,0)"),
        (pa.array([[1]], pa.large_list(pa.int32())), "list<int64>"),
        (pa.array([datetime.time(23, 59, 59)], pa.time32("s")), "time"),
    ],
)
def test_wider_and_narrower_types_are_taken_in(given, kept):
    (batch,) = stored_batches(pa.table({"x": given}))
    assert schema.from_arrow(batch.schema)[0].type == kept
    restored = schema.restore(batch).column(0).to_pylist()
    assert restored == given.to_pylist()


@pytest.mark.parametrize(
    "kind",
    [
        pa.timestamp("us"),
        pa.null(),
        pa.struct([("a", pa.int64())]),
        pa.duration("s"),
        pa.list_(pa.time64("us")),
        pa.decimal256(60, 2),
    ],
)
def test_a_type_without_a_place_is_refused(kind):
    with pytest.raises(InvalidSchema):
        schema.stored_schema(pa.schema([pa.field("x", kind)]))


@pytest.mark.parametrize(
    "names",
    [["a", "A"], [" a"], ["a\u0323\u0302"], [""], []],
)
def test_column_names_that_are_not_the_lakes_are_refused(names):
    with pytest.raises(InvalidSchema):
        schema.to_arrow([Column(name, "string") for name in names])


@pytest.mark.parametrize(
    "text", ["int32", "decimal(39,2)", "decimal(3,4)", "list<time>", "list<>", ""]
)
def test_a_type_text_that_is_not_the_lakes_is_refused(text):
    with pytest.raises(InvalidSchema):
        schema.arrow_type(text)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("int64", pa.array([2**63], pa.uint64())),
        ("time", pa.array(["25:00:00"])),
        ("timestamp", pa.array([1], pa.timestamp("ns", "UTC"))),
        ("date", pa.array([1], pa.date64())),
        ("decimal(3,1)", pa.array([Decimal("99.99")])),
    ],
)
def test_a_value_that_does_not_fit_is_refused_not_rounded(kind, values):
    stored = schema.to_arrow([Column("x", kind)])
    with pytest.raises(ValueDoesNotFit):
        schema.store(pa.RecordBatch.from_arrays([values], ["x"]), stored)
