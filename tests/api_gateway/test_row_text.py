"""Many rows are written by compiled code: nobody can tell from the answer that it was not the
engine."""

from __future__ import annotations

import itertools
import shutil
from datetime import date, datetime

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway import engine, formats, results, row_text
from api_gateway.row_text import RowText
from tests.api_gateway.test_short_text import VALUES as SHORT

_CONNECTION = duckdb.connect(config={"threads": 1})
_CONNECTION.execute("SET TimeZone = 'UTC'")
_FORMATS = ["json", "ndjson", "csv"]
_DAYS = st.dates(date(1, 1, 1), date(9999, 12, 31))
_MOMENTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))  # noqa: DTZ001
# Type → values as texts that the engine casts.
VALUES = {
    **{kind: values for kind, values in SHORT.items() if kind.split("(")[0] not in
       ("UHUGEINT", "UUID", "ENUM", "JSON") and not kind.endswith("[]")},
    "UTINYINT": st.integers(0, 255).map(str),
    "SMALLINT": st.integers(-(2**15), 2**15 - 1).map(str),
    "USMALLINT": st.integers(0, 2**16 - 1).map(str),
    "INTEGER": st.integers(-(2**31), 2**31 - 1).map(str),
    "UBIGINT": st.integers(0, 2**64 - 1).map(str),
    "DECIMAL(4, 0)": st.integers(-9999, 9999).map(str),
    "DECIMAL(38, 38)": st.decimals("-0.9", "0.9", places=38).map(lambda value: f"{value:f}"),
    "DATE": _DAYS.map(str),
    "TIME": st.times().map(str),
    "TIMESTAMP": _MOMENTS.map(str),
    "TIMESTAMPTZ": _MOMENTS.map(str),
    "BLOB": st.text("0123456789ABCDEF", min_size=1).map(lambda text: f"\\x{text[:2]:0>2}"),
}  # fmt: skip

pytestmark = pytest.mark.skipif(not row_text.is_built(), reason="built without a compiler")


def asked(kind: str, values: list[str]) -> tuple[list, pa.Table, str]:
    """Columns, rows and SQL of values with missing ones among them."""
    sql = (
        f'SELECT said::{kind} AS "cột, ""1""", if(place % 3 = 0, said, NULL)::{kind} AS trống '
        "FROM (SELECT unnest($1::VARCHAR[]) AS said, unnest(range(len($1))) AS place)"
    )
    relation = _CONNECTION.sql(sql, params=[values])
    columns = list(zip(relation.columns, relation.types, strict=True))
    return columns, relation.to_arrow_table(), sql


def by_engine(columns: list, values: list[str], sql: str, format_name: str, safe: bool) -> list:
    row = formats.row(format_name, columns, csv_safe=safe)
    names = ", ".join(f"c{index}" for index in range(len(columns)))
    wrapped = f"SELECT {row.select} FROM ({sql}) AS answer({names})"
    return [text for (text,) in _CONNECTION.execute(wrapped, [values]).fetchall()]


def compiled(columns: list, rows: pa.RecordBatch, format_name: str, safe: bool) -> list | None:
    between = formats.bare(format_name, columns, csv_safe=safe).between
    written = RowText(format_name, columns, between, csv_safe=safe).write(rows)
    return None if written is None else written.column(0).to_pylist()


def test_it_is_built_where_there_is_a_compiler():
    assert row_text.is_built() or not shutil.which("c++")


@pytest.mark.parametrize("kind", VALUES)
def test_a_row_reads_the_same_whoever_wrote_it(kind):
    @settings(max_examples=15, deadline=None, derandomize=True)
    @given(
        st.lists(VALUES[kind], min_size=10, max_size=60),
        st.sampled_from(_FORMATS),
        st.booleans(),
        st.integers(0, 9),
    )
    def check(values, format_name, safe, skipped):
        columns, table, sql = asked(kind, values)
        assert row_text.knows(columns)
        (batch,) = table.combine_chunks().to_batches()
        theirs = by_engine(columns, values, sql, format_name, safe)
        # A slice: what stands before it in the buffers is not written.
        assert compiled(columns, batch.slice(skipped), format_name, safe) == theirs[skipped:]

    check()


