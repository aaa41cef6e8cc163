"""Finding the tables of a worksheet, as departments write them."""

from __future__ import annotations

import datetime as dt
import time

import openpyxl
import pytest

from harvesters.errors import SourceInvalid, TableNotFound
from tests.harvesters.test_mending import decoded


@pytest.fixture
def sheets(tmp_path):
    """Write rows as a workbook and decode it; its tables."""

    def sheets(rows: list[list], merge: tuple[str, ...] = (), **options):
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        for cells in merge:
            book.active.merge_cells(cells)
        path = tmp_path / "book.xlsx"
        book.save(path)
        return decoded(path, "excel", **options)

    return sheets


def told(table) -> str:
    return " / ".join(table.messages)


# --- headers ------------------------------------------------------------------------------------

YEARS = ["Năm 2024 Thu", "Năm 2024 Chi", "Năm 2025 Thu", "Năm 2025 Chi"]


def test_two_header_rows_without_merged_cells(sheets):
    (table,) = sheets(
        [
            ["Báo cáo thu chi"],
            ["STT", "Đơn vị", "Năm 2024", None, "Năm 2025", None],
            [None, None, "Thu", "Chi", "Thu", "Chi"],
            [1, "Ba Đình", 5, 6, 7, 8],
            [2, "Hà Đông", 9, 10, 11, 12],
        ]
    )
    assert table.headers == ["STT", "Đơn vị", *YEARS]
    assert len(table.rows) == 2
    assert table.above == ["Báo cáo thu chi"]
    assert "header rows 2 to 3" in told(table)


def test_title_unit_and_source_describe_the_table(run, httpserver, portal, tmp_path):
    said = [
        ["UBND HUYỆN", None, "Mẫu số 22"],
        ["Quyết toán năm 2024 (2023 - 2024)"],
        ["ĐVT : 1000 đồng"],
        ["Liên hệ: 0901 234 567, so@example.vn"],
        ["STT", "Đơn vị", "Thu"],
        [1, "Ba Đình", 5],
        [2, "Hà Đông", 9],
        ["Nguồn: Sở Tài chính"],
        [],
        ["Người lập biểu"],
        [],
        ["Người Thử Nghiệm"],
    ]
    book = openpyxl.Workbook()
    for row in said:
        book.active.append(row)
    book.save(tmp_path / "thu.xlsx")
    content = (tmp_path / "thu.xlsx").read_bytes()
    httpserver.expect_request("/thu.xlsx").respond_with_data(content)
    source = portal.add_source(
        name="thu", kind="excel", url=httpserver.url_for("/thu.xlsx"), dataset={"table": "thu"}
    )
    assert run(source).error is None
    (dataset,) = portal.datasets.values()
    assert dataset["resources"][0]["description"].split("\n\n") == [
        "UBND HUYỆN · Mẫu số 22",
        "Quyết toán năm 2024 (2023 - 2024)",
        "ĐVT : 1000 đồng",
        "Nguồn: Sở Tài chính",
    ]


def test_a_sparse_upper_header_row_is_not_lost(sheets):
    (table,) = sheets(
        [
            ["Tên", "Dân số", None, None, "Diện tích", None, None],
            [None, "2023", "2024", "2025", "2023", "2024", "2025"],
            ["Ba Đình", 5, 6, 7, 8, 9, 10],
            ["Hà Đông", 9, 10, 11, 12, 13, 14],
        ]
    )
    assert table.headers[:3] == ["Tên", "Dân số 2023", "Dân số 2024"]
    assert table.headers[-1] == "Diện tích 2025"
    assert len(table.rows) == 2


def test_a_unit_below_a_name_is_no_proof_against_a_second_header_row(sheets):
    (table,) = sheets(
        [
            ["Quận", "Dân số", None, "Diện tích"],
            [None, "Nam", "Nữ", "(km²)"],
            ["Ba Đình", 100, 120, 9.2],
            ["Tây Hồ", 90, 95, 24.0],
        ]
    )
    assert table.headers == ["Quận", "Dân số Nam", "Dân số Nữ", "Diện tích (km²)"]
    assert len(table.rows) == 2


