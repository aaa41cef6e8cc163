"""Where a row is: its geometry as WKB in longitude and latitude (CRS84), a point of it, its box."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyproj
import shapely
from pyproj.exceptions import CRSError
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

from harvesters.errors import CrsUnsupported
from harvesters.rawtable import RawColumn

CRS84 = "OGC:CRS84"
GEOMETRY = "geometry"
_PLACES = (
    ("lon", "Kinh độ của điểm, hoặc một điểm trong hình / longitude of the point or in the shape"),
    ("lat", "Vĩ độ của điểm, hoặc của một điểm trong hình / latitude of the point or in the shape"),
    ("min_lon", "Kinh độ nhỏ nhất của hình / western edge of the shape"),
    ("min_lat", "Vĩ độ nhỏ nhất của hình / southern edge of the shape"),
    ("max_lon", "Kinh độ lớn nhất của hình / eastern edge of the shape"),
    ("max_lat", "Vĩ độ lớn nhất của hình / northern edge of the shape"),
)
FIELDS = [
    *(pa.field(key, pa.float64()) for key, _ in _PLACES),
    pa.field(GEOMETRY, pa.binary()),
]
COLUMNS = [
    *(
        RawColumn(key, key, type="float64", native=True, unit="°", description=description)
        for key, description in _PLACES
    ),
    RawColumn(
        GEOMETRY,
        GEOMETRY,
        type=GEOMETRY,
        native=True,
        description="Hình, dạng WKB, OGC CRS84 / shape",
    ),
]
# Numbers of a coordinate system's edge are seldom exact.
_EDGE = 1e-9


def of(geometry: BaseGeometry | None) -> list[Any]:
    """The values of `FIELDS`, all None where there is no geometry.

    Raises ValueError (outside of longitude and latitude) and ShapelyError.
    """
    if geometry is None or geometry.is_empty:
        return [None] * len(FIELDS)
    west, south, east, north = geometry.bounds
    if not (-180 - _EDGE <= west <= east <= 180 + _EDGE and -90 <= south <= north <= 90):
        raise ValueError("coordinates outside of longitude and latitude")
    point = geometry.representative_point()
    return [
        *(point.x, point.y, west, south, east, north),
        shapely.to_wkb(geometry, byte_order=1),
    ]


class Rows(NamedTuple):
    """Some rows of a file: how many, their kept columns, and their geometries (WKB) if any."""

    row_count: int
    columns: list[pa.Array]
    wkb: Sequence[bytes | None] | None


def batches(
    parts: Iterable[Rows], to_crs84: pyproj.Transformer | None, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """The rows under `schema`: their numbers from 1, the kept columns, `FIELDS` if there are
    geometries, and why a row is rejected."""
    before = 0
    for row_count, columns, wkb in parts:
        numbers = pa.array(range(before + 1, before + 1 + row_count), pa.int64())
        located: list[pa.Array] = []
        reasons: list[str | None] = [None] * row_count
        if wkb is not None:
            located, reasons = all_of(wkb, to_crs84)
        arrays = [numbers, *columns, *located, pa.array(reasons, pa.string())]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)
        before += row_count


def all_of(
    wkb: Sequence[bytes | None], to_crs84: pyproj.Transformer | None
) -> tuple[list[pa.Array], list[str | None]]:
    """The columns of `FIELDS` for many geometries, and for each one why it is none."""
    rows: list[list[Any]] = []
    reasons: list[str | None] = []
    for packed in wkb:
        row, reason = [None] * len(FIELDS), None
        try:
            row = of(_in_crs84(shapely.from_wkb(packed), to_crs84))
        except (ValueError, TypeError, ShapelyError):
            reason = "The row has no readable geometry in longitude and latitude."
        rows.append(row)
        reasons.append(reason)
    columns = zip(*rows, strict=True) if rows else [()] * len(FIELDS)
    arrays = [pa.array(list(each), field.type) for each, field in zip(columns, FIELDS, strict=True)]
    return arrays, reasons


def _in_crs84(
    geometry: BaseGeometry | None, to_crs84: pyproj.Transformer | None
) -> BaseGeometry | None:
    if geometry is None or to_crs84 is None:
        return geometry

    def moved(points: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.column_stack(to_crs84.transform(points[:, 0], points[:, 1]))

    return shapely.transform(shapely.force_2d(geometry), moved)


def transformer(crs: str) -> pyproj.Transformer | None:
    """What moves coordinates of a system (`EPSG:3405`, WKT, PROJJSON) to CRS84; None where they are
    there already. Raises CrsUnsupported."""
    try:
        given = pyproj.CRS.from_user_input(crs)
        if given.equals(pyproj.CRS(CRS84), ignore_axis_order=True):
            return None
        return pyproj.Transformer.from_crs(given, CRS84, always_xy=True)
    except CRSError as error:
        raise CrsUnsupported(
            "The coordinate system of the layer is not known; pin the option `crs` to its code, "
            "such as EPSG:3405 (VN-2000 / UTM 48N) or EPSG:5897 (VN-2000 / TM-3 105°45').",
        ) from error


def name(crs: str) -> str:
    """What people call a coordinate system."""
    return str(pyproj.CRS.from_user_input(crs).name)


def is_guess(crs: str) -> bool:
    """Whether nothing is known of how a system's datum lies to WGS 84."""
    group = pyproj.transformer.TransformerGroup(
        pyproj.CRS.from_user_input(crs), CRS84, always_xy=True
    )
    return all("ballpark" in each.description.lower() for each in group.transformers)
