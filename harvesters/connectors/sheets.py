"""How large a worksheet is before it is opened: the reader makes room for every cell of the
rectangle that its cells span, so two cells in far corners would take hundreds of gigabytes."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from typing import IO
from xml.parsers import expat

from harvesters.errors import ArchiveTooLarge, FormatMismatch, WorkbookBroken, WorkbookEncrypted

# What the reader and the search for tables hold of them stays below 1 GiB.
MOST_CELLS = 8_000_000
CHUNK_BYTES = 1 << 20
_REFERENCE = re.compile(r"([A-Za-z]{1,3})([0-9]{1,7})")
_CELLS_BEGIN = b"sheetData"
# The element that an OpenDocument manifest has for every encrypted part.
_ENCRYPTED = b"encryption-data"
_MOST_REPEATS = 1 << 24


@dataclass(frozen=True)
class Empty:
    """Cells of a worksheet that have no value, and are not empty for those who look at it: formulas
    whose value was never stored, and errors such as #REF!."""

    formulas: int
    errors: int


def refuse_vast(archive: zipfile.ZipFile, most_cells: int = MOST_CELLS) -> dict[str, Empty]:
    """Look through every part of an xlsx or ods that may be a worksheet, whatever it is called; the
    cells without a value of each part.

    Raises ArchiveTooLarge, WorkbookBroken, WorkbookEncrypted, and FormatMismatch for binary sheets
    (xlsb).
    """
    empty: dict[str, Empty] = {}
    for member in archive.infolist():
        name = member.filename.lower()
        if name == "xl/workbook.bin":
            raise FormatMismatch("The file is a binary workbook (xlsb); save it as xlsx.")
        with archive.open(member) as part:
            if name == "meta-inf/manifest.xml" and _ENCRYPTED in part.read(CHUNK_BYTES):
                raise WorkbookEncrypted("The workbook is protected by a password.")
        with archive.open(member) as part:
            if name.endswith((".xml", ".rels")):
                empty[member.filename] = _Extent(most_cells).read(part)
            elif _mentions_cells(part):
                raise WorkbookBroken("The workbook hides a sheet in a part of another kind.")
    return empty


class _Extent:
    """The last row and column of a sheet while its XML streams past."""

    def __init__(self, most_cells: int) -> None:
        self._most_cells = most_cells
        self._row = self._column = 0
        self._last_row = self._last_column = 0
        self._errors = self._formulas = 0
        # Whether the cell that is open has a formula, and no value yet.
        self._is_open = self._is_text = False

    def read(self, part: IO[bytes]) -> Empty:
        self._parser = parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = self._begin
        try:
            while chunk := part.read(CHUNK_BYTES):
                parser.Parse(chunk, False)
            parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise WorkbookBroken("A part of the workbook is no XML.") from error
        return Empty(self._formulas + self._is_open, self._errors)

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        kind = name.rpartition(" ")[2]
        if kind == "row":
            said = attributes.get("r", "")
            self._row = int(said) if said.isdecimal() and len(said) < 9 else self._row + 1
            self._column = 0
        elif kind == "c":
            self._column += 1
            if at := place(attributes.get("r", "")):
                self._row, self._column = at
            self._span()
            self._formulas += self._is_open
            self._is_open = False
            self._errors += attributes.get("t") == "e"
            self._is_text = attributes.get("t") == "str"
        elif kind == "f":
            # An empty text may well be the value of a formula.
            self._is_open = not self._is_text
        elif kind == "v" and self._is_open:
            self._parser.CharacterDataHandler = self._value
        elif kind == "table":
            self._row = self._last_row = self._last_column = 0
        elif kind == "table-row":
            self._row += _repeated(attributes, "number-rows-repeated")
            self._column = 0
        elif kind == "table-cell":
            self._column += _repeated(attributes, "number-columns-repeated")
            # Empty cells are written too, to the sheet's end; only filled ones take room.
            if any(key.endswith(("value-type", "formula")) for key in attributes):
                self._span()
        elif kind == "covered-table-cell":
            self._column += _repeated(attributes, "number-columns-repeated")

    def _value(self, letters: str) -> None:
        del letters
        self._is_open = False
        self._parser.CharacterDataHandler = None

    def _span(self) -> None:
        self._last_row = max(self._last_row, self._row)
        self._last_column = max(self._last_column, self._column)
        if self._last_row * self._last_column > self._most_cells:
            raise ArchiveTooLarge(
                f"A sheet of the workbook spans more than {self._most_cells} cells; clear "
                "those far away from the table, or save it as CSV."
            )


def _repeated(attributes: dict[str, str], name: str) -> int:
    """How often an OpenDocument row or cell stands there."""
    said = next((value for key, value in attributes.items() if key.endswith(name)), "1")
    return min(int(said), _MOST_REPEATS) if said.isdecimal() and len(said) < 9 else 1


def place(reference: str) -> tuple[int, int] | None:
    """The row and the column of `C5`, from 1."""
    found = _REFERENCE.fullmatch(reference)
    return (int(found[2]), _number(found[1])) if found else None


def _number(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _mentions_cells(part: IO[bytes]) -> bool:
    tail = b""
    while chunk := part.read(CHUNK_BYTES):
        if _CELLS_BEGIN in tail + chunk:
            return True
        tail = chunk[-len(_CELLS_BEGIN) :]
    return False
