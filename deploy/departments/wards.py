"""Hanoi's 126 wards and communes (since July 2025), from the package vietnamadminunits (MIT)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from vietnamadminunits.database import get_data

HANOI_CODE = "01"
_FIELDS = ["provinceCode", "wardCode", "ward", "wardShort", "wardType"]
_FIELDS += ["wardAreaKm2", "wardLat", "wardLon"]


@dataclass(frozen=True)
class Ward:
    """A ward (`Phường`) or commune (`Xã`); `lat` and `lon` (degrees, WGS 84) are its centroid."""

    code: str
    name: str
    short_name: str
    kind: str
    area_km2: float
    lat: float
    lon: float


class Place(Protocol):
    """Anything with a latitude and a longitude (degrees, WGS 84)."""

    @property
    def lat(self) -> float: ...
    @property
    def lon(self) -> float: ...


def distance_km(one: Place, other: Place) -> float:
    """Good to a percent over a city's width."""
    north = (one.lat - other.lat) * 110.6
    east = (one.lon - other.lon) * 111.3 * math.cos(math.radians(one.lat))
    return math.hypot(north, east)


@cache
def wards() -> tuple[Ward, ...]:
    """All wards by code."""
    rows = [row for row in get_data(_FIELDS) if row["provinceCode"] == HANOI_CODE]
    units = (
        Ward(
            code=row["wardCode"],
            name=row["ward"],
            short_name=row["wardShort"],
            kind=row["wardType"],
            area_km2=row["wardAreaKm2"],
            lat=row["wardLat"],
            lon=row["wardLon"],
        )
        for row in rows
    )
    return tuple(sorted(units, key=lambda ward: ward.code))


@cache
def inner_wards(count: int) -> tuple[Ward, ...]:
    """The wards nearest to Hoàn Kiếm, from the middle outwards."""
    centre = ward("Hoàn Kiếm")
    by_distance = sorted(wards(), key=lambda ward: (distance_km(centre, ward), ward.code))
    return tuple(by_distance[:count])


def ward(short_name: str) -> Ward:
    """The ward of that name. Raises KeyError."""
    return {ward.short_name: ward for ward in wards()}[short_name]
