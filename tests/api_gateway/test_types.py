"""Every type survives every format, exactly."""

from __future__ import annotations

import datetime as dt
import json
import math
import uuid

import pyarrow as pa
import pyarrow.ipc
import pytest

from tests.api_gateway.conftest import TYPED
from tests.api_gateway.reading import READERS

# Types that only a query makes: name → SQL, and the value a client must read back.
COMPUTED = {
    "hugeint": ("170141183460469231731687303715884105727::HUGEINT", 2**127 - 1),
    "struct": ("{'a': 1, 'b': ['ữ', NULL]}", {"a": 1, "b": ["ữ", None]}),
    "map": ("MAP {'khoá': 2, 'k': NULL}", {"khoá": 2, "k": None}),
    "naive": ("TIMESTAMP '2026-01-01 12:00:00.5'", dt.datetime(2026, 1, 1, 12, 0, 0, 500000)),  # noqa: DTZ001
    "uuid": (
        "'2d9f15fc-9d96-42f0-b76c-479ceb76676f'::UUID",
        str(uuid.UUID("2d9f15fc9d9642f0b76c479ceb76676f")),
    ),
    "int64": ("9007199254740993", 9007199254740993),
    "list": ("[[1, NULL], []]", [[1, None], []]),
}


@pytest.mark.parametrize("column", TYPED.column_names)
@pytest.mark.parametrize("format_name", READERS)
def test_lake_type_survives(gateway, format_name, column):
    answer = gateway.sql(f'SELECT "{column}", 1 AS nan FROM typed', format=format_name)
    assert answer.status_code == 200, answer.text
    read = [row[column] for row in READERS[format_name](answer.content)]
    expected = TYPED[column].to_pylist()
    assert read == expected
    # Equal is not enough for numbers: 0.0 == -0.0, and 1.5 == Decimal("1.5").
    assert [type(value) for value in read] == [type(value) for value in expected]


@pytest.mark.parametrize("name", COMPUTED)
@pytest.mark.parametrize("format_name", READERS)
def test_computed_type_survives(gateway, format_name, name):
    sql, expected = COMPUTED[name]
    answer = gateway.sql(f"SELECT {sql} AS {name}", format=format_name)
    assert answer.status_code == 200, answer.text
    assert READERS[format_name](answer.content) == [{name: expected}]


@pytest.mark.parametrize("format_name", READERS)
def test_geometry_is_the_same_from_its_text(gateway, format_name):
    made = """st_geomfromgeojson('{"type": "Point", "coordinates": [105.81, 21.02]}')"""
    read = []
    for sql in (made, "'POINT (105.81 21.02)'::GEOMETRY"):
        answer = gateway.sql(f"SELECT {sql} AS string, NULL::GEOMETRY AS nan", format=format_name)
        assert answer.status_code == 200, answer.text
        read.append(READERS[format_name](answer.content))
    assert read[0] == read[1]
    assert read[0][0]["string"]


def test_lone_null_in_csv_is_no_empty_line(gateway):
    answer = gateway.sql("SELECT * FROM (VALUES ('a'), (NULL), ('b')) AS v(x)", format="csv")
    assert answer.text == '"x"\n"a"\n""\n"b"\n'


@pytest.mark.parametrize("format_name", ["json", "ndjson", "csv"])
def test_float_that_is_no_number_is_named(gateway, format_name):
    answer = gateway.sql("SELECT 'nan'::DOUBLE AS nan UNION ALL SELECT '-inf'", format=format_name)
    first, second = (row["nan"] for row in READERS[format_name](answer.content))
    assert math.isnan(first)
    assert second == -math.inf


def test_json_numbers_are_safe_in_a_64_bit_float_and_others_are_strings(gateway):
    answer = gateway.sql(
        "SELECT 9007199254740991 AS a, 9007199254740992 AS b, -9007199254740992 AS c, "
        "1.50::DECIMAL(15,2) AS d, 1.50::DECIMAL(16,2) AS e, sum(1) AS f, 18446744073709551615 AS g"
    )
    assert '"a":9007199254740991,' in answer.text
    assert answer.json()["rows"] == [
        {
            "a": 9007199254740991,
            "b": "9007199254740992",
            "c": "-9007199254740992",
            "d": 1.5,
            "e": "1.50",
            "f": 1,
            "g": "18446744073709551615",
        }
    ]


