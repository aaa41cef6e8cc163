"""The tables of one sheet: where they are, what heads them, and their cells as they are seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harvesters import areas, around, forms, header
from harvesters.areas import Area
from harvesters.connectors import shown_numbers
from harvesters.connectors.shown_numbers import Percentages
from harvesters.errors import TooManyColumns
from harvesters.header import Header, Span
from harvesters.rawtable import (
    MAX_COLUMNS,
    Figure,
    RawColumn,
    RawTable,
    batches_of_rows,
    sign_of,
    text_schema,
)
from harvesters.source import Options
from harvesters.workbench import Workbench

HEAD_ROWS = 200
SHOWN_CELLS = 10


@dataclass(frozen=True)
class Found:
    """A table of a sheet: its area, its header (rows counted in the area), its cells, how many of
    them are percentages below a header that says so, and where a merged number stands in several
    rows."""

    area: Area
    header: Header
    cells: list[Sequence[str]]
    percentages: int
    repeated: list[str]


def find(
    rows: list[list[str]], merged: list[Span], options: Options, percentages: Percentages
) -> list[Found]:
    """The tables of a sheet, at the pinned places or where they are found."""
    guessed = False
    if options.tables is not None:
        where = areas.pinned(options.tables)
    elif options.header_row is not None or options.skip_rows:
        where = areas.whole(rows)
    else:
        where, guessed = areas.find(rows, merged), True
    found = []
    for area in where:
        cells, spans = area.rows(rows), area.merged(merged)
        head = header.find(
            cells[:HEAD_ROWS],
            options.header_row,
            options.skip_rows,
            merged=spans,
            height=options.header_rows,
        )
        if head is None or (guessed and forms.is_form(cells, head)):
            continue
        if head.first_row < len(cells):
            count = _give_percentages(cells, area, head, percentages)
            cells, repeated = _filled_down(cells, spans, head)
            places = [_reference(area, *place) for place in repeated]
            found.append(Found(area, _named(head, cells), cells, count, places))
    return found


def load(found: Found, where: str, several: bool, bench: Workbench) -> RawTable:
    area, head = found.area, found.header
    width = len(head.names)
    if width > MAX_COLUMNS:
        raise TooManyColumns(f"The sheet has {width} columns; {MAX_COLUMNS} are allowed.")
    numbered = enumerate(
        (row[:width] for row in found.cells[head.first_row :]), area.top + head.first_row + 1
    )
    figures: set[int] = set()
    name = bench.load(text_schema(width), batches_of_rows(numbered, width, figures))
    units = [*head.units, *[""] * width]
    columns = [
        RawColumn(f"c{index}", text, decimal=sign_of(index, figures), unit=units[index] or None)
        for index, text in enumerate(head.names)
    ]
    place, *more = head.told(area.top)
    messages = [f"{where}, {f'cells {area}, ' if several else ''}{place}", *more]
    messages += _beyond(found, width)
    if found.repeated:
        messages.append(
            f"{len(found.repeated)} numbers stand in each of the rows that their cells are merged "
            f"over, so sums count them several times: {_shown(found.repeated)}"
        )
    if found.percentages:
        messages.append(f"{found.percentages} cells are percentages as they are shown: 0.25 is 25")
    return RawTable(name, columns, above=around.lines(found.cells[: head.top]), messages=messages)


def _give_percentages(
    cells: list[Sequence[str]], area: Area, head: Header, percentages: Percentages
) -> int:
    """Below a header of per cent, make the fractions that a sheet shows as percentages numbers of
    per cent, in place; how many."""
    said = [*head.units, *[""] * len(head.names)]
    count = 0
    for column, name in enumerate(head.names):
        marks = percentages.get(area.left + column)
        if marks is None or not ("%" in name or said[column] == "%"):
            continue
        for row in range(head.first_row, len(cells)):
            if marks[area.top + row]:
                texts = list(cells[row])
                texts[column] = shown_numbers.as_percentage(texts[column])
                cells[row] = texts
                count += 1
    return count


def _beyond(found: Found, width: int) -> list[str]:
    """Lone cells to the right of a table: named, for they are not published."""
    cells = [
        _reference(found.area, row, at)
        for row, texts in enumerate(found.cells)
        if row >= found.header.first_row
        for at, text in enumerate(texts)
        if at >= width and text.strip()
    ]
    if not cells:
        return []
    return [f"{len(cells)} cells to the right of the table are left out: {_shown(cells)}"]


def _reference(area: Area, row: int, column: int) -> str:
    """What a sheet calls the cell at this place of an area."""
    return f"{areas.letters(area.left + column)}{area.top + row + 1}"


def _shown(cells: list[str]) -> str:
    return ", ".join(cells[:SHOWN_CELLS]) + (" …" if cells[SHOWN_CELLS:] else "")


def _filled_down(
    cells: list[Sequence[str]], merged: list[Span], head: Header
) -> tuple[list[Sequence[str]], list[tuple[int, int]]]:
    """The rows with the text of a cell that is merged over several rows in each of them; and the
    cells (row and column) behind the first column where that is a number."""
    filled = list(cells)
    numbers: list[tuple[int, int]] = []
    for (top, left), (bottom, right) in merged:
        if top < head.first_row or bottom == top or left != right or left >= len(cells[top]):
            continue
        text = cells[top][left]
        if left and (isinstance(text, Figure) or text.removeprefix("-").isdecimal()):
            numbers.append((top, left))
        for row in range(top + 1, min(bottom, len(filled) - 1) + 1):
            texts = [*filled[row], *[""] * (left + 1 - len(filled[row]))]
            texts[left] = text
            filled[row] = texts
    return filled, numbers


def _named(head: Header, cells: list[Sequence[str]]) -> Header:
    """The header without the names that an empty column has only from the merged cell beside it."""
    names = list(head.names)
    for column in range(1, len(names)):
        if names[column] != head.names[column - 1] or not names[column]:
            continue
        below = (row[column] for row in cells[head.first_row :] if column < len(row))
        if not any(text.strip() for text in below):
            names[column] = ""
    return replace(head, names=names)
