"""Whatever an address says becomes one SELECT of the table with bound values, or an error."""

from __future__ import annotations

import contextlib

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway import filters, gate
from api_gateway.errors import FilterInvalid
from api_gateway.filter_sql import Compiled, compile_rows
from lake import Column

COLUMNS = [
    Column("mã", "int64", ascii="ma"),
    Column('tên "lạ"; --', "string", ascii="ten_la"),
    Column("giá", "decimal(9,2)", ascii="gia"),
    Column("lúc", "timestamp", ascii="luc"),
    Column("nhãn", "list<string>", ascii="nhan"),
    Column("chỗ", "geometry", ascii="cho"),
]
MADE = (
    'CREATE TABLE t ("mã" BIGINT, "tên ""lạ""; --" VARCHAR, "giá" DECIMAL(9,2), '
    '"lúc" TIMESTAMPTZ, "nhãn" VARCHAR[], "chỗ" BLOB)'
)
SERIALIZE = "SELECT json_serialize_sql(?::VARCHAR, skip_null := true, skip_empty := true)"

names = st.sampled_from(["mã", "ma", "ten_la", '"tên \\"lạ\\"; --"', "gia", "luc", "nhan", "cho"])
values = st.one_of(
    st.sampled_from(["1", "-5", "2.5", "null", "true", "{a,b}", "(1,2)", "2026-01-01", "'; --"]),
    st.text(max_size=12),
)
operators = st.sampled_from(sorted(filters.OPERATORS))
compares = st.builds("{}{}.{}".format, st.sampled_from(["", "not."]), operators, values)
conditions = st.recursive(
    st.builds("{}.{}".format, names, compares),
    lambda inner: st.builds(
        "{}({})".format,
        st.sampled_from(["and", "or", "not.and", "not.or"]),
        st.lists(inner, min_size=1, max_size=3).map(",".join),
    ),
    max_leaves=6,
)
pairs = st.one_of(
    st.tuples(names, compares),
    st.tuples(st.sampled_from(["and", "or", "not.or"]), conditions.map("({})".format)),
    st.tuples(st.just("select"), st.lists(names, min_size=1, max_size=3).map(",".join)),
    st.tuples(st.just("order"), st.builds("{}.desc.nullslast".format, names)),
    st.tuples(st.sampled_from(["after", "limit", "offset", "select", "order"]), values),
    st.tuples(st.text(max_size=8), st.text(max_size=20)),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(pairs, max_size=5))
def test_any_address_is_one_judged_select_or_an_error(said):
    engine = _engine()
    try:
        made = compile_rows("t", filters.read(said), COLUMNS, None)
    except FilterInvalid as refused:
        error = refused
    else:
        _require_judged(engine, made)
        return
    assert error.facts["parameter"] in {name for name, _ in said}
    assert error.facts["position"] >= 0


def _require_judged(engine: duckdb.DuckDBPyConnection, made: Compiled) -> None:
    (tree,) = engine.execute(SERIALIZE, [made.statement.sql]).fetchone()
    assert gate.check(tree, made.statement.sql) == ("t",)
    for sql, params in (
        (made.statement.sql, made.params), (made.counted_sql, made.counted_params)
    ):  # fmt: skip
        # A pattern that is none is the only thing left to the engine.
        with contextlib.suppress(duckdb.InvalidInputException):
            engine.execute(sql, params).fetchall()


_made: list[duckdb.DuckDBPyConnection] = []


def _engine() -> duckdb.DuckDBPyConnection:
    if not _made:
        _made.append(duckdb.connect())
        _made[0].execute(MADE)
    return _made[0]


KINDS = [
    Column("id", "int64"),
    Column("text", "string"),
    Column("small", "decimal(9,2)"),
    Column("wide", "decimal(38,9)"),
    Column("list", "list<string>"),
]
KINDS_MADE = """
CREATE TABLE kinds AS SELECT * FROM (VALUES
    (1, '50% off', 0.00, 0.123456789, ['a']),
    (2, '50 off', 0.01, 12345678901234567890.123456789, ['a', NULL]),
    (3, 'a_b', -1.50, -0.000000001, []),
    (4, 'a\\b', 9999999.99, 0, NULL),
    (5, NULL, NULL, NULL, ['b', 'a'])
) AS v(id, "text", small, wide, "list")
"""
MEANT = [
    ("text", "like.50\\%*", [1]),
    ("text", "ilike.A\\_*", [3]),
    ("text", "like.*\\\\*", [4]),
    ("text", 'like(any).{"50\\\\%*","a\\\\_b"}', [1, 3]),
    ("text", "not.like.50\\%*", [2, 3, 4]),
    ("list", "cs.{NULL}", []),
    ("list", "not.cs.{NULL}", [1, 2, 3, 5]),
    ("list", "cs.{a,NULL}", []),
    ("list", "cs.{a}", [1, 2, 5]),
    ("list", "cd.{a}", [1, 3]),
    ("list", "cd.{a,NULL}", [1, 3]),
    ("list", "ov.{NULL}", []),
    ("list", "ov.{a,NULL}", [1, 2, 5]),
    ("wide", "gt.0.12345678901234567890", [2]),
    ("wide", "gte.0.1234567885", [1, 2]),
    ("wide", "lt.1e-30", [3, 4]),
    ("wide", "gt.-1e-30", [1, 2, 4]),
    ("wide", "lt.1e30", [1, 2, 3, 4]),
    ("wide", "gt.-1e300", [1, 2, 3, 4]),
    ("wide", "eq.12345678901234567890.123456789", [2]),
    ("wide", "in.(12345678901234567890.123456788,0,1e40)", [4]),
    ("small", "lte.0.005", [1, 3]),
    ("small", "lt.-1.499", [3]),
    ("small", "neq.0.001", [1, 2, 3, 4]),
    ("small", "gte.100000000", []),
    ("small", "eq.-1.5000", [3]),
    ("or", "(id.eq.1, and(id.gt.1, id.lt.3) , id.eq.5)", [1, 2, 5]),
]


@pytest.mark.parametrize(("name", "said", "found"), MEANT)
def test_filters_mean_what_they_do_in_postgresql(name, said, found):
    made = compile_rows(
        "kinds", filters.read([(name, said), ("select", "id"), ("order", "id")]), KINDS, None
    )
    with duckdb.connect() as engine:
        engine.execute(KINDS_MADE)
        for column in KINDS[2:4]:
            kind = column.type.upper()
            engine.execute(f"ALTER TABLE kinds ALTER {column.name} TYPE {kind}")
        rows = engine.execute(made.statement.sql, made.params).fetchall()
    assert [code for (code,) in rows] == found


def test_a_pattern_does_not_end_with_its_escape():
    with pytest.raises(FilterInvalid):
        compile_rows("kinds", filters.read([("text", "like.a\\")]), KINDS, None)


@settings(max_examples=200, deadline=None)
@given(st.text(min_size=1, max_size=30))
def test_a_value_is_bound_and_never_a_part_of_the_sql(text):
    made = compile_rows("t", filters.read([("ten_la", f"eq.{text}")]), COLUMNS, None)
    assert made.params == [text]
    assert made.statement.sql == (
        'SELECT * FROM "t" WHERE ("t"."tên ""lạ""; --" = CAST(? AS VARCHAR))'
    )


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=10), min_size=1, max_size=4))
def test_quoted_words_come_through_as_they_are(words):
    quoted = ",".join('"' + w.replace("\\", "\\\\").replace('"', '\\"') + '"' for w in words)
    made = compile_rows("t", filters.read([("or", f"(ten_la.in.({quoted}))")]), COLUMNS, None)
    assert made.params == words
