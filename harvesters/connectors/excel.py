"""Spreadsheets: xlsx, xls and ods, one sheet as one table."""

from __future__ import annotations

import datetime as dt
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetVisibleEnum

from harvesters import archive, header
from harvesters.connectors import sheets
from harvesters.connectors.base import Connector
from harvesters.decode import refuse_other_formats
from harvesters.errors import (
    FormatMismatch,
    SheetNotFound,
    TableNotFound,
    TooManyColumns,
    WorkbookBroken,
    WorkbookEncrypted,
)
from harvesters.mending import mend
from harvesters.rawtable import (
    MAX_COLUMNS,
    RawColumn,
    RawTable,
    batches_of_rows,
    text_schema,
)
from harvesters.remarks import remark
from harvesters.source import Options
from harvesters.workbench import Workbench

Cell = int | float | str | bool | dt.time | dt.date | dt.datetime | dt.timedelta
HEAD_ROWS = 200
LIMITS = archive.ArchiveLimits(unpacked_bytes=1 << 30)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# The stream of an encrypted workbook, in the UTF-16 of its container's directory.
_ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")


def decode(path: Path, options: Options, bench: Workbench) -> list[RawTable]:
    """The one table of the chosen sheet: the pinned one, or the first visible one with rows."""
    _refuse_early(path)
    try:
        workbook = CalamineWorkbook.from_path(str(path))
        sheet = _choose(workbook, options.sheet)
        rows = list(_texts(sheet))
        merged = sheet.merged_cell_ranges or []
    except (CalamineError, OSError, ValueError, zipfile.BadZipFile) as error:
        kind = WorkbookEncrypted if "password" in str(error).lower() else WorkbookBroken
        raise kind("The workbook can't be read: it is damaged or protected.") from error
    found = header.find(rows[:HEAD_ROWS], options.header_row, options.skip_rows)
    if found is None or found.first_row > len(rows):
        columns_seen = max(map(len, rows), default=0)
        raise TableNotFound(
            f"No table was found in the sheet {sheet.name!r} ({len(rows)} rows × {columns_seen} "
            "columns): no row with most columns filled has rows below it. Is it a form?"
        )
    found = _with_merged(found, rows, merged)
    width = len(found.names)
    if width > MAX_COLUMNS:
        raise TooManyColumns(f"The sheet has {width} columns; {MAX_COLUMNS} are allowed.")
    numbered = enumerate((row[:width] for row in rows[found.first_row :]), found.first_row + 1)
    name = bench.load(text_schema(width), batches_of_rows(numbered, width))
    columns = [RawColumn(f"c{index}", text) for index, text in enumerate(found.names)]
    header_text = f"row {found.row + 1}" if found.row is not None else "none"
    messages = [f"sheet {sheet.name!r} of {len(workbook.sheet_names)}, header {header_text}"]
    title = _title(rows[: found.row or 0])
    table = RawTable(name, columns, title=title, messages=messages)
    mend(table, options, bench)
    remark(table, bench)
    return [table]


def _refuse_early(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(_OLE):
        if _ENCRYPTED_STREAM in path.read_bytes():
            raise WorkbookEncrypted("The workbook is protected by a password.")
    elif zipfile.is_zipfile(path) or head.startswith(b"PK"):
        with archive.opened(path, LIMITS) as package:
            sheets.refuse_vast(package)
    else:
        refuse_other_formats(head)
        raise FormatMismatch("The file is no Excel or OpenDocument workbook.")


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


def _texts(sheet: CalamineSheet) -> Iterator[list[str]]:
    """The rows of the sheet from its first cell, every cell as text."""
    if sheet.start is None:
        return
    above, left = sheet.start
    padding = [""] * left
    yield from ([] for _ in range(above))
    for row in sheet.iter_rows():
        yield padding + [_text(cell) for cell in row]


def _text(cell: Cell) -> str:
    # A workbook keeps every number as a float: 7.0 is the number 7.
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, dt.datetime):
        midnight = cell.time() == dt.time()
        return cell.date().isoformat() if midnight else cell.isoformat(sep=" ")
    if isinstance(cell, dt.date | dt.time):
        return cell.isoformat()
    return str(cell)


def _with_merged(
    found: header.Header,
    rows: Sequence[Sequence[str]],
    merged: Iterable[tuple[tuple[int, int], tuple[int, int]]],
) -> header.Header:
    """Names for columns below a header cell that spans several.

    Where the row below names the parts, both are joined ("Diện tích" over "2014", "2015").
    """
    if found.row is None:
        return found
    names = list(found.names)
    spans = [
        (left, right)
        for (top, left), (bottom, right) in merged
        if top <= found.row <= bottom and left < right < len(names) and left < right
    ]
    if not spans:
        return found
    first_row = found.first_row
    below = rows[first_row] if first_row < len(rows) else []
    has_parts = all(
        column < len(below) and below[column].strip()
        for left, right in spans
        for column in range(left, right + 1)
    )
    for left, right in spans:
        for column in range(left, right + 1):
            part = below[column].strip() if has_parts else ""
            names[column] = f"{found.names[left]} {part}".strip()
    return header.Header(names, found.row, first_row + int(has_parts))


def _title(rows: Sequence[Sequence[str]]) -> str | None:
    """The first row above the header that is one text alone."""
    for row in rows:
        cells = [cell.strip() for cell in row if cell.strip()]
        if len(cells) == 1:
            return cells[0]
    return None


CONNECTOR = Connector(
    kind="excel",
    title="Workbook (xlsx, xls, ods)",
    help="One sheet is one table; title rows above the header are skipped. "
    "Text of old Vietnamese fonts (TCVN3, VNI, VISCII) becomes Unicode. "
    "Options: sheet (name, or position from 0), header_row, skip_rows, text_encoding.",
    decode=decode,
)
