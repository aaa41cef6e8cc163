"""Text columns to typed columns: decide on the whole file, then read.

First every reading is tried on a sample to drop the hopeless ones, then the rest on all rows. A
column gets a type only when one reading accepts every text in it; else it stays text. Pins win.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from harvesters import units
from harvesters.errors import ColumnMissing, SourceInvalid
from harvesters.rawtable import RawColumn, RawTable
from harvesters.readings import (
    BOOLEAN,
    INFERRED,
    NUMBERS,
    PINNED,
    SENTINEL_NUMBERS,
    SENTINELS_ANYWHERE,
    SENTINELS_BESIDE_VALUES,
    TEXT,
    Reading,
)
from harvesters.source import ColumnPin, Options
from harvesters.workbench import Workbench, literal, quoted
from lake import names
from lake.schema import Column

SAMPLE_ROWS = 2_000
COLUMNS_AT_ONCE = 40
_DECIMAL = re.compile(r"decimal\((\d{1,2}),\s*(\d{1,2})\)")
# What float64 keeps exactly.
_EXACT_DIGITS = 15
_INT64_DIGITS = 18
_LARGEST_DIGITS = 38


@dataclass(frozen=True)
class TypedColumn:
    """One column as it will be published, and how it is read.

    `text` is the SQL of its cleaned text (sentinels are NULL), `value` the SQL of its value; both
    are over the raw table. `may_fail`: a text may be left that has no value (only with pins).
    """

    raw: RawColumn
    column: Column
    pin: ColumnPin
    reading: str
    text: str
    value: str
    may_fail: bool
    sentinel_count: int = 0


@dataclass
class TypedTable:
    """A raw table with its decided columns."""

    raw: RawTable
    columns: list[TypedColumn]
    row_count: int
    messages: list[str] = field(default_factory=list)


@dataclass
class _Evidence:
    """What the texts of one column say: how many there are, and what each reading misses."""

    filled: int
    misses: dict[str, int]
    sentinels: int

    def accepted(self, readings: tuple[Reading, ...]) -> list[Reading]:
        if not self.filled:
            return []
        return [reading for reading in readings if self.misses.get(reading.name) == 0]


def normalise(raw: RawTable, options: Options, bench: Workbench) -> TypedTable:
    """Decide name, type, unit and sentinels of every column.

    Raises SourceInvalid (a pin that cannot be) and ColumnMissing (a required column is not there).
    """
    row_count = int(bench.row(f"SELECT count(*) FROM {raw.name}")[0])  # noqa: S608
    columns = _without_unnamed_empty(raw, bench)
    pins = pins_by_column(columns, options)
    evidence = _evidence(raw.name, columns, pins, bench, row_count)
    decimal = options.decimal or _decimal_sign(evidence) or "."
    order = _date_order(evidence)
    typed = TypedTable(raw, [], row_count)
    unique_names = names.column_names([column.header for column in columns])
    for column, name in zip(columns, unique_names, strict=True):
        pin = pins.get(column.key, ColumnPin())
        typed.columns.append(
            _decide(raw.name, column, name, pin, evidence.get(column.key), decimal, order, bench)
        )
    typed.messages = _messages(typed, decimal, evidence)
    return typed


def _without_unnamed_empty(raw: RawTable, bench: Workbench) -> list[RawColumn]:
    """Columns that have neither a header nor a value come from trailing delimiters."""
    unnamed = [column for column in raw.columns if not column.header and not column.native]
    if not unnamed:
        return raw.columns
    counts = ", ".join(f"count({quoted(column.key)})" for column in unnamed)
    filled = bench.row(f"SELECT {counts} FROM {raw.name}")  # noqa: S608
    empty = {column.key for column, count in zip(unnamed, filled, strict=True) if not count}
    return [column for column in raw.columns if column.key not in empty]


def pins_by_column(columns: list[RawColumn], options: Options) -> dict[str, ColumnPin]:
    """The pin of each column, found by its header, without case, or by its machine alias."""
    headers = names.column_names([column.header for column in columns])
    known: dict[str, str] = {}
    for column, header, alias in zip(columns, headers, names.aliases(headers), strict=True):
        known.setdefault(alias, column.key)
        known[header.casefold()] = column.key
    pins = {}
    for wanted, pin in options.columns.items():
        name = names.column_names([wanted])[0]
        key = known.get(name.casefold()) or known.get(names.from_vietnamese(name, default="column"))
        if key is not None:
            pins[key] = pin
        elif pin.required:
            raise ColumnMissing(f"The required column {wanted!r} is not in the data.", column=name)
    return pins


def _cleaned(column: RawColumn, sentinels: tuple[str, ...]) -> str:
    listed = ", ".join(map(literal, sentinels))
    key = quoted(column.key)
    return f"CASE WHEN {key} NOT IN ({listed}) THEN {key} END"


def _candidates(column: RawColumn, pin: ColumnPin) -> tuple[Reading, ...]:
    wanted = pin.type or column.type
    if wanted is None:
        return INFERRED
    family = "decimal" if _DECIMAL.fullmatch(wanted) else wanted
    if family not in PINNED:
        raise SourceInvalid(f"The column {column.header!r} can't be pinned to type {wanted!r}.")
    order = pin.format or column.format
    readings = PINNED[family]
    chosen = tuple(reading for reading in readings if order in (None, reading.order, reading.name))
    return chosen or readings


def _evidence(
    table: str,
    columns: list[RawColumn],
    pins: dict[str, ColumnPin],
    bench: Workbench,
    row_count: int,
) -> dict[str, _Evidence]:
    texts = [column for column in columns if not column.native]
    hopeful = {
        column.key: _candidates(column, pins.get(column.key, ColumnPin())) for column in texts
    }
    inferred = {
        column.key
        for column in texts
        if (pins.get(column.key, ColumnPin()).type or column.type) is None
    }
    if row_count > SAMPLE_ROWS:
        sample = f"(SELECT * FROM {table} LIMIT {SAMPLE_ROWS})"  # noqa: S608
        first = _count_misses(sample, texts, hopeful, bench)
        for key in inferred:
            hopeful[key] = tuple(
                reading for reading in hopeful[key] if first[key].misses[reading.name] == 0
            )
    return _count_misses(table, texts, hopeful, bench)


def _count_misses(
    table: str,
    columns: list[RawColumn],
    readings: dict[str, tuple[Reading, ...]],
    bench: Workbench,
) -> dict[str, _Evidence]:
    found: dict[str, _Evidence] = {}
    for start in range(0, len(columns), COLUMNS_AT_ONCE):
        some = columns[start : start + COLUMNS_AT_ONCE]
        counts: list[str] = []
        for column in some:
            text = _cleaned(column, SENTINELS_BESIDE_VALUES)
            counts += [f"count({quoted(column.key)})", f"count({text})"]
            counts += [
                f"count({text}) FILTER (NOT {reading.accepts(quoted(column.key))})"
                for reading in readings[column.key]
            ]
        row = iter(bench.row(f"SELECT {', '.join(counts)} FROM {table}"))  # noqa: S608
        for column in some:
            filled, values = next(row), next(row)
            misses = {reading.name: next(row) for reading in readings[column.key]}
            found[column.key] = _Evidence(values, misses, filled - values)
    return found


def _decimal_sign(evidence: dict[str, _Evidence]) -> str | None:
    """The decimal sign of the table, by the columns where only one sign is possible."""
    signs = set()
    for column in evidence.values():
        readable = {reading.decimal for reading in column.accepted(NUMBERS) if reading.decimal}
        if len(readable) == 1:
            signs |= readable
    return signs.pop() if len(signs) == 1 else None


def _date_order(evidence: dict[str, _Evidence]) -> str | None:
    """`dmy` or `mdy`, by the columns where only one of them is possible."""
    orders = set()
    for column in evidence.values():
        readable = {reading.order for reading in column.accepted(INFERRED) if reading.order}
        if len(readable) == 1:
            orders |= readable & {"dmy", "mdy"}
    return orders.pop() if len(orders) == 1 else None


def _strangeness(reading: Reading, decimal: str, order: str | None) -> tuple[bool, bool]:
    """How far a reading is from the table's own signs; the least strange one is taken."""
    wrong_order = order is not None and reading.order not in (None, order)
    return (reading.decimal not in (None, decimal), wrong_order)


