"""Texts of short answers, written here: for a few rows the engine takes longer to plan the
expressions of `value_text` than to run the query. A test compares the two.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import date, datetime
from functools import partial
from typing import Any

import pyarrow as pa

# The engine hands out times with it; a query process can load no file later.
import pytz  # type: ignore[import-untyped]  # noqa: F401

from api_gateway import value_text
from api_gateway.strict_json import strict
from api_gateway.value_text import BIG_INTEGERS, SMALL_INTEGERS, json_text

_Text = Callable[[Any], str]
# The engine's infinities arrive as these, what is beyond them as a text.
_ENDS_OF_TIME = (date.min, date.max, datetime.min, datetime.max)  # noqa: DTZ901


class Beyond(Exception):
    """A type or a value that only the engine can write."""


def of_arrow(rows: pa.RecordBatch) -> list[list[Any]]:
    """The columns of `rows` as Python has them. Raises Beyond."""
    try:
        return [
            # The zone is always UTC, and need not be looked up.
            (column.cast(pa.timestamp("us")) if pa.types.is_timestamp(column.type) else column)
            .to_pylist()
            for column in rows.columns
        ]  # fmt: skip
    except (ValueError, OverflowError, pa.ArrowException) as error:
        raise Beyond from error


def texts(
    format_name: str,
    columns: list[tuple[str, Any]],
    values: Iterable[Iterable[Any]],
    between: str,
    *,
    csv_safe: bool,
) -> pa.RecordBatch:
    """The text of each row, as the engine writes it by `formats.row`, from the `values` of each
    column; `between` as in `formats.Row`. Raises Beyond."""
    try:
        if format_name == "csv":
            made = _csv(columns, values, csv_safe)
        else:
            made = _objects(columns, values, between or "\n")
        return pa.record_batch([pa.array(made, pa.large_string())], names=["text"])
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise Beyond from error


def _objects(
    columns: list[tuple[str, Any]], values: Iterable[Iterable[Any]], end: str
) -> list[str]:
    cells = []
    for index, ((name, kind), column) in enumerate(zip(columns, values, strict=True)):
        start, text = ("," if index else "{") + json_text(name) + ":", _json(kind)
        cells.append([start + ("null" if each is None else text(each)) for each in column])
    return ["".join(row) + "}" + end for row in zip(*cells, strict=True)]


def _csv(columns: list[tuple[str, Any]], values: Iterable[Iterable[Any]], safe: bool) -> list[str]:
    cells = []
    for (_, kind), column in zip(columns, values, strict=True):
        text = _csv_cell(kind, safe)
        cells.append(["" if each is None else text(each) for each in column])
    if len(cells) == 1:
        cells = [[cell or '""' for cell in cells[0]]]
    return [",".join(row) + "\n" for row in zip(*cells, strict=True)]


def _json(kind: Any) -> _Text:
    name = kind.id
    if name == "list":
        return partial(_json_list, _json(dict(kind.children)["child"]))
    if name in BIG_INTEGERS:
        return _json_integer
    if name == "decimal":
        precise = dict(kind.children)["precision"] > value_text.DOUBLE_DIGITS
        return (lambda value: f'"{value:f}"') if precise else (lambda value: f"{value:f}")
    if name == "double":
        return lambda value: repr(value) if math.isfinite(value) else f'"{_double(value)}"'
    text = _plain(kind)
    if name in SMALL_INTEGERS or name == "boolean" or str(kind) == "JSON":
        return text
    return lambda value: json_text(text(value))


def _json_list(text: _Text, values: list[Any]) -> str:
    return "[" + ",".join("null" if each is None else text(each) for each in values) + "]"


def _json_integer(value: Any) -> str:
    safe = -value_text.SAFE_INTEGER <= value <= value_text.SAFE_INTEGER
    return str(value) if safe else f'"{value}"'


def _csv_cell(kind: Any, safe: bool) -> _Text:
    if kind.id in value_text.UNQUOTED or kind.id.startswith("timestamp"):
        return _TEXTS[kind.id]
    if kind.id == "list":
        nested = _json(kind)
        return lambda value: _quoted(nested(value))
    text = _plain(kind)
    return lambda value: _quoted(_harmless(text(value)) if safe else text(value))


def _plain(kind: Any) -> _Text:
    return strict if str(kind) == "JSON" else _TEXTS[kind.id]


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(value_text.FORMULA_STARTS) else text


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _double(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _day(value: date) -> str:
    if value in _ENDS_OF_TIME:
        raise Beyond
    return value.isoformat()


def _moment(value: datetime) -> str:
    plain = value.replace(tzinfo=None)
    if plain in _ENDS_OF_TIME:
        raise Beyond
    return plain.isoformat().rstrip("0") if plain.microsecond else plain.isoformat()


# Types whose text needs no more than the value.
_TEXTS: dict[str, _Text] = {
    **dict.fromkeys(SMALL_INTEGERS | BIG_INTEGERS | {"varchar", "enum", "uuid"}, str),
    "decimal": lambda value: f"{value:f}",
    "double": _double,
    "boolean": lambda value: "true" if value else "false",
    "date": _day,
    "timestamp": _moment,
    "timestamp with time zone": lambda value: _moment(value) + "Z",
    "blob": lambda value: value.hex().upper(),
}
