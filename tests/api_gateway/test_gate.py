"""The statement gate: what it serves, what it counts as a table, and that nothing surprises it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway import allowed, gate
from api_gateway.elsewhere import SAID_HERE
from api_gateway.errors import FunctionRefused, GatewayError, StatementRefused
from tests.api_gateway.hostile import attacks

SERIALIZE = "SELECT json_serialize_sql(?::VARCHAR, skip_null := true, skip_empty := true)"
DATA = Path(__file__).parents[1] / "data"
SERVED = [json.loads(line)["sql"] for line in (DATA / "served_sql.jsonl").read_text().splitlines()]
HOSTILE = [attack.sql for attack in attacks() if len(attack.sql) < 2000]
engine = duckdb.connect()
engine.execute("SET max_expression_depth = 250")


def read(sql: str) -> gate.Statement:
    """The gate's reading of `sql`, as a query process would prepare it."""
    gate.measure(sql)
    parsed = text(SERIALIZE, sql)
    gate.check(parsed, sql)
    printed = text("SELECT json_deserialize_sql(?::JSON)", parsed)
    return gate.accept(sql, parsed, printed, text(SERIALIZE, printed))


def text(statement: str, argument: str) -> str:
    return engine.execute(statement, [argument]).fetchone()[0]


@pytest.mark.parametrize("sql", SERVED, ids=lambda sql: sql[:60])
def test_plain_select_in_every_shape_is_served(sql):
    assert read(sql).sql


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT 1", ()),
        ("FROM Bus_Stops", ("bus_stops",)),
        ('FROM "bus_stops" b, b AS c', ("b", "bus_stops")),
        ("WITH w AS (FROM a) SELECT * FROM w, W", ("a",)),
        ("WITH a AS (FROM a) SELECT * FROM a", ("a",)),
        # The engine folds the letters of ASCII alone: this name is not that of the CTE.
        ('WITH "ſecret" AS (SELECT 1) FROM secret', ("secret",)),
        ("WITH a AS (FROM b), b AS (FROM c) SELECT * FROM a, b", ("b", "c")),
        ("WITH RECURSIVE r AS (FROM a UNION ALL FROM r) FROM r", ("a",)),
        ("SELECT (WITH w AS (SELECT 1) FROM w), (SELECT max(x) FROM w)", ("w",)),
        ("SELECT * FROM (WITH w AS (FROM a) FROM w) JOIN w USING (x)", ("a", "w")),
        ("FROM a UNION FROM b EXCEPT FROM c", ("a", "b", "c")),
        ("SELECT [x FOR x IN (SELECT list(y) FROM a)], EXISTS (FROM b)", ("a", "b")),
        ("SELECT x IN (FROM a) FROM b ORDER BY (SELECT 1 FROM c) LIMIT (SELECT 2 FROM d)",
         ("a", "b", "c", "d")),
        ("PIVOT a ON x IN (1, 2) USING sum((SELECT max(y) FROM b))", ("a", "b")),
        ("DESCRIBE a", ("a",)),
        ("SUMMARIZE FROM a", ("a",)),
        ("SELECT * FROM range((SELECT max(x) FROM a))", ("a",)),
        ("SELECT sum(x) OVER (ORDER BY (SELECT 1 FROM a)) FROM b", ("a", "b")),
        ("SELECT count(*) FILTER (EXISTS (FROM a)) FROM b", ("a", "b")),
        ("SELECT * REPLACE ((SELECT 1 FROM a) AS x) FROM b", ("a", "b")),
        ("VALUES ((SELECT 1 FROM a))", ("a",)),
        ("SELECT DISTINCT ON ((SELECT 1 FROM a)) x FROM b", ("a", "b")),
        ("SELECT CASE WHEN EXISTS (FROM a) THEN (SELECT 1 FROM b) ELSE (SELECT 2 FROM c) END",
         ("a", "b", "c")),
    ],
)  # fmt: skip
def test_tables_of_a_statement(sql, tables):
    assert tuple(sorted(read(sql).tables)) == tables


@pytest.mark.parametrize(
    "sql",
    ["SELECT * EXCLUDE (b.id) FROM b, b c", "SELECT * RENAME (b.id AS x) FROM b",
     "SELECT b.* EXCLUDE (b.id, x) FROM b",
     "SELECT enum_range(NULL::ENUM('x', 'y')), enum_code(x::ENUM('x')) FROM b"],
)  # fmt: skip
def test_harmless_words_of_analysts_are_served(sql):
    assert read(sql).tables == ("b",)


@pytest.mark.parametrize("name", ["current_user", "CURRENT_CATALOG", '"session_user"'])
def test_a_function_that_is_not_served_has_no_name_either(name):
    with pytest.raises(FunctionRefused):
        read(f"SELECT {name}")
    # A source's column is that; `user` may be one without its source too.
    assert read(f"SELECT b.{name}, user FROM b").tables == ("b",)


def test_a_column_left_out_names_no_other_table():
    tree = json.loads(text(SERIALIZE, "SELECT * EXCLUDE (b.id) FROM b"))
    star = tree["statements"][0]["node"]["select_list"][0]
    for told in ({"table": "b"}, {"table": {"type": "BASE_TABLE"}, "column": "id"}):
        star["qualified_exclude_list"] = [told]
        with pytest.raises(StatementRefused):
            gate.check(json.dumps(tree), "")
    with pytest.raises(StatementRefused):
        read("SELECT * EXCLUDE (s.b.id) FROM b")


