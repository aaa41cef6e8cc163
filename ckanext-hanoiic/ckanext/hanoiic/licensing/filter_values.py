"""What a row filter may compare a column of a type of the lake with, as the lake reads it."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from sys import float_info
from typing import Any

# Of a number that a decimal is compared with.
MOST_DIGITS = 38


def fits(value: Any, kind: str) -> bool:
    """Whether a column of the type can be compared with the value."""
    for pattern, is_one in FITS:
        if pattern.match(kind):
            try:
                return bool(is_one(value))
            except (ValueError, TypeError, OverflowError, InvalidOperation):
                return False
    return False


def is_number(value: Any) -> bool:
    """Whether it is a number that a 64-bit float comes near to."""
    is_one = isinstance(value, int | float) and not isinstance(value, bool)
    return is_one and -float_info.max <= value <= float_info.max


def _is_int64(value: Any) -> bool:
    return is_number(value) and value == int(value) and -(2**63) <= value < 2**63


def _is_decimal(value: Any) -> bool:
    number = Decimal(str(value))
    return number.is_finite() and abs(number.adjusted()) <= MOST_DIGITS


FITS: tuple[tuple[re.Pattern[str], Any], ...] = (
    (re.compile(r"string$"), lambda value: isinstance(value, str)),
    (re.compile(r"time$"), lambda value: time.fromisoformat(value).tzinfo is None),
    (re.compile(r"boolean$"), lambda value: isinstance(value, bool)),
    (re.compile(r"int64$"), _is_int64),
    (re.compile(r"float64$"), is_number),
    (re.compile(r"decimal"), _is_decimal),
    (re.compile(r"date$"), lambda value: date.fromisoformat(value) is not None),
    (re.compile(r"timestamp$"), lambda value: datetime.fromisoformat(value).tzinfo is not None),
)
