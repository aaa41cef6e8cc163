"""Whether a dataset is as new as its department promised, by the clock of whoever asks.

The index keeps only when a dataset *becomes* overdue; a question compares that with its own time.
So yesterday's index tells today's truth, and nothing has to be indexed anew at midnight.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from . import dates

FIELD = "freshness"  # what a question names
DUE = "hanoiic_due_date"  # what the index holds

CURRENT, OVERDUE, UNKNOWN = "current", "overdue", "unknown"

# The longest time from one update to the next that the EU's frequency codes promise.
PROMISED = {
    "CONT": timedelta(hours=1),
    "HOURLY": timedelta(hours=1),
    "DAILY": timedelta(days=1),
    "WEEKLY": timedelta(weeks=1),
    "MONTHLY": timedelta(days=31),
    "QUARTERLY": timedelta(days=92),
    "ANNUAL": timedelta(days=366),
}
# An update that starts on time still has to be fetched, checked and published.
LATENESS_SHARE = 0.25
LATENESS_LEAST = timedelta(hours=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

_VALUE = rf'"?\b({CURRENT}|{OVERDUE}|{UNKNOWN})\b"?'
# A quotation without an end goes on to the text's: looked for at each quote, it took minutes.
_FILTER = re.compile(
    r'"(?:\\.|[^"\\])*(?:"|\\?\Z)'
    rf"|\b{FIELD}:(?:{_VALUE}|\((?P<group>[^()]*)\)|(?P<any>\*|\[\* TO \*\]))",
    re.DOTALL,
)


def due(dataset: Mapping[str, Any]) -> datetime | None:
    """When a dataset becomes overdue (UTC), None where nothing is promised or nothing is known.

    Counted from the newest version of its tables, or the last change of its files, plus a quarter
    of the promised time. Rounded up to the hour, for a promise of a day or more to the day: a
    catalogue then has few different moments, which keeps counting them cheap.
    """
    promised = PROMISED.get(str(dataset.get("update_frequency") or ""))
    updated = last_update(dataset)
    if promised is None or updated is None:
        return None
    try:
        moment = updated + promised + max(LATENESS_SHARE * promised, LATENESS_LEAST)
        return _rounded_up(moment, HOUR if promised < DAY else DAY)
    except OverflowError:  # the last days of the year 9999, which stand for "never"
        return None


def last_update(dataset: Mapping[str, Any]) -> datetime | None:
    """When data of the dataset last changed (UTC)."""
    written = [
        resource.get("lake_version_at") or resource.get("last_modified")
        for resource in dataset.get("resources") or []
    ]
    moments = [moment for text in written if text and (moment := _utc(str(text)))]
    return max(moments, default=None)


def _utc(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _rounded_up(moment: datetime, step: timedelta) -> datetime:
    start = datetime(1970, 1, 1, tzinfo=UTC)
    return start + -((start - moment) // step) * step


def in_filter(fq: str, now: dates.Clock = dates.utc_now) -> str:
    """A query with ``freshness:…`` told in the index's own field; quoted text stays as it is."""
    moment = dates.canonical(now())
    told = {
        CURRENT: f"{DUE}:{{{moment} TO *]",
        OVERDUE: f"{DUE}:[* TO {moment}]",
        UNKNOWN: f"(*:* -{DUE}:[* TO *])",
    }

    def written(found: re.Match[str]) -> str:
        if found[1]:
            return told[found[1]]
        if found["group"] is not None:
            return f"({re.sub(_VALUE, lambda value: told[value[1]], found['group'])})"
        return "*:*" if found["any"] else found[0]

    return _FILTER.sub(written, fq)


def counted(
    due_items: Iterable[Mapping[str, Any]], count: int, now: dates.Clock = dates.utc_now
) -> dict[str, int]:
    """Datasets by freshness, from the counts by due time and of all that were found."""
    moment = dates.canonical(now())
    counts = dict.fromkeys((CURRENT, OVERDUE, UNKNOWN), 0)
    for item in due_items:
        counts[CURRENT if str(item["name"]) > moment else OVERDUE] += item["count"]
    counts[UNKNOWN] = count - counts[CURRENT] - counts[OVERDUE]
    return {name: number for name, number in counts.items() if number > 0}
