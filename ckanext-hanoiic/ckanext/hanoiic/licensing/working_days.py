"""Working days in Hanoi: weekdays that are no public holiday, and Saturdays worked in exchange.

``holidays.yaml`` is dated; days of years that it doesn't know are told by their weekday alone.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
CLOSING = time(17)
SATURDAY = 5
FILE = Path(__file__).with_name("holidays.yaml")


@cache
def _exceptions() -> tuple[frozenset[date], frozenset[date]]:
    told = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return frozenset(told["holidays"]), frozenset(told["work"])


def is_working(day: date) -> bool:
    holidays, worked = _exceptions()
    return day in worked or (day.weekday() < SATURDAY and day not in holidays)


def after(moment: datetime, days: int) -> datetime:
    """Closing time of the last of ``days`` working days after the day of ``moment``."""
    day = moment.astimezone(HANOI).date()
    while days > 0:
        day += timedelta(days=1)
        days -= is_working(day)
    return datetime.combine(day, CLOSING, HANOI)


def between(moment: datetime, until: datetime) -> int:
    """Working days after the day of ``moment`` up to that of ``until``; negative when it is past.

    The inverse of :func:`after`.
    """
    first, last = (one.astimezone(HANOI).date() for one in (moment, until))
    sign = 1 if first <= last else -1
    first, last = sorted((first, last))
    days = (first + timedelta(days=1 + n) for n in range((last - first).days))
    return sign * sum(is_working(day) for day in days)
