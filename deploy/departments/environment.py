"""Environment: simulated air quality, one row an hour and station, in Vietnam's CSV habits.

A row depends on its station and hour only, so a later file begins with the earlier one.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from deploy.departments.offers import (
    HANOI,
    SIMULATED_EN,
    SIMULATED_FLAG,
    SIMULATED_VI,
    Department,
    Offer,
    dice,
    simulated_flag_column,
    ward_code_column,
)
from deploy.departments.wards import ward

START = datetime(2026, 1, 1, tzinfo=HANOI)
FIRST_HOURS = 30 * 24
# Station's ward, and how much dirtier than the city it is.
_STATIONS = {
    "Hoàn Kiếm": 1.05,
    "Ba Đình": 0.95,
    "Đống Đa": 1.10,
    "Cầu Giấy": 1.08,
    "Thanh Xuân": 1.15,
    "Hà Đông": 1.02,
    "Long Biên": 1.00,
    "Tây Hồ": 0.88,
    "Hoàng Mai": 1.18,
    "Đông Anh": 0.97,
    "Sơn Tây": 0.72,
    "Sóc Sơn": 0.80,
}
_PLACES = ", ".join(_STATIONS)
# VN_AQI, Decision 1459/QĐ-TCMT (2019): concentrations (µg/m³) at which the index reaches a level.
_LEVELS = (0, 50, 100, 150, 200, 300, 400, 500)
_PM25_AT = (0, 25, 50, 80, 150, 250, 350, 500)
_PM10_AT = (0, 50, 150, 250, 350, 420, 500, 600)
_OUTAGE_SHARE = 0.01

_COLUMNS = {
    "Trạm quan trắc": {
        "type": "string",
        "title": "Trạm quan trắc",
        "title_en": "Station",
        "description": "Tên trạm, đặt theo phường nơi đặt trạm.",
        "required": True,
    },
    "Mã phường": ward_code_column(),
    "Thời gian": {
        "type": "timestamp",
        "title": "Thời gian đo",
        "title_en": "Hour",
        "description": "Đầu giờ đo, giờ Hà Nội (UTC+7) trong tệp nguồn.",
        "required": True,
    },
    "PM2.5 (µg/m³)": {
        "type": "float64",
        "unit": "µg/m³",
        "title": "Nồng độ bụi mịn PM2.5",
        "title_en": "PM2.5 concentration",
        "description": "Trung bình giờ; trống khi thiết bị ngừng đo.",
        "minimum": 0,
        "maximum": 1000,
    },
    "PM10 (µg/m³)": {
        "type": "float64",
        "unit": "µg/m³",
        "title": "Nồng độ bụi PM10",
        "title_en": "PM10 concentration",
        "description": "Trung bình giờ; trống khi thiết bị ngừng đo.",
        "minimum": 0,
        "maximum": 1500,
    },
    "AQI": {
        "type": "int64",
        "title": "Chỉ số chất lượng không khí VN_AQI giờ",
        "title_en": "Hourly air quality index (VN_AQI)",
        "description": "Giá trị lớn nhất của chỉ số PM2.5 và PM10 theo Quyết định 1459/QĐ-TCMT, "
        "tính trên nồng độ trung bình giờ.",
        "minimum": 0,
        "maximum": 500,
    },
    SIMULATED_FLAG: simulated_flag_column(),
}


def vn_aqi(concentration: float, reached_at: Sequence[float]) -> int:
    """The index of one pollutant (µg/m³): straight lines between its levels, at most 500."""
    for level in range(1, len(_LEVELS)):
        low, high = reached_at[level - 1], reached_at[level]
        if concentration <= high:
            share = (concentration - low) / (high - low)
            return round(_LEVELS[level - 1] + share * (_LEVELS[level] - _LEVELS[level - 1]))
    return _LEVELS[-1]


def air_quality_csv(hours_more: int) -> bytes:
    """The hours since START: 30 days and `hours_more`; semicolons, decimal commas, UTF-8 BOM."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";")
    writer.writerow(_COLUMNS)
    for hour in range(FIRST_HOURS + hours_more):
        time = (START + timedelta(hours=hour)).isoformat()
        for station, factor in _STATIONS.items():
            writer.writerow([station, ward(station).code, time, *_measured(station, factor, hour)])
    return text.getvalue().encode("utf-8-sig")


