"""Text columns to typed columns: decide on the whole file, then read.

A column gets a type only if one way of reading accepts every text in it; else it stays text. What
an officer pinned comes first.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from harvesters import evidence as weighing
from harvesters import numbers, plain, units
from harvesters.evidence import Evidence
from harvesters.pins import pins_by_column
from harvesters.rawtable import RawColumn, RawTable
from harvesters.readings import (
    BOOLEAN,
    INFERRED,
    SENTINELS_ANYWHERE,
    SENTINELS_BESIDE_VALUES,
    TEXT,
    Reading,
)
from harvesters.remarks import ROW_KIND
from harvesters.signs import UNKNOWN, Signs
from harvesters.source import ColumnPin, Options
from harvesters.workbench import Workbench, quoted
from lake import names
from lake.schema import Column

__all__ = ["TypedColumn", "TypedTable", "normalise", "pins_by_column"]


@dataclass(frozen=True)
class TypedColumn:
    """One column as it will be published, and how it is read.

    `text` is the SQL of its cleaned text (sentinels are NULL), `value` the SQL of its value; both
    are over the raw table. `may_fail`: a text may be left that has no value (only with pins).
    `cast` is the Arrow type that all texts as they lie there can be cast to, for the same value.
    """

    raw: RawColumn
    column: Column
    pin: ColumnPin
    reading: str
    text: str
    value: str
    may_fail: bool
    sentinel_count: int = 0
    cast: pa.DataType | None = None


@dataclass
class TypedTable:
    """A raw table with its decided columns, and the signs by which its texts were read."""

    raw: RawTable
    columns: list[TypedColumn]
    row_count: int
    signs: Signs = UNKNOWN
    messages: list[str] = field(default_factory=list)


def normalise(
    raw: RawTable, options: Options, bench: Workbench, earlier: Signs = UNKNOWN
) -> TypedTable:
    """Decide name, type, unit and sentinels of every column. `earlier` are the signs of the version
    before, for what this one does not tell.

    Raises SourceInvalid (a pin that cannot be) and ColumnMissing (a required column is not there).
    """
    columns = _without_unnamed_empty(raw, bench)
    pins = pins_by_column(columns, options)
    evidence = weighing.gather(raw.name, columns, pins, bench)
    of_texts = {column.key: evidence.get(column.key) for column in columns if not column.decimal}
    told = Signs(
        weighing.decimal_sign({key: found for key, found in of_texts.items() if found}),
        weighing.date_order(evidence),
        any(column.native and column.header == ROW_KIND for column in columns),
    )
    signs = told.after(earlier)
    known_sign = options.decimal or signs.decimal
    decimal = known_sign or "."
    typed = TypedTable(raw, [], bench.row_count(raw.name), signs)
    unique_names = names.column_names([column.header for column in columns])
    for column, name in zip(columns, unique_names, strict=True):
        pin = pins.get(column.key, ColumnPin())
        found, sign = evidence.get(column.key), column.decimal or decimal
        read = _read(raw.name, column, pin, found, sign, signs.order, bench)
        typed.columns.append(_described(name, column, pin, read))
    typed.messages = _messages(typed, known_sign, told, evidence)
    return typed


def _without_unnamed_empty(raw: RawTable, bench: Workbench) -> list[RawColumn]:
    """Columns that have neither a header nor a value come from trailing delimiters."""
    unnamed = [column for column in raw.columns if not column.header and not column.native]
    if not unnamed:
        return raw.columns
    if census := bench.census(raw.name):
        empty = {column.key for column in unnamed if not census.looks[column.key].filled}
        return [column for column in raw.columns if column.key not in empty]
    counts = ", ".join(f"count({quoted(column.key)})" for column in unnamed)
    filled = bench.row(f"SELECT {counts} FROM {raw.name}")  # noqa: S608
    empty = {column.key for column, count in zip(unnamed, filled, strict=True) if not count}
    return [column for column in raw.columns if column.key not in empty]


def _strangeness(reading: Reading, decimal: str, order: str | None) -> tuple[bool, bool]:
    """How far a reading is from the signs that the table uses elsewhere; the least strange reading
    is taken."""
    wrong_order = order is not None and reading.order not in (None, order)
    return (reading.decimal not in (None, decimal), wrong_order)


@dataclass(frozen=True)
class _Read:
    """How a column's texts become values: see TypedColumn."""

    reading: str
    type: str
    text: str
    value: str
    may_fail: bool = False
    sentinel_count: int = 0
    cast: pa.DataType | None = None


def _described(name: str, raw: RawColumn, pin: ColumnPin, read: _Read) -> TypedColumn:
    column = Column(
        name=name,
        type=read.type,
        unit=pin.unit or raw.unit or units.of(name) or "",
        title=pin.title or "",
        title_en=pin.title_en or "",
        description=pin.description or raw.description or "",
    )
    how = {key: value for key, value in vars(read).items() if key != "type"}
    return TypedColumn(raw, column, pin, **how)


def _read(
    table: str,
    raw: RawColumn,
    pin: ColumnPin,
    evidence: Evidence | None,
    decimal: str,
    order: str | None,
    bench: Workbench,
) -> _Read:
    key = quoted(raw.key)
    if evidence is None:
        return _Read("as given", raw.type or "string", key, key)
    if wanted := pin.type or raw.type:
        return _pinned(raw, pin, wanted, evidence, decimal, order)
    accepted = evidence.accepted(INFERRED)
    if not accepted:
        return _text(table, raw, evidence, bench)
    reading = min(accepted, key=lambda reading: _strangeness(reading, decimal, order))
    return _plain(raw, reading, evidence) or _inferred(table, raw, reading, evidence, bench)


