"""Solr's dates: ISO 8601 in UTC, ``NOW``, and date maths (``NOW/DAY-1YEAR``).

Kept as text of one width (``2024-05-01T00:00:00.000Z``), so that text order is time order.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

from dateutil.relativedelta import relativedelta

from .errors import ValueRefused

_DATE = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}))?(?:Z|\+00:?00)?(?P<math>[+\-/].*)?$"
)
_STEP = re.compile(r"/(?P<round>[A-Z]+)|(?P<count>[+-]\d{1,6})(?P<unit>[A-Z]+)")

_UNITS = {
    "YEAR": "years",
    "MONTH": "months",
    "DAY": "days",
    "DATE": "days",
    "HOUR": "hours",
    "MINUTE": "minutes",
    "SECOND": "seconds",
    "MILLI": "milliseconds",
    "MILLISECOND": "milliseconds",
}
_START = {"month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0, "microsecond": 0}
_FIELDS = ("year", "month", "day", "hour", "minute", "second", "microsecond")

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


def canonical(moment: datetime) -> str:
    """UTC with milliseconds; a moment without a zone is UTC."""
    if moment.tzinfo:
        moment = moment.astimezone(UTC)
    return f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def as_solr_writes(text: str) -> str:
    """A canonical date as Solr answers it: no zero milliseconds."""
    return text.replace(".000Z", "Z")


def parse(text: str, now: Clock = utc_now) -> str:
    """The canonical date of a date or date-maths expression; raises ValueRefused."""
    if text.startswith("NOW"):
        return canonical(_calculate(now(), text[3:], text))
    found = _DATE.match(text)
    if not found:
        raise ValueRefused(f"Invalid Date String: {text!r} (like 2024-05-01T00:00:00Z)")
    try:
        moment = datetime.fromisoformat(found["date"]).replace(tzinfo=UTC)
    except ValueError as error:
        raise ValueRefused(f"Invalid Date String: {text!r} ({error})") from None
    micro = int((found["fraction"] or "0").ljust(6, "0")[:6])
    return canonical(_calculate(moment.replace(microsecond=micro), found["math"] or "", text))


def _calculate(moment: datetime, steps: str, whole: str) -> datetime:
    place = 0
    while place < len(steps):
        step = _STEP.match(steps, place)
        if not step:
            raise ValueRefused(f"Invalid Date Math String: {whole!r}")
        unit = _unit(step["round"] or step["unit"], whole)
        try:
            moment = _round(moment, unit) if step["round"] else _move(moment, step["count"], unit)
        except (ValueError, OverflowError):
            raise ValueRefused(f"Invalid Date Math String: {whole!r} leaves the calendar") from None
        place = step.end()
    return moment


def _unit(name: str, whole: str) -> str:
    unit = _UNITS.get(name) or _UNITS.get(name.removesuffix("S"))
    if unit is None:
        raise ValueRefused(f"Invalid Date Math String: {whole!r} (no unit {name})")
    return unit


def _move(moment: datetime, count: str, unit: str) -> datetime:
    if unit == "milliseconds":
        return moment + relativedelta(microseconds=int(count) * 1000)
    return moment + relativedelta(**{unit: int(count)})


def _round(moment: datetime, unit: str) -> datetime:
    if unit == "milliseconds":
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    kept = _FIELDS.index(unit.removesuffix("s")) + 1
    return moment.replace(**{field: _START[field] for field in _FIELDS[kept:]})
