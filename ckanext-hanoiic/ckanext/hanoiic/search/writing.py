"""Rows of documents → the index's tables."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence

import sqlalchemy as sa

from .document import LARGE_FIELDS, Row
from .everything import note_write
from .layout import COUNTED, counted_column, value_id

# What a row of `entry` is made of, and each column's type: the rows arrive as arrays of text.
_KINDS = {
    "index_id": "text",
    "sorts": "jsonb",
    "infix": "text",
    "headline": "tsvector",
    "exact": "jsonb",
    "lexemes": "tsvector",
    **{counted_column(field): "bytea" for field in COUNTED},
}
_BODY = {"stored": "jsonb", **dict.fromkeys(LARGE_FIELDS, "text")}
WRITE_ROWS = (  # noqa: S608 (made of the names above)
    "WITH given AS (SELECT * FROM unnest({arrays}) AS g({given})),"
    " written AS (INSERT INTO hanoiic_search.entry ({columns}) SELECT {values} FROM given"
    ' ORDER BY index_id COLLATE "C"'
    " ON CONFLICT (index_id) DO UPDATE SET {changes} RETURNING number, index_id)"
    " INSERT INTO hanoiic_search.body (number, {bodies}) SELECT number, {body_values}"
    " FROM written JOIN given USING (index_id)"
    " ON CONFLICT (number) DO UPDATE SET {body_changes}"
).format(
    arrays=", ".join(["%b::text[]"] * (len(_KINDS) + len(_BODY))),
    given=", ".join([*_KINDS, *_BODY]),
    columns=", ".join(_KINDS),
    values=", ".join(f"{column}::{kind}" for column, kind in _KINDS.items()),
    changes=", ".join(f"{column} = excluded.{column}" for column in list(_KINDS)[1:]),
    bodies=", ".join(_BODY),
    body_values=", ".join(f"{column}::{kind}" for column, kind in _BODY.items()),
    body_changes=", ".join(f"{column} = excluded.{column}" for column in _BODY),
)
# In one order everywhere, so that two writers never wait for each other in a circle.
WRITE_VOCABULARY = (
    "INSERT INTO hanoiic_search.vocabulary (field, word)"
    " SELECT n.field, n.word FROM unnest(%s::text[], %s::text[]) AS n(field, word)"
    ' WHERE NOT EXISTS (SELECT FROM hanoiic_search.vocabulary v WHERE v.field = n.field COLLATE "C"'
    ' AND v.word = n.word COLLATE "C")'
    ' ORDER BY n.field COLLATE "C", n.word COLLATE "C" ON CONFLICT DO NOTHING'
)
WRITE_VALUES = (
    "INSERT INTO hanoiic_search.value (id, value)"
    " SELECT n.id, n.value FROM unnest(%s::bigint[], %s::text[]) AS n(id, value)"
    " WHERE NOT EXISTS (SELECT FROM hanoiic_search.value v WHERE v.id = n.id)"
    " ORDER BY n.id ON CONFLICT DO NOTHING"
)

# Letters as they are: the database need not put them together again.
_json = json.JSONEncoder(ensure_ascii=False).encode


def write(connection: sa.Connection, rows: Sequence[Row]) -> None:
    """Write the rows, replacing those with the same ``index_id``; of two such the last counts."""
    last = {row.index_id: row for row in rows}
    columns = zip(*(_written(row) for row in last.values()), strict=True)
    connection.exec_driver_sql(WRITE_ROWS, tuple(map(list, columns)))
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        for field, its_words in row.words.items():
            found[field].update(its_words)
    words = [(field, word) for field in sorted(found) for word in sorted(found[field])]
    connection.exec_driver_sql(
        WRITE_VOCABULARY, ([field for field, _ in words], [word for _, word in words])
    )
    values = sorted({value for row in rows for value in row.counted_values()})
    connection.exec_driver_sql(WRITE_VALUES, (list(map(value_id, values)), values))
    note_write(connection)


def _written(row: Row) -> tuple[str | None, ...]:
    counted = row.counted()
    return (
        row.index_id,
        _json(row.sorts()),
        row.infix_lines(),
        row.headline(),
        _json(row.exact),
        row.tsvector(),
        *(f"\\x{counted[field].hex()}" if field in counted else None for field in COUNTED),
        _json(row.stored),
        *(row.large.get(name) for name in LARGE_FIELDS),
    )
