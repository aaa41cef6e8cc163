"""Columns of a database's answer: their types kept, their values read from texts.

Drivers turn values into Python's, which have no infinite date, no 24:00 and no zero day; here they
come as the server's own texts, and Arrow reads them by columns. What is no value of its type
becomes NULL with a count, as sentinels do.

| the database's | kept as |
|---|---|
| integers, floats, booleans, dates, times, bytes | the same |
| numeric(p, s) up to 38 digits | decimal(p,s); without p and s: text, its type found out later |
| timestamps with a zone | UTC |
| PostGIS' geometry and geography, MariaDB's geometry | WKB |
| arrays of simple values | lists |
| everything else (json, uuid, interval, enum …) | text |
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import time
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

# Words in a field's metadata.
UNTYPED, GEOMETRY, IDENTITY = "untyped", "geometry", "identity"
MOST_DIGITS = 38
_UTC = pa.timestamp("us", "UTC")
_LOCAL = pa.timestamp("us")


@dataclass(frozen=True)
class Reading:
    """How the values of a column become an Arrow array of `type`."""

    type: pa.DataType
    convert: Callable[[list[Any]], pa.Array]
    about: dict[str, str] = field(default_factory=dict)


def readings(cursor: Any, dialect: str) -> list[Reading]:
    """How each column of a cursor's answer is read."""
    return _DIALECTS.get(dialect, _of_any)(cursor)


def _parsed(of: pa.DataType) -> Reading:
    def convert(values: list[Any]) -> pa.Array:
        texts = pa.array(values, pa.string())
        try:
            return pc.cast(texts, of)
        except pa.ArrowInvalid:
            return pa.array([_one(text, of) for text in values], of)

    return Reading(of, convert)


def _one(text: str | None, of: pa.DataType) -> Any:
    try:
        return pc.cast(pa.array([text], pa.string()), of)[0].as_py()
    except pa.ArrowInvalid:
        return None


def _times(values: list[Any]) -> pa.Array:
    # MariaDB's times are spans of up to 838 hours: those are no time of day.
    return pa.array(map(_time, values), pa.time64("us"))


def _time(text: str | None) -> time | None:
    try:
        return None if text is None else time.fromisoformat(text)
    except ValueError:
        return None


def _decimal(digits: int | None, places: int | None) -> Reading:
    if (
        digits is None
        or places is None
        or not 0 < digits <= MOST_DIGITS
        or not 0 <= places <= digits
    ):
        return _UNTYPED
    return _parsed(pa.decimal128(digits, places))


def _text(values: list[Any]) -> pa.Array:
    return pa.array([None if value is None else _as_text(value) for value in values], pa.string())


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return format(value, "f") if type(value).__name__ == "Decimal" else str(value)


def _bytes_of_hex(values: list[Any]) -> pa.Array:
    return pa.array(
        [None if value is None else bytes.fromhex(value.removeprefix("\\x")) for value in values],
        pa.binary(),
    )


def _without_system(values: list[Any]) -> pa.Array:
    """MariaDB puts the number of the coordinate system before the WKB; PostGIS puts it inside."""
    return pa.array([None if value is None else _ewkb(value) for value in values], pa.binary())


def _ewkb(value: bytes) -> bytes:
    system, wkb = value[:4], value[4:]
    if system == bytes(4) or wkb[:1] != b"\x01" or len(wkb) < 5:
        return wkb
    kind = int.from_bytes(wkb[1:5], "little") | _HAS_SYSTEM
    return wkb[:1] + kind.to_bytes(4, "little") + system + wkb[5:]


def system_of(ewkb: bytes) -> int:
    """The number of the coordinate system that a geometry says; 0 when it says none."""
    order = "little" if ewkb[:1] == b"\x01" else "big"
    kind = int.from_bytes(ewkb[1:5], order)  # type: ignore[arg-type]
    return int.from_bytes(ewkb[5:9], order) if kind & _HAS_SYSTEM else 0  # type: ignore[arg-type]


