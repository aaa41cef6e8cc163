"""Health and culture: simulated public facilities as GeoJSON, points and areas (RFC 7946)."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from typing import Any

from deploy.departments.offers import (
    SIMULATED_EN,
    SIMULATED_FLAG,
    SIMULATED_VI,
    Department,
    Offer,
    dice,
    simulated_flag_column,
    ward_code_column,
)
from deploy.departments.wards import Ward, inner_wards, wards

_PARK_WARDS = 60
_PARK_CORNERS = 8
_COLUMNS = {
    "Mã cơ sở": {
        "type": "string",
        "title": "Mã cơ sở",
        "title_en": "Facility code",
        "required": True,
        "unique": True,
    },
    "Tên": {"type": "string", "title": "Tên cơ sở", "title_en": "Name", "required": True},
    "Loại": {
        "type": "string",
        "title": "Loại cơ sở",
        "title_en": "Kind",
        "description": "Trạm y tế, Trường tiểu học hoặc Công viên.",
        "pattern": "Trạm y tế|Trường tiểu học|Công viên",
    },
    "Mã phường": ward_code_column(),
    "Sức chứa (người)": {
        "type": "int64",
        "unit": "người",
        "title": "Sức chứa",
        "title_en": "Capacity",
        "description": "Số người phục vụ cùng lúc; trống đối với công viên.",
        "minimum": 0,
    },
    SIMULATED_FLAG: simulated_flag_column(),
}


def facilities_geojson(_: int) -> bytes:
    """A health station and a school in every ward, and parks in the inner ones."""
    collection = {
        "type": "FeatureCollection",
        "description": f"{SIMULATED_VI} {SIMULATED_EN}",
        "features": list(_features()),
    }
    return json.dumps(collection, ensure_ascii=False, separators=(",", ":")).encode()


def _features() -> Iterator[dict[str, Any]]:
    kinds = {"Trạm y tế": ("YT", 20, 120), "Trường tiểu học": ("TH", 400, 1_600)}
    for ward in wards():
        for kind, (letters, least, most) in kinds.items():
            chance = dice("facility", kind, ward.code)
            name = f"{kind} {ward.short_name}"
            seats = chance.randint(least, most)
            point = {"type": "Point", "coordinates": _near(ward, chance)}
            yield _feature(f"{letters}-{ward.code}", name, kind, ward, seats, point)
    for ward in inner_wards(_PARK_WARDS):
        area = _park(ward, dice("facility", "park", ward.code))
        name = f"Công viên {ward.short_name}"
        yield _feature(f"CV-{ward.code}", name, "Công viên", ward, None, area)


def _feature(
    code: str, name: str, kind: str, ward: Ward, seats: int | None, geometry: dict[str, Any]
) -> dict[str, Any]:
    properties = dict(zip(_COLUMNS, (code, name, kind, ward.code, seats, True), strict=True))
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def _near(ward: Ward, chance: random.Random) -> list[float]:
    return [
        round(ward.lon + chance.uniform(-0.004, 0.004), 6),
        round(ward.lat + chance.uniform(-0.004, 0.004), 6),
    ]


def _park(ward: Ward, chance: random.Random) -> dict[str, Any]:
    """An uneven ring of a few hundred metres, counter-clockwise as RFC 7946 asks."""
    lon, lat = _near(ward, chance)
    ring = []
    for corner in range(_PARK_CORNERS):
        angle = 2 * math.pi * corner / _PARK_CORNERS
        radius = chance.uniform(0.0008, 0.0018)
        x, y = lon + radius * math.cos(angle), lat + radius * math.sin(angle)
        ring.append([round(x, 6), round(y, 6)])
    return {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}


DEPARTMENT = Department(
    key="health",
    organization={
        "name": "so-y-te",
        "title": "Sở Y tế",
        "title_en": "Department of Health",
        "description": "Quản lý mạng lưới y tế cơ sở; cùng các sở Giáo dục, Văn hóa duy trì bản đồ "
        "cơ sở công cộng của thành phố.",
    },
    offers=(
        Offer(
            department="health",
            path="public-facilities.geojson",
            kind="geojson",
            media_type="application/geo+json",
            make=facilities_geojson,
            registration={
                "name": "co-so-cong-cong",
                "title": "Cơ sở công cộng theo phường, xã",
                "schedule": "0 19 * * 0",
                "options": {"columns": _COLUMNS},
                "dataset": {
                    "table": "health_public_facilities",
                    "title": "Bản đồ cơ sở công cộng: trạm y tế, trường tiểu học, công viên",
                    "title_en": "Public facilities: health stations, primary schools, parks",
                    "notes": "Vị trí trạm y tế và trường tiểu học của 126 phường, xã, và ranh giới "
                    f"công viên ở các phường nội đô. **{SIMULATED_VI}**",
                    "notes_en": "Health stations and primary schools of the 126 wards, and the "
                    f"outlines of parks in the inner wards. **{SIMULATED_EN}**",
                    "groups": ["health", "education"],
                    "tags": ["trạm y tế", "trường học", "công viên", "bản đồ"],
                    "update_frequency": "QUARTERLY",
                    "license_id": "restricted-research",
                    "access_tier": "request",
                    "is_simulated": "true",
                    "contact_name": "Phòng Nghiệp vụ Y",
                    "contact_email": "co-so@y-te.example",
                },
            },
        ),
    ),
)
