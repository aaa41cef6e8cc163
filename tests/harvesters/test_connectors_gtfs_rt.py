"""GTFS-Realtime feeds, as a server gives them, become tables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf import text_format
from google.transit.gtfs_realtime_pb2 import FeedMessage

from harvesters.connectors import gtfs_rt
from tests.harvesters.conftest import rows, types

HEADER = 'header { gtfs_realtime_version: "2.0" timestamp: 1700000000 } '
VEHICLE = """
entity { id: "v1" vehicle {
  trip { trip_id: "T1" route_id: "01" start_date: "20260101" direction_id: 0 }
  vehicle { id: "007" label: "Xe 7" }
  position { latitude: 21.0285 longitude: 105.8542 speed: 8.5 }
  current_status: STOPPED_AT timestamp: 1700000001 occupancy_status: FULL stop_id: "S1" } }
entity { id: "v2" vehicle { trip { route_id: "01" } position { latitude: 91 longitude: 1 } } }
"""
MORE_VEHICLES = "".join(
    f'entity {{ id: "w{n}" vehicle {{ position {{ latitude: 21 longitude: 105 }} }} }}'
    for n in range(40)
)
TRIP = """
entity { id: "t1" trip_update {
  trip { trip_id: "T1" schedule_relationship: SCHEDULED }
  timestamp: 1700000002 delay: -30
  stop_time_update { stop_sequence: 1 stop_id: "S1" arrival { delay: 60 time: 1700000060 } }
  stop_time_update { stop_sequence: 2 stop_id: "S2" schedule_relationship: SKIPPED
    departure { delay: 0 uncertainty: 30 } } } }
entity { id: "t2" is_deleted: true trip_update { trip { trip_id: "T9" } } }
"""
ALERT = """
entity { id: "a1" alert {
  active_period { start: 1700000000 end: 0 }
  informed_entity { route_id: "01" route_type: 3 } informed_entity { trip { trip_id: "T1" } }
  cause: CONSTRUCTION effect: DETOUR
  header_text { translation { text: "Detour" language: "en" }
                translation { text: "Đổi lộ trình" language: "vi-VN" } }
  description_text { translation { text: "Only this" } } } }
"""


def feed(text: str) -> bytes:
    return bytes(text_format.Parse(HEADER + text, FeedMessage()).SerializeToString())


def test_vehicles_trips_and_alerts_are_tables(taken, lake):
    ran = taken("gtfs_rt", feed(VEHICLE + MORE_VEHICLES + TRIP + ALERT))
    assert ran.error is None
    assert "made at 2023-11-14T22:13:20+00:00" in " ".join(ran.messages)
    vehicle = rows(lake, "t_vehicle_positions")[0]
    assert {name: value for name, value in vehicle.items() if value is not None} == {
        **{"entity_id": "v1", "trip_id": "T1", "route_id": "01", "direction_id": 0},
        **{"start_date": "20260101", "vehicle_id": "007", "vehicle_label": "Xe 7"},
        # As they were written, though the feed has them in 32 bits.
        **{"lat": 21.0285, "lon": 105.8542, "speed": 8.5, "stop_id": "S1"},
        **{"current_status": "STOPPED_AT", "occupancy_status": "FULL"},
        "timestamp": datetime(2023, 11, 14, 22, 13, 21, tzinfo=UTC),
    }
    assert [(each.row, each.reason_code) for each in ran.rejected] == [(2, "geometry_invalid")]
    [trip] = rows(lake, "t_trip_updates")
    assert (trip["trip_id"], trip["delay"], trip["stop_time_updates"]) == ("T1", -30, 2)
    first, second = rows(lake, "t_stop_time_updates")
    assert (first["arrival_delay"], first["departure_delay"]) == (60, None)
    assert first["arrival_time"] == datetime(2023, 11, 14, 22, 14, 20, tzinfo=UTC)
    assert (second["departure_delay"], second["schedule_relationship"]) == (0, "SKIPPED")
    [alert] = rows(lake, "t_alerts")
    assert (alert["header_text"], alert["description_text"]) == ("Đổi lộ trình", "Only this")
    assert (alert["cause"], alert["active_until"]) == ("CONSTRUCTION", None)
    assert [row["trip_id"] for row in rows(lake, "t_alert_entities")] == [None, "T1"]
    assert types(lake, "t_vehicle_positions")["vehicle_id"] == "string"


def test_a_feed_has_the_tables_of_its_entities(taken, lake):
    assert taken("gtfs_rt", feed(TRIP)).error is None
    assert sorted(lake.tables()) == ["t_stop_time_updates", "t_trip_updates"]


WHOLE = feed(VEHICLE + MORE_VEHICLES)


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (WHOLE[:-5], "feed_broken", "truncated"),
        (b"\x00\x01\x02" * 99, "feed_broken", "no GTFS-Realtime"),
        (b"", "feed_broken", "requires: header"),
        (feed("")[:2] + b"\x08\x01", "feed_broken", ""),
        (b'{"entity": []}', "feed_broken", "no GTFS-Realtime"),
        (b"<!doctype html><html><body>", "html_instead_of_data", ""),
        (feed(""), "table_empty", "no vehicles"),
        (feed('entity { id: "x" is_deleted: true }'), "table_empty", "no vehicles"),
        (
            feed(VEHICLE).replace(b"2.0\x18", b"2.0\x10\x01\x18").replace(b"\n\x0b", b"\n\x0d", 1),
            "feed_broken",
            "DIFFERENTIAL",
        ),
    ],
)
def test_what_is_no_whole_feed_is_refused(taken, lake, content: bytes, code: str, words: str):
    ran: Any = taken("gtfs_rt", content)
    assert ran.code == code
    assert words in ran.error.detail
    assert not lake.tables()


def test_a_feed_of_a_size_that_no_feed_has_is_refused(taken, monkeypatch):
    monkeypatch.setattr(gtfs_rt, "MOST_BYTES", 100)
    assert taken("gtfs_rt", WHOLE).code == "feed_broken"