def test_three_header_rows_with_merged_cells(sheets):
    (table,) = sheets(
        [
            ["Đơn vị", "Ngân sách", None, None, None],
            [None, "Năm 2024", None, "Năm 2025", None],
            [None, "Thu", "Chi", "Thu", "Chi"],
            ["Ba Đình", 1, 2, 3, 4],
            ["Hà Đông", 5, 6, 7, 8],
        ],
        merge=("A1:A3", "B1:E1", "B2:C2", "D2:E2"),
    )
    assert table.headers == ["Đơn vị", *(f"Ngân sách {name}" for name in YEARS)]
    assert [row[0] for row in table.rows] == ["Ba Đình", "Hà Đông"]


def test_a_table_of_texts_keeps_its_first_row(sheets):
    (table,) = sheets([["Mã", None, "Ghi chú"], ["a", "b", "c"], ["d", "e", "f"]])
    assert [row[0] for row in table.rows] == ["a", "d"]


@pytest.mark.parametrize(
    "below",
    [
        [[None, None, "(ha)", "tấn/ha"]],
        [["A", "B", "1", "2"], [None, None, "ha", "tấn/ha"]],
        [[None, None, "ha", "(tấn/ha)"], ["(1)", "(2)", "(3)", "(4)"]],
    ],
)
def test_rows_of_units_and_of_column_numbers_are_no_data(sheets, below):
    (table,) = sheets(
        [
            ["TT", "Xã", "Diện tích", "Năng suất"],
            *below,
            [1, "Đông Anh", 5, 6],
            [2, "Gia Lâm", 7, 8],
        ]
    )
    assert [row[1] for row in table.rows] == ["Đông Anh", "Gia Lâm"]
    assert table.units == [None, None, "ha", "tấn/ha"]


def test_pins_of_the_header_win(sheets):
    rows = [["a", "b"], ["x", None], ["c", "d"], [1, 2], [3, 4]]
    (table,) = sheets(rows, header_row=3)
    assert (table.headers, len(table.rows)) == (["c", "d"], 2)
    (table,) = sheets(rows, header_row=1, header_rows=1)
    assert (table.headers, len(table.rows)) == (["a", "b"], 4)
    with pytest.raises(SourceInvalid):
        sheets(rows, header_rows=11)


# --- rows ---------------------------------------------------------------------------------------


def test_sums_groups_and_notes_are_marked_not_dropped(sheets):
    (table,) = sheets(
        [
            ["TT", "Ngành", "Số dự án"],
            ["I", "Công nghiệp", None],
            ["1", "Tổng công ty Điện lực", 3],
            ["2", "Dệt may", 4],
            [None, "Cộng nhóm I", 7],
            ["3", "Cộng hòa Séc", 1],
            [None, "Trong đó:", None],
            [None, "Tổng cộng:", 8],
            ["Tổng số", None, 8],
            ["Nguồn: Cục Đầu tư nước ngoài", None, None],
            [None, None, None],
            ["Người lập biểu", None, None],
        ]
    )
    assert table.headers[-1] == "row_kind"
    assert [row[-1] for row in table.rows] == [
        *("row", "row", "row", "subtotal", "row", "group", "total", "total")
    ]
    assert "2 rows look like sums. They are kept, row_kind marks them: 8, 9" in told(table)
    assert "2 lines below the table are notes, not rows: Nguồn: Cục Đầu tư" in told(table)


def test_marking_can_be_pinned_off_and_on(sheets):
    rows = [["TT", "Ngành", "Số"], ["1", "Dệt", 4], ["2", "May", 5], [None, "Tổng", 9]]
    (table,) = sheets(rows, row_kind=False)
    assert "row_kind" not in table.headers
    assert len(table.rows) == 3
    (table,) = sheets(rows[:-1], row_kind=True)
    assert [row[-1] for row in table.rows] == ["row", "row"]