def test_what_runs_is_what_was_judged():
    sql = "SELECT 1 /* a remark */ AS \"x\"\"y\", 'it''s', $$dollar$$ FROM bus -- the end"
    again = read(read(sql).sql)
    assert again == read(sql)
    assert "--" not in again.sql


def test_two_readings_of_one_statement_are_refused():
    one, other = (text(SERIALIZE, f"FROM {name}") for name in "ab")
    with pytest.raises(StatementRefused):
        gate.accept("FROM a", one, "FROM b", other)


def test_tree_with_anything_new_in_it_is_refused():
    tree = json.loads(text(SERIALIZE, "SELECT x FROM a WHERE y IN (1, 2)"))
    gate.check(json.dumps(tree), "")
    for place in _dicts(tree["statements"][0]):
        for key, value in (("class", "NEW"), ("type", "NEW_NODE"), ("new_part", 1)):
            old = dict(place)
            # An expression's class is what counts, and a node's type: their parts are the engine's.
            if "class" in place and key != "class":
                continue
            if key == "new_part" and isinstance(place.get("type"), str):
                continue
            place[key] = value
            with pytest.raises(StatementRefused):
                gate.check(json.dumps(tree), "")
            place.clear()
            place.update(old)


def _dicts(value):
    found = []
    if isinstance(value, dict):
        found.append(value)
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            found += _dicts(item)
    return found


def test_frozen_functions_exist_in_the_engine_and_none_reaches_outside():
    rows = engine.execute(
        "SELECT function_name, list(DISTINCT function_type) FROM duckdb_functions() GROUP BY 1"
    ).fetchall()
    kinds = {name.lower(): set(types) for name, types in rows}
    special = {"unnest"}
    known = set(kinds) | special
    assert allowed.allowed_functions() <= known, allowed.allowed_functions() - known
    both = {"generate_series", "range", "repeat"}
    reaching = {name for name, types in kinds.items() if types & {"table", "table_macro", "pragma"}}
    assert allowed.allowed_functions() & reaching <= special | both
    forbidden = {
        "current_setting", "getvariable", "getenv", "json_execute_serialized_sql", "nextval",
        "json_deserialize_sql", "json_serialize_plan", "list_aggregate", "pg_sleep", "query",
        "query_table", "setseed", "sleep_ms", "write_log", "histogram", "error",
    }  # fmt: skip
    assert not allowed.allowed_functions() & forbidden


def test_what_other_databases_call_otherwise_is_said_here_in_words_that_run():
    assert not SAID_HERE.keys() & allowed.allowed_functions()
    for said in SAID_HERE.values():
        engine.execute(read(f"SELECT {said}").sql).fetchall()
    with pytest.raises(FunctionRefused) as refused:
        read("SELECT 1, to_char(now(), 'DD')")
    assert "strftime(" in refused.value.facts["hint"]
    assert "suggestions" not in refused.value.facts
    with pytest.raises(FunctionRefused) as refused:
        read("FROM read_csv('x')")
    assert refused.value.facts["position"] == 5


@pytest.mark.parametrize(
    ("sql", "hint"),
    [
        ("FROM information_schema.tables", "GET /v1/tables"),
        ("FROM pg_catalog.pg_tables", "GET /v1/tables"),
        ("FROM main.wards", "wards"),
    ],
)
def test_a_name_with_a_schema_is_refused_with_what_was_meant(sql, hint):
    with pytest.raises(StatementRefused) as refused:
        read(sql)
    assert refused.value.facts["hint"].startswith(hint)


_PIECES = """
SELECT FROM WHERE WITH RECURSIVE AS UNION ALL ( ) , ; * COPY TO INSERT INTO VALUES CREATE TABLE
PRAGMA SET ATTACH 'f.csv' "a/b" a b x 1 NULL read_csv read_text query EXPLAIN SHOW DESCRIBE PIVOT ON
USING IN EXISTS JOIN LATERAL :: [ ] { } ' " -- /* */ $1 ? . := -> lambda : CASE WHEN THEN END OVER
ORDER BY LIMIT GROUP EXPORT DATABASE LOAD CALL DROP ơ \x00
"""
WORDS = st.sampled_from(_PIECES.split())


@settings(max_examples=int(os.environ.get("HANOIIC_FUZZ_STATEMENTS", "400")), deadline=None)
@given(
    st.one_of(
        st.text(max_size=200),
        st.lists(WORDS, max_size=25).map(" ".join),
        st.tuples(st.sampled_from(SERVED + HOSTILE), st.lists(WORDS, max_size=4)).map(
            lambda pair: pair[0] + " " + " ".join(pair[1])
        ),
        st.tuples(st.sampled_from(SERVED + HOSTILE), st.integers(0, 80), WORDS).map(
            lambda cut: f"{cut[0][: cut[1]]} {cut[2]} {cut[0][cut[1] :]}"
        ),
    )
)
def test_whatever_comes_is_refused_or_one_select(sql):
    try:
        statement = read(sql)
    except (GatewayError, duckdb.Error):
        return
    (parsed,) = duckdb.extract_statements(statement.sql)
    assert parsed.type == duckdb.StatementType.SELECT
    plan = statement.sql.upper()
    tree = text(SERIALIZE, statement.sql)
    for word in ("COPY_QUERY_NODE", "INSERT_QUERY_NODE", "UPDATE_QUERY_NODE", "DELETE_QUERY_NODE"):
        assert word not in tree, plan
    for name in statement.tables:
        assert name.replace("_", "a").isalnum()