def _pinned(
    raw: RawColumn,
    pin: ColumnPin,
    wanted: str,
    evidence: Evidence,
    decimal: str,
    order: str | None,
) -> _Read:
    reading = min(
        weighing.candidates(raw, pin),
        key=lambda reading: (
            evidence.misses[reading.name],
            _strangeness(reading, decimal, order),
        ),
    )
    if reading is TEXT:
        return _as_text(raw)
    text = weighing.cleaned(raw, SENTINELS_BESIDE_VALUES)
    value = _typed(reading, text, wanted)
    type_text = wanted.replace(" ", "")
    return _Read(reading.name, type_text, text, value, True, evidence.sentinels)


def _as_text(raw: RawColumn) -> _Read:
    key = quoted(raw.key)
    return _Read(TEXT.name, "string", key, key, cast=plain.arrow_type("string"))


def _text(table: str, raw: RawColumn, evidence: Evidence, bench: Workbench) -> _Read:
    if evidence.look and not evidence.look.anywhere:
        return _as_text(raw)
    key, text = quoted(raw.key), weighing.cleaned(raw, SENTINELS_ANYWHERE)
    sentinels = bench.row(f"SELECT count({key}) - count({text}) FROM {table}")[0]  # noqa: S608
    return _Read(TEXT.name, "string", text, text, sentinel_count=sentinels)


def _plain(raw: RawColumn, reading: Reading, evidence: Evidence) -> _Read | None:
    """A column that is known to be written plainly, and has no number that says "no value"."""
    look, key, type_text = evidence.look, quoted(raw.key), reading.family
    if look is None:
        return None
    if look.numbers:
        type_text, low = numbers.of_plain(look.numbers)
        if low is not None:
            return None
    if type_text == "string":
        return _as_text(raw)
    value = plain.cast(look, reading, key, type_text)
    cast = plain.arrow_type(type_text)
    return _Read(reading.name, type_text, key, value, cast=cast) if value else None


def _inferred(
    table: str, raw: RawColumn, reading: Reading, evidence: Evidence, bench: Workbench
) -> _Read:
    text = weighing.cleaned(raw, SENTINELS_BESIDE_VALUES)
    type_text = {"timestamp_utc": "timestamp"}.get(reading.family, reading.family)
    sentinels = evidence.sentinels
    if reading.family == "number":
        type_text, low = numbers.of_texts(table, reading, text, bench)
        if low is not None:
            number = f"try_cast({reading.read(text)} AS DOUBLE)"
            sentinels += bench.row(
                f"SELECT count(*) FILTER ({number} = {low}) FROM {table}"  # noqa: S608
            )[0]
            text = f"CASE WHEN {number} <> {low} THEN {quoted(raw.key)} END"
            type_text, _ = numbers.of_texts(table, reading, text, bench)
    if type_text == "string":
        return _as_text(raw)
    value = _typed(reading, text, type_text)
    return _Read(reading.name, type_text, text, value, sentinel_count=sentinels)


def _typed(reading: Reading, text: str, type_text: str) -> str:
    """The SQL of the value; NULL where the text is not of the reading."""
    value = reading.read(f"({text})")
    if reading.family != "number":
        casts = {"date": "DATE", "timestamp": "TIMESTAMP"}
        if type_text in casts and reading.family != "timestamp_utc":
            value = f"CAST({value} AS {casts[type_text]})"
    elif type_text == "int64":
        # Written with a fraction it is an integer only when the fraction is nothing.
        value = (
            f"CASE WHEN try_cast({value} AS DOUBLE) = trunc(try_cast({value} AS DOUBLE)) "
            f"THEN try_cast({value} AS BIGINT) END"
        )
    else:
        value = f"try_cast({value} AS {'DOUBLE' if type_text == 'float64' else type_text})"
    if reading is BOOLEAN or reading is TEXT:
        return value
    return f"CASE WHEN regexp_full_match({text}, '{reading.shape}') THEN {value} END"


def _messages(
    typed: TypedTable, known_sign: str | None, told: Signs, evidence: dict[str, Evidence]
) -> list[str]:
    messages = []
    if known_sign == ",":
        messages.append("decimal comma")
    for column in typed.columns:
        if column.sentinel_count:
            messages.append(
                f"{column.column.name}: {column.sentinel_count} values that say "
                "“no value” became empty"
            )
        found = evidence.get(column.raw.key)
        orders = {reading.order for reading in found.accepted(INFERRED)} if found else set()
        if {"dmy", "mdy"} <= orders and not column.pin.format:
            remembered = "" if told.order == typed.signs.order else ", as in the version before"
            messages.append(
                f"{column.column.name}: day and month can't be told apart, read as "
                f"{column.reading.split('_')[1]}{remembered}; "
                "pin its `format` if that is wrong"
            )
        if known_sign is None and found and weighing.sign_is_open(found) and not column.pin.type:
            messages.append(
                f"{column.column.name}: the signs in its numbers may divide thousands or decimals, "
                f"read as {column.reading}; pin the option `decimal` if that is wrong"
            )
    return messages
