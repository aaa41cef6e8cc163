"""Cron expressions, in UTC: when a source comes due. Pure functions; the caller brings the time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from croniter import CroniterError, croniter

from .errors import ScheduleInvalid

# Vietnam has one time zone and no summer time.
HANOI_AHEAD_H = 7
# A source that was unchanged so often in a row is asked half as often, and so on, down to every
# seventh time of its schedule and at least once a week.
UNCHANGED_RUNS = 3
SLOWEST = 7
LONGEST_PAUSE = timedelta(days=7)
# The choices of the form. At night in Hanoi (UTC+7), when the departments' servers are idle.
PRESETS: dict[str, str] = {
    "none": "",
    "hourly": "5 * * * *",
    "daily": "0 19 * * *",
    "weekly": "0 19 * * 0",
    "monthly": "0 19 1 * *",
}
# The EU vocabulary's word for how often data that is harvested so is updated.
FREQUENCY_OF_PRESET = {
    "hourly": "HOURLY",
    "daily": "DAILY",
    "weekly": "WEEKLY",
    "monthly": "MONTHLY",
}


def check(cron: str) -> str:
    """``cron`` with single spaces when it has five fields and comes due some day; ``""`` stays.

    Raises ScheduleInvalid.
    """
    fields = cron.split()
    if not fields:
        return ""
    if len(fields) != 5:
        raise ScheduleInvalid(
            "A schedule has five fields: minute, hour, day of month, month, day of week."
        )
    text = " ".join(fields)
    try:
        # A fixed day: whether an expression ever comes due does not depend on today.
        croniter(text, datetime(2024, 1, 1, tzinfo=UTC)).get_next(datetime)
    except (CroniterError, ValueError) as error:
        raise ScheduleInvalid(f"Not a schedule: {error}") from error
    return text


def next_due(cron: str, after: datetime, unchanged_runs: int = 0) -> datetime | None:
    """The first moment strictly later than ``after``; None without a schedule.

    After so many ``unchanged_runs`` in a row some of the schedule's times are left out, but never
    more than a week of them.
    """
    if not cron:
        return None
    times = croniter(cron, after.astimezone(UTC))
    due = times.get_next(datetime)
    for _left_out in range(every_nth(unchanged_runs) - 1):
        later = times.get_next(datetime)
        if later - after > LONGEST_PAUSE:
            break
        due = later
    return due


def every_nth(unchanged_runs: int) -> int:
    """Every how many times of its schedule a source is asked: 1, 2, 4, at last 7."""
    return min(SLOWEST, 2 ** (unchanged_runs // UNCHANGED_RUNS))


def is_due(next_due_at: datetime | None, now: datetime) -> bool:
    """Whether the moment kept as the next one has come."""
    return next_due_at is not None and next_due_at <= now


@dataclass(frozen=True)
class Rhythm:
    """A simple schedule on Hanoi's clock.

    ``every`` is ``hour``, ``day``, ``week`` or ``month``; ``day`` one of the week (0 is Sunday) or
    of the month.
    """

    every: str
    minute: int
    hour: int = 0
    day: int = 0


def rhythm(cron: str) -> Rhythm | None:
    """The rhythm of a cron expression; None when it is not that simple.

    >>> rhythm("30 19 * * 1")
    Rhythm(every='week', minute=30, hour=2, day=2)
    """
    fields = cron.split()
    if len(fields) != 5 or not all(field == "*" or field.isdecimal() for field in fields):
        return None
    minute, hour, day, month, weekday = (None if field == "*" else int(field) for field in fields)
    if minute is None or month is not None:
        return None
    if hour is None:
        return Rhythm("hour", minute) if day is None and weekday is None else None
    later, local = divmod(hour + HANOI_AHEAD_H, 24)
    if day is None and weekday is None:
        return Rhythm("day", minute, local)
    if day is None:
        return Rhythm("week", minute, local, (weekday + later) % 7)
    if weekday is None and day + later <= 28:
        return Rhythm("month", minute, local, day + later)
    return None


def preset_of(cron: str) -> str:
    """The preset's name, or ``custom``."""
    return next((name for name, known in PRESETS.items() if known == cron), "custom")
