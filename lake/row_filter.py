"""A row filter's predicates as one Arrow expression: structured, so nothing in it is ever parsed.

A value is made the column's type once, before a row is read; what fails then names the column and
the type, never a row's value.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lake.edition_spec import Predicate
from lake.errors import EditionSpecInvalid

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
    field, kind = pc.field(predicate.column), stored.field(predicate.column).type
    if predicate.op == "is_null":
        return field.is_null()
    if predicate.op == "not_null":
        return field.is_valid()
    if predicate.op == "in":
        values = [_typed(one, kind, predicate) for one in predicate.value]
        return field.isin(pa.array(values, kind))
    value = pa.scalar(_typed(predicate.value, kind, predicate), kind)
    return _COMPARISONS[predicate.op](field, value)


def _typed(value: Any, kind: pa.DataType, predicate: Predicate) -> Any:
    for holds, kinds, make in _OF_TYPE:
        if holds(kind):
            try:
                if isinstance(value, kinds) and (kinds is bool or not isinstance(value, bool)):
                    return make(value)
            except (ValueError, InvalidOperation):
                break
    raise EditionSpecInvalid(
        f"the row filter's value for {predicate.column} is no {kind}",
        column=predicate.column,
        type=str(kind),
    )


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("an instant needs a zone")
    return moment


_OF_TYPE: tuple[tuple[Any, Any, Any], ...] = (
    (pa.types.is_boolean, bool, bool),
    (pa.types.is_integer, int, int),
    (pa.types.is_floating, (int, float), float),
    (pa.types.is_decimal, (int, float, str), lambda value: Decimal(str(value))),
    (pa.types.is_string, str, str),
    (pa.types.is_date, str, date.fromisoformat),
    (pa.types.is_timestamp, str, _instant),
)
