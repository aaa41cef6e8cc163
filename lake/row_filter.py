"""A row filter's predicates as one Arrow expression: structured, so nothing in it is ever parsed.

A value is made the column's type once, before a row is read; what fails then names the column and
the type, never a row's value.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from functools import partial, reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lake import schema
from lake.edition_spec import Predicate
from lake.errors import EditionSpecInvalid

_MOST_DIGITS = 38
_COMPARISONS = {
    "eq": lambda field, value: field == value,
    "ne": lambda field, value: field != value,
    "lt": lambda field, value: field < value,
    "le": lambda field, value: field <= value,
    "gt": lambda field, value: field > value,
    "ge": lambda field, value: field >= value,
}


def expression(predicates: Sequence[Predicate], stored: pa.Schema) -> pc.Expression | None:
    """True for the rows that stay; None when every row does. Raises EditionSpecInvalid."""
    if not predicates:
        return None
    return reduce(lambda both, one: both & one, [_one(each, stored) for each in predicates])


def _one(predicate: Predicate, stored: pa.Schema) -> pc.Expression:
    if predicate.column not in stored.names:
        raise EditionSpecInvalid(
            f"the row filter's column {predicate.column} is not there", column=predicate.column
        )
    field, column = pc.field(predicate.column), stored.field(predicate.column)
    if predicate.op == "is_null":
        return field.is_null()
    if predicate.op == "not_null":
        return field.is_valid()
    try:
        if predicate.op == "in":
            values = [_typed(one, column) for one in predicate.value]
            compared = field.isin(pa.array(_fitting(values, column.type), column.type))
        else:
            value = _typed(predicate.value, column)
            # A decimal is compared with any other, also with one that its column can't hold.
            kind = None if pa.types.is_decimal(column.type) else column.type
            compared = _COMPARISONS[predicate.op](field, pa.scalar(value, kind))
        stored.empty_table().filter(compared)
    except (ValueError, ArithmeticError, pa.ArrowNotImplementedError) as error:
        raise EditionSpecInvalid(
            f"the row filter's value for {predicate.column} is no {column.type}",
            column=predicate.column,
            type=str(column.type),
        ) from error
    return compared


def _typed(value: Any, column: pa.Field) -> Any:
    """The value as the column's. Raises ValueError, ArithmeticError."""
    for holds, kinds, make in _OF_FIELD:
        if holds(column):
            if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
                raise ValueError("a value of another kind")
            return make(value)
    raise ValueError("a column that is not compared")


def _fitting(values: list[Any], kind: pa.DataType) -> list[Any]:
    """Those that the column can hold: no row has another one."""
    return [value for value in values if not isinstance(value, Decimal) or _fits(value, kind)]


def _fits(value: Decimal, kind: pa.DataType) -> bool:
    try:
        pa.scalar(value, kind)
    except pa.ArrowInvalid:
        return False
    return True


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("an instant needs a zone")
    return moment


def _time(text: str) -> str:
    """As the lake stores it: its order is that of the texts."""
    moment = time.fromisoformat(text)
    if moment.tzinfo is not None:
        raise ValueError("a time of day has no zone")
    return moment.isoformat(timespec="microseconds")


def _whole(number: int | float) -> int:
    if number != int(number):
        raise ValueError("no whole number")
    return int(number)


def _decimal(said: int | float | str) -> Decimal:
    number = Decimal(str(said))
    if not number.is_finite() or abs(number.adjusted()) > _MOST_DIGITS:
        raise ValueError("no number that a decimal may be")
    # Arrow knows no exponents.
    return Decimal(f"{number:f}")


def _of(holds: Callable[[pa.DataType], bool]) -> Callable[[pa.Field], bool]:
    return lambda column: holds(column.type)


_OF_FIELD: tuple[tuple[Any, Any, Any], ...] = (
    (_of(pa.types.is_boolean), bool, bool),
    (_of(pa.types.is_integer), (int, float), _whole),
    (_of(pa.types.is_floating), (int, float), float),
    (_of(pa.types.is_decimal), (int, float, str), _decimal),
    (schema.is_time, str, _time),
    # The lake's texts are NFC; a filter's may come from a keyboard that makes others.
    (_of(pa.types.is_string), str, partial(unicodedata.normalize, "NFC")),
    (_of(pa.types.is_date), str, date.fromisoformat),
    (_of(pa.types.is_timestamp), str, _instant),
)
