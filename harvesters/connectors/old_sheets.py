"""How large a sheet of an old workbook (xls, BIFF 5 and 8) is before it is opened: its cells say
where they stand, and two of them in far corners would take more memory than there is.

Source of the records: Microsoft [MS-XLS] 2.3.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import olefile  # type: ignore[import-untyped]

from harvesters.connectors.sheets import MOST_CELLS
from harvesters.errors import ArchiveTooLarge, WorkbookBroken, WorkbookEncrypted

_BEGIN = (0x0009, 0x0209, 0x0409, 0x0809)
_PASSWORD = 0x002F
_CELLS = frozenset(
    (0x0006, 0x0206, 0x0406, 0x0201, 0x0203, 0x0204, 0x0205, 0x0207, 0x027E, 0x00D6, 0x00FD)
)
# Several cells of a row: the last one's column stands at the record's end.
_RUNS = frozenset((0x00BD, 0x00BE))
STREAMS = ("Workbook", "Book")


def refuse_vast(path: Path, most_cells: int = MOST_CELLS) -> None:
    """Look through the records of an xls. Raises ArchiveTooLarge, WorkbookEncrypted,
    WorkbookBroken."""
    try:
        with olefile.OleFileIO(path) as container:
            name = next((each for each in STREAMS if container.exists(each)), None)
            if name is None:
                raise WorkbookBroken("The file is an old Office document, but no workbook.")
            records = container.openstream(name).read()
    except (OSError, ValueError, IndexError, struct.error, RecursionError) as error:
        raise WorkbookBroken("The workbook can't be read: it is truncated or damaged.") from error
    _measure(records, most_cells)


@contextmanager
def panics_named() -> Iterator[None]:
    """What the workbooks' reader calls a panic is a damaged workbook. Raises WorkbookBroken."""
    try:
        yield
    except Exception:
        raise
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise WorkbookBroken("The workbook can't be read: it is truncated or damaged.") from error


def _measure(records: bytes, most_cells: int) -> None:
    at, end = 0, len(records) - 4
    last_row = last_column = 0
    while at <= end:
        kind, length = struct.unpack_from("<HH", records, at)
        body = at + 4
        at = body + length
        if kind in _BEGIN:
            last_row = last_column = 0
        elif kind == _PASSWORD:
            raise WorkbookEncrypted("The workbook is protected by a password.")
        elif (kind in _CELLS or kind in _RUNS) and length >= 6 and at <= len(records):
            row, column = struct.unpack_from("<HH", records, body)
            if kind in _RUNS:
                (column,) = struct.unpack_from("<H", records, at - 2)
            last_row = max(last_row, row + 1)
            last_column = max(last_column, column + 1)
            if last_row * last_column > most_cells:
                raise ArchiveTooLarge(
                    f"A sheet of the workbook spans more than {most_cells} cells; clear those "
                    "far away from the table, or save it as CSV."
                )