def _decide(
    table: str,
    raw: RawColumn,
    name: str,
    pin: ColumnPin,
    evidence: _Evidence | None,
    decimal: str,
    order: str | None,
    bench: Workbench,
) -> TypedColumn:
    def made(
        reading: str, type_text: str, text: str, value: str, **more: bool | int
    ) -> TypedColumn:
        column = Column(
            name=name,
            type=type_text,
            unit=pin.unit or raw.unit or units.of(name) or "",
            title=pin.title or "",
            title_en=pin.title_en or "",
            description=pin.description or raw.description or "",
        )
        return TypedColumn(raw, column, pin, reading, text, value, **more)  # type: ignore[arg-type]

    key = quoted(raw.key)
    if evidence is None:
        return made("as given", raw.type or "string", key, key, may_fail=False)
    wanted = pin.type or raw.type
    if wanted is not None:
        reading = min(
            _candidates(raw, pin),
            key=lambda reading: (
                evidence.misses[reading.name],
                _strangeness(reading, decimal, order),
            ),
        )
        if reading is TEXT:
            return made(TEXT.name, "string", key, key, may_fail=False)
        text = _cleaned(raw, SENTINELS_BESIDE_VALUES)
        value = _typed(reading, text, wanted)
        return made(
            reading.name,
            wanted.replace(" ", ""),
            text,
            value,
            may_fail=True,
            sentinel_count=evidence.sentinels,
        )
    accepted = evidence.accepted(INFERRED)
    if not accepted:
        text = _cleaned(raw, SENTINELS_ANYWHERE)
        sentinels = bench.row(f"SELECT count({key}) - count({text}) FROM {table}")[0]  # noqa: S608
        return made(TEXT.name, "string", text, text, may_fail=False, sentinel_count=sentinels)
    reading = min(accepted, key=lambda reading: _strangeness(reading, decimal, order))
    text = _cleaned(raw, SENTINELS_BESIDE_VALUES)
    type_text = {"timestamp_utc": "timestamp"}.get(reading.family, reading.family)
    sentinels = evidence.sentinels
    if reading.family == "number":
        type_text, low = _number_type(table, reading, text, bench)
        if low is not None:
            number = f"try_cast({reading.read(text)} AS DOUBLE)"
            sentinels += bench.row(
                f"SELECT count(*) FILTER ({number} = {low}) FROM {table}"  # noqa: S608
            )[0]
            text = f"CASE WHEN {number} <> {low} THEN {key} END"
            type_text, _ = _number_type(table, reading, text, bench)
    if type_text == "string":
        return made(TEXT.name, "string", key, key, may_fail=False)
    value = _typed(reading, text, type_text)
    return made(reading.name, type_text, text, value, may_fail=False, sentinel_count=sentinels)


