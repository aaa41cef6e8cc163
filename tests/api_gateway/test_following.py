"""Where columns are from: each value here says it of itself, and the engine is asked."""

from __future__ import annotations

import json
import time

import duckdb
import pytest

from api_gateway import following, origins
from api_gateway.formats import unique
from lake import Column
from tests.api_gateway.test_gate import SERIALIZE

TABLES = {"air": ("id", "Value", "q"), "water": ("id", "value", "z")}
COLUMNS = {
    table: {name.casefold(): Column(name, "string", title=f"{table}.{name}") for name in names}
    for table, names in TABLES.items()
}
JOINED = "air a JOIN water w ON true"


@pytest.fixture(scope="module")
def engine():
    connection = duckdb.connect()
    for table, names in TABLES.items():
        said = ", ".join(f"'{table}.{name}' AS \"{name}\"" for name in names)
        connection.execute(f"CREATE TABLE {table} AS SELECT {said}")
    return connection


def followed(engine, sql):
    (tree,) = engine.execute(SERIALIZE, [sql]).fetchone()
    select = origins.read(json.loads(tree))
    assert origins.unpacked(json.loads(json.dumps(origins.packed(select)))) == select
    found = following.resolve(select, COLUMNS.__getitem__)
    return {name: column.title for name, column in found.items()}


@pytest.mark.parametrize(
    ("sql", "known"),
    [
        (f"SELECT a.q, w.z AS q FROM {JOINED}", 2),
        (f"SELECT w.value, w.value, w.id AS value_1 FROM {JOINED}", 3),
        (f"SELECT a.*, w.value FROM {JOINED}", 4),
        (f"SELECT * FROM {JOINED}", 6),
        ("SELECT * FROM air a(x, y)", 3),
        ("SELECT * FROM (SELECT id, id FROM air) a", 2),
        ("WITH k(x) AS (SELECT id, q FROM air) SELECT * FROM k AS j(id)", 2),
        ("WITH air AS (SELECT z AS q FROM water) SELECT * FROM air", 1),
        ("WITH \"ſ\" AS (SELECT id AS q FROM water), s AS (FROM air) SELECT q FROM s", 1),
        (f"SELECT * EXCLUDE (a.id, q) FROM {JOINED}", 4),
        (f"SELECT * EXCLUDE (a.id) FROM {JOINED}", 5),
        ("SELECT * RENAME (id AS q, q AS id) FROM air", 3),
        (f"SELECT * RENAME (w.id AS value) FROM {JOINED}", 6),
        (f"SELECT * REPLACE (1 AS id) FROM {JOINED}", 4),
        ("SELECT * REPLACE (1 AS id) RENAME (q AS id) FROM air", 2),
        # Only one side of these is in the answer, or the value may be of either.
        ("SELECT *, 1 AS z FROM air SEMI JOIN water ON true", 3),
        ("SELECT * FROM air JOIN water USING (id)", 5),
        ("SELECT * FROM air RIGHT JOIN water USING (id)", 4),
        ("SELECT id FROM air FULL JOIN water USING (id)", 0),
        ("SELECT id FROM air LEFT JOIN water USING (id)", 1),
        ("SELECT * EXCLUDE (a.id) FROM air a LEFT JOIN water USING (id)", 0),
        ("SELECT * FROM air NATURAL FULL JOIN (SELECT id, z FROM water)", 3),
        ("SELECT * FROM water w, (air a LEFT JOIN water v USING (id))", 8),
        ("SELECT id FROM (FROM (VALUES ('c')) UNION FROM (VALUES ('d'))) u(id) "
         "LEFT JOIN air USING (id)", 0),
        ("SELECT id FROM air RIGHT JOIN (VALUES ('c')) v(id) USING (id)", 0),
        # Computed columns with the names of others.
        ("SELECT * FROM (VALUES (1, 2)) v(q, value), air", 3),
        ("SELECT * FROM range(1) r(id), air", 3),
        ("SELECT * FROM unnest([1]) u(q, id), air", 3),
        ("SELECT u.* FROM (SELECT {'q': 1} AS u), air", 0),
        ("SELECT * FROM (PIVOT (SELECT 1 AS x, 2 AS q) ON x IN (1) USING max(q) GROUP BY q), air",
         0),
        ("SELECT v.q FROM air, LATERAL (SELECT upper(air.q) AS q) v", 0),
        ("SELECT upper(q) AS value, value AS q FROM air", 1),
        ("SELECT q::VARCHAR, q::VARCHAR AS x FROM air", 1),
        ("SELECT max(COLUMNS(*)), id FROM air GROUP BY id", 0),
        ("SELECT COLUMNS(*) AS x, q AS x_1 FROM air", 0),
        ("SELECT id FROM air UNION SELECT id FROM water", 0),
    ],
)  # fmt: skip
def test_columns_are_of_the_table_that_their_values_name(engine, sql, known):
    found = followed(engine, sql)
    answer = engine.execute(sql)
    names = unique(name for name, *_ in answer.description)
    (row,) = answer.fetchmany(1) or [(None,) * len(names)]
    values = dict(zip(names, row, strict=True))
    assert found == {name: values[name] or found[name] for name in found}
    assert len(found) == known


def test_what_multiplies_itself_is_given_up_soon(engine):
    sql = "FROM air"
    for _ in range(40):
        sql = f"SELECT *, *, * FROM ({sql}) s"
    started = time.process_time()
    assert followed(engine, sql) == {}
    joins = " JOIN ".join(["air", *(f"water w{number} USING (id)" for number in range(200))])
    assert len(followed(engine, f"SELECT air.* FROM {joins}")) in (0, 3)
    assert time.process_time() - started < 5
