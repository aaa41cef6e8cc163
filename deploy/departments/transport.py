"""Transport: a simulated bus network as GTFS (https://gtfs.org/documentation/schedule)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from deploy.departments.offers import SIMULATED_EN, SIMULATED_VI, Department, Offer, dice
from deploy.departments.packed import zipped
from deploy.departments.wards import Ward, distance_km, inner_wards, ward

# Ends of the lines; between them a line goes from ward to ward.
_LINES = [
    ("Hà Đông", "Long Biên"),
    ("Cầu Giấy", "Hoàng Mai"),
    ("Từ Liêm", "Gia Lâm"),
    ("Tây Hồ", "Thanh Trì"),
    ("Đông Anh", "Hoàn Kiếm"),
    ("Yên Nghĩa", "Ba Đình"),
    ("Thanh Xuân", "Việt Hưng"),
    ("Đại Mỗ", "Hai Bà Trưng"),
    ("Phú Diễn", "Vĩnh Tuy"),
    ("Đông Ngạc", "Định Công"),
    ("Xuân Phương", "Bồ Đề"),
    ("Kiến Hưng", "Phúc Lợi"),
    ("Tây Mỗ", "Hồng Hà"),
    ("Hoàng Liệt", "Phú Thượng"),
]
_WARDS_WITH_STOPS = 75
_STOPS_A_WARD = 3
_SPEED_KM_H = 18
_DWELL_S = 20
# First and last departure (hours) and minutes between departures, by service.
_SERVICES = {"ngay-thuong": (5, 23, 30), "cuoi-tuan": (6, 22, 45)}
_WEEKEND = {"ngay-thuong": 0, "cuoi-tuan": 1}
_VALID = ("20260101", "20261231")


@dataclass(frozen=True)
class Stop:
    """A bus stop at `lat`, `lon` (degrees, WGS 84)."""

    id: str
    name: str
    lat: float
    lon: float
    ward: Ward


@dataclass(frozen=True)
class Line:
    """A bus line: its stops from the first end to the other."""

    number: str
    stops: tuple[Stop, ...]

    @property
    def name(self) -> str:
        return f"{self.stops[0].ward.short_name} – {self.stops[-1].ward.short_name}"


def bus_gtfs(_: int) -> bytes:
    """The feed: one zip of UTF-8 text tables."""
    tables = {
        "agency": _agency,
        "stops": _stop_rows,
        "routes": _routes,
        "trips": _trips,
        "stop_times": _stop_times,
        "calendar": _calendar,
        "shapes": _shapes,
        "feed_info": _feed_info,
    }
    return zipped({f"{name}.txt": _csv(rows()) for name, rows in tables.items()})


@cache
def stops() -> dict[str, list[Stop]]:
    """The stops of each ward, by the ward's code."""
    found = {}
    for place in inner_wards(_WARDS_WITH_STOPS):
        chance = dice("stop", place.code)
        found[place.code] = [
            Stop(
                id=f"HN{place.code}{letter}",
                name=f"{place.short_name} – Điểm {number}",
                lat=round(place.lat + chance.uniform(-0.004, 0.004), 6),
                lon=round(place.lon + chance.uniform(-0.004, 0.004), 6),
                ward=place,
            )
            for number, letter in enumerate("ABC"[:_STOPS_A_WARD], start=1)
        ]
    return found


@cache
def lines() -> list[Line]:
    found = []
    for number, (first, last) in enumerate(_LINES, start=1):
        chance = dice("line", number)
        at_stops: list[Stop] = []
        for place in _way(ward(first), ward(last)):
            choice = stops()[place.code]
            at_stops += chance.sample(choice, chance.randint(2, len(choice)))
        found.append(Line(f"{number:02d}", tuple(at_stops)))
    return found


def _way(first: Ward, last: Ward) -> list[Ward]:
    """From ward to ward: always the nearest one that is nearer to the end."""
    served = inner_wards(_WARDS_WITH_STOPS)
    way = [first]
    while way[-1] != last:
        here = way[-1]
        left_km = distance_km(here, last)
        nearer = [place for place in served if distance_km(place, last) < left_km]
        way.append(min(nearer, key=lambda place: distance_km(way[-1], place)))
    return way


Rows = Iterator[tuple[object, ...]]


def _csv(rows: Rows) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _agency() -> Rows:
    yield "agency_id", "agency_name", "agency_url", "agency_timezone", "agency_lang"
    name = "Xe buýt Hà Nội (mô phỏng / simulated)"
    yield "HN", name, "https://xe-buyt.example", "Asia/Ho_Chi_Minh", "vi"


def _stop_rows() -> Rows:
    yield "stop_id", "stop_name", "stop_desc", "stop_lat", "stop_lon", "zone_id"
    for place in stops().values():
        for stop in place:
            yield stop.id, stop.name, stop.ward.name, stop.lat, stop.lon, stop.ward.code


def _routes() -> Rows:
    yield "route_id", "agency_id", "route_short_name", "route_long_name", "route_type"
    for line in lines():
        yield line.number, "HN", line.number, line.name, 3


