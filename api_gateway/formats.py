"""The formats of an answer: their names and media types, and how rows become their bytes.

Text formats are made by the engine (`value_text`): every row becomes one text, whose Arrow buffer
is sent as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from api_gateway import binary_values, value_text
from api_gateway.engine import quoted
from api_gateway.origins import folded


@dataclass(frozen=True)
class Format:
    """A format by its name, which is also its file ending."""

    name: str
    media_type: str
    aliases: tuple[str, ...] = ()


FORMATS: dict[str, Format] = {
    each.name: each
    for each in (
        Format("json", "application/json"),
        Format("ndjson", "application/x-ndjson", ("application/jsonl", "application/x-jsonlines")),
        Format("csv", "text/csv; charset=utf-8", ("text/csv",)),
        Format("arrow", "application/vnd.apache.arrow.stream"),
        Format("parquet", "application/vnd.apache.parquet", ("application/x-parquet",)),
        Format("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        Format("geojson", "application/geo+json"),
    )
}
# Of the rows door alone: a bare list, and one object.
LISTS: dict[str, Format] = {
    each.name: each
    for each in (
        Format("rows", "application/json", ("application/vnd.pgrst.array+json",)),
        Format("object", "application/vnd.pgrst.object+json"),
    )
}
MEDIA_TYPES: dict[str, str] = {
    media_type: each.name
    for each in FORMATS.values()
    for media_type in (each.media_type.partition(";")[0], *each.aliases)
}


def media_type(name: str) -> str:
    """The `Content-Type` of a format."""
    return (LISTS.get(name) or FORMATS[name]).media_type


# Compressed already.
PACKED = frozenset({"parquet", "xlsx"})
CHUNK_BYTES = 256 * 1024
_BETWEEN = ",\n"


class Unsuited(Exception):
    """The rows cannot be written in the format asked for; its text says why."""


@dataclass(frozen=True)
class Row:
    """How one row of a query becomes what the format needs: a select list over columns `c0…`, the
    text before all rows, and between two rows. Binary formats select the columns themselves."""

    select: str
    head: str = ""
    between: str = ""


def unique(names: Iterable[str]) -> list[str]:
    """Column names made unique by `_1`, `_2` …, since of two equal keys one value would be lost.
    Names that differ only in case are equal too, as they are for the engine in a subquery."""
    taken: set[str] = set()
    numbers: Counter[str] = Counter()
    result = []
    for name in names:
        candidate = name
        while folded(candidate) in taken:
            numbers[name] += 1
            candidate = f"{name}_{numbers[name]}"
        taken.add(folded(candidate))
        result.append(candidate)
    return result


def described(
    columns: Iterable[tuple[str, Any]], facts: Mapping[str, Mapping[str, str]]
) -> list[dict[str, Any]]:
    """What an answer says of its columns: name, DuckDB's type, and the `facts` by name."""
    return [{"name": name, "type": str(kind), **facts.get(name, {})} for name, kind in columns]


def row(name: str, columns: list[tuple[str, Any]], *, csv_safe: bool = False) -> Row:
    """The `Row` of a table-like format for columns of (name, DuckDB type)."""
    return _ROWS[name](columns, csv_safe)


def bare(name: str, columns: list[tuple[str, Any]], *, csv_safe: bool = False) -> Row:
    """As `row`, of a text format and without the select list."""
    if name == "csv":
        return Row("", head=_csv_head([name for name, _ in columns], csv_safe))
    return Row("", between="" if name == "ndjson" else _BETWEEN)


def features(columns: list[tuple[str, Any]], shown: list[dict[str, Any]]) -> Row:
    """The `Row` of GeoJSON: a feature of the first geometry among the columns. Raises Unsuited."""
    places = [_is_place(column, said) for column, said in zip(columns, shown, strict=True)]
    if True not in places:
        raise Unsuited("GeoJSON needs a geometry column among the selected ones")
    place = places.index(True)
    of_blob = columns[place][1].id == "blob"
    value = f"st_geomfromwkb(c{place})" if of_blob else f"c{place}"
    rest = value_text.members_of(
        (name, value_text.json_of(f"c{index}", kind))
        for index, (name, kind) in enumerate(columns)
        if index != place
    )
    # A place whose coordinates are no numbers is none; JSON has no name for them either.
    shape = f"st_asgeojson({value})::VARCHAR"
    head = '{"type":"Feature","geometry":'
    return Row(
        f"'{head}' || CASE WHEN NOT regexp_matches({shape}, 'NaN|Infinity') THEN {shape} "
        f"ELSE 'null' END || "
        f"',\"properties\":' || {rest} || '}},' || chr(10)",
        between=_BETWEEN,
    )


def _is_place(column: tuple[str, Any], shown: Mapping[str, Any]) -> bool:
    name, kind = column
    if str(kind).lower().startswith("geometry"):
        return True
    # The lake keeps a geometry as WKB; a computed one is known by its name.
    named = shown.get("lake_type") == "geometry" or name.casefold() in ("geometry", "geom")
    return bool(kind.id == "blob" and named)


def _binary(instead: Mapping[str, str], columns: list[tuple[str, Any]], _: bool) -> Row:
    return Row(
        ", ".join(
            f"{binary_values.value_of(f'c{index}', kind, instead)} AS {quoted(name)}"
            for index, (name, kind) in enumerate(columns)
        )
    )


def _ndjson(columns: list[tuple[str, Any]], _: bool) -> Row:
    return Row(_object(columns, "\n"))


def _json(columns: list[tuple[str, Any]], _: bool) -> Row:
    return Row(_object(columns, _BETWEEN), between=_BETWEEN)


def _object(columns: list[tuple[str, Any]], after: str) -> str:
    return value_text.members_of(
        (
            (name, value_text.json_of(f"c{index}", kind))
            for index, (name, kind) in enumerate(columns)
        ),
        after,
    )


def _csv(columns: list[tuple[str, Any]], safe: bool) -> Row:
    cells = [
        value_text.csv_cell(f"c{index}", kind, safe) for index, (_, kind) in enumerate(columns)
    ]
    if len(cells) == 1:
        # Most readers skip an empty line, and with it a row: a lone NULL is written as "".
        cells = [f"coalesce(nullif({cells[0]}, ''), '\"\"')"]
    # In which a NULL is nothing.
    line = "concat(" + ", ',', ".join(cells) + ", chr(10))"
    return Row(line, head=_csv_head([name for name, _ in columns], safe))


def _csv_head(names: list[str], safe: bool) -> str:
    # Excel takes a file without this mark for one in the machine's old code page.
    return ("\ufeff" if safe else "") + value_text.csv_header(names, safe)


_ROWS: dict[str, Callable[[list[tuple[str, Any]], bool], Row]] = {
    "json": _json,
    "rows": _json,
    "object": _json,
    "ndjson": _ndjson,
    "csv": _csv,
    **{name: partial(_binary, instead) for name, instead in binary_values.INSTEAD.items()},
}


def text_of(column: Any) -> memoryview:
    """The joined texts of one Arrow string column without nulls, in its own memory."""
    offsets = memoryview(column.buffers()[1]).cast("i" if column.type == "string" else "q")
    first, last = offsets[column.offset], offsets[column.offset + len(column)]
    return memoryview(column.buffers()[2] or b"")[first:last]


def pieces(data: memoryview, size: int) -> Iterator[memoryview]:
    """`data` in parts of at most `size` bytes."""
    for start in range(0, len(data), size):
        yield data[start : start + size]
