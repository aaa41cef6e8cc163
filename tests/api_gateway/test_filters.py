"""Whatever an address says becomes one SELECT of the table with bound values, or an error."""

from __future__ import annotations

import contextlib

import duckdb
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
