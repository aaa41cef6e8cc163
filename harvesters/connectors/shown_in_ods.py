"""Which numbers of an OpenDocument sheet are shown with zeros before them, or as percentages: its
cells have beside their number the text that is shown.

Source of the elements: OASIS OpenDocument 1.3, part 3, 9.1 (tables) and 19.387 (value types).
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from contextlib import suppress
from xml.parsers import expat

from harvesters.connectors.sheets import CHUNK_BYTES
from harvesters.connectors.shown_numbers import PERCENT, ShownCell

_PART = "content.xml"
_ZEROS = re.compile("0[0-9]+")
_CELLS = ("table-cell", "covered-table-cell")
# Beyond them no sheet has rows or columns.
_MOST = 1 << 21


def walk(
    package: zipfile.ZipFile,
    sheet: str,
    size: tuple[int, int],
    tell: Callable[[ShownCell], None],
) -> None:
    """Tell the cells of a sheet, as far as it has rows and columns (`size`): what is repeated may
    go far beyond."""
    with suppress(KeyError), package.open(_PART) as file:
        reader = _Reader(sheet, size, tell)
        while chunk := file.read(CHUNK_BYTES):
            reader.parser.Parse(chunk, False)


class _Reader:
    def __init__(
        self, sheet: str, size: tuple[int, int], tell: Callable[[ShownCell], None]
    ) -> None:
        self._sheet, self._tell = sheet, tell
        self._height, self._width = size
        self._depth = 0
        self._row, self._rows = 0, 1
        self._column, self._columns = 0, 1
        self._kind = ""
        self._texts: list[str] = []
        self._found: list[tuple[int, int, str]] = []
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.StartElementHandler = self._begin
        self.parser.EndElementHandler = self._end

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        kind = name.rpartition(" ")[2]
        said = {key.rpartition(" ")[2]: value for key, value in attributes.items()}
        if kind == "table":
            # A table within a cell of the sheet is no part of its rows.
            self._depth += bool(self._depth) or said.get("name") == self._sheet
        elif self._depth != 1:
            return
        elif kind == "table-row":
            self._column, self._found = 0, []
            self._rows = _count(said.get("number-rows-repeated"))
        elif kind in _CELLS:
            self._columns = _count(said.get("number-columns-repeated"))
            self._kind, self._texts = said.get("value-type", ""), []
            self.parser.CharacterDataHandler = self._texts.append if self._kind == "float" else None

    def _end(self, name: str) -> None:
        kind = name.rpartition(" ")[2]
        if kind == "table" and self._depth:
            self._depth -= 1
        elif self._depth != 1:
            return
        elif kind in _CELLS:
            self.parser.CharacterDataHandler = None
            beyond = self._column + self._columns
            if shape := self._shape():
                self._found.append((self._column, min(beyond, self._width), shape))
            self._column = beyond
        elif kind == "table-row":
            beyond = self._row + self._rows
            for row in range(self._row, min(beyond, self._height)) if self._found else ():
                for column, end, shape in self._found:
                    for place in range(column, end):
                        self._tell((row, place, shape))
            self._row = beyond

    def _shape(self) -> str:
        if self._kind == "percentage":
            return PERCENT
        shown = "".join(self._texts).strip() if self._kind == "float" else ""
        return "0" * len(shown) if _ZEROS.fullmatch(shown) else ""


def _count(said: str | None) -> int:
    return min(int(said), _MOST) if said and said.isdecimal() else 1
