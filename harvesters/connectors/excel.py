"""Spreadsheets: xlsx, xls and ods; the tables of one sheet."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetVisibleEnum

from harvesters import archive, areas, around, forms, header, picture, serials
from harvesters.areas import Area
from harvesters.connectors import (
    old_sheets,
    package_parts,
    sheets,
    shown_in_ods,
    shown_in_xls,
    shown_numbers,
    worksheet_cells,
)
from harvesters.connectors.base import Connector
from harvesters.connectors.sheets import Empty
from harvesters.connectors.shown_numbers import Percentages, Shown, ShownCell
from harvesters.decode import refuse_other_formats
from harvesters.errors import (
    FormatMismatch,
    SheetNotFound,
    TableNotFound,
    TooManyColumns,
    WorkbookBroken,
    WorkbookEncrypted,
)
from harvesters.header import Header, Span
from harvesters.mending import mend
from harvesters.rawtable import (
    MAX_COLUMNS,
    Figure,
    RawColumn,
    RawTable,
    batches_of_rows,
    sign_of,
    text_schema,
)
from harvesters.remarks import remark
from harvesters.source import Options
from harvesters.workbench import Workbench

HEAD_ROWS = 200
SHOWN_CELLS = 10
LIMITS = archive.ArchiveLimits(unpacked_bytes=1 << 30)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# The stream of an encrypted workbook, in the UTF-16 of its container's directory.
_ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")


@dataclass(frozen=True)
class _Found:
    """A table of a sheet: its area, its header (rows counted in the area), its cells, how many of
    them are percentages below a header that says so, and where a merged number stands in several
    rows."""

    area: Area
    header: Header
    cells: list[Sequence[str]]
    percentages: int
    repeated: list[str]


def decode(path: Path, options: Options, bench: Workbench) -> list[RawTable]:
    """The tables of the chosen sheet: the pinned one, or the first visible one with rows.

    A sheet with several tables gives one part each, `Bảng 1` first.
    """
    empty = _refuse_early(path)
    try:
        with old_sheets.panics_named():
            workbook = CalamineWorkbook.from_path(str(path))
            sheet = _choose(workbook, options.sheet)
            rows = list(worksheet_cells.texts(sheet))
            merged = list(sheet.merged_cell_ranges or [])
    except (CalamineError, OSError, ValueError, zipfile.BadZipFile) as error:
        kind = WorkbookEncrypted if "password" in str(error).lower() else WorkbookBroken
        raise kind("The workbook can't be read: it is damaged or protected.") from error
    place = workbook.sheet_names.index(sheet.name)
    told, percentages = _seen(path, place, sheet.name, rows, empty)
    found = _tables(rows, merged, options, percentages)
    if not found:
        raise TableNotFound(
            f"No table was found in the sheet {sheet.name!r} ({picture.size(rows)}): no row names "
            "columns that the rows below it fill. Is it a form? What was seen:\n" + picture.of(rows)
        )
    where = f"sheet {sheet.name!r} of {len(workbook.sheet_names)}"
    tables = [_table(one, where, len(found) > 1, bench) for one in found]
    tables[0].messages += told
    for number, table in enumerate(tables, start=1):
        table.part = f"Bảng {number}" if len(tables) > 1 else ""
        mend(table, options, bench)
        remark(table, options, bench)
        serials.mark(table, bench)
    return tables


def _tables(
    rows: list[list[str]], merged: list[Span], options: Options, percentages: Percentages
) -> list[_Found]:
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
            found.append(_Found(area, _named(head, cells), cells, count, places))
    return found


def _table(found: _Found, where: str, several: bool, bench: Workbench) -> RawTable:
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


def _beyond(found: _Found, width: int) -> list[str]:
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


def _refuse_early(path: Path) -> dict[str, Empty]:
    """Raises what is wrong with a file; the cells without a value of each part of an xlsx."""
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(_OLE):
        if _ENCRYPTED_STREAM in path.read_bytes():
            raise WorkbookEncrypted("The workbook is protected by a password.")
        old_sheets.refuse_vast(path)
    elif zipfile.is_zipfile(path) or head.startswith(b"PK"):
        with archive.opened(path, LIMITS) as package:
            return sheets.refuse_vast(package)
    else:
        refuse_other_formats(head)
        raise FormatMismatch("The file is no Excel or OpenDocument workbook.")
    return {}


def _seen(
    path: Path, place: int, sheet: str, rows: list[list[str]], empty: Mapping[str, Empty]
) -> tuple[list[str], Percentages]:
    """Put into the rows of the sheet at this place what is only seen in it, and tell what is not
    there; and the places of percentages."""
    shown, nothing = Shown(), Empty(0, 0)

    def tell(cell: ShownCell) -> None:
        shown.take(cell, rows)

    if not empty:
        for cell in shown_in_xls.cells(path, place):
            tell(cell)
    else:
        with archive.opened(path, LIMITS) as package:
            part = package_parts.part_of(package, sheet)
            if part is None:
                size = (len(rows), max(map(len, rows), default=0))
                shown_in_ods.walk(package, sheet, size, tell)
            elif part in empty:
                shown_numbers.walk(package, part, tell)
                nothing = empty[part]
    counts = (
        (shown.zeros, "numbers have the zeros that the sheet shows before them"),
        (nothing.formulas, "formulas have no stored value: their cells are empty"),
        (nothing.errors, "cells have errors such as #REF!: they are empty"),
    )
    return [f"{count} {what}" for count, what in counts if count], shown.percentages


def _choose(workbook: CalamineWorkbook, wanted: str | int | None) -> CalamineSheet:
    names = workbook.sheet_names
    if wanted is not None:
        index = int(wanted) if str(wanted).isdigit() and str(wanted) not in names else None
        if index is not None and 0 <= index < len(names):
            return workbook.get_sheet_by_index(index)
        if str(wanted) in names:
            return workbook.get_sheet_by_name(str(wanted))
        raise SheetNotFound(
            f"The workbook has no sheet {wanted!r}; it has: {', '.join(map(repr, names))}."
        )
    for meta in workbook.sheets_metadata:
        if meta.visible == SheetVisibleEnum.Visible:
            sheet = workbook.get_sheet_by_name(meta.name)
            if sheet.height > 1:
                return sheet
    raise TableNotFound("No visible sheet of the workbook has rows.")


CONNECTOR = Connector(
    kind="excel",
    title="Workbook (xlsx, xls, ods)",
    help="The tables of one sheet; titles above and notes below are told apart, sums are marked. "
    "Text of old Vietnamese fonts (TCVN3, VNI, VISCII) becomes Unicode. "
    "Options: sheet (name, or position from 0), tables (ranges such as A4:F23), header_row, "
    "header_rows, skip_rows, row_kind, text_encoding.",
    decode=decode,
)
