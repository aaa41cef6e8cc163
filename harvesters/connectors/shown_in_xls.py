"""Which numbers of an old workbook's sheet (xls, BIFF 5 and 8) are shown with zeros before them, or
as percentages.

Source of the records: Microsoft [MS-XLS] 2.4 (BoundSheet8, Format, XF, Number, RK, MulRk, Formula).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import olefile  # type: ignore[import-untyped]

from harvesters.connectors.old_sheets import STREAMS
from harvesters.connectors.shown_numbers import BUILT_IN, ShownCell, shape_of

_BEGIN, _END = 0x0809, 0x000A
_BIFF8 = 0x0600
_SHEET, _FORMAT, _STYLE = 0x0085, 0x041E, 0x00E0
_NUMBERS = frozenset((0x0006, 0x0203, 0x027E))
_RUN = 0x00BD
# A run has a style and a number for each of its cells.
_RUN_CELL = 6


def cells(path: Path, sheet: int) -> Iterator[ShownCell]:
    """The cells of the sheet at this place (from 0); none where its records can't be followed."""
    try:
        with olefile.OleFileIO(path) as container:
            name = next(each for each in STREAMS if container.exists(each))
            records = container.openstream(name).read()
        starts, shapes = _workbook(records)
        if shapes and sheet < len(starts):
            yield from _cells(records, starts[sheet], shapes)
    except (OSError, ValueError, IndexError, struct.error, StopIteration):
        # What is broken was refused before, or is read without formats.
        return


def _records(stream: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Kind and content of the records from here to the end of their substream."""
    while at + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, at)
        if kind == _END:
            return
        yield kind, stream[at + 4 : at + 4 + length]
        at += 4 + length


def _workbook(stream: bytes) -> tuple[list[int], dict[int, str]]:
    """Where the sheets begin, and the shapes by the number of a style."""
    starts: list[int] = []
    codes = {int(number): shape for number, shape in BUILT_IN.items()}
    styles: list[int] = []
    is_biff8 = True
    for kind, body in _records(stream, 0):
        if kind == _BEGIN:
            is_biff8 = struct.unpack_from("<H", body)[0] == _BIFF8
        elif kind == _SHEET:
            starts.append(struct.unpack_from("<I", body)[0])
        elif kind == _FORMAT:
            if shape := shape_of(_code(body, is_biff8)):
                codes[struct.unpack_from("<H", body)[0]] = shape
        elif kind == _STYLE:
            styles.append(struct.unpack_from("<H", body, 2)[0])
    return starts, {at: codes[number] for at, number in enumerate(styles) if number in codes}


def _code(body: bytes, is_biff8: bool) -> str:
    if not is_biff8:
        return body[3:].decode("latin-1")
    return body[5:].decode("utf-16-le" if body[4] & 1 else "latin-1", "replace")


def _cells(stream: bytes, start: int, shapes: dict[int, str]) -> Iterator[ShownCell]:
    for kind, body in _records(stream, start):
        if kind in _NUMBERS:
            row, column, style = struct.unpack_from("<HHH", body)
            if shape := shapes.get(style):
                yield row, column, shape
        elif kind == _RUN:
            row, column = struct.unpack_from("<HH", body)
            for place in range((len(body) - 6) // _RUN_CELL):
                (style,) = struct.unpack_from("<H", body, 4 + place * _RUN_CELL)
                if shape := shapes.get(style):
                    yield row, column + place, shape
