"""What a department offers: a file, how it is made, and how its source is registered."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

HANOI = timezone(timedelta(hours=7))
SIMULATED_VI = "Dữ liệu mô phỏng, chỉ để trình diễn; không dùng cho quyết định thực tế."
SIMULATED_EN = "Simulated data, for demonstration only; not for real decisions."
SIMULATED_FLAG = "Mô phỏng"
PUBLISHED_AT = datetime(2026, 1, 1, tzinfo=UTC)


def never_changes(_: int) -> datetime:
    return PUBLISHED_AT


@dataclass(frozen=True)
class Offer:
    """One file of a department.

    `make` and `changed_at` take the number of steps the department has been advanced by; the same
    step gives the same bytes, always and everywhere. `registration` are the fields of its source
    but its address, kind and owner.
    """

    department: str
    path: str
    kind: str
    media_type: str
    make: Callable[[int], bytes]
    registration: Mapping[str, Any]
    changed_at: Callable[[int], datetime] = never_changes
    grows: bool = False


@dataclass(frozen=True)
class Department:
    """An organisation of the portal, and the word for it in addresses and table names."""

    key: str
    organization: Mapping[str, str]
    offers: tuple[Offer, ...] = field(default=())


def dice(*seed: object) -> random.Random:
    """Random numbers that are the same for the same seed, on every machine."""
    return random.Random(":".join(map(str, seed)))  # noqa: S311 simulated data, no secret


def simulated_flag_column() -> dict[str, str]:
    """The pin of the column that says, in every row, that the row is simulated."""
    return {
        "type": "boolean",
        "title": "Dữ liệu mô phỏng",
        "title_en": "Simulated",
        "description": f"{SIMULATED_VI} {SIMULATED_EN}",
    }


def ward_code_column() -> dict[str, Any]:
    """The pin of the column by which the departments' tables join."""
    return {
        "type": "string",
        "title": "Mã phường, xã",
        "title_en": "Ward code",
        "description": "Mã đơn vị hành chính cấp xã, 5 chữ số; nối được với bảng planning_wards.",
        "required": True,
        "pattern": r"\d{5}",
    }
