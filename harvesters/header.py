"""Find the header of a table: below titles and junk, above the rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

# Digits with their separators, signs and units of time: what a header's cell rarely is.
_VALUE = re.compile(r"[+-]?[\d.,:/ \-]*\d[\d.,:/ \-]*(?:[eE][+-]?\d+)?%?(?: ?[AaPp][Mm])?Z?")
_YEAR = re.compile(r"(?:19|20)\d\d")


@dataclass(frozen=True)
class Header:
    """Where the rows begin: `first_row` is the index of the first row of data, `names` its header.

    `row` is the header's index, or None when the table has none.
    """

    names: list[str]
    row: int | None
    first_row: int


def find(
    rows: Sequence[Sequence[str]],
    pinned: int | None = None,
    skip: int = 0,
    width: int | None = None,
) -> Header | None:
    """The header of `rows` (the head of a table, as text); None when there is no table.

    `width` is the number of columns where the format tells it.

    `pinned` is the officer's `header_row`: from 1, and 0 for none. `skip` rows are not looked at.
    """
    if pinned is not None and pinned > 0:
        return _pinned(rows, pinned - 1, width)
    width = width or _width(rows[skip:])
    if width == 0:
        return None
    if pinned == 0:
        return Header([""] * width, None, skip)
    for index in range(skip, len(rows)):
        row = rows[index]
        if _filled(row) < _enough(width):
            continue
        if _is_data(row, rows[index + 1 :]):
            return Header([""] * width, None, index)
        names = [cell.strip() for cell in row[:width]]
        return Header([*names, *[""] * (width - len(names))], index, index + 1)
    return None


def _pinned(rows: Sequence[Sequence[str]], index: int, known: int | None) -> Header | None:
    if index >= len(rows):
        return None
    below = rows[index + 1 :]
    width = known or max(len(_trimmed(rows[index])), _width(below) if below else 0)
    names = [cell.strip() for cell in rows[index][:width]]
    return Header([*names, *[""] * (width - len(names))], index, index + 1)


def _width(rows: Sequence[Sequence[str]]) -> int:
    """The usual number of cells up to the last filled one, or more if the fullest row needs it."""
    lengths = Counter(len(_trimmed(row)) for row in rows)
    lengths.pop(0, None)
    if not lengths:
        return 0
    usual, count = max(lengths.items(), key=lambda item: (item[1], item[0]))
    # Sparse last columns: a wider row that occurs more than now and then is the table's width.
    wider = [width for width, seen in lengths.items() if width > usual and seen * 10 >= count]
    return max([usual, *wider])


def _trimmed(row: Sequence[str]) -> Sequence[str]:
    last = len(row)
    while last and not row[last - 1].strip():
        last -= 1
    return row[:last]


def _filled(row: Sequence[str]) -> int:
    return sum(bool(cell.strip()) for cell in row)


def _enough(width: int) -> int:
    return 1 if width == 1 else max(2, -(-width * 3 // 5))


def _is_data(row: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether a full row is already data: it has a value where the rows below have values too.

    Years are common in headers, so a year counts only when its column holds years.
    """
    for column, cell in enumerate(row):
        text = cell.strip()
        if not _VALUE.fullmatch(text):
            continue
        others = [other[column].strip() for other in below if column < len(other)]
        others = [other for other in others if other]
        alike = _YEAR if _YEAR.fullmatch(text) else _VALUE
        if others and all(alike.fullmatch(other) for other in others[:50]):
            return True
    return False
