"""What an ArcGIS layer says of itself, and its features by that: types, coded values, shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from shapely.errors import ShapelyError
from shapely.geometry import LinearRing, Point, Polygon

from harvesters.errors import ApiRefused

_PREFIX = "esriFieldType"
# https://developers.arcgis.com/web-map-specification/objects/field/ ; the others are left out.
_TYPES = {
    "SmallInteger": "int64",
    "Integer": "int64",
    "BigInteger": "int64",
    "OID": "int64",
    "Single": "float64",
    "Double": "float64",
    "String": "string",
    "GUID": "string",
    "GlobalID": "string",
    "XML": "string",
    "Date": "timestamp",
    "TimestampOffset": "timestamp",
    "DateOnly": "date",
    "TimeOnly": "time",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FALLBACK_ROWS = 1_000

Codes = Mapping[str, str]


@dataclass(frozen=True)
class Field:
    """A field: its kind by ArcGIS (without the prefix), its alias, and the texts of its codes.

    `is_coded`: it has codes, if only in a subtype.
    """

    name: str
    kind: str
    alias: str
    codes: Codes = field(default_factory=dict)
    is_coded: bool = False

    @property
    def type(self) -> str:
        return "string" if self.is_coded else _TYPES[self.kind]


@dataclass(frozen=True)
class Layer:
    """`object_id` is empty where there is none; `subtypes` are the codes of fields by subtype.
    `edited` is when its rows were edited last (milliseconds since 1970), and `edit_field` has that
    for each row: where the layer says so."""

    fields: list[Field]
    object_id: str
    has_places: bool
    has_pages: bool
    most_rows: int
    subtype_field: str = ""
    subtypes: Mapping[str, Mapping[str, Codes]] = field(default_factory=dict)
    edited: int | None = None
    edit_field: str = ""

    @classmethod
    def of(cls, about: Mapping[str, Any]) -> Layer:
        """Raises ApiRefused for what is no layer with rows."""
        try:
            return cls._of(about)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ApiRefused("The server does not describe its layer as ArcGIS does.") from error

    @classmethod
    def _of(cls, about: Mapping[str, Any]) -> Layer:
        if "fields" not in about or "Query" not in str(about.get("capabilities") or "Query"):
            raise ApiRefused("The address is of no layer that may be queried.")
        subtype_field = str(about.get("typeIdField") or about.get("subtypeField") or "")
        types = about.get("types") or about.get("subtypes") or []
        key = "id" if about.get("types") else "code"
        subtypes = {
            str(each[key]): {
                name: _codes(domain) for name, domain in (each.get("domains") or {}).items()
            }
            for each in types
        }
        fields = []
        for each in about["fields"] or []:
            kind, name = str(each["type"]).removeprefix(_PREFIX), str(each["name"])
            if kind not in _TYPES:
                continue
            codes = _codes(each.get("domain"))
            if subtype_field and name.lower() == subtype_field.lower():
                codes = {str(one[key]): str(one["name"]) for one in types}
            is_coded = bool(codes) or any(one.get(name) for one in subtypes.values())
            fields.append(Field(name, kind, str(each.get("alias") or ""), codes, is_coded))
        object_ids = [one.name for one in fields if one.kind == "OID"]
        paged = about.get("advancedQueryCapabilities") or {}
        editing = about.get("editingInfo") or {}
        edited = editing.get("dataLastEditDate") or editing.get("lastEditDate")
        tracked = (about.get("editFieldsInfo") or {}).get("editDateField")
        edit_fields = (one.name for one in fields if one.kind == "Date" and one.name == tracked)
        return cls(
            fields=fields,
            object_id=str(about.get("objectIdField") or "") or next(iter(object_ids), ""),
            has_places=bool(about.get("geometryType")),
            has_pages=bool(paged.get("supportsPagination") or about.get("supportsPagination")),
            most_rows=max(1, int(about.get("maxRecordCount") or _FALLBACK_ROWS)),
            subtype_field=subtype_field,
            subtypes=subtypes,
            edited=edited if type(edited) is int else None,
            edit_field=next(edit_fields, ""),
        )

    def about(self) -> list[dict[str, str | None]]:
        """Name, type and alias of the columns; an alias that is the name says nothing."""
        return [
            {
                "name": one.name,
                "type": one.type,
                "alias": one.alias if one.alias.lower() != one.name.lower() else None,
            }
            for one in self.fields
        ]

    def feature(self, row: Any) -> dict[str, Any]:
        """A feature of `f=json` as GeoJSON. Raises ApiRefused."""
        if not isinstance(row, dict) or not isinstance(row.get("attributes"), dict):
            raise ApiRefused("The server's rows are no features of ArcGIS.")
        values = row["attributes"]
        own = self.subtypes.get(str(values.get(self.subtype_field)), {})
        properties = {
            one.name: _value(values.get(one.name), one, own.get(one.name) or one.codes)
            for one in self.fields
        }
        try:
            geometry = shape(row.get("geometry")) if self.has_places else None
        except (KeyError, TypeError, ValueError, IndexError, ShapelyError):
            # The decoder rejects the row, and says why.
            geometry = {"type": "unreadable"}
        return {"type": "Feature", "geometry": geometry, "properties": properties}


def _codes(domain: Any) -> Codes:
    if not isinstance(domain, dict) or domain.get("type") != "codedValue":
        return {}
    return {str(one["code"]): str(one["name"]) for one in domain.get("codedValues") or []}


def _value(value: Any, one: Field, codes: Codes) -> Any:
    if value is None:
        return None
    if one.is_coded:
        return codes.get(str(value), str(value))
    if one.kind == "Date" and isinstance(value, int):
        try:
            return (_EPOCH + timedelta(milliseconds=value)).isoformat()
        except OverflowError:
            return str(value)
    return value


def shape(geometry: Any) -> dict[str, Any] | None:
    """A geometry of ArcGIS as GeoJSON; None for an empty one. Raises ValueError and the like."""
    if not geometry:
        return None
    if "x" in geometry:
        if geometry["x"] in (None, "NaN") or geometry["y"] in (None, "NaN"):
            return None
        return {"type": "Point", "coordinates": [geometry["x"], geometry["y"]]}
    for key, kind in (("points", "MultiPoint"), ("paths", "MultiLineString")):
        if key in geometry:
            parts = geometry[key]
            flat = _flat(parts) if key == "points" else [_flat(part) for part in parts]
            return {"type": kind, "coordinates": flat} if flat else None
    rings = [_flat(ring) for ring in geometry["rings"]]
    return {"type": "MultiPolygon", "coordinates": _polygons(rings)} if rings else None


def _flat(points: list[list[Any]]) -> list[list[Any]]:
    """Without heights and measures."""
    return [[point[0], point[1]] for point in points]


def _polygons(rings: list[list[list[Any]]]) -> list[list[list[list[Any]]]]:
    """Rings by polygon: ArcGIS writes them in one list, outer ones clockwise, holes the other
    way round. A hole that lies in no outer ring is one itself."""
    drawn = [LinearRing([(float(x), float(y)) for x, y in ring]) for ring in rings]
    polygons = [[ring] for ring, line in zip(rings, drawn, strict=True) if not line.is_ccw]
    areas = [Polygon(line) for line in drawn if not line.is_ccw]
    for ring, line in zip(rings, drawn, strict=True):
        if not line.is_ccw:
            continue
        inside = Point(Polygon(line).representative_point())
        around = [index for index, area in enumerate(areas) if area.covers(inside)]
        if around:
            polygons[min(around, key=lambda index: areas[index].area)].append(ring)
        else:
            polygons.append([ring])
            areas.append(Polygon(line))
    return polygons
