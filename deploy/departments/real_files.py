"""Registrations for the real files that a demo folder may hold, one subfolder a department.

Every file of a known subfolder is served; what a row of `_FILES` names is also registered. What the
pipeline finds out by itself (encoding, delimiter, header, old fonts) is not pinned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.departments.offers import Department

FOLDERS = {
    "agriculture": "agriculture",
    "budget": "finance",
    "business": "finance",
    "dirty": "planning",
    "education": "education",
    "environment": "environment",
    "health": "health",
    "planning": "planning",
    "statistics": "statistics",
    "transport": "transport",
}
DEPARTMENTS = (
    Department(
        "statistics",
        {
            "name": "thong-ke-ha-noi",
            "title": "Thống kê thành phố Hà Nội",
            "title_en": "Hanoi Statistics Office",
            "description": "Tổng hợp và công bố số liệu thống kê kinh tế – xã hội của thành phố.",
        },
    ),
    Department(
        "education",
        {
            "name": "so-giao-duc-va-dao-tao",
            "title": "Sở Giáo dục và Đào tạo",
            "title_en": "Department of Education and Training",
            "description": "Quản lý mạng lưới trường học và dữ liệu giáo dục của thành phố.",
        },
    ),
    Department(
        "finance",
        {
            "name": "so-tai-chinh",
            "title": "Sở Tài chính",
            "title_en": "Department of Finance",
            "description": "Quản lý và công khai ngân sách, đầu tư và đăng ký doanh nghiệp.",
        },
    ),
)


@dataclass(frozen=True)
class RealFile:
    """How one real file is registered; its title ends up as the dataset's."""

    path: str
    kind: str
    table: str
    title: str
    title_en: str
    topic: str
    license_id: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def file_name(self) -> str:
        return Path(self.path).name

    @property
    def department(self) -> str:
        return FOLDERS[Path(self.path).parent.name]

    def registration(self) -> dict[str, Any]:
        return {
            "name": self.table.replace("_", "-"),
            "title": self.title,
            "schedule": "",
            "options": self.options,
            "dataset": {
                "table": self.table,
                "title": self.title,
                "title_en": self.title_en,
                "notes": f"Tệp gốc `{self.file_name}`, giữ nguyên như nguồn cung cấp.",
                "notes_en": f"The original file `{self.file_name}`, as its source gave it.",
                "groups": [self.topic],
                "tags": ["dữ liệu thực"],
                "update_frequency": "IRREG",
                "license_id": self.license_id,
                "access_tier": "open",
                "is_simulated": "false",
            },
        }


