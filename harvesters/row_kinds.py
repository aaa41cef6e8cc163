"""What a row above or in a table is: data, a letterhead, units, column numbers; its own cells and
those below them tell."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harvesters import units

Rows = Sequence[Sequence[str]]
LEAST_NAMES = 2
LEAST_NUMBERED = 3
_LOOKED_AT = 50
_BRACKETS = " ()[]"
# Digits with their separators, signs and units of time: what a header's cell rarely is.
# Possessive: a cell of a hundred thousand digits is read once.
_VALUE = re.compile(r"[+-]?(?=[.,:/ \-]*+\d)[\d.,:/ \-]++(?:[eE][+-]?\d++)?%?(?: ?[AaPp][Mm])?Z?")
_YEAR = re.compile(r"(?:19|20)\d\d")
# The row of column numbers that Vietnamese forms have: A, B, 1, 2, 3 = 1 + 2.
_NUMBERED = re.compile(r"\(?(\d{1,2})\)?(?: ?= ?.+)?|\(?[A-Z]\)?")


def is_data(row: Sequence[str], below: Rows) -> bool:
    """Whether a full row is already data: it has a value where the rows below have values too.

    Years are common in headers, so a year counts only when its column holds years.
    """
    for column, cell in enumerate(row):
        text = cell.strip()
        if not _VALUE.fullmatch(text):
            continue
        others = _column(below, column)
        alike = _YEAR if _YEAR.fullmatch(text) else _VALUE
        if others and all(alike.fullmatch(other) for other in others):
            return True
    return False


def is_letterhead(rows: Rows, index: int) -> bool:
    """Whether a row only begins a sheet, as offices do: `UBND huyện` and `Mẫu số 22` side by side,
    then titles alone, then the names of more columns."""
    seen_title = False
    for later in range(index + 1, min(index + _LOOKED_AT, len(rows))):
        count = filled(rows[later])
        if count < LEAST_NAMES:
            seen_title |= count == 1
            continue
        below = rows[later + 1 :]
        if is_data(rows[later], below):
            return False
        if seen_title and count > filled(rows[index]) and has_values_below(rows[later], below):
            return True
    return False


def has_values_below(row: Sequence[str], below: Rows) -> bool:
    """Whether some named column of a row has values below it, most of all: a header's proof."""
    for column, cell in enumerate(row):
        if not cell.strip() or _VALUE.fullmatch(cell.strip()):
            continue
        if _mostly_values(_column(below, column)):
            return True
    return False


def _mostly_values(texts: Sequence[str]) -> bool:
    return sum(bool(_VALUE.fullmatch(text)) for text in texts) * 2 > len(texts)


def _column(rows: Rows, column: int) -> list[str]:
    texts = (row[column].strip() for row in rows[:_LOOKED_AT] if column < len(row))
    return [text for text in texts if text]


def units_of(row: Sequence[str], below: Rows, width: int) -> list[str]:
    """The units of a row that holds nothing else; empty when it is none."""
    cells = [cell.strip().strip(_BRACKETS) for cell in row[:width]]
    cells += [""] * (width - len(cells))
    filled = [(column, text) for column, text in enumerate(cells) if text]
    if not filled or not all(units.is_unit(text) for _, text in filled):
        return []
    above_values = any(_mostly_values(_column(below, column)) for column, _ in filled)
    return cells if above_values else []


def is_numbering(row: Sequence[str], below: Rows, width: int) -> bool:
    """Whether a row numbers the columns; what could be a row of data as well (`A, 1, 2` above
    others like it) is one."""
    cells = [(column, cell.strip()) for column, cell in enumerate(row[:width]) if cell.strip()]
    matches = [_NUMBERED.fullmatch(text) for _, text in cells]
    if len(cells) < LEAST_NUMBERED or not all(matches):
        return False
    numbers = [int(match[1]) for match in matches if match and match[1]]
    if len(numbers) < 2 or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        return False
    return any(_is_unlike(text, _column(below, column)) for column, text in cells)


def _is_unlike(text: str, below: Sequence[str]) -> bool:
    """Whether a number or letter of a column is none of the column's values."""
    if _VALUE.fullmatch(text):
        return bool(below) and not _mostly_values(below)
    return any(not _NUMBERED.fullmatch(other) for other in below)


def filled(row: Sequence[str]) -> int:
    """How many cells of a row have anything in them."""
    return sum(bool(cell.strip()) for cell in row)
