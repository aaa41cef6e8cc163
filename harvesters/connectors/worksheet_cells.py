"""The cells of a worksheet as texts, as they stand there."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator

from python_calamine import CalamineSheet

from harvesters.rawtable import Figure

Cell = int | float | str | bool | dt.time | dt.date | dt.datetime | dt.timedelta
# The reader leaves times of more than a day in an OpenDocument sheet as they are written.
_LONG_DURATION = re.compile(r"PT(\d{1,6})H(\d{1,2})M(\d{1,2})S")


def texts(sheet: CalamineSheet) -> Iterator[list[str]]:
    """The rows of the sheet from its corner, every cell as text."""
    if sheet.start is None:
        return
    # The reader gives the empty rows above the first cell, and not the empty columns beside it.
    padding = [""] * sheet.start[1]
    for row in sheet.iter_rows():
        yield padding + [_text(cell) for cell in row]


def _text(cell: Cell) -> str:
    # A workbook keeps every number as a float: 7.0 is the number 7.
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        whole = cell.is_integer() and abs(cell) < 1e15
        return str(int(cell)) if whole else Figure(repr(cell))
    if isinstance(cell, dt.datetime):
        midnight = cell.time() == dt.time()
        return cell.date().isoformat() if midnight else cell.isoformat(sep=" ")
    if isinstance(cell, dt.date | dt.time):
        return cell.isoformat()
    if isinstance(cell, dt.timedelta):
        return _duration(cell)
    if found := _LONG_DURATION.fullmatch(cell) if isinstance(cell, str) else None:
        return ":".join(part.zfill(2) for part in found.groups())
    return str(cell)


def _duration(cell: dt.timedelta) -> str:
    """Hours, minutes and seconds, as a worksheet shows `[h]:mm:ss`: 30:15:00 is no day."""
    seconds = round(abs(cell).total_seconds())
    minus = "-" if cell < dt.timedelta() else ""
    return f"{minus}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
