"""SQL that writes a value as text, so that nothing is lost in any format.

| type | JSON, NDJSON | CSV |
|---|---|---|
| integers | number; a string beyond ±(2^53 - 1) | digits |
| decimals | number up to 15 digits of precision; else string | digits, scale kept |
| floats | number; `"NaN"`, `"Infinity"`, `"-Infinity"` | same, unquoted |
| date, time, timestamp | ISO 8601; with zone: UTC, `Z`; `0044-03-15T01:02:03 (BC)` | same |
| binary, geometry (WKB) | upper-case hex | same, quoted |
| list, array, unnamed struct (`row(1, 'a')`) | list | JSON text |
| struct, map | object | JSON text |
| JSON | as it is, less what no JSON has (`strict_json`) | same, quoted |
| union | its member's text, null when that is | same, quoted |
| NULL | null | empty (an empty text is `""`) |

In short: a JSON number always survives a 64-bit float; what might not is a string.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from api_gateway.binary_values import union_text
from api_gateway.engine import literal
from api_gateway.strict_json import strict_sql

SAFE_INTEGER = 2**53 - 1
SMALL_INTEGERS = frozenset({"tinyint", "smallint", "integer", "utinyint", "usmallint", "uinteger"})
BIG_INTEGERS = frozenset({"bigint", "ubigint", "hugeint", "uhugeint"})
DOUBLE_DIGITS = 15
_ZONED = "timestamp with time zone"
_TIMESTAMPS = frozenset({"timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"})
_NESTED = frozenset({"list", "array", "tuple", "struct", "map"})
# The first moment that has the text of its day alone before the time; a day before it ends in (BC).
_FIRST = "'0001-01-01 00:00:00'"
_BEFORE_CHRIST = r"^(\S+)( \(BC\)) (\S+)$"
NUMBERS = SMALL_INTEGERS | BIG_INTEGERS | {"decimal", "float", "double"}
UNQUOTED = NUMBERS | {"boolean", "date"}
# A spreadsheet would run a text that begins like this as a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def json_text(text: str) -> str:
    """`text` as a JSON string, letters unescaped; what is escaped, as the engine does."""
    made = json.dumps(text, ensure_ascii=False)
    if "\\u00" not in made:
        return made
    return re.sub(r"\\\\|\\u00..", lambda found: found[0][:2] + found[0][2:].upper(), made)


def members_of(members: Iterable[tuple[str, str]], after: str = "") -> str:
    """SQL for the JSON object of (name, SQL of its JSON text), and the text `after` it."""
    parts = [
        literal(("{" if index == 0 else ",") + json_text(name) + ":")
        + f", coalesce({text}, 'null')"
        for index, (name, text) in enumerate(members)
    ]
    # One call is planned sooner than a chain of ||.
    end = literal("}" + after)
    return f"concat({', '.join([*parts, end])})" if parts else literal("{}" + after)


def json_of(value: str, kind: Any, depth: int = 0) -> str:
    """SQL for the JSON text of `value`; NULL stays NULL."""
    name = kind.id
    if name in SMALL_INTEGERS:
        return f"{value}::VARCHAR"
    if name in BIG_INTEGERS:
        least = 0 if name.startswith("u") else -SAFE_INTEGER
        return (
            f"CASE WHEN {value} BETWEEN {least} AND {SAFE_INTEGER} "
            f"THEN {value}::VARCHAR ELSE '\"' || {value}::VARCHAR || '\"' END"
        )
    if name == "decimal":
        precise = dict(kind.children)["precision"] > DOUBLE_DIGITS
        text = _decimal(value, kind)
        return f"'\"' || {text} || '\"'" if precise else text
    if name in ("float", "double"):
        return (
            f"CASE {_usual(value, name)} WHEN isfinite({value}) THEN {value}::VARCHAR "
            f"ELSE '\"' || {_text(value, kind)} || '\"' END"
        )
    if name == "boolean":
        return f"{value}::VARCHAR"
    if name in ("list", "array"):
        item = json_of(f"x{depth}", dict(kind.children)["child"], depth + 1)
        return (
            f"'[' || array_to_string(list_transform({value}, lambda x{depth}: "
            f"coalesce({item}, 'null')), ',') || ']'"
        )
    if name == "tuple":
        return _json_tuple(value, kind, depth)
    if name == "struct":
        return _json_struct(value, kind, depth)
    if name == "map":
        return _json_map(value, kind, depth)
    if str(kind) == "JSON":
        return strict_sql(value)
    if str(kind).lower() == _ZONED:
        return _moment(value, '"')
    return f"to_json({_text(value, kind)})::VARCHAR"


def _json_tuple(value: str, kind: Any, depth: int) -> str:
    items = ", ',', ".join(
        f"coalesce({json_of(f'struct_extract({value}, {place})', of, depth)}, 'null')"
        for place, (_, of) in enumerate(kind.children, 1)
    )
    return f"CASE WHEN {value} IS NOT NULL THEN concat('[', {items}, ']') END"


def _json_struct(value: str, kind: Any, depth: int) -> str:
    members = members_of(
        (field, json_of(f"struct_extract({value}, {literal(field)})", of, depth))
        for field, of in kind.children
    )
    return f"CASE WHEN {value} IS NOT NULL THEN {members} END"


def _json_map(value: str, kind: Any, depth: int) -> str:
    of = dict(kind.children)
    item = f"x{depth}"
    key = f"to_json({_text(f'{item}.key', of['key'])})::VARCHAR"
    content = json_of(f"{item}.value", of["value"], depth + 1)
    return (
        f"'{{' || array_to_string(list_transform(map_entries({value}), lambda {item}: "
        f"{key} || ':' || coalesce({content}, 'null')), ',') || '}}'"
    )


def plain(value: str, kind: Any) -> str:
    """SQL for the text of `value` in a cell, unquoted; NULL stays NULL."""
    return json_of(value, kind) if kind.id in _NESTED else _text(value, kind)


def _text(value: str, kind: Any) -> str:
    """SQL for the plain text of a scalar `value`; NULL stays NULL."""
    name = str(kind).lower()
    if name == _ZONED:
        return _moment(value)
    if name in _TIMESTAMPS:
        return _timestamp(value)
    if kind.id == "union":
        return union_text(value, kind)
    if kind.id == "decimal":
        return _decimal(value, kind)
    if name == "json":
        return strict_sql(value)
    if name == "blob":
        return f"hex({value})"
    if name.startswith("geometry"):
        return f"hex(st_aswkb({value}))"
    if name in ("float", "double"):
        return (
            f"CASE {_usual(value, name)} WHEN isnan({value}) THEN 'NaN' WHEN isinf({value}) THEN "
            f"CASE WHEN {value} > 0 THEN 'Infinity' ELSE '-Infinity' END ELSE {value}::VARCHAR END"
        )
    return f"{value}::VARCHAR"


def _decimal(value: str, kind: Any) -> str:
    """SQL for the digits of a decimal, the scale kept; NULL stays NULL."""
    of = dict(kind.children)
    if of["precision"] > of["scale"]:
        return f"{value}::VARCHAR"
    # The engine writes ".5", which is no JSON.
    return (
        f"CASE WHEN {value} < 0 THEN '-0' || substr({value}::VARCHAR, 2) "
        f"ELSE '0' || {value}::VARCHAR END"
    )


def _usual(value: str, name: str) -> str:
    """The branch of a CASE for the usual numbers of a double: JSON's writer has the same digits for
    them in a third of the time."""
    if name != "double":
        return ""
    return f"WHEN {value} = 0 OR abs({value}) BETWEEN 1e-4 AND 1e15 THEN to_json({value})::VARCHAR"


def _timestamp(value: str, zone: str = "") -> str:
    """SQL for the text of a time without a zone, and the letter of one; NULL stays NULL."""
    written = f"{value}::VARCHAR"
    early = f"regexp_replace({written}, '{_BEFORE_CHRIST}', '\\1T\\3{zone}\\2')"
    return (
        f"CASE WHEN {value}::TIMESTAMP >= {_FIRST} THEN replace({written}, ' ', 'T') || '{zone}' "
        f"ELSE {early} END"
    )


def _moment(value: str, quote: str = "") -> str:
    """SQL for the text of a time with its zone, in UTC and between quotes; NULL stays NULL."""
    # Its microseconds are those of UTC: the calendar of time zones, which is slow, is not asked.
    utc = f"make_timestamp(epoch_us({value}))"
    return (
        f"CASE WHEN NOT isfinite({value}) THEN '{quote}' || {value}::VARCHAR || '{quote}' "
        f"WHEN {utc} >= {_FIRST} THEN concat('{quote}', {utc}::DATE, 'T', {utc}::TIME, 'Z{quote}') "
        f"ELSE '{quote}' || {_timestamp(utc, 'Z')} || '{quote}' END"
    )


def csv_header(names: list[str], safe: bool) -> str:
    """The first line of a CSV answer; `safe` as in `csv_cell`."""
    shown = [f"'{name}" if safe and name.startswith(FORMULA_STARTS) else name for name in names]
    return ",".join('"' + name.replace('"', '""') + '"' for name in shown) + "\n"


def csv_cell(value: str, kind: Any, safe: bool) -> str:
    """SQL for the CSV cell of `value`; NULL stays NULL. `safe` puts `'` before a text that a
    spreadsheet would run as a formula."""
    if kind.id in UNQUOTED or str(kind).lower() in (_ZONED, *_TIMESTAMPS):
        return _text(value, kind)
    text = plain(value, kind)
    if safe and kind.id not in _NESTED:
        starts = ", ".join(literal(start) for start in FORMULA_STARTS)
        text = f"CASE WHEN left({text}, 1) IN ({starts}) THEN '''' || {text} ELSE {text} END"
    doubled = f"'\"' || replace({text}, '\"', '\"\"') || '\"'"
    if str(kind) == "VARCHAR" and not safe:
        # Few texts hold a quote, and looking for one takes less time than a copy without it.
        return (
            f"CASE WHEN contains({value}, '\"') THEN {doubled} "
            f"WHEN {value} IS NOT NULL THEN concat('\"', {value}, '\"') END"
        )
    return doubled