def test_doubles_have_the_engines_digits():
    powers = [sign * 10.0**power * few for power in range(-12, 25) for sign in (1, -1)
              for few in (0.999999, 1, 1.5, 1.2345678, 0.1 + 0.2)]  # fmt: skip
    edges = [2.0**53 + step for step in (-2, -1, 0, 2, 4)] + [5e-324, 1.7976931348623157e308]
    values = [repr(value) for value in (*powers, *edges, 0.0, -0.0, 1e-6, 99e-6, 9.99e8, 1e15)]
    for format_name in ("ndjson", "csv"):
        columns, table, sql = asked("DOUBLE", values)
        theirs = by_engine(columns, values, sql, format_name, False)
        assert compiled(columns, table.to_batches()[0], format_name, False) == theirs


def test_every_character_is_written_as_the_engine_does():
    values = [chr(code) * count for code in range(1, 300) for count in (1, 30)] + ["", "=1", "'"]
    for format_name, safe in itertools.product(_FORMATS, (True, False)):
        columns, table, sql = asked("VARCHAR", values)
        theirs = by_engine(columns, values, sql, format_name, safe)
        assert compiled(columns, table.to_batches()[0], format_name, safe) == theirs


@pytest.mark.parametrize("kind", ["DATE", "TIMESTAMP", "TIMESTAMPTZ"])
@pytest.mark.parametrize("value", ["infinity", "-infinity", "10000-01-01", "0001-12-31 (BC)"])
def test_a_day_beyond_is_left_to_the_engine_and_all_after_it(kind, value):
    columns, table, _ = asked(kind, [value])
    written = RowText("csv", columns, "", csv_safe=False)
    assert written.write(table.to_batches()[0]) is None
    _, usual, _ = asked(kind, ["2026-01-01"])
    assert written.write(usual.to_batches()[0]) is None


@pytest.mark.parametrize(
    "kind", ["UUID", "FLOAT", "INTERVAL", "STRUCT(a INT)", "INT[]", "JSON", "TIMETZ"]
)
def test_types_it_does_not_know(kind):
    relation = _CONNECTION.sql(f"SELECT NULL::{kind} AS a")
    assert not row_text.knows([("a", relation.types[0])])


def batches(
    sql: str, format_name: str, limit: int | None = None, most_rows: int | None = None
) -> list[str]:
    """The texts of an answer, as a query process writes them one after the other."""
    job = {"sql": sql, "params": [], "format": format_name, "limit": limit, "most_rows": most_rows,
           "csv_safe": False, "flows": True, "described": {}}  # fmt: skip
    cursor = _CONNECTION.cursor()
    parsed = engine.Parsed(_CONNECTION)
    found = results.Query(cursor, _CONNECTION.cursor, parsed, job, 10_000).run()
    return [bytes(formats.text_of(each.column(0))).decode() for each in found.batches]


def answer(sql: str, format_name: str, limit: int | None = None) -> str:
    """The whole text of an answer."""
    return "".join(batches(sql, format_name, limit))


def test_more_rows_than_were_said_to_come_are_not_held():
    sql = "SELECT i FROM range(100_000) AS r(i)"
    parts = batches(sql, "ndjson", most_rows=5)
    assert "".join(parts) == answer(sql, "ndjson")
    assert len(parts) > 1


ROWS = "SELECT i, if(i % 7 = 0, NULL, 'Trạm ' || i) AS s, {day} AS d FROM range(45000) AS r(i)"
DAYS = {
    "usual": "DATE '2026-01-01' + (i % 400)::INTEGER",
    "first beyond": "if(i = 3, DATE 'infinity', DATE '2026-01-01')",
    "late beyond": "if(i = 31000, DATE 'infinity', DATE '2026-01-01')",
}


@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize("limit", [None, 40_000])
@pytest.mark.parametrize("format_name", _FORMATS)
def test_whole_answers_are_those_without_it(monkeypatch, format_name, limit, day):
    sql = ROWS.format(day=DAYS[day])
    ours = answer(sql, format_name, limit)
    monkeypatch.setattr(row_text, "is_built", lambda: False)
    assert ours == answer(sql, format_name, limit)


def test_large_batches_are_not_held():
    """Of rows that take much memory, one batch at a time is in hand."""
    columns, _, _ = asked("VARCHAR", ["a"])
    large = pa.record_batch([["ạ" * 5_000_000], ["a"]], names=["a", "b"])
    taken = []
    each = RowText("csv", columns, "", csv_safe=False).each(
        taken.append(number) or large for number in range(9)
    )
    for number, _ in enumerate(each, 1):
        assert len(taken) == number
