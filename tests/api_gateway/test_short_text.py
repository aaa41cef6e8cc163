"""Few rows are written in Python, many by the engine: nobody can tell which from the answer."""

from __future__ import annotations

import json
from datetime import date, datetime

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway import formats, short_text
from api_gateway.short_text import Beyond
from tests.api_gateway.test_strict_json import TEXTS as JSON_TEXTS

_CONNECTION = duckdb.connect(config={"threads": 1})
_CONNECTION.execute("SET TimeZone = 'UTC'")
# Python's first and last days stand for the engine's infinities.
DATES = st.dates(date(1, 1, 2), date(9999, 12, 30))
MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))  # noqa: DTZ001
# Type → values as texts that the engine casts.
VALUES = {
    "TINYINT": st.integers(-128, 127).map(str),
    "UINTEGER": st.integers(0, 2**32 - 1).map(str),
    "BIGINT": st.integers(-(2**63), 2**63 - 1).map(str),
    "HUGEINT": st.integers(-(2**127), 2**127 - 1).map(str),
    "UHUGEINT": st.integers(0, 2**128 - 1).map(str),
    "DECIMAL(9, 7)": st.decimals(-99, 99, places=7).map(lambda value: f"{value:f}"),
    "DECIMAL(5, 5)": st.decimals("-0.9", "0.9", places=5).map(lambda value: f"{value:f}"),
    "DECIMAL(38, 2)": st.decimals(-(10**30), 10**30, places=2).map(lambda value: f"{value:f}"),
    "DOUBLE": st.floats().map(repr),
    "BOOLEAN": st.booleans().map(str),
    "VARCHAR": st.text(st.characters(codec="utf-8", exclude_characters="\x00")),
    "DATE": DATES.map(str),
    "TIMESTAMP": MOMENTS.map(str),
    "TIMESTAMPTZ": MOMENTS.map(str),
    "UUID": st.uuids().map(str),
    "ENUM('a', 'ạ')": st.sampled_from("aạ"),
    "JSON": JSON_TEXTS,
    "BIGINT[]": st.lists(st.integers(-(2**63), 2**63 - 1)).map(json.dumps),
    "DATE[]": st.lists(DATES.map(str)).map(lambda dates: f"[{', '.join(dates)}]"),
}
SQL = (
    'SELECT said::{kind} AS "cột, ""1""", NULL::{kind} AS trống '
    "FROM unnest($1::VARCHAR[]) AS of(said)"
)


def both(kind: str, values: list[str], format_name: str, *, safe: bool) -> tuple[list, list]:
    """The texts of rows as the engine writes them, and as Python does."""
    sql = SQL.format(kind=kind)
    done = _CONNECTION.execute(sql, [values])
    columns = [(name, of) for name, of, *_ in done.description]
    rows = done.fetchall()
    row = formats.row(format_name, columns, csv_safe=safe)
    engine = _CONNECTION.execute(
        f"SELECT {row.select} FROM ({sql}) AS answer(c0, c1)", [values]
    ).fetchall()
    bare = formats.bare(format_name, columns, csv_safe=safe)
    assert (bare.head, bare.between) == (row.head, row.between)
    made = short_text.texts(
        format_name, columns, zip(*rows, strict=True), row.between, csv_safe=safe
    )
    return [text for (text,) in engine], made.column(0).to_pylist()


def test_doubles_read_the_same_around_the_bounds_of_their_quick_writing():
    values = [sign * 10.0**power * few for power in range(-8, 20) for few in (0.999999, 1, 1.5)
              for sign in (1, -1)]  # fmt: skip
    for name in ("ndjson", "csv"):
        by_engine, here = both("DOUBLE", [*map(repr, values), "0.0", "-0.0"], name, safe=False)
        assert by_engine == here


@pytest.mark.parametrize("kind", VALUES)
def test_a_row_reads_the_same_whoever_wrote_it(kind):
    @settings(max_examples=6, deadline=None, derandomize=True)
    @given(
        st.lists(VALUES[kind], min_size=10, max_size=50),
        st.sampled_from(["json", "ndjson", "csv"]),
        st.booleans(),
    )
    def check(values, format_name, safe):
        by_engine, here = both(kind, values, format_name, safe=safe)
        assert by_engine == here
        if format_name != "csv":
            assert all(json.loads(text.rstrip(",\n")) for text in here)

    check()


def test_every_character_is_written_as_the_engine_does():
    values = [chr(code) for code in range(1, 300)] + [r"\u000b", "\\\x0b"]
    for format_name in ("ndjson", "csv"):
        by_engine, here = both("VARCHAR", values, format_name, safe=False)
        assert by_engine == here


@pytest.mark.parametrize("kind", ["DATE", "TIMESTAMP", "TIMESTAMPTZ"])
@pytest.mark.parametrize("value", ["infinity", "-infinity", "20000-01-01", "0044-03-15 (BC)"])
def test_what_python_has_no_date_for_is_left_to_the_engine(kind, value):
    with pytest.raises(Beyond):
        both(kind, [value], "json", safe=False)


@pytest.mark.parametrize("kind", ["FLOAT", "INTERVAL", "STRUCT(a INT)"])
def test_a_type_that_python_would_change_is_left_to_the_engine(kind):
    value = {"FLOAT": "0.1", "INTERVAL": "1 day"}.get(kind, "{'a': 1}")
    with pytest.raises(Beyond):
        both(kind, [value], "json", safe=False)
