"""Numbers that a worksheet shows otherwise than they are kept: with zeros before them, by a
format such as 00000 (codes and telephone numbers, which are others without them), or as percentages
(0.25 as 25%). The workbooks' reader gives the bare number.

Source of the parts: ECMA-376-1, 18.3.1.4 (cells), 18.8 (styles), 18.8.30 (formats by number).
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from harvesters.connectors import package_parts
from harvesters.connectors.sheets import place
from harvesters.rawtable import Figure

# What a format says beside its digits: texts, signs, blanks.
_BESIDE = re.compile(r'"[^"]*"|\\.|_.|[ -]')
_ZEROS = re.compile("0{2,}")
PERCENT = "%"
# The formats that every workbook has, by their numbers.
BUILT_IN = {"9": PERCENT, "10": PERCENT}

# Row and column (from 0), and its shape: as many zeros as digits are shown at least, or `%`.
ShownCell = tuple[int, int, str]
# For each column (from 0) that has some, a byte for each of the sheet's rows.
Percentages = dict[int, bytearray]


@dataclass
class Shown:
    """How many numbers got their zeros, and where percentages are."""

    zeros: int = 0
    percentages: Percentages = field(default_factory=dict)

    def take(self, cell: ShownCell, rows: list[list[str]]) -> None:
        """Put the zeros before the number of a cell, in place, or note that it is a percentage."""
        row, column, shape = cell
        if row >= len(rows) or column >= len(rows[row]):
            return
        text = rows[row][column]
        if shape == PERCENT:
            self.percentages.setdefault(column, bytearray(len(rows)))[row] = 1
        elif text.isdecimal() and len(text) < len(shape):
            rows[row][column] = text.zfill(len(shape))
            self.zeros += 1


def walk(package: zipfile.ZipFile, part: str, tell: Callable[[ShownCell], None]) -> None:
    """Tell the cells of an xlsx's sheet that are shown so."""
    formats = _formats(package)

    def begin(name: str, attributes: dict[str, str]) -> None:
        shape = formats.get(attributes.get("s", "")) if name == "c" else None
        at = place(attributes.get("r", "")) if shape else None
        if shape and at:
            tell((at[0] - 1, at[1] - 1, shape))

    if formats:
        package_parts.walk(package, part, begin)


def shape_of(code: str) -> str | None:
    """The shape of a format's code: `00000`, `%`, or None where it shows the bare number."""
    shape = _BESIDE.sub("", code.split(";")[0])
    if _ZEROS.fullmatch(shape):
        return shape
    return PERCENT if shape.endswith(PERCENT) else None


def as_percentage(text: str) -> str:
    """`0.253` as `25.3`; what is no number stays."""
    try:
        return Figure(f"{(Decimal(text) * 100).normalize():f}")
    except InvalidOperation:
        return text


def _formats(package: zipfile.ZipFile) -> dict[str, str]:
    """The styles of cells that matter here: their zeros, or the sign of percentages."""
    codes = dict(BUILT_IN)
    styles: list[str] = []
    inside = ""

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal inside
        if name in ("numFmts", "cellXfs", "cellStyleXfs", "dxfs"):
            inside = name
        elif name == "numFmt" and inside == "numFmts":
            if shape := shape_of(attributes.get("formatCode", "")):
                codes[attributes.get("numFmtId", "")] = shape
        elif name == "xf" and inside == "cellXfs":
            styles.append(attributes.get("numFmtId", ""))

    with suppress(KeyError):
        package_parts.walk(package, "xl/styles.xml", begin)
    return {str(at): codes[key] for at, key in enumerate(styles) if key in codes}
