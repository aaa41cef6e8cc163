"""XLSX: the workbook's frame by XlsxWriter, its rows written by the engine as text like any format.

Texts are inline strings, which no spreadsheet runs as a formula. A date, time or timestamp (UTC) is
a number with its format, where Excel has one; a value that a cell would change is a text.
"""

from __future__ import annotations

import codecs
import io
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow.compute as pc
import xlsxwriter

from api_gateway import formats, value_text
from api_gateway.formats import Row, Unsuited

MOST_ROWS = 1_048_575
MOST_COLUMNS = 16_384
LONGEST_TEXT = 32_767
_LARGEST_SHEET = 2**31 - 1
_SHEET = "xl/worksheets/sheet1.xml"
# In the order of their first use in `_frame`.
_STYLES = {"date": 1, "timestamp": 2, "time": 3}
_STYLE_FORMATS = ("yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss", "hh:mm:ss")
# A query process can load no file later: the codecs that zipfile and XlsxWriter look up.
for _codec in ("cp437", "utf-16-le", "ascii"):
    codecs.lookup(_codec)
_DAY_US = 86_400_000_000
# A carriage return that is written as it is would be read as a line feed (XML 1.0, 2.11).
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
_NOT_IN_XML = "[\\x00-\\x08\\x0B\\x0C\\x0E-\\x1F\\x{FFFE}\\x{FFFF}]"
# Types of few characters, beside those of time.
_SHORT = value_text.NUMBERS | {"boolean", "date", "interval", "uuid"}
_INLINE = '<c t="inlineStr"><is><t xml:space="preserve">'


def row(columns: list[tuple[str, Any]]) -> Row:
    """A row's XML, and beside it the length of its longest text."""
    if len(columns) > MOST_COLUMNS:
        raise Unsuited(f"a sheet has at most {MOST_COLUMNS} columns")
    cells = [_cell(f"c{index}", kind) for index, (_, kind) in enumerate(columns)]
    texts = [_length(f"c{index}", kind) for index, (_, kind) in enumerate(columns)
             if not _is_short(kind)]  # fmt: skip
    xml = " || ".join(["'<row>'", *(f"coalesce({cell}, '<c/>')" for cell in cells), "'</row>'"])
    return Row(f"{xml}, greatest(0, 0{''.join(f', {text}' for text in texts)})")


def _is_short(kind: Any) -> bool:
    """Whether no value of the type is ever a long text."""
    return kind.id in _SHORT or kind.id.startswith("time")


def _length(value: str, kind: Any) -> str:
    """How long the text of a cell is that may be too long, in Excel's characters, of UTF-16; never
    more than the bytes of UTF-8, which are known without counting."""
    text = value_text.plain(value, kind)
    beyond = f"regexp_replace({text}, '[^\\x{{10000}}-\\x{{10FFFF}}]', '', 'g')"
    return (
        f"CASE WHEN strlen({text}) > {LONGEST_TEXT} "
        f"THEN length({text}) + length({beyond}) ELSE 0 END"
    )


def _cell(value: str, kind: Any) -> str:
    name, text = kind.id, _inline(value, kind)
    number = f"'<c><v>' || {value}::VARCHAR || '</v></c>'"
    if name == "boolean":
        return f"'<c t=\"b\"><v>' || {value}::INT::VARCHAR || '</v></c>'"
    if name == "date":
        days = f"({value} - DATE '1899-12-30')::VARCHAR"
        return _within(value, "DATE", _styled("date", days), text)
    if name.startswith("timestamp"):
        # The zone of the engine is UTC.
        days = f"(epoch_us({value}::TIMESTAMP) / {_DAY_US}.0 + 25569)::VARCHAR"
        return _within(f"{value}::TIMESTAMP", "TIMESTAMP", _styled("timestamp", days), text)
    if name == "time":
        return _styled("time", f"(epoch_us({value}) / {_DAY_US}.0)::VARCHAR")
    if name in value_text.NUMBERS:
        json = value_text.json_of(value, kind)
        # What JSON would write as a string is a text here too.
        return f"CASE WHEN left({json}, 1) = '\"' THEN {text} ELSE {number} END"
    return text


def _within(value: str, kind: str, then: str, otherwise: str) -> str:
    """Excel's calendar begins in 1900, with a February of 29 days."""
    return (
        f"CASE WHEN {value} >= {kind} '1900-03-01' AND {value} < {kind} '9999-12-31' "
        f"THEN {then} ELSE {otherwise} END"
    )


