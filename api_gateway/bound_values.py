"""Values of a query's parameters that JSON has no form for, on their way to a query process.

Such a value travels as `{kind: text}`. HTTP's parameters are JSON's own values and lists of them,
so that no caller's value is taken for one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

Params = list[Any] | dict[str, Any]

_MICROSECOND = timedelta(microseconds=1)
# kind → the type that the engine binds, a value's text, and the value of a text.
_KINDS: dict[str, tuple[type, Callable[[Any], str], Callable[[str], Any]]] = {
    "binary": (bytes, bytes.hex, bytes.fromhex),
    "date": (date, date.isoformat, date.fromisoformat),
    "decimal": (Decimal, str, Decimal),
    "interval": (timedelta, lambda value: str(value // _MICROSECOND),
                 lambda text: int(text) * _MICROSECOND),
    "time": (time, time.isoformat, time.fromisoformat),
    "timestamp": (datetime, datetime.isoformat, datetime.fromisoformat),
    "uuid": (UUID, str, UUID),
}  # fmt: skip
_KIND_OF = {kind: name for name, (kind, _, _) in _KINDS.items()}
_OWN = (str, int, float, bool, type(None))


def carried(value: Any) -> Any:
    """A value as it travels. Raises TypeError for a type that is not among them."""
    if isinstance(value, _OWN):
        return value
    if isinstance(value, list):
        return [carried(each) for each in value]
    if name := _KIND_OF.get(type(value)):
        return {name: _KINDS[name][1](value)}
    raise TypeError(f"a parameter is no {type(value).__name__}")


def bound(params: Params) -> Params:
    """Parameters as the engine binds them. Raises ValueError for what `carried` does not make."""
    if isinstance(params, dict):
        return {name: _value(each) for name, each in params.items()}
    return [_value(each) for each in params]


def _value(told: Any) -> Any:
    if isinstance(told, list):
        return [_value(each) for each in told]
    if not isinstance(told, dict):
        return told
    ((name, text),) = told.items()
    if name not in _KINDS or not isinstance(text, str):
        raise ValueError("a parameter of no kind that there is")
    try:
        return _KINDS[name][2](text)
    except ArithmeticError as error:
        raise ValueError("a parameter that is no number") from error
