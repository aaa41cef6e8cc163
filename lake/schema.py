"""Columns: the lake's types, how Arrow and Delta store them, and what Arrow's field metadata keeps.

| type | stored as |
|---|---|
| `string` `boolean` `int64` `float64` `decimal(p,s)` `date` `binary` | Arrow's type of that name |
| `timestamp` | timestamp(us, UTC) |
| `time` | string `HH:MM:SS.ffffff`, since Delta has no time of day; metadata keeps the type |
| `geometry` | binary (WKB, CRS84); metadata keeps the type |
| `list<…>` | list of any of the above but `time` and `geometry` |
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import deltalake
import pyarrow as pa
import pyarrow.compute as pc

from lake import names
from lake.errors import InvalidSchema, ValueDoesNotFit

_SIMPLE: dict[str, pa.DataType] = {
    "string": pa.string(),
    "boolean": pa.bool_(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "time": pa.string(),
    "binary": pa.binary(),
    "geometry": pa.binary(),
}
_OF_METADATA_ONLY = {"time", "geometry"}
_DECIMAL = re.compile(r"decimal\((\d{1,2}),(\d{1,2})\)")
_LIST = re.compile(r"list<(.+)>")
_LOOSE_TYPES: list[tuple[Any, str]] = [
    (pa.types.is_integer, "int64"),
    (pa.types.is_floating, "float64"),
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_string, "string"),
    (pa.types.is_large_string, "string"),
    (pa.types.is_string_view, "string"),
    (pa.types.is_date, "date"),
    (pa.types.is_time, "time"),
    (pa.types.is_binary, "binary"),
    (pa.types.is_large_binary, "binary"),
    (pa.types.is_binary_view, "binary"),
    (pa.types.is_fixed_size_binary, "binary"),
]
_MIDNIGHT_1970 = pa.scalar("1970-01-01T")


@dataclass(frozen=True)
class Column:
    """One column: its Vietnamese name, its machine alias, its lake type, and what people read."""

    name: str
    type: str
    ascii: str = ""
    unit: str = ""
    title: str = ""
    title_en: str = ""
    description: str = ""


# `hanoiic:<key>` of a field's metadata; the name is the field's own.
_METADATA = ("ascii", "type", "unit", "title", "title_en", "description")


def arrow_type(type_text: str) -> pa.DataType:
    """The stored Arrow type of a lake type. Raises InvalidSchema."""
    if type_text in _SIMPLE:
        return _SIMPLE[type_text]
    if match := _DECIMAL.fullmatch(type_text):
        precision, scale = int(match[1]), int(match[2])
        if 1 <= precision <= 38 and scale <= precision:
            return pa.decimal128(precision, scale)
    if (match := _LIST.fullmatch(type_text)) and match[1] not in _OF_METADATA_ONLY:
        return pa.list_(pa.field("element", arrow_type(match[1])))
    raise InvalidSchema(f"not a column type of the lake: {type_text}", type=type_text)


def type_text(arrow: pa.DataType) -> str:
    """The lake type that keeps every value of an Arrow type. Raises InvalidSchema."""
    if pa.types.is_dictionary(arrow):
        return type_text(arrow.value_type)
    if pa.types.is_decimal(arrow):
        # A negative scale counts zeros before the point; the lake writes them out.
        precision, scale = arrow.precision - min(arrow.scale, 0), max(arrow.scale, 0)
        text = f"decimal({precision},{scale})"
        arrow_type(text)
        return text
    if pa.types.is_timestamp(arrow) and arrow.tz is not None:
        return "timestamp"
    if (
        pa.types.is_list(arrow)
        or pa.types.is_large_list(arrow)
        or pa.types.is_fixed_size_list(arrow)
    ):
        text = f"list<{type_text(arrow.value_type)}>"
        arrow_type(text)
        return text
    for is_of_type, text in _LOOSE_TYPES:
        if is_of_type(arrow):
            return text
    raise InvalidSchema(f"the lake keeps no {arrow} (a timestamp needs a zone)", type=str(arrow))


def to_arrow(columns: list[Column]) -> pa.Schema:
    """The stored schema of `columns`. Raises InvalidSchema when their names are not the lake's."""
    listed = [column.name for column in columns]
    if not columns or names.column_names(listed) != listed:
        raise InvalidSchema("column names must be NFC, trimmed and unique without case")
    aliases = [
        column.ascii or alias for column, alias in zip(columns, names.aliases(listed), strict=True)
    ]
    if names.aliases(aliases) != aliases:
        raise InvalidSchema("column aliases must be ASCII and unique", aliases=aliases)
    return pa.schema(
        [_field(column, alias) for column, alias in zip(columns, aliases, strict=True)]
    )


def from_arrow(schema: pa.Schema) -> list[Column]:
    """The columns an Arrow schema describes, by its types and its `hanoiic:` metadata."""
    return [_column(field) for field in schema]


def stored_schema(schema: pa.Schema) -> pa.Schema:
    """The schema under which data of `schema` is stored: lake types, complete metadata."""
    return to_arrow(from_arrow(schema))


def delta_json(schema: pa.Schema) -> str:
    """Names and types in the JSON of Delta's `schemaString`, without what metadata keeps."""
    plain = pa.schema([field.remove_metadata() for field in schema])
    return str(deltalake.Schema.from_arrow(plain).to_json())


def store(batch: pa.RecordBatch, stored: pa.Schema) -> pa.RecordBatch:
    """`batch` in its stored types. Raises ValueDoesNotFit; nothing is rounded or cut."""
    if batch.schema.names != stored.names:
        raise InvalidSchema("a batch has other columns than the first one")
    arrays = []
    for array, field in zip(batch.columns, stored, strict=True):
        try:
            arrays.append(_store_array(array, field))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise ValueDoesNotFit(
                f"a value of column {field.name} is no {field.metadata[b'hanoiic:type'].decode()}",
                column=field.name,
            ) from error
    return pa.RecordBatch.from_arrays(arrays, schema=stored)


def restore(batch: pa.RecordBatch) -> pa.RecordBatch:
    """`batch` with its `time` columns as Arrow times; every other type is stored as itself."""
    arrays, fields = [], []
    for array, field in zip(batch.columns, batch.schema, strict=True):
        if is_time(field):
            array, field = _times(array), field.with_type(pa.time64("us"))
        arrays.append(array)
        fields.append(field)
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _field(column: Column, alias: str) -> pa.Field:
    described = {**vars(column), "ascii": alias}
    metadata = {f"hanoiic:{key}": described[key] for key in _METADATA if described[key]}
    return pa.field(column.name, arrow_type(column.type), metadata=metadata)


def _column(field: pa.Field) -> Column:
    metadata = field.metadata or {}
    known = {
        key: metadata[f"hanoiic:{key}".encode()].decode()
        for key in _METADATA
        if f"hanoiic:{key}".encode() in metadata
    }
    return Column(name=field.name, **{"type": type_text(field.type), **known})


def is_time(field: pa.Field) -> bool:
    """Whether a stored column is one of times of day, which are texts."""
    return bool((field.metadata or {}).get(b"hanoiic:type") == b"time")


def _store_array(array: pa.Array, field: pa.Field) -> pa.Array:
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if is_time(field):
        times = array.cast(pa.time64("us")) if pa.types.is_time(array.type) else _times(array)
        return times.cast(pa.string())
    return array.cast(field.type)


def _times(texts: pa.Array) -> pa.Array:
    instants = pc.binary_join_element_wise(_MIDNIGHT_1970, texts.cast(pa.string()), "")
    return instants.cast(pa.timestamp("us")).cast(pa.time64("us"))
