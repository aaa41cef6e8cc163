"""Rows that an API gave, as one file that says itself what its columns are.

The first line is a JSON object: `columns` (of each its `name`, `type`, `unit`, `description`),
`places` (whether a row ends with a geometry) and `messages` (what the officer should know). Every
other line is a row: a JSON list with a value for each column, and then perhaps a geometry of
GeoJSON. The last line may be one more object with `messages`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from shapely.errors import ShapelyError
from shapely.geometry import shape

from harvesters import decode as decoding
from harvesters.connectors import records
from harvesters.connectors.ndjson import lines
from harvesters.errors import ApiRefused, TableEmpty, TooManyColumns
from harvesters.mending import mend
from harvesters.pages import line
from harvesters.rawtable import MAX_COLUMNS, RawColumn, RawTable, sign_of, text_schema
from harvesters.readers import places
from harvesters.source import Options
from harvesters.unreadable import Unreadable
from harvesters.workbench import Workbench
from lake.rejected import Rejected

_SHOWN_LETTERS = 10_000


@dataclass(frozen=True)
class TypedColumn:
    """A column as the API describes it; without a `type` it is inferred from the values."""

    name: str
    type: str | None = None
    unit: str | None = None
    description: str | None = None


def head(
    columns: Sequence[TypedColumn], *, has_places: bool = False, messages: Iterable[str] = ()
) -> bytes:
    """The first line of such a file. Raises TooManyColumns, ApiRefused (no columns)."""
    if not columns and not has_places:
        raise ApiRefused("The source describes a table without columns.")
    if len(columns) > MAX_COLUMNS:
        raise TooManyColumns(f"The table has {len(columns)} columns; {MAX_COLUMNS} are allowed.")
    about = {
        "columns": [asdict(column) for column in columns],
        "places": has_places,
        "messages": list(messages),
    }
    return line(about)


def tail(messages: Iterable[str]) -> bytes:
    """The last line of such a file: what is known only when all rows are."""
    return line({"messages": list(messages)})


def decode(path: Path, options: Options, bench: Workbench) -> list[RawTable]:
    """The file's one table; a row whose geometry can't be read is a rejected one.

    Raises TableEmpty.
    """
    about = json.loads(next(_lines(path)))
    columns = [TypedColumn(**column) for column in about["columns"]]
    told: list[str] = []
    table = loaded(columns, rows_of(path, told), bench, has_places=about["places"])
    table.messages += about["messages"] + told
    mend(table, options, bench)
    return [table]


def loaded(
    described: Sequence[TypedColumn],
    rows: Iterable[list[Any]],
    bench: Workbench,
    *,
    has_places: bool = False,
) -> RawTable:
    """A table of rows whose columns are known. Raises TableEmpty."""
    keys = [f"c{index}" for index in range(len(described))]
    natives = places.FIELDS if has_places else []
    rejected = Unreadable()
    numbered = _rows(rows, keys, has_places, rejected)
    figures: set[int] = set()
    batches = records.batches(numbered, keys, figures, natives)
    name = bench.load(text_schema(len(keys), natives), batches)
    if not bench.row_count(name) and not rejected:
        raise TableEmpty("The source has no rows; nothing was published.")
    columns = [
        RawColumn(
            key,
            column.name,
            type=column.type,
            decimal=sign_of(index, figures),
            unit=column.unit or None,
            description=column.description or None,
        )
        for index, (key, column) in enumerate(zip(keys, described, strict=True))
    ]
    columns += places.COLUMNS if has_places else []
    return RawTable(name, columns, rejected=rejected)


def rows_of(path: Path, told: list[str] | None = None) -> Iterator[list[Any]]:
    """The rows of such a file, as they are in it; `told` gets its last line's messages."""
    each = _lines(path)
    next(each)
    for text in each:
        row = json.loads(text, parse_float=Decimal)
        if isinstance(row, list):
            yield row
        elif told is not None:
            told += row["messages"]


def _lines(path: Path) -> Iterator[bytes]:
    return (text for text in lines(decoding.text(path, "utf-8").iter_utf8()) if text)


def _rows(
    rows: Iterable[list[Any]], keys: list[str], has_places: bool, rejected: list[Rejected]
) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, values in enumerate(rows, start=1):
        row = dict(zip(keys, map(records.text, values), strict=False))
        if has_places:
            try:
                row.update(_places(values[len(keys)]))
            except (ValueError, TypeError, ShapelyError, AttributeError, KeyError, IndexError):
                rejected.append(
                    Rejected(
                        row=number,
                        column=places.GEOMETRY,
                        value=(records.text(values) or "")[:_SHOWN_LETTERS],
                        reason_code="geometry_invalid",
                        reason="The row has no readable geometry in longitude and latitude.",
                    )
                )
                continue
        yield number, row


def _places(geometry: Any) -> dict[str, Any]:
    """The values of `places.FIELDS` by their names. Raises ValueError and the like."""
    if geometry is not None:
        # Digits beyond those of a float are no place's.
        geometry = json.loads(json.dumps(geometry, default=float))
    values = places.of(None if geometry is None else shape(geometry))
    return dict(zip((field.name for field in places.FIELDS), values, strict=True))
