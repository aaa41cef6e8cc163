"""The shapes of KML: written coordinates to geometries."""

from __future__ import annotations

import shapely
from shapely.geometry.base import BaseGeometry


def points(written: str) -> list[tuple[float, ...]]:
    """The points of a `coordinates` element. Raises ValueError."""
    # longitude,latitude[,altitude] with spaces between the points; some programs add spaces inside.
    single = " ".join(written.split()).replace(" ,", ",").replace(", ", ",")
    found = [
        tuple(float(number) for number in point.split(",") if number) for point in single.split()
    ]
    if any(len(point) not in (2, 3) for point in found):
        raise ValueError("coordinates that are none")
    flat = min(map(len, found), default=0)
    return [point[:flat] for point in found]


def shape_of(shape: str, rings: list[list[tuple[float, ...]]]) -> BaseGeometry:
    """A Point, LineString, LinearRing or Polygon (its outer ring first). Raises ValueError,
    ShapelyError."""
    if any(not ring for ring in rings):
        raise ValueError("a shape without coordinates")
    if shape == "Point":
        return shapely.Point(rings[0][0])
    if shape == "Polygon":
        return shapely.Polygon(rings[0], rings[1:])
    return shapely.LineString(rings[0])


def together(found: list[BaseGeometry]) -> BaseGeometry:
    """Several shapes as one: a multi-geometry where they are of one kind."""
    kinds = {each.geom_type for each in found}
    of_one_kind = {
        "Point": shapely.MultiPoint,
        "LineString": shapely.MultiLineString,
        "Polygon": shapely.MultiPolygon,
    }
    made = of_one_kind.get(kinds.pop()) if len(kinds) == 1 else None
    return made(found) if made else shapely.GeometryCollection(found)