def last_hour(hours_more: int) -> datetime:
    return START + timedelta(hours=FIRST_HOURS + hours_more)


def _measured(station: str, factor: float, hour: int) -> list[str]:
    chance = dice("air", station, hour)
    if chance.random() < _OUTAGE_SHARE:
        return ["", "", "", "Có"]
    pm25 = 55 * factor * _day_level(hour // 24) * _hour_level(hour % 24)
    pm25 = round(pm25 * chance.uniform(0.85, 1.15), 1)
    pm10 = round(pm25 * chance.uniform(1.4, 1.8), 1)
    aqi = max(vn_aqi(pm25, _PM25_AT), vn_aqi(pm10, _PM10_AT))
    return [_comma(pm25), _comma(pm10), str(aqi), "Có"]


def _day_level(day: int) -> float:
    """Still winter days gather dust, wind and rain clear it; yesterday is felt today."""
    return sum(dice("air-day", day - back).uniform(0.5, 1.7) for back in (0, 1)) / 2


def _hour_level(hour: int) -> float:
    """Two rush hours a day, at 8 and at 20."""
    peaks = math.exp(-((hour - 8) ** 2) / 8) + 1.1 * math.exp(-((hour - 20) ** 2) / 10)
    return 0.8 + 0.45 * peaks


def _comma(number: float) -> str:
    return f"{number:.1f}".replace(".", ",")


DEPARTMENT = Department(
    key="environment",
    organization={
        "name": "chi-cuc-bao-ve-moi-truong",
        "title": "Chi cục Bảo vệ môi trường Hà Nội",
        "title_en": "Hanoi Environmental Protection Agency",
        "description": "Quan trắc không khí, nước và tiếng ồn trên địa bàn thành phố; cảnh báo khi "
        "chất lượng môi trường vượt ngưỡng.",
    },
    offers=(
        Offer(
            department="environment",
            path="air-quality-hourly.csv",
            kind="csv",
            media_type="text/csv; charset=utf-8",
            make=air_quality_csv,
            changed_at=last_hour,
            grows=True,
            registration={
                "name": "chat-luong-khong-khi-theo-gio",
                "title": "Chất lượng không khí theo giờ",
                "schedule": "10 * * * *",
                "options": {"columns": _COLUMNS},
                "dataset": {
                    "table": "environment_air_quality_hourly",
                    "title": "Chất lượng không khí theo giờ tại các trạm quan trắc",
                    "title_en": "Hourly air quality at the monitoring stations",
                    "notes": "Nồng độ bụi mịn PM2.5, PM10 và chỉ số VN_AQI từng giờ tại 12 trạm: "
                    f"{_PLACES}. "
                    f"**{SIMULATED_VI}**",
                    "notes_en": "PM2.5, PM10 and the VN_AQI index, every hour at 12 stations: "
                    f"{_PLACES}. "
                    f"**{SIMULATED_EN}**",
                    "groups": ["environment", "health"],
                    "tags": ["không khí", "bụi mịn", "PM2.5", "AQI", "quan trắc"],
                    "update_frequency": "HOURLY",
                    "temporal_start": "2026-01-01",
                    "spatial_wards": [ward(station).code for station in _STATIONS],
                    "data_quality": "Khoảng 1% số giờ bị trống do thiết bị ngừng đo.",
                    "license_id": "CC-BY-4.0",
                    "access_tier": "open",
                    "is_simulated": "true",
                    "contact_name": "Phòng Quan trắc môi trường",
                    "contact_email": "quan-trac@moi-truong.example",
                },
            },
        ),
    ),
)
