"""The tables of a worksheet: where one ends and the next begins, beside it or below it.

Empty rows and columns may divide tables, and are common inside one. Only a part with a header of
its own, with values below it, is a table; every other part belongs to the table before it, or is
the title of the one after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harvesters import header, row_kinds
from harvesters.errors import SourceInvalid
from harvesters.header import Header, Span
from harvesters.row_kinds import Rows

LEAST_ROWS = 2
_RANGE = re.compile(r"([A-Za-z]{1,3})([1-9][0-9]{0,6}):([A-Za-z]{1,3})([1-9][0-9]{0,6})")


@dataclass(frozen=True)
class Area:
    """A rectangle of a worksheet: rows and columns from 0, the last ones included."""

    top: int
    left: int
    bottom: int
    right: int

    def rows(self, rows: Rows) -> list[Sequence[str]]:
        """Its rows, each cut to its columns."""
        return [row[self.left : self.right + 1] for row in rows[self.top : self.bottom + 1]]

    def merged(self, merged: Iterable[Span]) -> list[Span]:
        """The merged cells inside it, counted from its corner."""
        return [
            ((top - self.top, left - self.left), (bottom - self.top, right - self.left))
            for (top, left), (bottom, right) in merged
            if self.top <= top and bottom <= self.bottom
            if self.left <= left and right <= self.right
        ]

    def __str__(self) -> str:
        return f"{letters(self.left)}{self.top + 1}:{letters(self.right)}{self.bottom + 1}"


def letters(column: int) -> str:
    """A column's letters: 0 is A, 26 is AA."""
    text = ""
    column += 1
    while column:
        column, place = divmod(column - 1, 26)
        text = chr(ord("A") + place) + text
    return text


def pinned(ranges: Sequence[str]) -> list[Area]:
    """The areas of ranges such as `A4:F23`. Raises SourceInvalid."""
    areas = []
    for text in ranges:
        found = _RANGE.fullmatch(str(text).replace("$", ""))
        if found is None:
            raise SourceInvalid(f"The option `tables` has {text!r}; a range looks like A4:F23.")
        left, right = _column(found[1]), _column(found[3])
        top, bottom = int(found[2]) - 1, int(found[4]) - 1
        if left > right or top > bottom:
            raise SourceInvalid(f"The option `tables` has {text!r}, which ends before it begins.")
        areas.append(Area(top, left, bottom, right))
    return areas


def whole(rows: Rows) -> list[Area]:
    """The one area of a whole sheet; none of an empty one."""
    wide = max(map(len, rows), default=0)
    return [Area(0, 0, len(rows) - 1, wide - 1)] if wide else []


def find(rows: Rows, merged: Sequence[Span]) -> list[Area]:
    """The areas of the tables of a sheet, in reading order; the whole sheet when it is one."""
    return [part for area in whole(rows) for part in _cut(area, rows, merged)]


def _cut(area: Area, rows: Rows, merged: Sequence[Span]) -> list[Area]:
    beside = _beside(area, rows, merged)
    if len(beside) > 1:
        return [part for one in beside for part in _cut(one, rows, merged)]
    below = _below(area, rows, merged)
    if len(below) > 1:
        return [part for one in below for part in _cut(one, rows, merged)]
    return [area]


def _beside(area: Area, rows: Rows, merged: Sequence[Span]) -> list[Area]:
    """The area cut at its empty columns, when every part is a table."""
    cells = area.rows(rows)
    wide = area.right - area.left + 1
    filled = [sum(bool(row[at].strip()) for row in cells if at < len(row)) for at in range(wide)]
    runs = _runs([count > 0 for count in filled])
    parts = [
        Area(area.top, area.left + first, area.bottom, area.left + last) for first, last in runs
    ]
    if len(parts) > 1 and all(_is_table(part, rows, merged) for part in parts):
        return parts
    return [area]


def _below(area: Area, rows: Rows, merged: Sequence[Span]) -> list[Area]:
    """The area cut above every part that is a table of its own, with the titles above it."""
    cells = area.rows(rows)
    runs = _runs([any(cell.strip() for cell in row) for row in cells])
    starts: list[int] = []
    titles_from: int | None = None
    names: list[list[str]] = []
    for first, last in runs:
        part = Area(area.top + first, area.left, area.top + last, area.right)
        found = _header(part, rows, merged)
        if found is None:
            is_title = all(row_kinds.filled(row) <= 1 for row in cells[first : last + 1])
            titles_from = (first if titles_from is None else titles_from) if is_title else None
            continue
        if found.names not in names:
            # The header of a table that goes on after a page's end is no new table.
            starts.append(first if titles_from is None else titles_from)
            names.append(found.names)
        titles_from = None
    if len(starts) < 2:
        return [area]
    starts[0] = 0
    ends = [*(start - 1 for start in starts[1:]), len(cells) - 1]
    return [
        Area(area.top + start, area.left, area.top + end, area.right)
        for start, end in zip(starts, ends, strict=True)
    ]


def _is_table(area: Area, rows: Rows, merged: Sequence[Span]) -> bool:
    return _header(area, rows, merged) is not None


def _header(area: Area, rows: Rows, merged: Sequence[Span]) -> Header | None:
    """The header that an area has for sure: at least two names, with values below them."""
    cells = area.rows(rows)
    found = header.find(cells, merged=area.merged(merged))
    if found is None or found.row is None or sum(map(bool, found.names)) < 2:
        return None
    below = cells[found.first_row :]
    if len(below) < LEAST_ROWS:
        return None
    named = [cells[row] for row in range(found.row, found.first_row)]
    return found if any(row_kinds.has_values_below(row, below) for row in named) else None


def _runs(filled: Sequence[bool]) -> list[tuple[int, int]]:
    """The first and last positions of each run of filled ones."""
    runs: list[tuple[int, int]] = []
    for at, is_filled in enumerate(filled):
        if not is_filled:
            continue
        if runs and runs[-1][1] == at - 1:
            runs[-1] = (runs[-1][0], at)
        else:
            runs.append((at, at))
    return runs


def _column(written: str) -> int:
    number = 0
    for letter in written.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1
