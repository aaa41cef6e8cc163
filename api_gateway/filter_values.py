"""Values in an address, read as the type of the column that they are compared with."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import ROUND_FLOOR, Context, Decimal, localcontext
from typing import Any

# A text and the column's type in full → the value to bind, and the SQL type that it is bound as.
# Raises ValueError, OverflowError or decimal.InvalidOperation for a text that is no such value.
Reader = Callable[[str, str], tuple[Any, str]]

_INT64 = 2**63
# More than the widest decimal has.
_DIGITS = Context(prec=80)


def reader(column_type: str) -> Reader | None:
    """How values for a column of the lake's `column_type` are read; None: it has none."""
    return _READERS.get(column_type.partition("(")[0])


def _int64(text: str, _: str) -> tuple[Any, str]:
    if not re.fullmatch(r"[+-]?[0-9]{1,19}", text) or not -_INT64 <= int(text) < _INT64:
        raise ValueError
    return int(text), "BIGINT"


def _decimal(text: str, kind: str) -> tuple[Any, str]:
    """As the column's type where it has the number. A finer number becomes the middle between the
    column's two around it, and a larger one infinite: both compare as they do."""
    number = Decimal(text)
    if not number.is_finite():
        raise ValueError
    width, scale = (int(each) for each in re.findall(r"\d+", kind))
    if number and number.adjusted() >= width - scale:
        return ("-inf" if number < 0 else "inf"), "DOUBLE"
    with localcontext(_DIGITS):
        below = number.quantize(Decimal(1).scaleb(-scale), ROUND_FLOOR)
        if below == number:
            return format(below, "f"), f"DECIMAL({width}, {scale})"
        middle = below + Decimal(5).scaleb(-scale - 1)
    return format(middle, "f"), f"DECIMAL({min(width + 1, 38)}, {scale + 1})"


def _boolean(text: str, _: str) -> tuple[Any, str]:
    if text.lower() not in ("true", "t", "false", "f"):
        raise ValueError
    return text.lower().startswith("t"), "BOOLEAN"


def _timestamp(text: str, _: str) -> tuple[Any, str]:
    moment = datetime.fromisoformat(re.sub(r"(\S) (\d\d:\d\d)$", r"\1+\2", text))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat(), "TIMESTAMPTZ"


_READERS: dict[str, Reader] = {
    "string": lambda text, _: (text, "VARCHAR"),
    "boolean": _boolean,
    "int64": _int64,
    "float64": lambda text, _: (str(float(text)), "DOUBLE"),
    "decimal": _decimal,
    "date": lambda text, _: (date.fromisoformat(text).isoformat(), "DATE"),
    "timestamp": _timestamp,
    "time": lambda text, _: (time.fromisoformat(text).isoformat(), "TIME"),
}
