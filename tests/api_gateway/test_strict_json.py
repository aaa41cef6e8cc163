"""What the engine takes for JSON leaves as JSON that a strict reader reads."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway.strict_json import strict, strict_sql

_CONNECTION = duckdb.connect(config={"threads": 1})
# Text of the engine's JSON → what a strict reader must find.
REWRITTEN = {
    "nan": "NaN",
    "-NaN": "NaN",
    "[NAN, inf, -INF , Infinity]": ["NaN", "Infinity", "-Infinity", "Infinity"],
    '{"a":NaN,}': {"a": "NaN"},
    "[1, [2 , ] ,\n]": [1, [2]],
    '{"a":\r\n\t1}': {"a": 1},
    r'["nan,]", "\"inf,}", "\\",]': ["nan,]", '"inf,}', "\\"],
    '{"nan": "information, naïve"}': {"nan": "information, naïve"},
}
_SPACE = st.sampled_from(["", "", " ", "\n", "\t "])
_LEAVES = st.sampled_from(
    ["nan", "-inf", "Infinity", "1.50", "true", "null", '"inf,]"', r'"\"nan"', r'"\\"', '" nan"']
)
TEXTS = st.recursive(
    _LEAVES,
    lambda of: st.tuples(st.lists(of, min_size=1, max_size=3), _SPACE, st.booleans()).map(
        lambda drawn: (
            f"[{drawn[1]}{f',{drawn[1]}'.join(drawn[0])}{',' if drawn[2] else ''}{drawn[1]}]"
        )
    ),
)


def read(text: str) -> Any:
    def refuse(name: str) -> None:
        raise ValueError(name)

    return json.loads(text, parse_constant=refuse)


def by_engine(text: str) -> str:
    return _CONNECTION.execute(f"SELECT {strict_sql('$1::JSON')}", [text]).fetchone()[0]


@pytest.mark.parametrize("text", REWRITTEN)
def test_what_no_json_has_is_rewritten(text):
    assert read(strict(text)) == REWRITTEN[text]
    assert by_engine(text) == strict(text)
    assert "\n" not in strict(text)


@pytest.mark.parametrize("text", ['{"a": 1.50,"b":1e400}', r'"ữ\u000b\/"', "12345678901234567890"])
def test_all_else_stays_to_the_letter(text):
    assert strict(text) == by_engine(text) == text


def test_made_up_texts():
    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(TEXTS)
    def check(text):
        assert by_engine(text) == strict(text)
        read(strict(text))

    check()


NESTED = {
    "json_object('v', 'nan'::DOUBLE)": {"v": "NaN"},
    "to_json('inf'::DOUBLE)": "Infinity",
    "'[1,2,]'::JSON": [1, 2],
    """'{"a":\n1}'::JSON""": {"a": 1},
    "['[1,]'::JSON, NULL]": [[1], None],
    "{'j': 'nan'::JSON}": {"j": "NaN"},
    "MAP {'k': '[\n1]'::JSON}": {"k": [1]},
}


@pytest.mark.parametrize("rows", [1, 5000])
@pytest.mark.parametrize("sql", NESTED)
def test_answers_are_strict(gateway, sql, rows):
    asked = f"SELECT {sql} AS x FROM range({rows})"
    lines = gateway.sql(asked, format="ndjson").text.splitlines()
    assert len(lines) == rows
    assert read(lines[-1]) == {"x": NESTED[sql]}
    assert read(gateway.sql(asked).text)["rows"][-1] == {"x": NESTED[sql]}


def test_geojson_is_strict(gateway):
    point = "0101000000000000000000F03F0000000000000040"
    sql = f"SELECT st_geomfromwkb(unhex('{point}')) AS g, 'nan'::JSON AS x"
    answer = gateway.sql(sql, format="geojson")
    assert answer.status_code == 200, answer.text
    assert read(answer.text)["features"][0]["properties"] == {"x": "NaN"}


@pytest.mark.parametrize("number", ["F87F", "F07F", "F0FF"])
def test_a_geometry_without_a_place_is_null_in_geojson(gateway, number):
    sql = f"SELECT st_geomfromwkb(unhex('0101000000000000000000{number}0000000000000040')) AS g"
    assert read(gateway.sql(sql, format="geojson").text)["features"][0]["geometry"] is None


def test_csv_has_the_same_text(gateway):
    assert gateway.sql("SELECT '[nan,]'::JSON AS x", format="csv").text == '"x"\n"[""NaN""]"\n'
