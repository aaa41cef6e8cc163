"""Rare values as the engine writes them into JSON and CSV."""

from __future__ import annotations

import json

import duckdb
import pytest

from api_gateway import formats

_CONNECTION = duckdb.connect(config={"threads": 1})
_CONNECTION.execute("SET TimeZone = 'UTC'")
# SQL → its value in JSON, and its cell in CSV.
WRITTEN = {
    "TIMESTAMP '0044-03-15 (BC) 01:02:03'": ("0044-03-15T01:02:03 (BC)",) * 2,
    "TIMESTAMP_S '0044-03-15 (BC) 01:02:03'": ("0044-03-15T01:02:03 (BC)",) * 2,
    "TIMESTAMPTZ '0044-03-15 (BC) 01:02:03+00'": ("0044-03-15T01:02:03Z (BC)",) * 2,
    "TIMESTAMP '0001-01-01 00:00:00'": ("0001-01-01T00:00:00",) * 2,
    "TIMESTAMP_NS '1970-01-01 00:00:00.123456789'": ("1970-01-01T00:00:00.123456789",) * 2,
    "TIMESTAMPTZ '-infinity'": ("-infinity",) * 2,
    "TIMESTAMP 'infinity'": ("infinity",) * 2,
    "union_value(k := NULL::INT)": (None, '""'),
    "[union_value(k := NULL::INT)]": ([None], '"[null]"'),
    "union_value(k := 1)": ("1", '"1"'),
    "row(1, 'a', NULL)": ([1, "a", None], '"[1,""a"",null]"'),
    "[row(row(1), {'a': 2})]": ([[[1], {"a": 2}]], '"[[[1],{""a"":2}]]"'),
    "NULL::TUPLE(INT)": (None, '""'),
}


def written(sql: str, format_name: str) -> str:
    kind = _CONNECTION.sql(f"SELECT {sql} AS x").types[0]
    select = formats.row(format_name, [("x", kind)]).select
    ((text,),) = _CONNECTION.sql(f"SELECT {select} FROM (SELECT {sql}) AS a(c0)").fetchall()
    return text


@pytest.mark.parametrize("sql", WRITTEN)
def test_value_is_written_as_the_table_says(sql):
    in_json, in_csv = WRITTEN[sql]
    assert json.loads(written(sql, "ndjson")) == {"x": in_json}
    assert written(sql, "csv") == f"{in_csv}\n"
