"""What decoding hands on: tables of text with their row numbers, and what they came with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from harvesters import letters
from lake.rejected import Rejected

MAX_COLUMNS = 2_000
BATCH_ROWS = 16_384
ROW = "row"


class Figure(str):
    """The text of a number that came as one and has a fraction, behind a point."""

    __slots__ = ()


@dataclass(frozen=True)
class RawColumn:
    """A column as it came: `key` is its name on the workbench.

    `type` is given where the format fixes it (a GTFS date, a geometry's longitude): the lake's
    name of the type. `native` columns already have that type on the workbench, the others are
    text. `decimal` is given where numbers came as such (`Figure`): their sign says nothing of how
    the source writes its texts.
    """

    key: str
    header: str
    type: str | None = None
    format: str | None = None
    decimal: str | None = None
    native: bool = False
    unit: str | None = None
    description: str | None = None


@dataclass
class RawTable:
    """One table on the workbench: `row` (int64) and one column for each of `columns`.

    `part` tells the tables of one file apart (a GTFS file's name); it is empty for the only one.
    `above` and `below` are the lines of text around it, which are no rows.
    `masked` names the columns that an officer had masked, also those that are gone.
    """

    name: str
    columns: list[RawColumn]
    part: str = ""
    may_be_empty: bool = False
    above: list[str] = field(default_factory=list)
    below: list[str] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    masked: list[str] = field(default_factory=list)


def text_schema(width: int, natives: Sequence[pa.Field] = ()) -> pa.Schema:
    texts = [pa.field(f"c{index}", pa.string()) for index in range(width)]
    return pa.schema([pa.field(ROW, pa.int64()), *texts, *natives])


def cleaned(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Texts trimmed and NFC, empty ones NULL, rows without anything left out."""
    columns = [_clean_text(column) for column in batch.columns]
    clean = pa.RecordBatch.from_arrays(columns, schema=batch.schema)
    if not all(column.null_count for column in columns[1:]) or not columns[1:]:
        return clean
    filled = columns[1].is_valid()
    for column in columns[2:]:
        filled = pc.or_(filled, column.is_valid())
    return clean if pc.all(filled).as_py() else clean.filter(filled)


def _clean_text(column: pa.Array) -> pa.Array:
    if not pa.types.is_string(column.type):
        return column
    trimmed = pc.utf8_trim_whitespace(column)
    if not letters.is_nfc(trimmed):
        trimmed = pc.utf8_normalize(trimmed, form="NFC")
    return _without_empty(trimmed)


def _without_empty(texts: pa.Array) -> pa.Array:
    """Empty texts made NULL."""
    filled = pc.not_equal(pc.binary_length(texts), 0)
    if pc.all(filled).as_py():
        return texts
    if texts.offset or texts.null_count:
        return pc.if_else(filled, texts, pa.scalar(None, pa.string()))
    # Which texts are there is all that changes: their bytes stay where they are.
    _, offsets, content = texts.buffers()
    return pa.Array.from_buffers(pa.string(), len(texts), [filled.buffers()[1], offsets, content])


def sign_of(column: int, figures: set[int]) -> str | None:
    """The decimal sign of a column that is known to have figures."""
    return "." if column in figures else None


def note_figures(columns: Iterable[Sequence[object]], figures: set[int]) -> None:
    """Add the places of the columns that have figures."""
    for place, column in enumerate(columns):
        if place not in figures and any(type(text) is Figure for text in column):
            figures.add(place)


def batches_of_rows(
    rows: Iterable[tuple[int, Sequence[str | None]]], width: int, figures: set[int] | None = None
) -> Iterator[pa.RecordBatch]:
    """Numbered rows of text as cleaned batches; shorter rows are filled with NULL. `figures` gets
    the columns that have some."""
    schema = text_schema(width)
    numbers: list[int] = []
    texts: list[list[str | None]] = []

    def flush() -> pa.RecordBatch:
        columns = [list(column) for column in zip(*texts, strict=True)]
        if figures is not None:
            note_figures(columns, figures)
        arrays = [pa.array(numbers, pa.int64())]
        arrays += [pa.array(column, pa.string()) for column in columns]
        return cleaned(pa.RecordBatch.from_arrays(arrays, schema=schema))

    for number, row in rows:
        numbers.append(number)
        texts.append([*row, *[None] * (width - len(row))])
        if len(numbers) >= BATCH_ROWS:
            yield flush()
            numbers, texts = [], []
    if numbers:
        yield flush()
