"""Arrow and Parquet have every value that SQL can make, as a type of theirs or as its text."""

from __future__ import annotations

import io

import duckdb
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest

from api_gateway.formats import Row, Unsuited
from api_gateway.writers import WRITERS

# SQL → what both formats have.
TEXTS = {
    "[340282366920938463463374607431768211455::UHUGEINT]": [
        "340282366920938463463374607431768211455"
    ],
    "{'t': '10:00:00+07'::TIMETZ}": {"t": "10:00:00+07"},
    "['101'::BIT, NULL]": ["101", None],
    "MAP {'a': '101'::BIT}": [("a", "101")],
    "[[MAP {'101'::BIT: {'x': ['1'::BIT]}}]]": [[[("101", {"x": ["1"]})]]],
    "row('101'::BIT, 1)": {"element1": "101", "element2": 1},
    "['101'::BIT]::BIT[1]": ["101"],
    "NULL::STRUCT(b BIT)": None,
    "NULL::MAP(VARCHAR, BIT)": None,
    "MAP {}": [],
    "union_value(k := 1::UHUGEINT)": "1",
}
# SQL → what Parquet alone has.
IN_PARQUET = {
    "INTERVAL 1 DAY": "1 day",
    "{'i': INTERVAL 1 DAY}": {"i": "1 day"},
    "TIMESTAMP '2026-01-02 03:00:00' - TIMESTAMP '2026-01-01 00:00:00'": "1 day 03:00:00",
    "union_value(k := 1)": "1",
    "union_value(k := NULL::INT)": None,
    "[union_value(k := NULL::INT)]": [None],
}


def read(gateway, sql: str, format_name: str) -> pa.ChunkedArray:
    answer = gateway.sql(f"SELECT {sql} AS x", format=format_name)
    assert answer.status_code == 200, answer.text
    source = io.BytesIO(answer.content)
    if format_name == "arrow":
        return pa.ipc.open_stream(source).read_all().column("x")
    return pa.parquet.read_table(source).column("x")


@pytest.mark.parametrize("format_name", ["arrow", "parquet"])
@pytest.mark.parametrize("sql", TEXTS)
def test_what_would_be_misread_is_text_however_deep(gateway, sql, format_name):
    assert read(gateway, sql, format_name).to_pylist() == [TEXTS[sql]]


def test_seconds_in_parquet_keep_infinity(gateway):
    sql = "SELECT ['2026-01-01 00:00:01'::TIMESTAMP_S, 'infinity', NULL] AS x"
    answer = gateway.sql(sql, format="parquet")
    assert answer.status_code == 200, answer.text
    rows = pa.parquet.read_table(io.BytesIO(answer.content))
    read = duckdb.from_arrow(rows).project("x::VARCHAR").fetchall()
    assert read == [("['2026-01-01 00:00:01', infinity, NULL]",)]


@pytest.mark.parametrize("sql", IN_PARQUET)
def test_what_parquet_has_no_type_for_is_text(gateway, sql):
    assert read(gateway, sql, "parquet").to_pylist() == [IN_PARQUET[sql]]


def test_arrow_keeps_what_it_has_a_type_for(gateway):
    assert (
        read(gateway, "[INTERVAL 1 DAY]", "arrow").type.value_type == pa.month_day_nano_interval()
    )


@pytest.mark.parametrize("format_name", ["arrow", "parquet"])
def test_a_hugeint_of_39_digits_is_exact_alone_and_nested(gateway, format_name):
    column = read(gateway, f"[{2**127 - 1}::HUGEINT]", format_name)
    assert column.type.value_type == pa.decimal128(38, 0)
    assert int(column.to_pylist()[0][0]) == 2**127 - 1


def test_a_type_that_parquet_does_not_know_is_said_before_the_first_byte():
    make, _ = WRITERS["parquet"]
    schema = pa.schema([("x", pa.month_day_nano_interval())])
    envelope = {"columns": [{"name": "x", "type": "?"}], "tables": [], "attribution": ""}
    with pytest.raises(Unsuited, match="interval"):
        make(len, schema, Row(""), envelope)
