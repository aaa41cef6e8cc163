"""Workbooks that claim more than they have, or hide what they are."""

from __future__ import annotations

import io
import struct
import zipfile

import openpyxl
from msoffcrypto.format.ooxml import OOXMLFile

SHEET = "xl/worksheets/sheet1.xml"
_SECTOR = 512


def xlsx(**parts: str | bytes) -> bytes:
    """A real workbook, with parts of it replaced or added (`xl__styles.xml`: a name's slashes)."""
    replaced = {name.replace("__", "/"): content for name, content in parts.items()}
    book, packed = io.BytesIO(), io.BytesIO()
    workbook = openpyxl.Workbook()
    workbook.active.append(["a", "b"])
    workbook.active.append([1, 2])
    workbook.save(book)
    with zipfile.ZipFile(book) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.infolist():
            if member.filename not in replaced:
                new.writestr(member.filename, old.read(member))
        for name, content in replaced.items():
            new.writestr(name, content)
    return packed.getvalue()


def sheet(rows: str, before: str = "") -> bytes:
    """A workbook whose sheet has these rows."""
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return xlsx(
        **{
            SHEET.replace("/", "__"): f'{before}<worksheet xmlns="{space}"><sheetData>{rows}'
            "</sheetData></worksheet>"
        }
    )


def ods(rows: str, before: str = "", manifest: str = "") -> bytes:
    """An OpenDocument workbook with these rows."""
    spaces = " ".join(
        f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for prefix, name in (("office", "office"), ("table", "table"), ("text", "text"))
    )
    content = (
        f'{before}<office:document-content {spaces} office:version="1.2"><office:body>'
        f'<office:spreadsheet><table:table table:name="S">{rows}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    listed = manifest or (
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", listed)
        archive.writestr("content.xml", content)
    return packed.getvalue()


def ods_cell(value: str, repeated: int = 1) -> str:
    times = f' table:number-columns-repeated="{repeated}"' if repeated > 1 else ""
    return (
        f'<table:table-cell office:value-type="string"{times}><text:p>{value}</text:p>'
        "</table:table-cell>"
    )


def ods_row(cells: str, repeated: int = 1) -> str:
    times = f' table:number-rows-repeated="{repeated}"' if repeated > 1 else ""
    return f"<table:table-row{times}>{cells}</table:table-row>"


ENCRYPTED_MANIFEST = (
    '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
    '<manifest:file-entry manifest:full-path="content.xml" manifest:size="9">'
    '<manifest:encryption-data manifest:checksum-type="SHA1/1K" manifest:checksum="x">'
    '<manifest:algorithm manifest:algorithm-name="Blowfish CFB"/></manifest:encryption-data>'
    "</manifest:file-entry></manifest:manifest>"
)


def _record(number: int, body: bytes = b"") -> bytes:
    return struct.pack("<HH", number, len(body)) + body


def xls_format(code: str) -> bytes:
    """The records that give every cell of such a workbook a format."""
    written = struct.pack("<HHB", 164, len(code), 0) + code.encode()
    return _record(0x41E, written) + _record(0xE0, struct.pack("<HH", 0, 164) + bytes(16))


def xls(cells: list[tuple[int, int, float]], extra: bytes = b"") -> bytes:
    """An Excel 97 workbook with numbers at (row, column)."""
    begin = struct.pack("<HHHHII", 0x600, 0x5, 0xDBB, 0x7CC, 0, 6)
    name = b"S"
    globals_head = _record(0x809, begin) + extra
    bound = struct.pack("<IHBB", 0, 0, len(name), 0) + name
    start = len(globals_head) + len(_record(0x85, bound)) + len(_record(0x0A))
    bound = struct.pack("<IHBB", start, 0, len(name), 0) + name
    stream = globals_head + _record(0x85, bound) + _record(0x0A)
    stream += _record(0x809, struct.pack("<HHHHII", 0x600, 0x10, 0xDBB, 0x7CC, 0, 6))
    for row, column, value in cells:
        stream += _record(0x203, struct.pack("<HHHd", row, column, 0, value))
    stream += _record(0x0A)
    return compound("Workbook", stream)


def encrypted_xlsx() -> bytes:
    """A workbook under a password, as Excel encrypts it (ECMA-376 agile encryption)."""
    book, encrypted = io.BytesIO(xlsx()), io.BytesIO()
    OOXMLFile(book).encrypt("mật khẩu", encrypted)
    return encrypted.getvalue()


def compound(name: str, stream: bytes) -> bytes:
    """An OLE container with one stream (MS-CFB, version 3)."""
    stream = stream.ljust(max(4096, -(-len(stream) // _SECTOR) * _SECTOR), b"\x00")
    sectors = len(stream) // _SECTOR
    free, end, fat_mark = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
    # Sector 0: the allocation table; 1: the directory; then the stream.
    table = [fat_mark, end, *range(3, 2 + sectors), end]
    table += [free] * (128 - len(table))
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    header += struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<IIIIIIIII", 0, 1, 1, 0, 4096, end, 0, end, 0)
    header += struct.pack("<109I", 0, *[free] * 108)

    def entry(title: str, kind: int, child: int, start: int, size: int) -> bytes:
        written = (title + "\x00").encode("utf-16-le")
        return (
            written.ljust(64, b"\x00")
            + struct.pack("<HBBIII", len(written), kind, 1, free, free, child)
            + bytes(36)
            + struct.pack("<IQ", start, size)
        )

    directory = entry("Root Entry", 5, 1, end, 0) + entry(name, 2, free, 2, len(stream))
    return header + struct.pack("<128I", *table) + directory.ljust(_SECTOR, b"\x00") + stream