def _number_type(
    table: str, reading: Reading, text: str, bench: Workbench
) -> tuple[str, float | None]:
    """The narrowest type that keeps every number exactly as far as it can, and the sentinel.

    int64, else decimal where digits would be lost before the point, else float64.
    """
    plain = f"ltrim({reading.read(text)}, '+-')"
    fraction = f"regexp_extract({plain}, '[.]([0-9]*)', 1)"
    lows = ", ".join(map(str, SENTINEL_NUMBERS))
    number = f"try_cast({reading.read(text)} AS DOUBLE)"
    digits, scale, broken, smallest, second = bench.row(
        f"SELECT max(length(regexp_extract({plain}, '^[0-9]*'))), max(length({fraction})), "  # noqa: S608
        f"coalesce(bool_or(contains(lower({plain}), 'e')), false), "
        f"min({number}), min({number}) FILTER ({number} NOT IN ({lows})) FROM {table}"
    )
    low = None
    if smallest in SENTINEL_NUMBERS and second is not None and second > smallest / 10:
        low = smallest
    digits, scale = int(digits or 0), int(scale or 0)
    has_fraction = bool(
        bench.row(
            f"SELECT coalesce(bool_or(contains({plain}, '.')), false) FROM {table}"  # noqa: S608
        )[0]
    )
    if broken:
        return "float64", low
    if not has_fraction:
        if digits <= _INT64_DIGITS:
            return "int64", low
        return (f"decimal({digits},0)" if digits <= _LARGEST_DIGITS else "string"), low
    if digits > _EXACT_DIGITS and digits + scale <= _LARGEST_DIGITS:
        return f"decimal({digits + scale},{scale})", low
    return "float64", low


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


def _messages(typed: TypedTable, decimal: str, evidence: dict[str, _Evidence]) -> list[str]:
    messages = []
    if decimal == ",":
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
            messages.append(
                f"{column.column.name}: day and month can't be told apart, read as "
                f"{column.reading.split('_')[1]}; "
                "pin its `format` if that is wrong"
            )
    return messages
