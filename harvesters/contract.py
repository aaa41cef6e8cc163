"""Rules of a source's contract that look beyond one column: keys of several, and references.

A reference (`columns.<name>.references: "table.column"`) says that every value stands in a column
of another table, such as ward codes. Only tables that the operator offers for it can be named: what
is rejected would tell an officer what stands in another organisation's table.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import pyarrow as pa

from harvesters.errors import ColumnMissing, ReferenceMissing, SourceInvalid
from harvesters.normalise import TypedTable
from harvesters.source import Options
from harvesters.validate import Rule
from harvesters.workbench import Workbench
from lake.errors import TableNotFound
from lake.store import Lake

_REFERENCE = re.compile(r"([a-z][a-z0-9_]{0,62})\.(.+)")
_KEYS = pa.schema([("key", pa.string())])


@dataclass(frozen=True)
class References:
    """The tables of the lake that references may name."""

    lake: Lake
    tables: Collection[str]

    def load(self, reference: str, bench: Workbench) -> str:
        """The values of `table.column`, as text, as a table `key` on the workbench.

        Raises SourceInvalid (no such reference is offered), ReferenceMissing (nothing published).
        """
        found = _REFERENCE.fullmatch(reference)
        if found is None:
            raise SourceInvalid(f"{reference!r} is no reference; it is written table.column.")
        table, column = found.groups()
        if table not in self.tables:
            raise SourceInvalid(
                f"References to {table!r} are not offered; the operator offers: "
                f"{', '.join(sorted(self.tables)) or 'none'}."
            )
        try:
            there = self.lake.table(table)
            number = there.resolve().number
        except TableNotFound as error:
            raise ReferenceMissing(f"The table {table} has no version yet.") from error
        known = {name: one.name for one in there.columns(number) for name in (one.name, one.ascii)}
        if column not in known:
            raise SourceInvalid(f"The table {table} has no column {column!r}.")
        values = (
            pa.RecordBatch.from_arrays(
                [batch.column(known[column]).cast(pa.string())], schema=_KEYS
            )
            for batch in there.batches(number)
        )
        return bench.load(_KEYS, values)


def rules(
    typed: TypedTable, options: Options, references: References | None, bench: Workbench
) -> Iterator[Rule]:
    """The rules over the values `v<n>` of a table's columns.

    Raises SourceInvalid, ReferenceMissing, and ColumnMissing for a key's column that is not there.
    """
    for position, column in enumerate(typed.columns):
        reference = column.pin.references
        if not reference or column.pin.mask:
            continue
        if references is None:
            raise SourceInvalid("References can't be checked here: there is no lake.")
        keys = references.load(reference, bench)
        value = f"CAST(v{position} AS VARCHAR)"
        yield Rule(
            column,
            position,
            "reference_unknown",
            f"does not stand in {reference}",
            f"v{position} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {keys} WHERE key = {value})",  # noqa: S608
        )
    for key in options.unique:
        yield _key(typed, key)


def _key(typed: TypedTable, wanted: tuple[str, ...]) -> Rule:
    known = {column.column.name.casefold(): at for at, column in enumerate(typed.columns)}
    missing = [name for name in wanted if name.casefold() not in known]
    if missing:
        raise ColumnMissing(
            f"The key's column {missing[0]!r} is not in the data.", column=missing[0]
        )
    positions = [known[name.casefold()] for name in wanted]
    values = ", ".join(f"v{at}" for at in positions)
    filled = " AND ".join(f"v{at} IS NOT NULL" for at in positions)
    return Rule(
        typed.columns[positions[0]],
        positions[0],
        "not_unique",
        f"{', '.join(wanted)} together occur more than once; the first row stays",
        f"{filled} AND row > min(row) OVER (PARTITION BY {values})",
        over_all_rows=True,
    )
