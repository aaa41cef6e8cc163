"""Hypothesis strategies: Vietnamese text, columns of every type, tables."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pyarrow as pa
from hypothesis import strategies as st

from lake import names, schema

VIETNAMESE = "aăâbcdđeêghiklmnoôơpqrstuưvxyAĐƠàáảãạằắẳẵặồốổỗộừứửữự 0123456789.,()/%µ³°-_'\""
text = st.text(VIETNAMESE, max_size=40) | st.text(max_size=20)

INT64 = st.integers(-(2**63), 2**63 - 1)
VALUES: dict[str, st.SearchStrategy] = {
    "string": st.text(max_size=20),
    "boolean": st.booleans(),
    "int64": INT64,
    "float64": st.floats(allow_nan=False),
    "decimal(38,10)": st.decimals(
        min_value=Decimal("-1e27"), max_value=Decimal("1e27"), places=10, allow_nan=False
    ),
    "decimal(5,2)": st.decimals(min_value=-999, max_value=999, places=2),
    "date": st.dates(),
    "timestamp": st.datetimes(
        min_value=datetime.datetime(1600, 1, 1),  # noqa: DTZ001 the strategy adds the zone
        max_value=datetime.datetime(2200, 1, 1),  # noqa: DTZ001
        timezones=st.just(datetime.UTC),
    ),
    "time": st.times(),
    "binary": st.binary(max_size=20),
    "geometry": st.binary(max_size=20),
    "list<string>": st.lists(st.none() | st.text(max_size=5), max_size=4),
    "list<int64>": st.lists(st.none() | INT64, max_size=4),
    "list<list<decimal(5,2)>>": st.lists(
        st.none() | st.lists(st.none() | st.decimals(-999, 999, places=2), max_size=3), max_size=3
    ),
}


@st.composite
def tables(draw, *, max_columns: int = 4, max_rows: int = 8) -> tuple[list[schema.Column], list]:
    """Columns and rows (dicts) of a table the lake keeps."""
    raw = draw(st.lists(text, min_size=1, max_size=max_columns))
    columns = [
        schema.Column(
            name, draw(st.sampled_from(sorted(VALUES))), unit=draw(st.sampled_from(["", "µg/m³"]))
        )
        for name in names.column_names(raw)
    ]
    row = st.fixed_dictionaries({c.name: st.none() | VALUES[c.type] for c in columns})
    return columns, draw(st.lists(row, max_size=max_rows))


def arrow(columns: list[schema.Column], rows: list[dict]) -> pa.Table:
    """The rows as harvesters hand them over: `time` columns are Arrow times."""
    stored = schema.to_arrow(columns)
    given = pa.schema(
        [
            field.with_type(pa.time64("us")) if column.type == "time" else field
            for column, field in zip(columns, stored, strict=True)
        ]
    )
    return pa.Table.from_pylist(rows, schema=given)


def rows_of(table, number: int) -> list[dict]:
    """The rows of a published version, as Python values."""
    return [row for batch in table.batches(number) for row in batch.to_pylist()]