_STOP_NAMES = {
    "column_1": {"title": "Mã điểm dừng OpenStreetMap", "title_en": "OpenStreetMap stop id"},
    "column_2": {"title": "Tên điểm dừng", "title_en": "Stop name"},
}
_AIRNOW = {
    "NowCast Conc.": {"unit": "µg/m³", "title": "Nồng độ PM2.5 theo NowCast"},
    "Raw Conc.": {"unit": "µg/m³", "title": "Nồng độ PM2.5 đo được"},
}
_PROVINCES = {"column_1": {"title": "Tỉnh, thành phố hoặc vùng", "title_en": "Province or region"}}
_ODBL, _CC0, _CC_BY = "ODbL-1.0", "CC0-1.0", "CC-BY-4.0"
_FILES = (
    RealFile(
        "transport/hanoi-bus-stops-osm.geojson", "geojson", "transport_osm_bus_stops",
        "Điểm dừng xe buýt Hà Nội (OpenStreetMap)", "Hanoi bus stops (OpenStreetMap)",
        "transport", _ODBL,
    ),
    RealFile(
        "transport/hanoi-dsa-busStopName.txt", "csv", "transport_bus_stop_names",
        "Tên điểm dừng xe buýt theo mã OpenStreetMap", "Bus stop names by OpenStreetMap id",
        "transport", _ODBL, {"columns": _STOP_NAMES},
    ),
    RealFile(
        "transport/gtfs-spo.zip", "gtfs", "transport_gtfs_sao_paulo",
        "GTFS São Paulo (trích)", "GTFS of São Paulo (excerpt)",
        "transport", _CC_BY,
    ),
    RealFile(
        "transport/gtfs-ggl.zip", "gtfs", "transport_gtfs_sample",
        "GTFS mẫu với mọi tệp tùy chọn", "Sample GTFS with every optional file",
        "transport", _CC_BY,
    ),
    RealFile(
        "transport/gtfs-cairns.zip", "gtfs", "transport_gtfs_cairns",
        "GTFS Cairns", "GTFS of Cairns",
        "transport", _CC_BY,
    ),
    RealFile(
        "environment/Hanoi_PM2.5_2018_YTD.csv", "csv", "environment_embassy_pm25_2018",
        "PM2.5 theo giờ tại Hà Nội năm 2018 (AirNow)", "Hourly PM2.5 in Hanoi, 2018 (AirNow)",
        "environment", _CC0, {"columns": _AIRNOW},
    ),
    RealFile(
        "environment/Hanoi_PM2.5_2019_YTD.csv", "csv", "environment_embassy_pm25_2019",
        "PM2.5 theo giờ tại Hà Nội năm 2019 (AirNow)", "Hourly PM2.5 in Hanoi, 2019 (AirNow)",
        "environment", _CC0, {"columns": _AIRNOW},
    ),
    RealFile(
        "agriculture/wfp_food_prices_vnm.csv", "csv", "agriculture_wfp_rice_prices",
        "Giá gạo Việt Nam (WFP)", "Rice prices in Viet Nam (WFP)",
        "agriculture", _CC_BY,
    ),
    RealFile(
        "agriculture/Rice_production_2014_GSO.xlsx", "excel", "agriculture_rice_production_2014",
        "Sản xuất lúa các tỉnh phía Bắc năm 2014", "Rice production of northern provinces, 2014",
        "agriculture", _CC_BY,
    ),
    RealFile(
        "agriculture/Rice_production_2017_GSO.xlsx", "excel", "agriculture_rice_production_2017",
        "Sản xuất lúa các tỉnh phía Bắc năm 2017", "Rice production of northern provinces, 2017",
        "agriculture", _CC_BY,
    ),
    RealFile(
        "statistics/gso-V02.01-2015.csv", "csv", "statistics_population_density_2015",
        "Diện tích, dân số và mật độ dân số các tỉnh năm 2015",
        "Area, population and density of the provinces, 2015",
        "statistics", _CC_BY, {"columns": _PROVINCES},
    ),
    RealFile(
        "business/mpi-fdi-2005-08.xls", "excel", "business_fdi_2005_08",
        "Đầu tư trực tiếp nước ngoài tháng 8 năm 2005", "Foreign direct investment, August 2005",
        "business", _CC_BY,
    ),
    RealFile(
        "budget/cangio-quyet-toan-cap-huyen-2004.xls", "excel", "budget_can_gio_2004",
        "Quyết toán ngân sách huyện Cần Giờ năm 2004", "Budget of Cần Giờ district, 2004",
        "statistics", _CC_BY,
    ),
    RealFile(
        "education/dai-hoc-vietnam.csv", "csv", "education_universities",
        "Một số trường đại học Việt Nam", "Some universities of Viet Nam",
        "education", _CC0,
    ),
    RealFile(
        "planning/hanoi-wards-2025-osm.geojson", "geojson", "planning_ward_boundaries",
        "Ranh giới 126 phường, xã Hà Nội (OpenStreetMap)",
        "Boundaries of Hanoi's 126 wards (OpenStreetMap)",
        "planning", _ODBL,
    ),
    RealFile(
        "planning/hanoi-wards-2025-list.csv", "csv", "planning_wards_2025",
        "Danh sách phường, xã Hà Nội 2025", "List of Hanoi's wards, 2025",
        "planning", _CC_BY,
    ),
    RealFile(
        "planning/hanoi-wards-legacy-list.csv", "csv", "planning_wards_legacy",
        "Danh sách phường, xã Hà Nội trước 07/2025", "List of Hanoi's wards before July 2025",
        "planning", _CC_BY,
    ),
    RealFile(
        "dirty/DERIVED-wards-utf16le-bom-tab.txt", "csv", "planning_wards_utf16",
        "Danh sách phường, xã (UTF-16)", "List of wards (UTF-16)",
        "planning", _CC_BY,
    ),
    RealFile(
        "dirty/DERIVED-wards-cp1258-semicolon-comma-decimal.csv", "csv", "planning_wards_cp1258",
        "Danh sách phường, xã (windows-1258)", "List of wards (windows-1258)",
        "planning", _CC_BY,
    ),
)  # fmt: skip


class RealFiles:
    """The real files of a demo folder."""

    def __init__(self, folder: Path) -> None:
        self._paths = {
            (department, path.name): path
            for subfolder, department in FOLDERS.items()
            for path in sorted((folder / subfolder).glob("*"))
            if path.is_file()
        }

    def path(self, department: str, file_name: str) -> Path | None:
        """Where that file lies; only listed files are found, whatever the name says."""
        return self._paths.get((department, file_name))

    def names(self, department: str) -> list[str]:
        return [name for owner, name in self._paths if owner == department]

    def registered(self) -> Iterator[RealFile]:
        """The files the portal can harvest and that are there."""
        return (file for file in _FILES if (file.department, file.file_name) in self._paths)
