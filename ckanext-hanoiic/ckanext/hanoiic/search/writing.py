"""Rows of documents → the index's tables."""

from __future__ import annotations

import json
from collections.abc import Sequence

import sqlalchemy as sa

from .document import LARGE_FIELDS, Row
from .everything import note_write
from .layout import COUNTED, counted_column, value_id

_COLUMNS = (
    "index_id",
    "sorts",
    "infix",
    "headline",
    "exact",
    "lexemes",
    *(counted_column(field) for field in COUNTED),
)
_KINDS = {"sorts": "jsonb", "exact": "jsonb", "headline": "tsvector", "lexemes": "tsvector"}
WRITE_ENTRY = (  # noqa: S608 (made of the names above)
    "INSERT INTO hanoiic_search.entry ({columns}) VALUES ({values})"
    " ON CONFLICT (index_id) DO UPDATE SET {changes} RETURNING number"
).format(
    columns=", ".join(_COLUMNS),
    values=", ".join(f"%s::{_KINDS[c]}" if c in _KINDS else "%s" for c in _COLUMNS),
    changes=", ".join(f"{column} = excluded.{column}" for column in _COLUMNS[1:]),
)
WRITE_BODY = (
    "INSERT INTO hanoiic_search.body VALUES (%s, %s::jsonb, %s, %s)"
    " ON CONFLICT (number) DO UPDATE SET"
    " stored = excluded.stored, data_dict = excluded.data_dict,"
    " validated_data_dict = excluded.validated_data_dict"
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


def write(connection: sa.Connection, rows: Sequence[Row]) -> None:
    """Write the rows, replacing those with the same ``index_id``."""
    for row in sorted(rows, key=lambda row: row.index_id):
        number = connection.exec_driver_sql(WRITE_ENTRY, _entry(row)).scalar_one()
        connection.exec_driver_sql(
            WRITE_BODY,
            (number, json.dumps(row.stored), *(row.large.get(name) for name in LARGE_FIELDS)),
        )
    words = sorted({pair for row in rows for pair in row.vocabulary})
    connection.exec_driver_sql(
        WRITE_VOCABULARY, ([field for field, _ in words], [word for _, word in words])
    )
    values = sorted({value for row in rows for value in row.counted_values()})
    connection.exec_driver_sql(WRITE_VALUES, (list(map(value_id, values)), values))
    note_write(connection)


def _entry(row: Row) -> tuple[object, ...]:
    counted = row.counted()
    return (
        row.index_id,
        json.dumps(row.sorts()),
        row.infix_lines(),
        row.headline(),
        json.dumps(row.exact),
        row.tsvector(),
        *(
            counted.get(field) if several else next(iter(counted.get(field, ())), None)
            for field, several in COUNTED.items()
        ),
    )
