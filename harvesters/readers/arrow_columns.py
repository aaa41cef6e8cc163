"""Arrow columns of a typed file to columns of the workbench: types kept, nests taken apart.

| in the file | on the workbench |
|---|---|
| integers, floats, decimals, booleans, dates, times, timestamps, bytes | the lake's type of it |
| texts | text that stays text, unless an officer pins a type |
| structs | a column for each member, `a.b` |
| lists of simple values | `list<…>` |
| other lists, maps, durations | text, as JSON |
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types as is_of

from harvesters.errors import TooManyColumns
from harvesters.rawtable import MAX_COLUMNS, RawColumn

Convert = Callable[[pa.Array], pa.Array]


@dataclass(frozen=True)
class Kept:
    """How one column is kept: its column of the workbench, and what turns an array into it."""

    column: RawColumn
    field: pa.Field
    convert: Convert


def flattened(table: pa.Table) -> pa.Table:
    """Structs taken apart, at any depth."""
    while any(is_of.is_struct(each.type) for each in table.schema):
        table = table.flatten()
        if table.num_columns > MAX_COLUMNS:
            raise TooManyColumns(f"The table has over {MAX_COLUMNS} columns.")
    return table


def kept(schema: pa.Schema, as_text: set[str]) -> list[Kept]:
    """How the columns of a flat schema are kept; those called in `as_text` as text to be typed."""
    if len(schema) > MAX_COLUMNS:
        raise TooManyColumns(f"The table has {len(schema)} columns; {MAX_COLUMNS} are allowed.")
    found = []
    for index, each in enumerate(schema):
        key, header = f"c{index}", each.name
        if header in as_text:
            column = RawColumn(key, header)
            found.append(Kept(column, pa.field(key, pa.string()), _text))
            continue
        type_text, arrow, convert = _kept(each.type)
        native = not is_of.is_string(arrow)
        column = RawColumn(key, header, type=type_text, native=native)
        found.append(Kept(column, pa.field(key, arrow), convert))
    return found


def _kept(of: pa.DataType) -> tuple[str, pa.DataType, Convert]:
    if is_of.is_dictionary(of):
        type_text, arrow, convert = _kept(of.value_type)
        return type_text, arrow, lambda array: convert(array.dictionary_decode())
    for holds, type_text, arrow in _SIMPLE:
        if holds(of):
            return type_text, arrow, _cast(arrow)
    if is_of.is_decimal(of) and of.precision <= 38 and 0 <= of.scale <= of.precision:
        arrow = pa.decimal128(of.precision, of.scale)
        return f"decimal({of.precision},{of.scale})", arrow, _cast(arrow)
    if is_of.is_timestamp(of):
        arrow = pa.timestamp("us", "UTC" if of.tz else None)
        return "timestamp", arrow, _cast(arrow)
    if _is_list(of) and not is_of.is_nested(of.value_type):
        inner, arrow, _ = _kept(of.value_type)
        if inner not in ("time", "binary") and not inner.startswith("timestamp"):
            listed = pa.list_(pa.field("element", arrow))
            return f"list<{inner}>", listed, _cast(listed)
    if is_of.is_nested(of):
        return "string", pa.string(), _json
    return "string", pa.string(), _text


_SIMPLE: tuple[tuple[Callable[[pa.DataType], bool], str, pa.DataType], ...] = (
    (is_of.is_boolean, "boolean", pa.bool_()),
    (is_of.is_uint64, "decimal(20,0)", pa.decimal128(20, 0)),
    (is_of.is_integer, "int64", pa.int64()),
    (is_of.is_floating, "float64", pa.float64()),
    (is_of.is_date, "date", pa.date32()),
    (is_of.is_time, "time", pa.time64("us")),
    (is_of.is_string, "string", pa.string()),
    (is_of.is_large_string, "string", pa.string()),
    (is_of.is_string_view, "string", pa.string()),
    (is_of.is_null, "string", pa.string()),
    (is_of.is_binary, "binary", pa.binary()),
    (is_of.is_large_binary, "binary", pa.binary()),
    (is_of.is_binary_view, "binary", pa.binary()),
    (is_of.is_fixed_size_binary, "binary", pa.binary()),
)


def _is_list(of: pa.DataType) -> bool:
    return bool(is_of.is_list(of) or is_of.is_large_list(of) or is_of.is_fixed_size_list(of))


def _cast(to: pa.DataType) -> Convert:
    # Not safe: nanoseconds are cut to microseconds, and nothing else can be lost.
    return lambda array: array if array.type == to else array.cast(to, safe=False)


def _text(array: pa.Array) -> pa.Array:
    if is_of.is_dictionary(array.type):
        array = array.dictionary_decode()
    if is_of.is_binary(array.type) or is_of.is_fixed_size_binary(array.type):
        return pa.array([value and value.hex() for value in array.to_pylist()], pa.string())
    try:
        return pc.cast(array, pa.string())
    except pa.ArrowNotImplementedError:
        return _json(array)


def _json(array: pa.Array) -> pa.Array:
    return pa.array([_json_text(value) for value in array.to_pylist(maps_as_pydicts="lossy")],
                    pa.string())  # fmt: skip


def _json_text(value: Any) -> str | None:
    if value is None:
        return None
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
