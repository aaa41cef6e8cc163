"""Schema drift: what changed in a table's columns since its published version, and whom it breaks.

Programs read columns by name and type. A new column or a wider type breaks nobody: it is published
and noted. A column that is gone, renamed or of another type waits for an officer. A type that only
seems to change, because this file happens to hold whole numbers or nothing, stays what it was.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harvesters import evidence as weighing
from harvesters.normalise import TypedColumn, TypedTable
from harvesters.readings import SENTINELS_ANYWHERE
from harvesters.validate import Checked
from harvesters.workbench import Workbench
from lake import names
from lake.schema import Column

NEW, MISSING, RETYPED, RENAMED = "new", "missing", "retyped", "renamed"
# As alike as two spellings of one name are.
_ALIKE = 0.85
_LARGEST_EXACT = 2**53
_INT64_DIGITS = 19
_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")
_SQL_TYPES = {
    "int64": "BIGINT",
    "float64": "DOUBLE",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "time": "TIME",
    "string": "VARCHAR",
    "boolean": "BOOLEAN",
}


@dataclass(frozen=True)
class Change:
    """One changed column: types before and after, or names for `renamed`; empty where none is."""

    column: str
    change: str
    before: str
    after: str

    @property
    def breaking(self) -> bool:
        if self.change == RETYPED:
            return not is_wider(self.before, self.after)
        return self.change != NEW

    def __str__(self) -> str:
        return {
            NEW: f"new column {self.column} ({self.after})",
            MISSING: f"column {self.column} ({self.before}) is gone",
            RETYPED: f"column {self.column} is {self.after} now, was {self.before}",
            RENAMED: f"column {self.before} seems to be called {self.after} now",
        }[self.change]


def changes(before: Sequence[Column], after: Sequence[Column]) -> list[Change]:
    """What changed between two versions' columns; their order says nothing."""
    old = {column.name: column for column in before}
    now = {column.name: column for column in after}
    missing = [column for column in before if column.name not in now]
    added = [column for column in after if column.name not in old]
    found = []
    for column in list(missing):
        if (named := _renamed(column, added)) is not None:
            missing.remove(column)
            added.remove(named)
            found.append(Change(column.name, RENAMED, column.name, named.name))
    found += [Change(column.name, MISSING, column.type, "") for column in missing]
    found += [
        Change(name, RETYPED, column.type, now[name].type)
        for name, column in old.items()
        if name in now and now[name].type != column.type
    ]
    return found + [Change(column.name, NEW, "", column.type) for column in added]


def notes(before: Sequence[Column] | None, checked: Checked) -> list[str]:
    """Sentences about changes that break nobody, for the report; none for a new table."""
    after = [typed.column for typed in checked.typed.columns]
    return [
        f"{change}; published, for no reader breaks"
        for change in changes(before or after, after)
        if not change.breaking
    ]


def is_wider(before: str, after: str) -> bool:
    """Whether a program that reads numbers of the type `before` gets along with `after`."""
    if (old := _digits(before)) and (new := _digits(after)):
        return new[0] >= old[0] and new[1] >= old[1]
    return bool(old) and after == "float64"


def _digits(type_text: str) -> tuple[int, int] | None:
    """Digits before and after the point that an exact number type has room for."""
    if type_text == "int64":
        return (_INT64_DIGITS, 0)
    if found := _DECIMAL.fullmatch(type_text):
        return (int(found[1]) - int(found[2]), int(found[2]))
    return None


def _renamed(column: Column, added: Sequence[Column]) -> Column | None:
    alias = names.from_vietnamese(column.name)
    for other in added:
        ratio = difflib.SequenceMatcher(None, alias, names.from_vietnamese(other.name)).ratio()
        if other.type == column.type and ratio >= _ALIKE:
            return other
    return None


def keep_types(checked: Checked, before: Sequence[Column] | None) -> Checked:
    """The table with inferred types that the published version's types have room for kept as they
    were published. A pinned type, or one that the format fixes, is never changed."""
    old = {column.name: column.type for column in before or ()}
    differing = [
        column
        for column in checked.typed.columns
        if old.get(column.column.name, column.column.type) != column.column.type
        and not (column.pin.type or column.raw.type or column.raw.native)
    ]
    if not differing:
        return checked
    kept = {
        column.column.name: same
        for column in differing
        if (same := _kept(column, old[column.column.name], checked.typed, checked.bench))
    }
    columns = [kept.get(column.column.name, column) for column in checked.typed.columns]
    return replace(checked, typed=replace(checked.typed, columns=columns))


def _kept(
    column: TypedColumn, published: str, typed: TypedTable, bench: Workbench
) -> TypedColumn | None:
    sql_type = _SQL_TYPES.get(published, published if _DECIMAL.fullmatch(published) else "")
    if not sql_type:
        return None
    now, value = column.column.type, f"({column.value})"
    text = column.text
    if published == "string":
        # As a column of texts is read: what says "no value" among numbers only is a text there.
        value = text = weighing.cleaned(column.raw, SENTINELS_ANYWHERE)
    elif not _has_room(published, now, value, typed, bench):
        return None
    return replace(
        column,
        column=replace(column.column, type=published),
        text=text,
        value=f"CAST({value} AS {sql_type})",
        cast=None,
    )


def _has_room(published: str, now: str, value: str, typed: TypedTable, bench: Workbench) -> bool:
    table = typed.raw.name
    if now == "int64" or _DECIMAL.fullmatch(now):
        filled, largest = bench.row(
            f"SELECT count({value}), coalesce(max(abs(CAST({value} AS DOUBLE))), 0) "  # noqa: S608
            f"FROM {table}"
        )
        if not filled:
            return True
        room = _digits(published)
        if published == "float64":
            return bool(now == "int64" and largest <= _LARGEST_EXACT)
        scale = _digits(now)
        return bool(room and scale and largest < 10.0 ** room[0] and scale[1] <= room[1])
    if now == "date" and published == "timestamp":
        return True
    (filled,) = bench.row(f"SELECT count({value}) FROM {table}")  # noqa: S608
    return not filled
