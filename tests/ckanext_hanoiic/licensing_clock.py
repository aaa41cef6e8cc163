"""A clock that tests set: licensing takes every moment from ``clock.now``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ckanext.hanoiic.licensing import clock


class Clock:
    """The time from ``begin`` on, moved by hand."""

    def __init__(self, monkeypatch, begin: datetime | None = None) -> None:
        self.time = begin or datetime.now(UTC)
        monkeypatch.setattr(clock, "now", lambda: self.time)

    def pass_(self, **by: float) -> None:
        self.time += timedelta(**by)