def test_a_plain_table_has_no_column_of_row_kinds(sheets):
    (table,) = sheets([["TT", "Ngành", "Số"], ["1", "Dệt", 4], ["2", "May", 5]])
    assert table.headers == ["TT", "Ngành", "Số"]
    assert len(table.messages) == 1


def test_a_cell_merged_over_rows_stands_in_each_of_them(sheets):
    (table,) = sheets(
        [["Quận", "Phường", "Số"], ["Ba Đình", "Ngọc Hà", 1], [None, "Giảng Võ", 2]],
        merge=("A2:A3",),
    )
    assert [row[0] for row in table.rows] == ["Ba Đình", "Ba Đình"]


def test_empty_rows_and_columns_divide_nothing(sheets):
    (table,) = sheets(
        [
            ["Tên", None, "Số", None],
            ["Ba Đình", None, 1, None],
            [None, None, None, None],
            ["Hà Đông", None, 2, None],
            [None, None, None, None],
            ["Tây Hồ", None, 3, None],
        ]
    )
    assert [row[0] for row in table.rows] == ["Ba Đình", "Hà Đông", "Tây Hồ"]


def test_empty_columns_do_not_hide_the_header(sheets):
    (table,) = sheets([["Tên", None, "Số", None, None], ["a", None, 1], [], ["b", None, 2]])
    assert [row[0] for row in table.rows] == ["a", "b"]


def test_sums_and_notes_of_two_columns_are_marked_too(sheets):
    (table,) = sheets(
        [["Quận", "Số dân"], ["Ba Đình", 5], ["Hà Đông", None], ["Tổng số", 5], ["Nguồn: Cục A"]]
    )
    assert [row[-1] for row in table.rows] == ["row", "row", "total"]
    assert "1 lines below the table are notes, not rows: Nguồn: Cục A" in told(table)


def test_lone_cells_beside_the_table_are_told(sheets):
    rows = [["a", "b"], *([number, number] for number in range(30))]
    rows[5] += [None, "xem lại"]
    (table,) = sheets(rows)
    assert "1 cells to the right of the table are left out: D6" in told(table)


def test_a_named_column_that_hardly_any_row_fills_is_a_column(sheets):
    rows = [["Mã", "Số", "Ghi chú"], *([f"m{number}", number] for number in range(300))]
    rows[290] += ["xem lại"]
    (table,) = sheets(rows)
    assert table.headers == rows[0]
    assert [row[2] for row in table.rows if row[2]] == ["xem lại"]


def test_a_first_row_that_counts_as_those_below_it_is_data(sheets):
    (table,) = sheets([["Lớp", "Nam", "Nữ"], ["A", 1, 2], ["B", 3, 4], ["C", 5, 6]])
    assert [row[0] for row in table.rows] == ["A", "B", "C"]
    (table,) = sheets([["Lớp", "Nam", "Nữ"], ["A", 1, 2], ["Lá", 3, 4], ["Mầm", 5, 6]])
    assert [row[0] for row in table.rows] == ["Lá", "Mầm"]
    assert "row 2 numbers the columns: left out" in told(table)


def test_rows_are_those_of_the_sheet_when_its_first_ones_are_empty(sheets):
    rows = [[], [], [None, "Tên", "Số"], *([None, f"t{number}", number] for number in range(4))]
    (table,) = sheets(rows)
    assert "header row 3" in told(table)
    assert [row[1:] for row in sheets(rows, header_row=3)[0].rows] == [
        (f"t{number}", str(number)) for number in range(4)
    ]
    assert len(sheets(rows, tables=["B3:C7"])[0].rows) == 4
    merged = [[], [], ["Tên", "Số"], ["a", 1], [None, 2], ["b", 3]]
    (table,) = sheets(merged, merge=("A4:A5",))
    assert [row[0] for row in table.rows] == ["a", "a", "b"]


