"""Dates in HTTP's headers (RFC 9110, 5.6.7), as servers write them, well or badly."""

from __future__ import annotations

from email.utils import parsedate_to_datetime


def moment(said: str) -> float | None:
    """Seconds since 1970; None for what is no date, or one that no clock has."""
    try:
        return parsedate_to_datetime(said).timestamp()
    except (ValueError, OverflowError):
        return None
