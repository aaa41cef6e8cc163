"""Find the header of a table: below titles and junk, above the rows, in one row or in several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from harvesters import row_kinds, units
from harvesters.row_kinds import LEAST_NAMES, Rows

MOST_HEADER_ROWS = 5
_BRACKETS = " ()[]"

# A merged cell: its first and last row and column, from 0.
Span = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Header:
    """Where the rows begin: `first_row` is the index of the first row of data, `names` its header.

    `row` is the header's first row, or None when the table has none; it has `height` rows. `units`
    are those of a row of units below it: one a column, empty where it says none. `numbering` is the
    row below it that only numbers the columns.
    """

    names: list[str]
    row: int | None
    first_row: int
    units: list[str] = field(default_factory=list)
    height: int = 1
    numbering: int | None = None

    @property
    def top(self) -> int:
        """The first row of the table: what stands above it is its title."""
        return self.first_row if self.row is None else self.row

    def told(self, top: int = 0) -> list[str]:
        """Where the header is, in the rows of a file whose row `top` is the first of the table, and
        what below it is no data."""
        if self.row is None:
            return ["header none"]
        first, last = top + self.row + 1, top + self.row + self.height
        said = [f"header row {first}" if first == last else f"header rows {first} to {last}"]
        if any(self.units):
            listed = ", ".join(filter(None, self.units))
            said.append(f"units from the row below the header: {listed}")
        if self.numbering is not None:
            said.append(f"row {top + self.numbering + 1} numbers the columns: left out")
        return said


def find(
    rows: Rows,
    pinned: int | None = None,
    skip: int = 0,
    width: int | None = None,
    merged: Iterable[Span] = (),
    height: int | None = None,
) -> Header | None:
    """The header of `rows` (the head of a table, as text); None when there is no table.

    `pinned` is the officer's `header_row`: from 1, and 0 for none; `height` how many rows it has.
    `skip` rows are not looked at. `width` is the number of columns where the format tells it.
    `merged` are the cells of a worksheet that span several.
    """
    grid = _Grid(rows, merged)
    if pinned is not None and pinned > 0:
        index = pinned - 1
        if index >= len(rows):
            return None
        below = _width(rows[index + 1 :])
        wide = width or max(len(_trimmed(grid.spread(index))), below)
        return _from(grid, index, index, wide, height)
    grows = width is None
    width = width or _width(rows[skip:])
    if width == 0:
        return None
    if pinned == 0:
        return Header([""] * width, None, skip)
    enough = _enough(_filled_columns(rows[skip:], width))
    for index in range(skip, len(rows)):
        if row_kinds.filled(grid.spread(index)) < enough or row_kinds.is_letterhead(rows, index):
            continue
        if row_kinds.is_data(rows[index], rows[index + 1 :]):
            return Header([""] * width, None, index)
        top = index
        while top > skip and index - top < MOST_HEADER_ROWS and grid.belong(top - 1, top):
            top -= 1
        return _from(grid, top, index, width, height, grows)
    return None


def _from(
    grid: _Grid, top: int, bottom: int, width: int, height: int | None, grows: bool = False
) -> Header:
    """The header that begins at `top` and goes on to `bottom` at least. If it `grows`, a name
    beside the columns that most rows fill is one more column."""
    rows = grid.rows
    if height is not None:
        bottom = min(top + height, len(rows)) - 1
    else:
        while bottom + 1 < len(rows) and bottom + 1 - top < MOST_HEADER_ROWS:
            if not grid.belong(bottom, bottom + 1):
                break
            bottom += 1
    if grows:
        named = [grid.spread(row) for row in range(top, bottom + 1)]
        while any(len(texts) > width and texts[width] for texts in named):
            width += 1
    names = [grid.name(top, bottom, column) for column in range(width)]
    first = bottom + 1
    said: list[str] = []
    numbering: int | None = None
    if height is None:
        # A row of units and a row of column numbers, in either order.
        for _ in range(2):
            if first + 1 >= len(rows):
                break
            if not said and (found := row_kinds.units_of(rows[first], rows[first + 1 :], width)):
                said = found
            elif numbering is None and row_kinds.is_numbering(
                rows[first], rows[first + 1 :], width
            ):
                numbering = first
            else:
                break
            first += 1
    return Header(names, top, first, said, bottom - top + 1, numbering)


class _Grid:
    """Rows of cells, and which cells of a worksheet's header are spread over several."""

    def __init__(self, rows: Rows, merged: Iterable[Span]) -> None:
        self.rows = rows
        self._across: dict[int, list[tuple[int, int]]] = {}
        self._down: dict[tuple[int, int], int] = {}
        for (top, left), (bottom, right) in merged:
            for row in range(top, min(bottom, top + MOST_HEADER_ROWS) + 1):
                if right > left:
                    self._across.setdefault(row, []).append((left, right))
                if row > top:
                    for column in range(left, right + 1):
                        self._down[row, column] = top

    def cell(self, row: int, column: int) -> str:
        cells = self.rows[row]
        return cells[column].strip() if column < len(cells) else ""

    def spread(self, row: int) -> list[str]:
        """The row with merged cells' texts in all their columns, but for titles across them all."""
        cells = [cell.strip() for cell in self.rows[row]]
        for left, right in self._across.get(row, ()):
            others = any(text and not left <= at <= right for at, text in enumerate(cells))
            text = self.cell(self._down.get((row, left), row), left)
            if others and text:
                cells += [""] * (right + 1 - len(cells))
                cells[left : right + 1] = [text] * (right + 1 - left)
        for column in range(len(cells)):
            if not cells[column] and (row, column) in self._down:
                cells[column] = self.cell(self._down[row, column], column)
        return cells

    def belong(self, upper: int, lower: int) -> bool:
        """Whether the row below goes on with a header: it names the parts of a group above it."""
        below = self.rows[lower + 1 :]
        if not row_kinds.filled(self.rows[lower]) or row_kinds.is_data(self.rows[lower], below):
            return False
        groups = self._groups(upper, lower)
        if not groups:
            return False
        grouped = {column for left, right in groups for column in range(left, right + 1)}
        alone = [
            column
            for column in range(len(self.rows[upper]))
            if self.cell(upper, column) and column not in grouped
        ]
        if self._across.get(upper):
            return True
        # Without merged cells the proof is a name beside the groups with nothing below it but,
        # at most, its unit.
        below_them = [self.cell(lower, column) for column in alone]
        return not all(below_them) and all(map(_is_unit_or_nothing, below_them))

    def _groups(self, upper: int, lower: int) -> list[tuple[int, int]]:
        """Columns under one text of the upper row, all of which the lower row names."""
        spans = [
            (left, right)
            for left, right in self._across.get(upper, ())
            if self.cell(self._down.get((upper, left), upper), left)
            and (left, right) not in self._across.get(lower, ())
            and row_kinds.filled(self.rows[upper]) > 1
        ]
        if not self._across.get(upper):
            spans = self._guessed_groups(upper, lower)
        below = self.spread(lower)
        return [
            (left, right)
            for left, right in spans
            if all(
                column < len(below) and below[column] and (lower, column) not in self._down
                for column in (left, right)
            )
        ]

    def _guessed_groups(self, upper: int, lower: int) -> list[tuple[int, int]]:
        """A text with empty cells to its right, below each of which stands a name."""
        groups: list[tuple[int, int]] = []
        if row_kinds.filled(self.rows[upper]) < LEAST_NAMES:
            return groups
        wide = max(len(self.rows[upper]), len(self.rows[lower]))
        column = 0
        while column < wide:
            end = column
            if self.cell(upper, column) and self.cell(lower, column):
                while (
                    end + 1 < wide and not self.cell(upper, end + 1) and self.cell(lower, end + 1)
                ):
                    end += 1
            if end > column:
                groups.append((column, end))
            column = end + 1
        return groups

    def name(self, top: int, bottom: int, column: int) -> str:
        """A column's name: its group's text above its own, each once."""
        texts: list[str] = []
        for row in range(top, bottom + 1):
            text = self.cell(row, column)
            groups = self._groups(row, row + 1) if row < bottom else []
            group = next((left for left, right in groups if left <= column <= right), None)
            if group is not None:
                text = self.cell(self._down.get((row, group), row), group)
            elif self._across.get(row) and not text:
                text = self.spread(row)[column] if column < len(self.spread(row)) else ""
            elif texts and not (_in_brackets(text) or self._is_part(top, row, column)):
                continue
            if text and text not in texts:
                texts.append(text)
        return " ".join(texts)

    def _is_part(self, top: int, row: int, column: int) -> bool:
        return any(
            left <= column <= right
            for above in range(top, row)
            for left, right in self._groups(above, above + 1)
        )


def _in_brackets(text: str) -> bool:
    return text.startswith("(") and units.is_unit(text.strip(_BRACKETS))


def _is_unit_or_nothing(text: str) -> bool:
    return not text or _in_brackets(text)


def _width(rows: Rows) -> int:
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


def _filled_columns(rows: Rows, width: int) -> int:
    """How many of the columns have anything in them."""
    return sum(any(at < len(row) and row[at].strip() for row in rows) for at in range(width))


def _enough(columns: int) -> int:
    return 1 if columns < 2 else max(2, -(-columns * 3 // 5))