def test_instants_are_utc_with_a_z(gateway):
    answer = gateway.sql(
        "SELECT TIMESTAMPTZ '2026-01-01 07:00:00.25+07' AS t, TIMESTAMPTZ 'infinity' AS i"
    )
    assert answer.json()["rows"] == [{"t": "2026-01-01T00:00:00.25Z", "i": "infinity"}]


def test_geometry_is_wkb_in_hex(gateway):
    point = "0101000000000000000000F03F0000000000000040"
    sql = f"SELECT st_geomfromwkb(unhex('{point}')) AS g"
    assert gateway.sql(sql).json()["rows"] == [{"g": point}]
    assert gateway.sql(sql, format="csv").text == f'"g"\n"{point}"\n'


def test_vietnamese_stays_composed_and_unescaped(gateway):
    answer = gateway.sql("SELECT tên FROM bus_stops WHERE tên = $1", params=["Đống Đa"])
    assert '"tên":"Đống Đa"' in answer.content.decode("utf-8")


@pytest.mark.parametrize("format_name", READERS)
def test_table_without_rows_keeps_its_columns(gateway, format_name):
    answer = gateway.sql("SELECT * FROM empty", format=format_name)
    assert answer.status_code == 200
    if format_name == "ndjson":
        assert answer.content == b""
        return
    assert READERS[format_name](answer.content) == []
    assert "phường".encode() in answer.content


@pytest.mark.parametrize("format_name", READERS)
def test_equal_column_names_are_told_apart(gateway, format_name):
    answer = gateway.sql('SELECT 1 AS "int64", 2 AS "int64", 3 AS "int64_1"', format=format_name)
    if format_name == "csv":
        assert answer.text.splitlines()[0] == '"int64","int64_1","int64_1_1"'
    elif format_name == "json":
        assert json.loads(answer.text)["rows"] == [{"int64": 1, "int64_1": 2, "int64_1_1": 3}]
    else:
        assert b"int64_1_1" in answer.content


@pytest.mark.parametrize("limit", [None, 3])
@pytest.mark.parametrize("names", ["a A a_1", "A_1 a A", "Đ đ d"])
def test_a_limit_changes_no_column_name(gateway, names, limit):
    expected = {"a A a_1": "a A_1 a_1_1", "A_1 a A": "A_1 a A_2", "Đ đ d": "Đ đ d"}
    sql = "SELECT " + ", ".join(f'1 AS "{name}"' for name in names.split())
    for format_name in ("json", "arrow"):
        answer = gateway.sql(sql, format=format_name, limit=limit)
        if format_name == "json":
            shown = [column["name"] for column in answer.json()["columns"]]
            assert list(answer.json()["rows"][0]) == shown
        else:
            shown = pa.ipc.open_stream(answer.content).schema.names
        assert shown == expected[names].split()


def test_spreadsheet_csv_defuses_formulas_and_says_that_it_is_utf8(gateway):
    sql = "SELECT * FROM (VALUES ('=1+1', -5), ('+x', 1), ('@a', 2), ('Đ', 3)) AS v(\"=t\", n)"
    safe = gateway.sql(sql, format="csv", csv_safe=True)
    assert safe.content.startswith(b"\xef\xbb\xbf")
    assert safe.content.decode("utf-8-sig").splitlines() == [
        '"\'=t","n"', '"\'=1+1",-5', '"\'+x",1', '"\'@a",2', '"Đ",3',
    ]  # fmt: skip
    plain = gateway.sql(sql, format="csv")
    assert plain.text.splitlines()[1] == '"=1+1",-5'
    assert plain.headers["Content-Type"] == "text/csv; charset=utf-8"