def test_numbers_keep_the_zeros_that_the_sheet_shows(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "trống"
    sheet = book.create_sheet("Phường & xã")
    for row in (["Mã", "SĐT", "Số"], [70, 912345678, 5], [12345, 356789012, 6]):
        sheet.append(row)
    for row in (2, 3):
        sheet.cell(row, 1).number_format = "00000"
        sheet.cell(row, 2).number_format = '0000" "000\\ 000;@'
        sheet.cell(row, 3).number_format = "0"
    path = tmp_path / "book.xlsx"
    book.save(path)
    (table,) = decoded(path, "excel")
    assert table.rows == [("00070", "0912345678", "5"), ("12345", "0356789012", "6")]
    assert "3 numbers have the zeros" in told(table)


def test_percentages_below_a_header_of_per_cent_are_as_they_are_shown(tmp_path):
    book = openpyxl.Workbook()
    for row in (["Quận", "Tỷ lệ (%)", "Phần"], ["a", 0.253, 0.5], ["b", 0.07, 0.25], ["c", 12, 1]):
        book.active.append(row)
    for row, shown in ((2, "0.0%"), (3, "0%"), (4, "General")):
        book.active.cell(row, 2).number_format = shown
        book.active.cell(row, 3).number_format = "0%"
    path = tmp_path / "book.xlsx"
    book.save(path)
    (table,) = decoded(path, "excel")
    assert table.rows == [("a", "25.3", "0.5"), ("b", "7", "0.25"), ("c", "12", "1")]
    assert "2 cells are percentages as they are shown" in told(table)


def test_cells_whose_value_is_not_in_the_file_are_told(sheets):
    rows = [["a", "b", "c"], ["x", "=A2", "#REF!"], ["y", "=A3", "#N/A"], ["z", "=A4", 5]]
    (table,) = sheets(rows)
    assert "3 formulas have no stored value: their cells are empty" in told(table)
    assert "2 cells have errors such as #REF!: they are empty" in told(table)


def test_more_hours_than_a_day_has_stay_hours(sheets):
    rows = [["Trạm", "Giờ chạy"], ["a", dt.timedelta(hours=30, minutes=15)]]
    rows += [["b", dt.timedelta(minutes=5)], ["c", dt.timedelta(days=5)]]
    (table,) = sheets(rows)
    assert [row[1] for row in table.rows] == ["30:15:00", "00:05:00", "120:00:00"]


@pytest.mark.parametrize(
    "text", ["1" * 30_000 + "x", "kg" + " " * 30_000 + "x", "(" * 30_000, "a:" * 15_000 + "x"]
)
def test_a_vast_cell_takes_no_time(sheets, text):
    begun = time.process_time()
    (table,) = sheets([["a", "b"], [text, "x"], ["kg", "y"], ["z", "w"]])
    assert table.rows[0] == (text, "x")
    assert time.process_time() - begun < 5


def test_days_without_a_dates_format_are_marked_by_name_and_values(sheets):
    rows = [["Ngày cấp", "Số ngày nghỉ", "Mã"], [45322, 20000, 45322], [44927, 30000, 44927]]
    (table,) = sheets(rows)
    assert table.types == ["date", None, None]
    rows[1][0] = 45322.5
    assert sheets(rows)[0].types[0] == "timestamp"
    rows[1][0] = 7
    assert sheets(rows)[0].types[0] is None


# --- several tables -----------------------------------------------------------------------------

ONE = [["Bảng dân số"], ["Xã", "Dân số"], ["Đông Anh", 10], ["Gia Lâm", 20], ["Sóc Sơn", 30]]
OTHER = [["Diện tích các xã"], ["Tên xã", "Diện tích (ha)", "Mã"]]
OTHER += [["Đông Anh", 5.5, "x1"], ["Gia Lâm", 6.5, "x2"], ["Sóc Sơn", 7, "x3"]]


def check_both(tables) -> None:
    assert [table.part for table in tables] == ["Bảng 1", "Bảng 2"]
    assert [table.above for table in tables] == [["Bảng dân số"], ["Diện tích các xã"]]
    first, second = ([name for name in table.headers if name] for table in tables)
    assert (first, second) == (ONE[1], OTHER[1])
    assert [len(table.rows) for table in tables] == [3, 3]


def test_tables_below_each_other_are_told_apart(sheets):
    check_both(sheets([*ONE, [None], *OTHER]))


def test_tables_beside_each_other_are_told_apart(sheets):
    beside = [
        [*one, *[None] * (3 - len(one)), *other] for one, other in zip(ONE, OTHER, strict=True)
    ]
    check_both(sheets(beside))


def test_pinned_ranges_are_the_tables(sheets):
    rows = [*ONE, [None], *OTHER]
    (table,) = sheets(rows, tables=["A8:C10"])
    assert table.headers == OTHER[1]
    assert table.part == ""
    assert len(table.rows) == 2
    for wrong in (["A8"], ["C8:A10"], []):
        with pytest.raises(SourceInvalid):
            sheets(rows, tables=wrong)


def test_a_header_repeated_after_a_page_is_no_new_table(sheets):
    page = [["Tên", "Số"], ["a", 1], ["b", 2], [None, None]]
    (table,) = sheets([*page, ["Tên", "Số"], ["c", 3], ["d", 4]])
    names = [row[0] for row in table.rows]
    assert names == ["a", "b", "c", "d"]
    assert "1 rows repeat the header; left out: 5" in told(table)


def test_a_form_is_refused_with_what_was_seen(sheets):
    form = [
        ["Đơn xin cấp phép", None, None, None],
        [None, None, "Ngày", None],
        [None, None, None, "Ký tên"],
    ]
    with pytest.raises(TableNotFound, match=r"3 rows × 4 columns, 3 filled cells") as caught:
        sheets(form)
    assert "■ · · ·\n· · ■ ·\n· · · ■" in caught.value.detail
    assert "Ký tên" not in caught.value.detail


@pytest.mark.parametrize(
    "form",
    [
        [
            ["ĐƠN ĐĂNG KÝ"],
            ["Họ tên:", "Cơ quan X"],
            [],
            ["Ngày:", None, "Số:"],
            ["Kính gửi: UBND"],
            [None, "Người ký"],
        ],
        [
            ["PHIẾU KHẢO SÁT"],
            ["Tên cơ sở: ……………", None, "Mã số: ………"],
            ["Địa chỉ: ……………"],
            ["Điện thoại: ………", None, "Fax: ………"],
        ],
        [
            ["PHIẾU THÔNG TIN CƠ SỞ"],
            ["Tên cơ sở", "Trạm y tế Kim Mã"],
            ["Địa chỉ", "166 Kim Mã"],
            ["Số giường", 12],
            ["Người phụ trách", "Trưởng trạm"],
            ["Ngày lập", "12/3/2024"],
        ],
    ],
)
def test_a_form_with_labels_is_no_table_unless_it_is_pinned(sheets, form):
    with pytest.raises(TableNotFound, match="Is it a form"):
        sheets(form)
    assert sheets(form, header_row=2)


@pytest.mark.parametrize(
    "rows",
    [
        [["Chỉ tiêu", "Giá trị"], ["Số hộ", 812], ["Số trẻ em", 77], ["Năm thành lập", 1994]],
        [["Mã", "Tên"], *([f"X{n}", f"Phường {n}"] for n in range(9))],
        [["Loại", "Ghi chú"], ["Mã vùng", "hai chữ số"], ["Xe buýt", "xanh"], ["Xe điện", "đỏ"]],
    ],
)
def test_two_columns_are_a_table_unless_they_answer_questions(sheets, rows):
    (table,) = sheets(rows)
    assert len(table.rows) == len(rows) - 1


def test_names_that_end_in_a_colon_make_no_form(sheets):
    (table,) = sheets([["Quận:", "Số:"], *([f"Quận {n}", n] for n in range(20))])
    assert len(table.rows) == 20
