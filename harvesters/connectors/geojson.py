"""GeoJSON (RFC 7946): a feature is a row, its geometry WKB with a point and a box beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import ijson  # type: ignore[import-untyped]
import pyarrow as pa
from shapely.errors import ShapelyError
from shapely.geometry import shape

from harvesters.connectors import records
from harvesters.connectors.base import Connector
from harvesters.connectors.json_stream import BUFFER_BYTES, LONGEST_ROW_BYTES, JsonStream, walk
from harvesters.decode import refuse_other_formats
from harvesters.errors import CrsUnsupported, GeojsonBroken, TooManyColumns
from harvesters.mending import mend
from harvesters.rawtable import (
    MAX_COLUMNS,
    RawColumn,
    RawTable,
    cleaned,
    note_figures,
    sign_of,
    text_schema,
)
from harvesters.readers import places
from harvesters.source import Options
from harvesters.unreadable import Unreadable
from harvesters.workbench import Workbench
from lake.rejected import Rejected

BATCH_FEATURES = 4_096
_MOST = (1 << 63) - 1
# Names under which GeoJSON files say "longitude and latitude, WGS 84".
_WGS84 = ("CRS84", "EPSG::4326", "EPSG:4326", "OGC:CRS84")


def decode(path: Path, options: Options, bench: Workbench) -> list[RawTable]:
    """The collection's one table. Two passes: which properties there are, then the rows."""
    headers, exact = _properties(path)
    if len(headers) > MAX_COLUMNS:
        raise TooManyColumns(
            f"The features have {len(headers)} properties; {MAX_COLUMNS} are allowed."
        )
    rejected = Unreadable()
    schema = text_schema(len(headers), places.FIELDS)
    figures: set[int] = set()
    name = bench.load(schema, _batches(path, exact, headers, schema, rejected, figures))
    columns = [
        RawColumn(f"c{index}", text, decimal=sign_of(index, figures))
        for index, text in enumerate(headers)
    ]
    columns += places.COLUMNS
    table = RawTable(name, columns, rejected=rejected)
    mend(table, options, bench)
    return [table]


def _properties(path: Path) -> tuple[list[str], bool]:
    """The names of all properties, in the order of their first appearance, and whether their
    numbers want all of their digits. Checks type and CRS."""
    with path.open("rb") as file:
        refuse_other_formats(file.read(4096))
        exact = _check_collection(path)
        file.seek(0)
        names: dict[str, None] = {}
        for feature in _features(file, exact):
            if isinstance(feature, dict) and isinstance(feature.get("properties"), dict):
                names.update(dict.fromkeys(feature["properties"]))
            if isinstance(feature, dict) and feature.get("id") is not None:
                names.setdefault("id", None)
    return list(names), exact


def _check_collection(path: Path) -> bool:
    """Whether a property has a number that a float or an integer of 64 bits would change.

    Raises GeojsonBroken, CrsUnsupported.
    """
    kind, crs, exact = None, None, False
    with path.open("rb") as file:
        try:
            stream = JsonStream(iter(lambda: file.read(BUFFER_BYTES), b""))
            for steps, name, event, value in walk(stream):
                if event == "map_key":
                    continue
                if steps == [""] and name == "type":
                    kind = value
                elif steps == ["", "crs", "properties"] and name == "name":
                    crs = str(value)
                elif event == "number" and not exact:
                    exact = abs(value) > _MOST or (
                        "properties" in steps and Decimal(repr(float(value))) != value
                    )
        except (ijson.JSONError, UnicodeDecodeError) as error:
            raise GeojsonBroken("The file is no valid JSON.") from error
    if kind != "FeatureCollection":
        raise GeojsonBroken(f"The file is no GeoJSON FeatureCollection (type: {kind!r}).")
    if crs is not None and not crs.endswith(_WGS84):
        raise CrsUnsupported(
            f"The coordinates are in {crs}, not in longitude and latitude (CRS84).", crs=crs
        )
    return exact


def _features(file: BinaryIO, exact: bool) -> Iterator[Any]:
    try:
        stream = JsonStream(iter(lambda: file.read(BUFFER_BYTES), b""), 2 * LONGEST_ROW_BYTES)
        # Floats are read twice as fast.
        for feature in ijson.items(stream, "features.item", use_float=not exact):
            stream.mark()
            if exact and isinstance(feature, dict) and feature.get("geometry") is not None:
                # Digits beyond those of a float are no place's.
                feature["geometry"] = json.loads(json.dumps(feature["geometry"], default=float))
            yield feature
    except (ijson.JSONError, UnicodeDecodeError) as error:
        raise GeojsonBroken("The file is no valid JSON.") from error


def _batches(
    path: Path,
    exact: bool,
    headers: list[str],
    schema: pa.Schema,
    rejected: list[Rejected],
    figures: set[int],
) -> Iterator[pa.RecordBatch]:
    with path.open("rb") as file:
        rows: list[list[Any]] = []
        for number, feature in enumerate(_features(file, exact), start=1):
            try:
                rows.append([number, *_texts(feature, headers), *_places(feature)])
            except (ValueError, TypeError, ShapelyError, AttributeError, KeyError):
                rejected.append(
                    Rejected(
                        row=number,
                        column="geometry",
                        value=(records.text(feature) or "null")[:10_000],
                        reason_code="geometry_invalid",
                        reason="The feature has no readable geometry in longitude and latitude.",
                    )
                )
            if len(rows) >= BATCH_FEATURES:
                yield _batch(rows, len(headers), schema, figures)
                rows = []
        if rows:
            yield _batch(rows, len(headers), schema, figures)


def _batch(
    rows: list[list[Any]], width: int, schema: pa.Schema, figures: set[int]
) -> pa.RecordBatch:
    columns = list(zip(*rows, strict=True))
    note_figures(columns[1 : width + 1], figures)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return cleaned(pa.RecordBatch.from_arrays(arrays, schema=schema))


def _texts(feature: dict[str, Any], headers: list[str]) -> list[str | None]:
    properties = feature.get("properties") or {}
    if feature.get("id") is not None and "id" not in properties:
        properties = {**properties, "id": feature["id"]}
    return [records.text(properties.get(name)) for name in headers]


def _places(feature: dict[str, Any]) -> list[Any]:
    """The values of `places.FIELDS`. Raises ValueError."""
    geometry = feature.get("geometry")
    return places.of(None if geometry is None else shape(geometry))


CONNECTOR = Connector(
    kind="geojson",
    title="GeoJSON",
    help="A feature is a row: its properties, lon and lat, its box (min_lon …), and its geometry "
    "as WKB. Coordinates must be longitude and latitude (CRS84).",
    decode=decode,
)
