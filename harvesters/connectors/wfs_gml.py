"""GML pages of a WFS: what is in them is found in one pass, then GDAL reads them apart.

GDAL guesses the types of a GML file without a schema, and would make 1 of a code 001. So it is told
what the properties are, texts all of them, by a template of its own kind (.gfs).
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import shapely
import simplejson  # type: ignore[import-untyped]

from harvesters import apart, xml_elements
from harvesters.connectors import wfs_words
from harvesters.connectors.wfs_words import Report
from harvesters.errors import ApiRefused, CrsUnsupported, LayerBroken, TooManyColumns
from harvesters.rawtable import MAX_COLUMNS
from harvesters.readers import places
from harvesters.readers.process import REJECTED

READER = "harvesters.readers.gml"
_SHAPES = (
    *("Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon", "Curve"),
    *("MultiCurve", "Surface", "MultiSurface", "MultiGeometry", "CompositeCurve", "Solid"),
    *("CompositeSurface", "PolyhedralSurface", "OrientableCurve", "OrientableSurface", "Tin"),
    *("TriangulatedSurface", "LinearRing"),
)
_MEMBERS = ("member", "featureMember", "featureMembers")


@dataclass
class Scan(Report):
    """One page: how many features it has and how many match, the paths of their properties and of
    their geometry, and the coordinate systems that it names."""

    path_of_file: Path
    feature: str = ""
    feature_count: int = 0
    matched: int | None = None
    ids: list[str] = field(default_factory=list)
    properties: dict[tuple[str, ...], None] = field(default_factory=dict)
    geometries: dict[tuple[str, ...], None] = field(default_factory=dict)
    systems: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()
        self._digest = hashlib.sha256()
        self._shape_depth = 0

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()

    def on_begin(self, name: str, attributes: Mapping[str, str]) -> None:
        depth = len(self.path)
        if depth == 1:
            said = attributes.get("numberMatched") or attributes.get("numberOfFeatures") or ""
            self.matched = int(said) if said.isdecimal() and len(said) < 12 else None
        elif depth == 3 and self.path[1] in _MEMBERS:
            self.feature = self.feature or name
            if name != self.feature:
                raise ApiRefused("The server gave features of several types at once.")
            self.feature_count += 1
            if identifier := attributes.get("id") or attributes.get("fid"):
                self.ids.append(identifier)
                self._digest.update(identifier.encode())
        elif (
            depth > 4 and not self._shape_depth and name in _SHAPES and self.path[3] != "boundedBy"
        ):
            self.geometries.setdefault(tuple(self.path[3:-1]))
            self._shape_depth = depth
        if self._shape_depth and "srsName" in attributes:
            self.systems.add(attributes["srsName"])

    def on_end(self, name: str, text: str) -> None:
        depth = len(self.path)
        self._digest.update(text.encode())
        if self._shape_depth == depth:
            self._shape_depth = 0
        elif depth > 3 and text and not self._shape_depth and self.path[3] != "boundedBy":
            self.properties.setdefault(tuple(self.path[3:]))
            if len(self.properties) > MAX_COLUMNS:
                raise TooManyColumns(f"The features have over {MAX_COLUMNS} properties.")


def scan(path: Path) -> Scan:
    """What is in a page. Raises ApiRefused (it is no page, or says what went wrong),
    TooManyColumns, and the errors of `xml_stream`."""
    found = Scan(path)
    xml_elements.walk(path, found)
    if found.root in wfs_words.REPORTS:
        raise wfs_words.said_no(found.words)
    if found.root != "FeatureCollection":
        raise ApiRefused(f"The server's answer is no collection of features: {found.root[:60]}.")
    return found


def features(scans: Sequence[Scan]) -> Iterator[dict[str, Any]]:
    """The features of all pages as those of GeoJSON, in longitude and latitude; one whose geometry
    can't be read has a geometry that is none.

    Raises CrsUnsupported, LayerBroken, and the errors of `apart.tables`.
    """
    filled = [each for each in scans if each.feature_count]
    if not filled:
        return
    properties = list(dict.fromkeys(path for each in filled for path in each.properties))
    geometry = next((path for each in filled for path in each.geometries), None)
    systems = {name for each in filled for name in each.systems}
    if len(systems) > 1:
        raise CrsUnsupported(f"The features are in {len(systems)} coordinate systems at once.")
    names = [".".join(path) for path in properties]
    raw_dir = filled[0].path_of_file.parents[1]
    with tempfile.TemporaryDirectory(prefix=".gml-", dir=raw_dir) as folder:
        template = Path(folder) / "features.gfs"
        template.write_text(_template(filled[0].feature, properties, geometry), encoding="utf-8")
        for number, each in enumerate(filled):
            # GDAL goes by the ending of a name.
            os.link(each.path_of_file, Path(folder) / f"{number:06}.gml")
        arguments = {
            "template": template.name,
            "columns": len(properties),
            "crs": next(iter(systems), places.CRS84),
            "has_geometry": geometry is not None,
        }
        count = 0
        for arriving in apart.streams(READER, Path(folder), arguments):
            for row in (row for batch in arriving.batches for row in batch.to_pylist()):
                count += 1
                yield _feature(row, names)
    wanted = sum(each.feature_count for each in filled)
    if count != wanted:
        raise LayerBroken(f"Of {wanted} features of the GML {count} could be read.")


def _feature(row: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    geometry: Any = None
    if row[REJECTED] is not None:
        geometry = {"type": "unreadable"}
    elif row.get(places.GEOMETRY) is not None:
        geometry = simplejson.RawJSON(shapely.to_geojson(shapely.from_wkb(row[places.GEOMETRY])))
    properties = {name: row[f"c{index}"] for index, name in enumerate(names)}
    found = {"type": "Feature", "geometry": geometry, "properties": properties}
    return {**found, "id": row["id"]} if row["id"] else found


def _template(
    feature: str, properties: Sequence[tuple[str, ...]], geometry: tuple[str, ...] | None
) -> str:
    """GDAL's description of the features: https://gdal.org/en/stable/drivers/vector/gml.html"""
    place = "" if geometry is None else _property("GeomPropertyDefn", "geometry", geometry)
    others = (
        _property("PropertyDefn", f"c{index}", path, "<Type>String</Type>")
        for index, path in enumerate(properties)
    )
    return (
        "<GMLFeatureClassList><GMLFeatureClass><Name>features</Name>"
        f"<ElementPath>{escape(feature)}</ElementPath>{place}{''.join(others)}"
        "</GMLFeatureClass></GMLFeatureClassList>"
    )


def _property(kind: str, name: str, path: tuple[str, ...], more: str = "") -> str:
    place = escape("|".join(path))
    return f"<{kind}><Name>{name}</Name><ElementPath>{place}</ElementPath>{more}</{kind}>"
