"""Spreadsheets: xlsx, xls and ods; the tables of one sheet."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetVisibleEnum

from harvesters import archive, picture, serials
from harvesters.connectors import (
    old_sheets,
    package_parts,
    sheet_tables,
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
    WorkbookBroken,
    WorkbookEncrypted,
)
from harvesters.mending import mend
from harvesters.rawtable import (
    RawTable,
)
from harvesters.remarks import remark
from harvesters.source import Options
from harvesters.workbench import Workbench

LIMITS = archive.ArchiveLimits(unpacked_bytes=1 << 30)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# The stream of an encrypted workbook, in the UTF-16 of its container's directory.
_ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")


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
    found = sheet_tables.find(rows, merged, options, percentages)
    if not found:
        raise TableNotFound(
            f"No table was found in the sheet {sheet.name!r} ({picture.size(rows)}): no row names "
            "columns that the rows below it fill. Is it a form? What was seen:\n" + picture.of(rows)
        )
    where = f"sheet {sheet.name!r} of {len(workbook.sheet_names)}"
    tables = [sheet_tables.load(one, where, len(found) > 1, bench) for one in found]
    tables[0].messages += told
    for number, table in enumerate(tables, start=1):
        table.part = f"Bảng {number}" if len(tables) > 1 else ""
        mend(table, options, bench)
        remark(table, options, bench)
        serials.mark(table, bench)
    return tables


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
