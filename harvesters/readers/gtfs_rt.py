"""GTFS-Realtime feeds, read apart: vehicle positions, trip updates and alerts as rows.

https://gtfs.org/documentation/realtime/reference/ : the names are those of the reference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from google.protobuf.message import DecodeError, Message
from google.transit import gtfs_realtime_pb2 as realtime

from harvesters.errors import FeedBroken, TableEmpty
from harvesters.rawtable import ROW, RawColumn
from harvesters.readers.process import REJECTED, Table

BATCH_ROWS = 16_384
# Alerts are shown in this language where they have it, else in the first of theirs.
LANGUAGE = "vi"
_LAST_SECOND = 253_402_300_799

TEXT, WHOLE, NUMBER, TIME = "string", "int64", "float64", "timestamp"

Row = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A table of the feed: the types of its columns, units, and the rows of an entity."""

    columns: Mapping[str, str]
    rows: Callable[[str, Any], Iterable[Row]]


_UNITS = {
    **dict.fromkeys(("lat", "lon", "bearing"), "°"),
    **dict.fromkeys(("delay", "arrival_delay", "departure_delay"), "s"),
    **dict.fromkeys(("arrival_uncertainty", "departure_uncertainty"), "s"),
    **{"odometer": "m", "speed": "m/s", "occupancy_percentage": "%"},
}
_TRIP = {
    **dict.fromkeys(("trip_id", "route_id"), TEXT),
    "direction_id": WHOLE,
    **dict.fromkeys(("start_time", "start_date", "trip_schedule_relationship"), TEXT),
}
_VEHICLE = dict.fromkeys(("vehicle_id", "vehicle_label", "license_plate"), TEXT)


def read(path: Path, _arguments: Mapping[str, Any]) -> Iterator[Table]:
    """A table for each kind of entity that the feed has.

    Raises FeedBroken, and TableEmpty for a feed without entities.
    """
    feed = realtime.FeedMessage()
    try:
        feed.ParseFromString(path.read_bytes())
    except DecodeError as error:
        raise FeedBroken(
            "The file is no GTFS-Realtime feed, is truncated, or takes too much memory."
        ) from error
    if not feed.IsInitialized():
        lacking = ", ".join(feed.FindInitializationErrors()[:5])
        raise FeedBroken(f"The feed lacks what GTFS-Realtime requires: {lacking}.")
    if feed.header.incrementality == realtime.FeedHeader.DIFFERENTIAL:
        raise FeedBroken("The feed says only what changed (DIFFERENTIAL); a full one is needed.")
    said = _time(feed.header.timestamp) if feed.header.HasField("timestamp") else "unknown"
    messages = [f"GTFS-Realtime {feed.header.gtfs_realtime_version}, made at {said}"]
    found = 0
    for name, kind in _KINDS.items():
        rows = [row for one in feed.entity if not one.is_deleted for row in kind.rows(one.id, one)]
        if rows:
            found += 1
            yield _table(name, kind, rows, messages)
    if not found:
        raise TableEmpty("The feed has no vehicles, trip updates or alerts; nothing was published.")


def _table(name: str, kind: Kind, rows: list[Row], messages: list[str]) -> Table:
    fields = [pa.field(f"c{at}", pa.string()) for at in range(len(kind.columns))]
    schema = pa.schema([pa.field(ROW, pa.int64()), *fields, pa.field(REJECTED, pa.string())])
    columns = [
        RawColumn(f"c{at}", each, type=type_text, unit=_UNITS.get(each))
        for at, (each, type_text) in enumerate(kind.columns.items())
    ]
    return Table(schema, _batches(rows, kind, schema), columns, name, messages)


