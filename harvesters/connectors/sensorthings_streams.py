"""What an OGC SensorThings service says of its datastreams: what is measured, where, in which unit.

OGC 18-088: https://docs.ogc.org/is/18-088/18-088.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harvesters.connectors.typed_rows import TypedColumn
from harvesters.errors import ApiRefused

# The kinds of observation (OGC O&M 2.0) whose results are of one type; others are inferred.
_RESULT_TYPES = {
    "OM_Measurement": "float64",
    "OM_CountObservation": "int64",
    "OM_TruthObservation": "boolean",
    "OM_CategoryObservation": "string",
}
_GEOJSON = ("application/geo+json", "application/vnd.geo+json")
# What stands where a unit should be when there is none.
_NO_UNIT = ("", "n/a", "none", "null", "unitless", "dimensionless", "-")

COLUMNS = [
    TypedColumn("datastream_id", "string"),
    TypedColumn("datastream", "string"),
    TypedColumn("description", "string"),
    TypedColumn("observed_property", "string"),
    TypedColumn("observed_property_definition", "string"),
    TypedColumn("unit", "string"),
    TypedColumn("unit_name", "string"),
    TypedColumn("unit_definition", "string"),
    TypedColumn("observation_type", "string"),
    TypedColumn("sensor", "string"),
    TypedColumn("sensor_description", "string"),
    TypedColumn("thing_id", "string"),
    TypedColumn("thing", "string"),
    TypedColumn("thing_description", "string"),
    TypedColumn("thing_properties", "string"),
    TypedColumn("location", "string"),
]


@dataclass(frozen=True)
class Datastream:
    """A datastream with what belongs to it. `id` is as it is written in an address; `reach` are
    the times of its observations as the service says them, which not every one does."""

    id: str
    name: str
    thing_id: str
    thing: str
    observed_property: str
    unit: str
    result_type: str | None
    reach: str | None
    row: list[Any]

    @classmethod
    def of(cls, about: Any) -> Datastream:
        """Raises ApiRefused for what is no datastream."""
        try:
            return cls._of(about)
        except (KeyError, TypeError, AttributeError) as error:
            raise ApiRefused(
                "The service does not describe its datastreams as SensorThings does."
            ) from error

    @classmethod
    def _of(cls, about: Mapping[str, Any]) -> Datastream:
        thing = about.get("Thing") or {}
        measured = about.get("ObservedProperty") or {}
        sensor = about.get("Sensor") or {}
        said = about.get("unitOfMeasurement") or {}
        unit = _unit(said)
        kind = str(about.get("observationType") or "").rstrip("/").rpartition("/")[2]
        place, geometry = _place(thing.get("Locations") or [])
        times = [about.get(name) for name in ("phenomenonTime", "resultTime")]
        named = str(measured.get("name") or about["name"])
        return cls(
            id=literal(about["@iot.id"]),
            name=str(about["name"]),
            thing_id=str(thing.get("@iot.id", "")),
            thing=str(thing.get("name") or ""),
            observed_property=named,
            unit=unit,
            result_type=_RESULT_TYPES.get(kind),
            reach=" ".join(map(str, times)) if times[0] else None,
            row=[
                *(str(about["@iot.id"]), about["name"], about.get("description")),
                *(named, measured.get("definition")),
                *(unit, said.get("name"), said.get("definition"), kind),
                *(sensor.get("name"), sensor.get("description")),
                *(str(thing.get("@iot.id", "")), thing.get("name"), thing.get("description")),
                *(thing.get("properties") or None, place, geometry),
            ],
        )


def literal(value: Any) -> str:
    """An `@iot.id` as it is written in an address and in a filter."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError("an id that is neither a number nor a text")
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def grouped(streams: Iterable[Datastream]) -> dict[tuple[str, str], list[Datastream]]:
    """Datastreams that make one table: of one observed property in one unit. Their order is that
    of the first of each."""
    groups: dict[tuple[str, str], list[Datastream]] = {}
    names: dict[str, str] = {}
    for stream in streams:
        # Many services have a property once for each station, each with an id of its own.
        name = names.setdefault(stream.observed_property.casefold(), stream.observed_property)
        groups.setdefault((name, stream.unit), []).append(stream)
    return groups


def _unit(said: Mapping[str, Any]) -> str:
    texts = [str(said.get(name) or "").strip() for name in ("symbol", "name")]
    return next((text for text in texts if text.casefold() not in _NO_UNIT), "")


def _place(locations: list[Any]) -> tuple[str | None, Any]:
    """Name and geometry of a thing's first location that is GeoJSON."""
    for each in locations:
        geometry = each.get("location")
        if each.get("encodingType") not in _GEOJSON or not isinstance(geometry, dict):
            continue
        return each.get("name"), geometry.get("geometry", geometry)
    return None, None