def _each_trip() -> Iterator[tuple[Line, str, int, tuple[Stop, ...], int]]:
    """Line, service, direction, stops in order, and departure (seconds after midnight)."""
    for line in lines():
        for service, (first, last, every) in _SERVICES.items():
            for direction, way in enumerate((line.stops, line.stops[::-1])):
                start = first * 3600 + direction * 600
                # The last bus of the day arrives after midnight: GTFS counts on, past 24:00.
                for departure in range(start, last * 3600 + 1800, every * 60):
                    yield line, service, direction, way, departure


def _trip_id(line: Line, service: str, direction: int, departure: int) -> str:
    return f"{line.number}-{service}-{direction}-{_clock(departure).replace(':', '')[:4]}"


def _trips() -> Rows:
    yield "route_id", "service_id", "trip_id", "trip_headsign", "direction_id", "shape_id"
    for line, service, direction, way, departure in _each_trip():
        trip = _trip_id(line, service, direction, departure)
        headsign = way[-1].ward.short_name
        yield line.number, service, trip, headsign, direction, f"{line.number}-{direction}"


def _stop_times() -> Rows:
    yield "trip_id", "arrival_time", "departure_time", "stop_id", "stop_sequence"
    for line, service, direction, way, departure in _each_trip():
        trip = _trip_id(line, service, direction, departure)
        for sequence, (stop, after_s) in enumerate(zip(way, _after(way), strict=True), start=1):
            arrival = departure + after_s
            leaving = arrival + (_DWELL_S if 1 < sequence < len(way) else 0)
            yield trip, _clock(arrival), _clock(leaving), stop.id, sequence


def _after(way: tuple[Stop, ...]) -> list[int]:
    """Seconds from the first departure to each arrival."""
    after, seconds = [0], 0
    for here, there in pairwise(way):
        km = distance_km(here, there)
        seconds += max(60, round(km / _SPEED_KM_H * 3600)) + _DWELL_S
        after.append(seconds)
    return after


def _calendar() -> Rows:
    days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
    yield "service_id", *days, "start_date", "end_date"
    for service, weekend in _WEEKEND.items():
        yield service, *[1 - weekend] * 5, *[weekend] * 2, *_VALID


def _shapes() -> Rows:
    yield "shape_id", "shape_pt_lat", "shape_pt_lon", "shape_pt_sequence"
    for line in lines():
        for direction, way in enumerate((line.stops, line.stops[::-1])):
            for sequence, stop in enumerate(way, start=1):
                yield f"{line.number}-{direction}", stop.lat, stop.lon, sequence


def _feed_info() -> Rows:
    valid = ("feed_start_date", "feed_end_date")
    yield "feed_publisher_name", "feed_publisher_url", "feed_lang", *valid, "feed_version"
    publisher = f"{SIMULATED_VI} / {SIMULATED_EN}"
    yield publisher, "https://xe-buyt.example", "vi", *_VALID, "mo-phong-1"


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


DEPARTMENT = Department(
    key="transport",
    organization={
        "name": "so-xay-dung",
        "title": "Sở Xây dựng",
        "title_en": "Department of Construction and Transport",
        "description": "Quản lý hạ tầng đô thị và giao thông vận tải, trong đó có mạng lưới xe "
        "buýt công cộng.",
    },
    offers=(
        Offer(
            department="transport",
            path="hanoi-bus-gtfs.zip",
            kind="gtfs",
            media_type="application/zip",
            make=bus_gtfs,
            registration={
                "name": "xe-buyt-gtfs",
                "title": "Mạng lưới và biểu đồ chạy xe buýt (GTFS)",
                "schedule": "30 19 * * 1",
                "options": {},
                "dataset": {
                    "table": "transport_bus",
                    "title": "Xe buýt Hà Nội: tuyến, điểm dừng, biểu đồ chạy xe",
                    "title_en": "Hanoi buses: routes, stops and timetables",
                    "notes": "Tuyến, điểm dừng, lượt xe và giờ đến từng điểm của 14 tuyến buýt, "
                    f"theo chuẩn GTFS; mỗi tệp của chuẩn là một bảng. **{SIMULATED_VI}** Điểm dừng "
                    "đặt quanh tâm phường; `zone_id` là mã phường.",
                    "notes_en": "Routes, stops, trips and stop times of 14 bus lines in GTFS; each "
                    f"file of the standard is a table. **{SIMULATED_EN}** Stops lie around ward "
                    "centroids; `zone_id` is the ward code.",
                    "groups": ["transport"],
                    "tags": ["xe buýt", "giao thông công cộng", "điểm dừng", "GTFS"],
                    "update_frequency": "WEEKLY",
                    "temporal_start": "2026-01-01",
                    "temporal_end": "2026-12-31",
                    "license_id": "hanoi-open-data",
                    "access_tier": "click",
                    "is_simulated": "true",
                    "contact_name": "Trung tâm Quản lý giao thông công cộng",
                    "contact_email": "xe-buyt@giao-thong.example",
                },
            },
        ),
    ),
)