_HAS_SYSTEM = 0x20000000
_TEXT = Reading(pa.string(), _text)
_UNTYPED = Reading(pa.string(), _text, {UNTYPED: "1"})
_INTEGER, _FLOAT = _parsed(pa.int64()), _parsed(pa.float64())
_DATE, _TIME = _parsed(pa.date32()), Reading(pa.time64("us"), _times)
_LOCAL_TIMES = _parsed(_LOCAL)
_BYTES = Reading(pa.binary(), lambda values: pa.array(values, pa.binary()))
_POSTGIS = Reading(pa.binary(), _bytes_of_hex, {GEOMETRY: "1"})


def _list(of: pa.DataType) -> Reading:
    """Members come as texts too."""
    member = _PARSED_MEMBER.get(of, lambda text: text)

    def convert(values: list[Any]) -> pa.Array:
        return pa.array([_members(value, member) for value in values], pa.list_(of))

    return Reading(pa.list_(of), convert)


_PARSED_MEMBER: dict[pa.DataType, Callable[[str], Any]] = {
    pa.bool_(): lambda text: text == "t",
    pa.int64(): int,
    pa.float64(): float,
}


def _members(value: Any, member: Callable[[str], Any]) -> list[Any] | None:
    # A list in a list is none that a column has.
    if not isinstance(value, list) or any(isinstance(each, list) for each in value):
        return None
    return [None if each is None else member(each) for each in value]


# By the numbers of PostgreSQL's own types (pg_type.dat).
_POSTGRES = {
    16: Reading(pa.bool_(), lambda values: pa.array(map(_truth, values), pa.bool_())),
    17: Reading(pa.binary(), _bytes_of_hex),
    **dict.fromkeys((20, 21, 23), _INTEGER),
    **dict.fromkeys((700, 701), _FLOAT),
    1082: _DATE,
    1083: _TIME,
    1114: _LOCAL_TIMES,
    1184: _parsed(_UTC),
}
POSTGRES_LISTS = {
    1000: _list(pa.bool_()),
    **dict.fromkeys((1005, 1007, 1016), _list(pa.int64())),
    **dict.fromkeys((1009, 1015), _list(pa.string())),
    **dict.fromkeys((1021, 1022), _list(pa.float64())),
}
_NUMERIC = 1700


def _truth(text: str | None) -> bool | None:
    return None if text is None else text == "t"


def _of_postgres(cursor: Any) -> list[Reading]:
    # Types of extensions have other numbers in every database.
    shapes = cursor.connection.shape_types
    return [_of_postgres_column(each, shapes) for each in cursor.description]


def _of_postgres_column(column: Any, shapes: set[int]) -> Reading:
    oid = column.type_code
    if oid in shapes:
        return _POSTGIS
    if oid == _NUMERIC:
        return _decimal(column.precision, column.scale)
    return _POSTGRES.get(oid) or POSTGRES_LISTS.get(oid) or _TEXT


# By the numbers of MySQL's protocol (field_types.h).
_MYSQL = {
    **dict.fromkeys((1, 2, 3, 8, 9, 13), _INTEGER),
    **dict.fromkeys((4, 5), _FLOAT),
    # The session's zone is UTC, and the texts don't say it.
    7: Reading(_UTC, lambda values: _LOCAL_TIMES.convert(values).view(_UTC)),
    **dict.fromkeys((10, 14), _DATE),
    11: _TIME,
    12: _LOCAL_TIMES,
    16: _BYTES,
    255: Reading(pa.binary(), _without_system, {GEOMETRY: "1"}),
}
_UNSIGNED, _BINARY, _LONGLONG = 32, 63, 8
_TEXTS = (15, *range(249, 255))
_DECIMALS = (0, 246)


def _of_mysql(cursor: Any) -> list[Reading]:
    return [_of_mysql_column(each) for each in cursor._result.fields]


def _of_mysql_column(column: Any) -> Reading:
    kind, unsigned = column.type_code, bool(column.flags & _UNSIGNED)
    if kind == _LONGLONG and unsigned:
        return _parsed(pa.decimal128(20, 0))
    if kind in _DECIMALS:
        # Its length counts the sign and the point.
        digits = column.length - (not unsigned) - bool(column.scale)
        return _decimal(digits, column.scale)
    if kind in _TEXTS and column.charsetnr == _BINARY:
        return _BYTES
    return _MYSQL.get(kind, _TEXT)


def _of_any(cursor: Any) -> list[Reading]:
    return [_UNTYPED for _ in cursor.description]


_DIALECTS = {"postgresql": _of_postgres, "mysql": _of_mysql}
