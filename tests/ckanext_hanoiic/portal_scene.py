"""A small catalogue for the portal's tests: a department, a topic, an officer and two datasets."""

from __future__ import annotations

from typing import Any

import pytest
from bs4 import BeautifulSoup
from ckan.lib.redis import connect_to_redis
from ckan.lib.search import clear_all
from ckan.tests import factories, helpers
from fresh_database import empty_database

COLUMNS = [
    {"name": "ma_diem", "type": "string", "title": "Mã điểm dừng", "title_en": "Stop code"},
    {"name": "kinh_do", "type": "float64", "unit": "độ", "description": "Kinh độ WGS84"},
    {"name": "hinh", "type": "geometry"},
]


class Scene:
    """``officer`` edits for the department that owns ``stops`` (open) and ``air`` (by click)."""

    def __init__(self) -> None:
        self.officer = factories.UserWithToken(name="can-bo", fullname="Trần Thị Bé")
        self.stranger = factories.UserWithToken(name="khach")
        self.department = factories.Organization(
            name="so-xay-dung",
            title="Sở Xây dựng",
            title_en="Department of Construction",
            description="Quản lý giao thông đô thị.",
            users=[{"name": self.officer["name"], "capacity": "editor"}],
        )
        self.topic = factories.Group(
            name="transport", title="Giao thông vận tải", title_en="Transport"
        )
        self.stops = self.dataset(
            "diem-dung",
            "transport_stops",
            title="Điểm dừng xe buýt",
            title_en="Bus stops",
            notes="Mọi điểm dừng của thành phố.",
            notes_en="Every stop of the city.",
            access_tier="open",
            update_frequency="MONTHLY",
            temporal_start="2025-01-01",
            temporal_end="2025-12-31",
            spatial_wards=["00004"],
            contact_name="Phòng Vận tải",
            contact_email="vantai@example.org",
            data_quality="Đã đối chiếu thực địa",
            tags=[{"name": "xe buýt"}],
        )
        self.air = self.dataset(
            "khong-khi",
            "environment_air",
            title="Chất lượng không khí",
            title_en="Air quality",
            access_tier="click",
            is_simulated="true",
        )

    def dataset(self, name: str, table: str, **fields: Any) -> dict[str, Any]:
        resource = {
            "name": "Bảng chính",
            "url": f"http://gateway.test:8000/v1/tables/{table}/download.csv",
            "format": "CSV",
            "lake_table": table,
            "lake_version": 2,
            "lake_version_at": "2026-01-31T20:00:00Z",
            "row_count": 4412,
            "byte_count": 90210,
            "columns": COLUMNS,
            "quality": {"completeness": 0.982, "validity": 1, "rejected_rows": 13},
        }
        return helpers.call_action(
            "package_create",
            name=name,
            owner_org=self.department["id"],
            groups=[{"name": self.topic["name"]}],
            license_id="CC-BY-4.0",
            resources=[resource],
            **fields,
        )


@pytest.fixture(scope="module")
def site(stage) -> Any:
    """The portal to ask pages of, empty at first."""
    empty()
    return stage


@pytest.fixture(scope="module")
def scene(site) -> Scene:
    """A scene for tests that change nothing."""
    return Scene()


@pytest.fixture
def own_scene(site) -> Scene:
    """A scene for one test alone. Such tests stand last in a module: it clears the other away."""
    empty()
    return Scene()


def empty() -> None:
    """No data, no index, nothing kept in Valkey."""
    empty_database()
    clear_all()
    connect_to_redis().flushdb()


def page(site: Any, path: str, user: dict[str, Any] | None = None, status: int = 200) -> Any:
    """The parsed page at ``path``, as ``user`` sees it."""
    headers = {"Authorization": user["token"]} if user else {}
    answer = site.get(path, headers=headers, status=status)
    return BeautifulSoup(answer.body, "html.parser")


def words(soup: Any) -> str:
    """The text of a page, as it is read."""
    return " ".join(soup.get_text(" ").split())
