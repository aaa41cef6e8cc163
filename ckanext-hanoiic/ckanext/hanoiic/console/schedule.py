"""Cron expressions, in UTC: when a source comes due. Pure functions; the caller brings the time."""

from __future__ import annotations

from datetime import UTC, datetime

from croniter import CroniterError, croniter

from .errors import ScheduleInvalid

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


def next_due(cron: str, after: datetime) -> datetime | None:
    """The first moment strictly later than ``after``; None without a schedule."""
    if not cron:
        return None
    return croniter(cron, after.astimezone(UTC)).get_next(datetime)


def is_due(next_due_at: datetime | None, now: datetime) -> bool:
    """Whether the moment kept as the next one has come."""
    return next_due_at is not None and next_due_at <= now


def preset_of(cron: str) -> str:
    """The preset's name, or ``custom``."""
    return next((name for name, known in PRESETS.items() if known == cron), "custom")
