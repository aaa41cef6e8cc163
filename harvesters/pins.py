"""Which column of a table an officer's pin is about."""

from __future__ import annotations

from harvesters.errors import ColumnMissing
from harvesters.rawtable import RawColumn
from harvesters.source import ColumnPin, Options
from lake import names


def pins_by_column(columns: list[RawColumn], options: Options) -> dict[str, ColumnPin]:
    """The pin of each column, found by its header, without case, or by its machine alias."""
    headers = names.column_names([column.header for column in columns])
    known: dict[str, str] = {}
    for column, header, alias in zip(columns, headers, names.aliases(headers), strict=True):
        known.setdefault(alias, column.key)
        known[header.casefold()] = column.key
    pins = {}
    for wanted, pin in options.columns.items():
        name = names.column_names([wanted])[0]
        key = known.get(name.casefold()) or known.get(names.from_vietnamese(name, default="column"))
        if key is not None:
            pins[key] = pin
        elif pin.required:
            raise ColumnMissing(f"The required column {wanted!r} is not in the data.", column=name)
    return pins