def _batches(rows: list[Row], kind: Kind, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(rows), BATCH_ROWS):
        part = rows[start : start + BATCH_ROWS]
        cells: list[list[Any]] = [list(range(start + 1, start + 1 + len(part)))]
        cells += [[_text(row.get(each)) for row in part] for each in kind.columns]
        cells.append([_wrong(row) for row in part])
        arrays = [pa.array(each, field.type) for each, field in zip(cells, schema, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _wrong(row: Row) -> str | None:
    lat, lon = row.get("lat"), row.get("lon")
    if lat is None or lon is None or (abs(lat) <= 90 and abs(lon) <= 180):
        return None
    return "The vehicle's place is not on Earth."


def _vehicles(entity: str, one: Any) -> Iterator[Row]:
    if not one.HasField("vehicle"):
        return
    vehicle = one.vehicle
    yield {
        "entity_id": entity,
        **_trip(vehicle),
        **_vehicle(vehicle),
        "lat": _number(vehicle.position, "latitude"),
        "lon": _number(vehicle.position, "longitude"),
        **{name: _number(vehicle.position, name) for name in ("bearing", "odometer", "speed")},
        "current_stop_sequence": _get(vehicle, "current_stop_sequence"),
        "stop_id": _get(vehicle, "stop_id"),
        "current_status": _word(vehicle, "current_status"),
        "timestamp": _moment(vehicle, "timestamp"),
        "congestion_level": _word(vehicle, "congestion_level"),
        "occupancy_status": _word(vehicle, "occupancy_status"),
        "occupancy_percentage": _get(vehicle, "occupancy_percentage"),
    }


def _trip_updates(entity: str, one: Any) -> Iterator[Row]:
    if one.HasField("trip_update"):
        update = one.trip_update
        yield {
            "entity_id": entity,
            **_trip(update),
            **_vehicle(update),
            "timestamp": _moment(update, "timestamp"),
            "delay": _get(update, "delay"),
            "stop_time_updates": len(update.stop_time_update),
        }


def _stop_times(entity: str, one: Any) -> Iterator[Row]:
    for at in one.trip_update.stop_time_update:
        row = {
            "entity_id": entity,
            **_trip(one.trip_update),
            "stop_sequence": _get(at, "stop_sequence"),
            "stop_id": _get(at, "stop_id"),
            "schedule_relationship": _word(at, "schedule_relationship"),
        }
        for event in ("arrival", "departure"):
            said = getattr(at, event)
            row[f"{event}_delay"] = _get(said, "delay")
            row[f"{event}_time"] = _moment(said, "time")
            row[f"{event}_uncertainty"] = _get(said, "uncertainty")
        yield row


def _alerts(entity: str, one: Any) -> Iterator[Row]:
    if not one.HasField("alert"):
        return
    alert = one.alert
    for period in alert.active_period or [realtime.TimeRange()]:
        yield {
            "entity_id": entity,
            "active_from": _moment(period, "start"),
            "active_until": _moment(period, "end"),
            "cause": _word(alert, "cause"),
            "effect": _word(alert, "effect"),
            "severity_level": _word(alert, "severity_level"),
            "header_text": _translated(alert.header_text),
            "description_text": _translated(alert.description_text),
            "url": _translated(alert.url),
        }


def _alert_entities(entity: str, one: Any) -> Iterator[Row]:
    for told in one.alert.informed_entity:
        yield {
            "entity_id": entity,
            **{name: _get(told, name) for name in ("agency_id", "route_id", "route_type")},
            "direction_id": _get(told, "direction_id"),
            "stop_id": _get(told, "stop_id"),
            "trip_id": _get(told.trip, "trip_id"),
        }


def _trip(holder: Any) -> Row:
    trip = holder.trip
    names = ("trip_id", "route_id", "direction_id", "start_time", "start_date")
    related = _word(trip, "schedule_relationship")
    return {**{name: _get(trip, name) for name in names}, "trip_schedule_relationship": related}


def _vehicle(holder: Any) -> Row:
    said = holder.vehicle
    return {
        "vehicle_id": _get(said, "id"),
        "vehicle_label": _get(said, "label"),
        "license_plate": _get(said, "license_plate"),
    }


def _get(message: Message, name: str) -> Any:
    """A field's value; None for one that the feed does not have, whatever its default."""
    return getattr(message, name) if message.HasField(name) else None


def _number(message: Message, name: str) -> float | None:
    """A float of 32 bits with the digits that it was written with."""
    value = _get(message, name)
    if value is None or not math.isfinite(value):
        return None
    in_32_bits = message.DESCRIPTOR.fields_by_name[name].cpp_type == _FLOAT
    return float(str(np.float32(value))) if in_32_bits else float(value)


_FLOAT = realtime.Position.DESCRIPTOR.fields_by_name["latitude"].cpp_type


def _word(message: Message, name: str) -> str | None:
    """A value of an enumeration as the reference names it."""
    value = _get(message, name)
    if value is None:
        return None
    known = message.DESCRIPTOR.fields_by_name[name].enum_type.values_by_number
    return str(known[value].name) if value in known else str(value)


def _moment(message: Message, name: str) -> str | None:
    """A field of seconds since 1970 as a time; none for 0, which many feeds write for it."""
    value = _get(message, name)
    return _time(value) if value else None


def _time(seconds: int) -> str:
    if not 0 <= seconds <= _LAST_SECOND:
        # The column's type rejects it, and shows what it was.
        return str(seconds)
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _translated(text: Any) -> str | None:
    said = {one.language.partition("-")[0].lower(): one.text for one in reversed(text.translation)}
    return said.get(LANGUAGE) or next(reversed(said.values()), None)


_KINDS = {
    "vehicle_positions": Kind(
        {
            "entity_id": TEXT,
            **_TRIP,
            **_VEHICLE,
            **dict.fromkeys(("lat", "lon", "bearing", "odometer", "speed"), NUMBER),
            "current_stop_sequence": WHOLE,
            "stop_id": TEXT,
            "current_status": TEXT,
            "timestamp": TIME,
            "congestion_level": TEXT,
            "occupancy_status": TEXT,
            "occupancy_percentage": WHOLE,
        },
        _vehicles,
    ),
    "trip_updates": Kind(
        {
            "entity_id": TEXT,
            **_TRIP,
            **_VEHICLE,
            "timestamp": TIME,
            "delay": WHOLE,
            "stop_time_updates": WHOLE,
        },
        _trip_updates,
    ),
    "stop_time_updates": Kind(
        {
            "entity_id": TEXT,
            **_TRIP,
            "stop_sequence": WHOLE,
            "stop_id": TEXT,
            "schedule_relationship": TEXT,
            "arrival_delay": WHOLE,
            "arrival_time": TIME,
            "arrival_uncertainty": WHOLE,
            "departure_delay": WHOLE,
            "departure_time": TIME,
            "departure_uncertainty": WHOLE,
        },
        _stop_times,
    ),
    "alerts": Kind(
        {
            "entity_id": TEXT,
            "active_from": TIME,
            "active_until": TIME,
            **dict.fromkeys(("cause", "effect", "severity_level"), TEXT),
            **dict.fromkeys(("header_text", "description_text", "url"), TEXT),
        },
        _alerts,
    ),
    "alert_entities": Kind(
        {
            "entity_id": TEXT,
            "agency_id": TEXT,
            "route_id": TEXT,
            "route_type": WHOLE,
            "direction_id": WHOLE,
            "stop_id": TEXT,
            "trip_id": TEXT,
        },
        _alert_entities,
    ),
}
