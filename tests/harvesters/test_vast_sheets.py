"""A workbook of a few bytes whose cells span gigabytes is refused before it is opened."""

from __future__ import annotations

import io
import zipfile

import openpyxl
import pytest

from harvesters.connectors.sheets import refuse_vast
from harvesters.errors import ArchiveTooLarge, FormatMismatch, HarvestError, WorkbookBroken

FAR = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'


def sheet(rows: str, prefix: str = "") -> str:
    return f'{prefix}<worksheet xmlns="urn:x"><sheetData>{rows}</sheetData></worksheet>'


def with_sheet(content: str, part: str = "xl/worksheets/sheet1.xml") -> bytes:
    """A real workbook whose sheet is replaced."""
    book, packed = io.BytesIO(), io.BytesIO()
    openpyxl.Workbook().save(book)
    with zipfile.ZipFile(book) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.infolist():
            if member.filename != "xl/worksheets/sheet1.xml":
                text = old.read(member).decode()
                new.writestr(member.filename, text.replace("worksheets/sheet1.xml", part[3:]))
        new.writestr(part, content)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "part", "error"),
    [
        (sheet(FAR), "xl/worksheets/sheet1.xml", ArchiveTooLarge),
        # Cells need not say where they stand, and names may have a prefix.
        (sheet('<row r="9000000">' + "<c/>" * 10 + "</row>"), "xl/s.xml", ArchiveTooLarge),
        (
            '<x:worksheet xmlns:x="urn:x"><x:row><x:c r="XFD1048576"/></x:row></x:worksheet>',
            "xl/s.xml",
            ArchiveTooLarge,
        ),
        # A reader that forgives more than XML does would still find the cells.
        (sheet(FAR, prefix="not xml "), "xl/s.xml", WorkbookBroken),
        (sheet(FAR), "xl/media/image1.png", WorkbookBroken),
        ("", "xl/workbook.bin", FormatMismatch),
    ],
)
def test_vast_sheets_are_refused_by_what_they_say(content, part, error):
    with (
        zipfile.ZipFile(io.BytesIO(with_sheet(content, part))) as archive,
        pytest.raises(HarvestError) as refused,
    ):
        refuse_vast(archive)
    assert type(refused.value) is error


def test_a_run_on_a_vast_sheet_is_refused_and_the_worker_lives(run, serve, portal, lake):
    url = serve(with_sheet(sheet(FAR)), "/vast.xlsx")
    source = portal.add_source(kind="excel", url=url, name="vast", dataset={"table": "vast"})
    assert run(source).error.code == "archive_too_large"
    assert lake.tables() == []


def test_a_tall_and_a_wide_sheet_are_no_bombs(tmp_path):
    rows = '<row r="1048576"><c r="G1048576"/></row><row r="3"><c r="XFD3"/></row>'
    narrow, wide = rows.split("</row>")[:2]
    for row in (narrow, wide):
        with zipfile.ZipFile(io.BytesIO(with_sheet(sheet(row + "</row>")))) as archive:
            refuse_vast(archive)
