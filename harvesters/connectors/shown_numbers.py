"""Numbers that a worksheet (xlsx) shows otherwise than they are kept: with zeros before them, by a
format such as 00000 (codes and telephone numbers, which are others without them), or as percentages
(0.25 as 25%). The workbooks' reader gives the bare number.

Source of the parts: ECMA-376-1, 18.3.1.4 (cells), 18.8 (styles), 18.8.30 (formats by number).
"""

from __future__ import annotations

import re
import zipfile
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from harvesters.connectors import package_parts
from harvesters.connectors.sheets import place
from harvesters.rawtable import Figure

# What a format says beside its digits: texts, signs, blanks.
_BESIDE = re.compile(r'"[^"]*"|\\.|_.|[ -]')
_ZEROS = re.compile("0{2,}")
_PERCENT = "%"
_BUILT_IN = {"9": _PERCENT, "10": _PERCENT}


# For each column (from 0) that has some, a byte for each of the sheet's rows.
Percentages = dict[int, bytearray]


@dataclass
class Shown:
    """How many numbers got their zeros, and where percentages are."""

    zeros: int = 0
    percentages: Percentages = field(default_factory=dict)


def read(package: zipfile.ZipFile, part: str, rows: list[list[str]]) -> Shown:
    """Put the zeros before the numbers of a sheet, in place, and find its percentages."""
    formats = _formats(package)
    shown = Shown()

    def begin(name: str, attributes: dict[str, str]) -> None:
        shape = formats.get(attributes.get("s", "")) if name == "c" else None
        at = place(attributes.get("r", "")) if shape else None
        if not shape or at is None:
            return
        row, column = at[0] - 1, at[1] - 1
        if row >= len(rows) or column >= len(rows[row]):
            return
        text = rows[row][column]
        if shape == _PERCENT:
            shown.percentages.setdefault(column, bytearray(len(rows)))[row] = 1
        elif text.isdecimal() and len(text) < len(shape):
            rows[row][column] = text.zfill(len(shape))
            shown.zeros += 1

    if formats:
        package_parts.walk(package, part, begin)
    return shown


def as_percentage(text: str) -> str:
    """`0.253` as `25.3`; what is no number stays."""
    try:
        return Figure(f"{(Decimal(text) * 100).normalize():f}")
    except InvalidOperation:
        return text


def _formats(package: zipfile.ZipFile) -> dict[str, str]:
    """The styles of cells that matter here: their zeros, or the sign of percentages."""
    codes = dict(_BUILT_IN)
    styles: list[str] = []
    inside = ""

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal inside
        if name in ("numFmts", "cellXfs", "cellStyleXfs", "dxfs"):
            inside = name
        elif name == "numFmt" and inside == "numFmts":
            shape = _BESIDE.sub("", attributes.get("formatCode", "").split(";")[0])
            if _ZEROS.fullmatch(shape):
                codes[attributes.get("numFmtId", "")] = shape
            elif shape.endswith(_PERCENT):
                codes[attributes.get("numFmtId", "")] = _PERCENT
        elif name == "xf" and inside == "cellXfs":
            styles.append(attributes.get("numFmtId", ""))

    with suppress(KeyError):
        package_parts.walk(package, "xl/styles.xml", begin)
    return {str(at): codes[key] for at, key in enumerate(styles) if key in codes}
