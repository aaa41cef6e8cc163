"""Planning: the list of wards, real."""

from __future__ import annotations

import csv
import io

from deploy.departments.offers import Department, Offer, ward_code_column
from deploy.departments.wards import wards

_COLUMNS = {
    "Mã phường": {**ward_code_column(), "unique": True},
    "Tên phường": {
        "type": "string",
        "title": "Tên phường, xã",
        "title_en": "Ward name",
        "description": "Tên đầy đủ, gồm cả loại đơn vị.",
        "required": True,
    },
    "Loại": {
        "type": "string",
        "title": "Loại đơn vị",
        "title_en": "Kind",
        "description": "Phường hoặc Xã.",
        "pattern": "Phường|Xã",
    },
    "Diện tích (km²)": {
        "type": "float64",
        "unit": "km²",
        "title": "Diện tích tự nhiên",
        "title_en": "Area",
        "description": "Diện tích tự nhiên của đơn vị hành chính.",
        "minimum": 0,
    },
    "Vĩ độ": {
        "type": "float64",
        "unit": "°",
        "title": "Vĩ độ tâm",
        "title_en": "Latitude of the centroid",
        "description": "WGS 84.",
        "minimum": 20,
        "maximum": 22,
    },
    "Kinh độ": {
        "type": "float64",
        "unit": "°",
        "title": "Kinh độ tâm",
        "title_en": "Longitude of the centroid",
        "description": "WGS 84.",
        "minimum": 105,
        "maximum": 107,
    },
}


def wards_csv(_: int) -> bytes:
    """The wards, one a row, in UTF-8."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for ward in wards():
        writer.writerow([ward.code, ward.name, ward.kind, ward.area_km2, ward.lat, ward.lon])
    return text.getvalue().encode()


DEPARTMENT = Department(
    key="planning",
    organization={
        "name": "so-quy-hoach-kien-truc",
        "title": "Sở Quy hoạch – Kiến trúc",
        "title_en": "Department of Planning and Architecture",
        "description": "Tham mưu cho thành phố về quy hoạch, kiến trúc và không gian đô thị; "
        "cung cấp danh mục đơn vị hành chính và bản đồ nền dùng chung.",
    },
    offers=(
        Offer(
            department="planning",
            path="hanoi-wards.csv",
            kind="csv",
            media_type="text/csv; charset=utf-8",
            make=wards_csv,
            registration={
                "name": "phuong-xa-ha-noi",
                "title": "Danh mục phường, xã Hà Nội",
                "schedule": "0 20 1 * *",
                "options": {"columns": _COLUMNS},
                "dataset": {
                    "table": "planning_wards",
                    "title": "Danh mục 126 phường, xã của Hà Nội",
                    "title_en": "The 126 wards and communes of Hanoi",
                    "notes": "Danh mục 51 phường và 75 xã của Hà Nội theo mô hình chính quyền địa "
                    "phương hai cấp, có hiệu lực từ ngày 01/07/2025: mã, tên, loại, diện tích và "
                    "tọa độ tâm. Dùng mã phường để nối với dữ liệu của các sở ngành khác. "
                    "Nguồn: gói vietnamadminunits (giấy phép MIT).",
                    "notes_en": "Hanoi's 51 wards and 75 communes since 1 July 2025: code, name, "
                    "kind, area and centroid. Join other departments' tables by the ward code. "
                    "Source: the package vietnamadminunits (MIT licence).",
                    "groups": ["planning"],
                    "tags": ["phường", "xã", "đơn vị hành chính", "ward"],
                    "update_frequency": "IRREG",
                    "temporal_start": "2025-07-01",
                    "license_id": "CC-BY-4.0",
                    "access_tier": "open",
                    "is_simulated": "false",
                    "contact_name": "Phòng Dữ liệu quy hoạch",
                    "contact_email": "du-lieu@quy-hoach.example",
                },
            },
        ),
    ),
)
