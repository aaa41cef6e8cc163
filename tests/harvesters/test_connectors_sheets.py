"""TSV, ods and xls are read by the connectors of text and of workbooks."""

from __future__ import annotations

import io

import openpyxl
import pytest

from harvesters.connectors import shown_in_xls
from tests.harvesters.conftest import rows, types
from tests.harvesters.hostile.workbooks import ods, ods_cell, ods_row, xls, xls_format


def test_tabs_separate_a_tsv_whatever_else_is_in_its_texts(taken, lake):
    text = "mã\ttên\tgiá\n007\tCầu Giấy, phường\t1,5\n008\tĐông; Anh\t2,25\n"
    ran = taken("csv", text)
    assert ran.error is None
    assert rows(lake, "t")[0] == {"mã": "007", "tên": "Cầu Giấy, phường", "giá": 1.5}
    assert "delimiter tab" in " ".join(ran.messages)


def test_a_tsv_of_utf16_is_what_excel_calls_unicode_text(taken, lake):
    assert taken("csv", "mã\ttên\n007\tHà Đông\n".encode("utf-16")).error is None
    assert rows(lake, "t") == [{"mã": "007", "tên": "Hà Đông"}]


def test_an_opendocument_sheet_is_a_table(taken, lake):
    def number(value: str) -> str:
        return (
            f'<table:table-cell office:value-type="float" office:value="{value}">'
            f"<text:p>{value}</text:p></table:table-cell>"
        )

    filler = ods_row('<table:table-cell table:number-columns-repeated="16384"/>', 1_048_573)
    book = ods(
        ods_row(ods_cell("mã") + ods_cell("số"))
        + ods_row(ods_cell("007") + number("1"))
        + ods_row(ods_cell("008") + number("2.5"))
        + filler
    )
    assert taken("excel", book).error is None
    assert rows(lake, "t") == [{"mã": "007", "số": 1.0}, {"mã": "008", "số": 2.5}]


def test_repeated_opendocument_rows_are_rows(taken, lake):
    book = ods(ods_row(ods_cell("a") + ods_cell("b")) + ods_row(ods_cell("x") + ods_cell("y"), 3))
    assert taken("excel", book).error is None
    assert rows(lake, "t") == [{"a": "x", "b": "y"}] * 3


def test_an_old_workbook_is_a_table(taken, lake):
    cells = [(row, column, float(row * 10 + column)) for row in range(5) for column in range(3)]
    assert taken("excel", xls(cells), header_row=0).error is None
    assert set(types(lake, "t").values()) == {"int64"}
    assert len(rows(lake, "t")) == 5


def test_numbers_of_cells_keep_their_point_beside_texts_with_a_decimal_comma(taken, lake):
    book = openpyxl.Workbook()
    for row in (["Tên", "Giá", "Kinh độ"], ["a", "1.234,5", 105.123], ["b", "12,5", 105.375]):
        book.active.append(row)
    content = io.BytesIO()
    book.save(content)
    assert taken("excel", content.getvalue()).error is None
    assert [row["Kinh độ"] for row in rows(lake, "t")] == [105.123, 105.375]


def test_an_opendocument_sheet_keeps_what_it_shows_of_numbers(taken, lake):
    def number(kind: str, value: str, shown: str, repeated: int = 1) -> str:
        times = f' table:number-columns-repeated="{repeated}"' if repeated > 1 else ""
        return (
            f'<table:table-cell office:value-type="{kind}" office:value="{value}"{times}>'
            f"<text:p>{shown}</text:p></table:table-cell>"
        )

    book = ods(
        ods_row("".join(map(ods_cell, ("mã", "tên", "tỷ lệ (%)", "đạt (%)"))))
        + ods_row(
            number("float", "7", "00007") + ods_cell("a") + number("percentage", "0.25", "25%", 2),
            repeated=2,
        )
        + ods_row(number("float", "12", "00012") + ods_cell("b") + number("float", "3", "3", 2))
    )
    assert taken("excel", book).error is None
    first = {"mã": "00007", "tên": "a", "tỷ lệ (%)": 25, "đạt (%)": 25}
    last = {"mã": "00012", "tên": "b", "tỷ lệ (%)": 3, "đạt (%)": 3}
    assert rows(lake, "t") == [first, first, last]


def test_an_old_workbook_keeps_the_zeros_that_it_shows(taken, lake):
    cells = [(row, column, float(row * 10 + column)) for row in range(3) for column in range(2)]
    assert taken("excel", xls(cells, xls_format("00000")), header_row=0).error is None
    assert [row["column_1"] for row in rows(lake, "t")] == ["00000", "00010", "00020"]


@pytest.mark.parametrize(("code", "shape"), [("0.0%", "%"), ("000", "000"), ("0.00", None)])
def test_the_formats_of_an_old_workbook(tmp_path, code, shape):
    path = tmp_path / "a.xls"
    path.write_bytes(xls([(1, 2, 0.25)], xls_format(code)))
    assert list(shown_in_xls.cells(path, 0)) == ([(1, 2, shape)] if shape else [])
    assert list(shown_in_xls.cells(path, 1)) == []


def test_merged_numbers_are_told_since_sums_count_them_several_times(taken, lake):
    book = openpyxl.Workbook()
    for row in (["Quận", "Phường", "Kinh phí"], ["A", "a", 5000], ["", "b"], ["B", "c", 7000]):
        book.active.append(row)
    book.active.merge_cells("A2:A3")
    book.active.merge_cells("C2:C3")
    content = io.BytesIO()
    book.save(content)
    ran = taken("excel", content.getvalue())
    assert [row["Kinh phí"] for row in rows(lake, "t")] == [5000, 5000, 7000]
    assert "sums count them several times: C2" in " ".join(ran.messages)
