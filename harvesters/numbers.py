"""The type that keeps the numbers of a column, and the number among them that says "no value"."""

from __future__ import annotations

from harvesters import census
from harvesters.readings import SENTINEL_NUMBERS, Reading
from harvesters.workbench import Workbench

# What float64 keeps exactly.
_EXACT_DIGITS = 15
_INT64_DIGITS = 18
_LARGEST_DIGITS = 38


def of_texts(table: str, reading: Reading, text: str, bench: Workbench) -> tuple[str, float | None]:
    """The narrowest type that keeps every number exactly as far as it can, and the sentinel.

    int64, else decimal where digits would be lost before the point, else float64; `string` where
    no type has room for the digits.
    """
    plain = f"ltrim({reading.read(text)}, '+-')"
    fraction = f"regexp_extract({plain}, '[.]([0-9]*)', 1)"
    lows = ", ".join(map(str, SENTINEL_NUMBERS))
    number = f"try_cast({reading.read(text)} AS DOUBLE)"
    digits, scale, broken, has_fraction, smallest, second = bench.row(
        f"SELECT max(length(regexp_extract({plain}, '^[0-9]*'))), max(length({fraction})), "  # noqa: S608
        f"coalesce(bool_or(contains(lower({plain}), 'e')), false), "
        f"coalesce(bool_or(contains({plain}, '.')), false), "
        f"min({number}), min({number}) FILTER ({number} NOT IN ({lows})) FROM {table}"
    )
    low = _low(smallest, second)
    if broken:
        return "float64", low
    return _exact(int(digits or 0), int(scale or 0), bool(has_fraction)), low


def of_plain(numbers: census.Numbers) -> tuple[str, float | None]:
    """The same of numbers that are known to be written plainly."""
    has_fraction = numbers.scale > 0
    return _exact(numbers.digits, numbers.scale, has_fraction), _low(
        numbers.smallest, numbers.second
    )


def _exact(digits: int, scale: int, has_fraction: bool) -> str:
    if not has_fraction:
        if digits <= _INT64_DIGITS:
            return "int64"
        return f"decimal({digits},0)" if digits <= _LARGEST_DIGITS else "string"
    if digits > _EXACT_DIGITS and digits + scale <= _LARGEST_DIGITS:
        return f"decimal({digits + scale},{scale})"
    return "float64"


def _low(smallest: float | None, second: float | None) -> float | None:
    """The smallest number, when it is one that says "no value" and all others are far above it."""
    if smallest in SENTINEL_NUMBERS and second is not None and second > smallest / 10:
        return smallest
    return None
