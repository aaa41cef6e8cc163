"""Records (objects with named, perhaps nested values) to a table: one column a path, as text.

`{"a": {"b": 1}}` is the column `a.b`, another one than that of `{"a.b": 1}`; a list stays one cell,
as JSON.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import simplejson  # type: ignore[import-untyped]

from harvesters.connectors.json_stream import MAX_DEPTH
from harvesters.errors import NestedTooDeep, TooManyColumns
from harvesters.rawtable import (
    MAX_COLUMNS,
    Figure,
    RawColumn,
    RawTable,
    cleaned,
    note_figures,
    sign_of,
    text_schema,
)
from harvesters.workbench import Workbench

BATCH_CELLS = 500_000
BATCH_ROWS = 16_384
BATCH_LETTERS = 32 << 20

Record = Mapping[str, Any]
# The records of a file with their row numbers.
Records = Callable[[], Iterable[tuple[int, Record]]]


# What a text has at least where a letter may be cut in two.
HALF_LETTER = re.compile(rb"\\u[dD][89a-fA-F]")


class Shape:
    """The columns of a stream of records, in the order of their first appearance.

    Nested objects are taken apart, unless that gives more columns than a table may have: then the
    nested ones stay JSON texts.
    """

    def __init__(self) -> None:
        self._leaves: dict[tuple[str, ...], None] = {}
        self._keys: dict[str, None] = {}
        self.lists: dict[str, None] = {}

    def see(self, record: Record) -> None:
        """Raises TooManyColumns, NestedTooDeep."""
        self._keys.update(dict.fromkeys(record))
        if len(self._keys) > MAX_COLUMNS:
            raise TooManyColumns(f"The rows have more than {MAX_COLUMNS} different names.")
        if len(self._leaves) > MAX_COLUMNS:
            return
        for path, value in leaves(record):
            self._leaves.setdefault(path)
            if isinstance(value, list):
                self.lists.setdefault(".".join(path))

    @property
    def is_flat(self) -> bool:
        """Whether nested objects are taken apart."""
        return len(self._leaves) <= MAX_COLUMNS

    @property
    def columns(self) -> dict[Hashable, str]:
        """The header of each column, by what `values` calls it."""
        if self.is_flat:
            return {path: ".".join(path) for path in self._leaves}
        return {name: name for name in self._keys}

    def messages(self) -> list[str]:
        if not self.is_flat:
            return ["nested objects are kept as JSON texts: taken apart they are too many columns"]
        if self.lists:
            return [f"lists are kept as JSON texts: {', '.join(list(self.lists)[:10])}"]
        return []

    def values(self, record: Record) -> dict[Hashable, str | None]:
        """A record's cells as texts."""
        if self.is_flat:
            return {path: text(value) for path, value in leaves(record)}
        return {name: text(value) for name, value in record.items()}


def leaves(record: Record, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The values of a record that are no objects, with the names on the way to them."""
    if len(before) >= MAX_DEPTH:
        raise NestedTooDeep(f"Objects lie more than {MAX_DEPTH} levels deep in each other.")
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from leaves(value, (*before, name))
        else:
            yield (*before, name), value


def text(value: Any) -> str | None:
    """A value of JSON as the text of a cell: numbers with their own digits, no NUL."""
    if value is None:
        return None
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float | Decimal):
        return Figure(value)
    return str(simplejson.dumps(value, ensure_ascii=False, separators=(",", ":"), use_decimal=True))


def whole(value: Any) -> Any:
    """A value of JSON whose texts can be written: half of a letter (a `\\ud83d` alone, where a text
    was cut inside an emoji) is U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [whole(each) for each in value]
    if isinstance(value, dict):
        return {whole(name): whole(each) for name, each in value.items()}
    return value


def loaded(shape: Shape, records: Records, bench: Workbench) -> RawTable:
    """The table of records whose shape is known."""
    found = shape.columns
    if len(found) > MAX_COLUMNS:
        raise TooManyColumns(f"The rows have {len(found)} columns; {MAX_COLUMNS} are allowed.")
    numbered = ((number, shape.values(record)) for number, record in records())
    figures: set[int] = set()
    name = bench.load(text_schema(len(found)), batches(numbered, list(found), figures))
    columns = [
        RawColumn(f"c{index}", header, decimal=sign_of(index, figures))
        for index, header in enumerate(found.values())
    ]
    return RawTable(name, columns, messages=shape.messages())


def batches(
    rows: Iterable[tuple[int, Mapping[Any, Any]]],
    headers: Sequence[Hashable],
    figures: set[int],
    natives: list[pa.Field] | None = None,
) -> Iterator[pa.RecordBatch]:
    """Cells by header as cleaned batches, small enough whatever their width and their texts.

    The values of `natives` are found in a row under their fields' names. `figures` gets the places
    of the headers that have some.
    """
    natives = natives or []
    schema = text_schema(len(headers), natives)
    keys = [*headers, *(field.name for field in natives)]
    most_rows = max(64, min(BATCH_ROWS, BATCH_CELLS // max(1, len(keys))))
    numbers: list[int] = []
    cells: list[list[Any]] = []
    letters = 0

    def flush() -> pa.RecordBatch:
        columns = list(zip(*cells, strict=True)) if keys else []
        note_figures(columns[: len(headers)], figures)
        arrays = [pa.array(numbers, pa.int64())]
        fields = list(schema)[1:]
        arrays += [pa.array(each, field.type) for each, field in zip(columns, fields, strict=True)]
        return cleaned(pa.RecordBatch.from_arrays(arrays, schema=schema))

    for number, row in rows:
        numbers.append(number)
        cells.append([row.get(key) for key in keys])
        letters += sum(len(value) for value in row.values() if isinstance(value, str | bytes))
        if len(numbers) >= most_rows or letters > BATCH_LETTERS:
            yield flush()
            numbers, cells, letters = [], [], 0
    if numbers:
        yield flush()
