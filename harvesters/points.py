"""Longitudes and latitudes of a table: checked for Việt Nam, and made points of where asked for.

A pair of columns is known by its names. Places outside Việt Nam are told, and when they lie in it
once both are exchanged, that too; neither is changed. The option `geometry` adds the points (WKB,
CRS84), which the gateway gives out as GeoJSON.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import shapely

from harvesters.normalise import TypedColumn, TypedTable
from harvesters.personal_rules import Words
from harvesters.rawtable import ROW, RawColumn
from harvesters.source import ColumnPin, Options
from harvesters.workbench import Workbench
from lake.schema import Column

LONGITUDES = Words.of(["lon", "lng", "long", "longitude", "kinh độ", "stop lon"])
LATITUDES = Words.of(["lat", "latitude", "vĩ độ", "stop lat"])
GEOMETRY = "geometry"
# The mainland, the islands and the sea around them, in degrees.
_WEST, _EAST, _SOUTH, _NORTH = 102, 118, 6, 24
_MOSTLY = 0.9
SAMPLED_ROWS, SAMPLE_WINDOWS = 40_000, 8
_NUMBERS = ("float64", "int64")
_POINTS = pa.schema([(ROW, pa.int64()), (GEOMETRY, pa.binary())])


def locate(typed: TypedTable, options: Options, bench: Workbench) -> None:
    """Check the pair of a table, and add the points when the option asks, in place."""
    pair = _pair(typed)
    if pair is None:
        if options.geometry:
            typed.messages.append("no pair of longitude and latitude was found: no geometry")
        return
    lon, lat = pair
    x, y = f"({lon.value})", f"({lat.value})"
    many = typed.row_count > SAMPLED_ROWS
    some = bench.sample(typed.raw.name, SAMPLED_ROWS, SAMPLE_WINDOWS) if many else None
    both, inside, exchanged = bench.row(
        f"SELECT count(*), count(*) FILTER ({_inside(x, y)}), "  # noqa: S608
        f"count(*) FILTER ({_inside(y, x)}) FROM {some or typed.raw.name} "
        f"WHERE {x} IS NOT NULL AND {y} IS NOT NULL"
    )
    names = f"{lon.column.name}, {lat.column.name}"
    if both and exchanged >= _MOSTLY * both:
        typed.messages.append(f"{names}: longitude and latitude seem to be exchanged")
    elif 0 < inside < both and inside >= _MOSTLY * both:
        among = f" of {both} looked at" if some else ""
        typed.messages.append(f"{names}: {both - inside} places{among} lie outside Việt Nam")
    if options.geometry:
        _add(typed, lon, lat, bench)


def _inside(x: str, y: str) -> str:
    return f"{x} BETWEEN {_WEST} AND {_EAST} AND {y} BETWEEN {_SOUTH} AND {_NORTH}"


def _pair(typed: TypedTable) -> tuple[TypedColumn, TypedColumn] | None:
    """The one pair of a table that has no geometry yet."""
    if any(GEOMETRY in (one.column.type, one.column.name.casefold()) for one in typed.columns):
        return None
    sides = []
    for words in (LONGITUDES, LATITUDES):
        found = [
            column
            for column in typed.columns
            if column.column.type in _NUMBERS and words.are_name(column.column.name)
        ]
        if len(found) != 1:
            return None
        sides.append(found[0])
    return sides[0], sides[1]


def _add(typed: TypedTable, lon: TypedColumn, lat: TypedColumn, bench: Workbench) -> None:
    raw = typed.raw
    numbers = bench.batches(
        f"SELECT row, CAST({lon.value} AS DOUBLE), CAST({lat.value} AS DOUBLE) "  # noqa: S608
        f"FROM {raw.name} WHERE {lon.value} BETWEEN -180 AND 180 AND {lat.value} BETWEEN -90 AND 90"
    )
    points = bench.load(_POINTS, _points(numbers))
    bench.own(raw.name)
    bench.execute(f"ALTER TABLE {raw.name} ADD COLUMN {GEOMETRY} BLOB")
    bench.execute(
        f"UPDATE {raw.name} SET {GEOMETRY} = {points}.{GEOMETRY} FROM {points} "  # noqa: S608
        f"WHERE {raw.name}.row = {points}.row"
    )
    bench.drop(points)
    column = RawColumn(GEOMETRY, GEOMETRY, "geometry", native=True)
    typed.columns.append(
        TypedColumn(
            column,
            Column(GEOMETRY, "geometry"),
            ColumnPin(),
            "as given",
            GEOMETRY,
            GEOMETRY,
            may_fail=False,
        )
    )
    # What was known of the texts as they came does not hold for a table of its own.
    typed.columns[:] = [replace(one, cast=None) for one in typed.columns]


def _points(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        rows, lons, lats = (column.to_numpy(zero_copy_only=False) for column in batch.columns)
        texts = shapely.to_wkb(shapely.points(lons, lats))
        yield pa.RecordBatch.from_arrays(
            [pa.array(rows, pa.int64()), pa.array(texts, pa.binary())], schema=_POINTS
        )
