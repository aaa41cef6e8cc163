"""Numbers that a worksheet (xlsx) shows with zeros before them, by a format such as 00000: codes
and telephone numbers, which are others without them. The workbooks' reader gives the bare number.

Source of the parts: ECMA-376-1, 18.3.1.4 (cells) and 18.8 (styles).
"""

from __future__ import annotations

import re
import zipfile
from contextlib import suppress

from harvesters.connectors import package_parts
from harvesters.connectors.sheets import place

# What a format says beside its digits: texts, signs, blanks.
_BESIDE = re.compile(r'"[^"]*"|\\.|_.|[ -]')
_ZEROS = re.compile("0{2,}")


def fill(package: zipfile.ZipFile, part: str, rows: list[list[str]]) -> int:
    """Put the zeros before the numbers of a sheet, in place; how many numbers were changed."""
    widths = _widths(package)
    return _fill(package, part, widths, rows) if widths else 0


def _fill(
    package: zipfile.ZipFile, part: str, widths: dict[str, int], rows: list[list[str]]
) -> int:
    count = 0

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        width = widths.get(attributes.get("s", "")) if name == "c" else None
        at = place(attributes.get("r", "")) if width else None
        if not width or at is None:
            return
        row, column = at[0] - 1, at[1] - 1
        if row < len(rows) and column < len(rows[row]):
            number = rows[row][column]
            if number.isdecimal() and len(number) < width:
                rows[row][column] = number.zfill(width)
                count += 1

    package_parts.walk(package, part, begin)
    return count


def _widths(package: zipfile.ZipFile) -> dict[str, int]:
    """The digits that each style of cells shows at least, where they are more than one."""
    of_format: dict[str, int] = {}
    styles: list[str] = []
    inside = ""

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal inside
        if name in ("numFmts", "cellXfs", "cellStyleXfs", "dxfs"):
            inside = name
        elif name == "numFmt" and inside == "numFmts":
            shown = _BESIDE.sub("", attributes.get("formatCode", "").split(";")[0])
            if _ZEROS.fullmatch(shown):
                of_format[attributes.get("numFmtId", "")] = len(shown)
        elif name == "xf" and inside == "cellXfs":
            styles.append(attributes.get("numFmtId", ""))

    with suppress(KeyError):
        package_parts.walk(package, "xl/styles.xml", begin)
    return {str(at): of_format[key] for at, key in enumerate(styles) if key in of_format}