def _styled(style: str, number: str) -> str:
    return f"'<c s=\"{_STYLES[style]}\"><v>' || {number} || '</v></c>'"


def _inline(value: str, kind: Any) -> str:
    text = value_text.plain(value, kind)
    for letter, entity in _ENTITIES.items():
        text = f"replace({text}, '{letter}', '{entity}')"
    # What XML 1.0 has no characters for (section 2.2); and Excel reads _x0041_ as a letter.
    text = f"regexp_replace({text}, '{_NOT_IN_XML}', '\ufffd', 'g')"
    text = f"regexp_replace({text}, '_(x[0-9A-Fa-f]{{4}}_)', '_x005F_\\1', 'g')"
    return f"'{_INLINE}' || {text} || '</t></is></c>'"


class Writer:
    """Collects the workbook in a file of the process's own folder: only a complete one is sent, as
    Excel opens no other, and only then it is known whether the rows fit."""

    def __init__(self, send: Any, _: Any, __: Row, envelope: Mapping[str, Any]) -> None:
        self._send, self._rows, self._bytes = send, 0, 0
        self._file = tempfile.TemporaryFile(dir=envelope["folder"])  # noqa: SIM115 (until `close`)
        self._archive = zipfile.ZipFile(self._file, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        names = [each["name"] for each in envelope["columns"]]
        with zipfile.ZipFile(_frame(names, envelope)) as frame:
            for member in frame.namelist():
                if member != _SHEET:
                    self._archive.writestr(member, frame.read(member))
            head, _, rest = frame.read(_SHEET).partition(b'<row r="2"')
        self._tail = rest[rest.index(b"</sheetData>") :]
        self._sheet = self._archive.open(_SHEET, "w")
        # The size of the sheet is not known yet, and need not be said.
        before, _, after = head.partition(b"<dimension")
        self._sheet.write(before + after.partition(b"/>")[2])

    def write(self, batch: Any) -> None:
        self._rows += batch.num_rows
        if self._rows > MOST_ROWS:
            raise Unsuited(f"a sheet has at most {MOST_ROWS} rows: filter, or take csv or parquet")
        if (pc.max(batch.column(1)).as_py() or 0) > LONGEST_TEXT:
            raise Unsuited(f"a cell holds at most {LONGEST_TEXT} characters: take csv or parquet")
        text = formats.text_of(batch.column(0))
        self._bytes += len(text)
        if self._bytes > _LARGEST_SHEET - LONGEST_TEXT:
            raise Unsuited("the sheet is too large: take csv or parquet")
        self._sheet.write(text)

    def close(self, row_count: int) -> None:
        self._sheet.write(self._tail)
        self._sheet.close()
        self._archive.close()
        self._file.seek(0)
        with self._file:
            while piece := self._file.read(formats.CHUNK_BYTES):
                self._send(piece)


def _frame(names: list[str], envelope: Mapping[str, Any]) -> io.BytesIO:
    """A workbook with the header, a row of every style, and a sheet that says where it is from."""
    made = io.BytesIO()
    book = xlsxwriter.Workbook(made, {"in_memory": True, "strings_to_formulas": False})
    data, source = book.add_worksheet("Dữ liệu"), book.add_worksheet("Nguồn")
    for index, style in enumerate(_STYLE_FORMATS):
        data.write_blank(1, index, None, book.add_format({"num_format": style}))
    # Only now: a style is numbered where it is first used, and the second row is cut off again.
    for index, name in enumerate(names):
        data.write_string(0, index, name)
    data.freeze_panes(1, 0)
    data.set_column(0, max(0, len(names) - 1), 16)
    for line, (label, text) in enumerate(_said(envelope)):
        source.write_string(line, 0, label)
        source.write_string(line, 1, text)
    source.set_column(0, 0, 24)
    source.set_column(1, 1, 90)
    book.close()
    made.seek(0)
    return made


def _said(envelope: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    yield "Nguồn", str(envelope.get("attribution") or "")
    yield "Thời gian", "UTC"
    for table in envelope["tables"]:
        licence = table.get("licence") or {}
        yield "Bảng", f"{table['name']}, phiên bản {table['version']}, {table['published_at']}"
        yield "Giấy phép", f"{licence.get('title') or ''} {licence.get('url') or ''}".strip()
    for column in envelope["columns"]:
        facts = [column.get("title"), column.get("unit"), column.get("description")]
        if any(facts):
            yield column["name"], ". ".join(str(fact) for fact in facts if fact)[:LONGEST_TEXT]
