"""Agriculture: simulated market prices, in a workbook with titles above the table."""

from __future__ import annotations

import io
import re
from datetime import date, datetime, time, timedelta

from openpyxl import Workbook
from openpyxl.styles import Font

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
from deploy.departments.packed import unzipped, zipped
from deploy.departments.wards import ward

START = date(2026, 1, 1)
FIRST_DAYS = 30
_MARKETS = ("Hoàn Kiếm", "Long Biên", "Cầu Giấy", "Hà Đông", "Hoàng Mai", "Đông Anh", "Sơn Tây")
# Wholesale price (đồng a kilogram) around which the days move.
_GOODS = {
    "Gạo tẻ thường": 15_500,
    "Gạo tám thơm": 21_000,
    "Thịt lợn ba chỉ": 118_000,
    "Thịt gà ta": 105_000,
    "Cá trắm cỏ": 62_000,
    "Trứng gà": 38_000,
    "Rau muống": 11_000,
    "Cải bắp": 9_000,
    "Cà chua": 18_000,
    "Bưởi Diễn": 27_000,
    "Cam Canh": 42_000,
    "Chuối tiêu": 13_000,
}
_WORKBOOK_TIME = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*")
_HEADER_ROW = 4
_COLUMNS = {
    "Ngày": {
        "type": "date",
        "title": "Ngày khảo sát",
        "title_en": "Day",
        "required": True,
    },
    "Chợ": {
        "type": "string",
        "title": "Chợ",
        "title_en": "Market",
        "description": "Chợ khảo sát, đặt tên theo phường, xã.",
        "required": True,
    },
    "Mã phường": ward_code_column(),
    "Mặt hàng": {
        "type": "string",
        "title": "Mặt hàng",
        "title_en": "Goods",
        "required": True,
    },
    "Giá bán buôn (đồng/kg)": {
        "type": "int64",
        "unit": "đồng/kg",
        "title": "Giá bán buôn",
        "title_en": "Wholesale price",
        "description": "Giá phổ biến trong ngày.",
        "minimum": 0,
    },
    "Giá bán lẻ (đồng/kg)": {
        "type": "int64",
        "unit": "đồng/kg",
        "title": "Giá bán lẻ",
        "title_en": "Retail price",
        "description": "Giá phổ biến trong ngày.",
        "minimum": 0,
    },
    SIMULATED_FLAG: simulated_flag_column(),
}


def prices_xlsx(days_more: int) -> bytes:
    """The days since START: 30 and `days_more`; the header is in the fourth row."""
    book = Workbook()
    sheet = book.active
    sheet.title = "Giá nông sản"
    sheet["A1"] = "BẢNG GIÁ NÔNG SẢN TẠI MỘT SỐ CHỢ TRÊN ĐỊA BÀN HÀ NỘI"
    sheet["A1"].font = Font(bold=True, size=14)
    sheet["A2"] = f"{SIMULATED_VI} ({SIMULATED_EN})"
    sheet.append([])
    sheet.append(list(_COLUMNS))
    for cell in sheet[_HEADER_ROW]:
        cell.font = Font(bold=True)
    for number in range(FIRST_DAYS + days_more):
        day = START + timedelta(days=number)
        for market in _MARKETS:
            for goods, usual in _GOODS.items():
                prices = _prices(goods, usual, market, number)
                sheet.append([day, f"Chợ {market}", ward(market).code, goods, *prices, "Có"])
    saved = io.BytesIO()
    book.save(saved)
    return _without_clock(saved.getvalue())


def closing_time(days_more: int) -> datetime:
    return datetime.combine(START + timedelta(days=FIRST_DAYS + days_more), time(), HANOI)


def _prices(goods: str, usual: int, market: str, day: int) -> tuple[int, int]:
    """Wholesale and retail, rounded to 500 đồng as people do."""
    # A week's drift that all markets share, and the market's own day.
    drift = sum(dice("price", goods, day - back).uniform(-0.05, 0.05) for back in range(7))
    own = dice("price", goods, market, day)
    wholesale = usual * (1 + drift) * own.uniform(0.98, 1.03)
    retail = wholesale * own.uniform(1.12, 1.28)
    return round(wholesale / 500) * 500, round(retail / 500) * 500


def _without_clock(workbook: bytes) -> bytes:
    """The same workbook without the time at which it was saved: same content, same bytes."""
    members = unzipped(workbook)
    properties = members["docProps/core.xml"]
    members["docProps/core.xml"] = _WORKBOOK_TIME.sub(rb"\g<1>2026-01-01T00:00:00Z", properties)
    return zipped(members)


DEPARTMENT = Department(
    key="agriculture",
    organization={
        "name": "so-nong-nghiep-va-moi-truong",
        "title": "Sở Nông nghiệp và Môi trường",
        "title_en": "Department of Agriculture and Environment",
        "description": "Quản lý sản xuất nông nghiệp, nguồn gốc nông sản và thị trường nông sản "
        "của thành phố.",
    },
    offers=(
        Offer(
            department="agriculture",
            path="market-prices.xlsx",
            kind="excel",
            media_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            make=prices_xlsx,
            changed_at=closing_time,
            grows=True,
            registration={
                "name": "gia-nong-san-tai-cho",
                "title": "Giá nông sản tại các chợ",
                "schedule": "0 22 * * *",
                "options": {"columns": _COLUMNS, "header_row": _HEADER_ROW},
                "dataset": {
                    "table": "agriculture_market_prices",
                    "title": "Giá nông sản hằng ngày tại các chợ",
                    "title_en": "Daily market prices of farm produce",
                    "notes": "Giá bán buôn và bán lẻ của 12 mặt hàng nông sản tại 7 chợ, mỗi ngày "
                    f"một lần. **{SIMULATED_VI}**",
                    "notes_en": "Wholesale and retail prices of 12 goods at 7 markets, once a day. "
                    f"**{SIMULATED_EN}**",
                    "groups": ["agriculture", "business"],
                    "tags": ["giá cả", "nông sản", "chợ", "thực phẩm"],
                    "update_frequency": "DAILY",
                    "temporal_start": "2026-01-01",
                    "license_id": "CC-BY-4.0",
                    "access_tier": "open",
                    "is_simulated": "true",
                    "contact_name": "Chi cục Phát triển nông thôn",
                    "contact_email": "thi-truong@nong-nghiep.example",
                },
            },
        ),
    ),
)
