"""How much of the Vietnamese of departments' tables comes back, and that nothing else changes.

Names, addresses, firms and sentences are put together at random (always the same ones), hidden in
an old encoding, and read again; a column may be half Unicode already.
"""

from __future__ import annotations

import difflib
import random
import unicodedata

import pytest

from harvesters import wards
from harvesters.mending import mend
from harvesters.rawtable import RawColumn, RawTable, batches_of_rows, text_schema
from harvesters.source import Options
from harvesters.workbench import Workbench
from tests.harvesters.test_legacy import encoded

# ruff: noqa: SIM905 (lists of words)
FAMILIES = "Nguyễn Trần Lê Phạm Hoàng Huỳnh Phan Vũ Võ Đặng Bùi Đỗ Hồ Ngô Dương Lý Đoàn".split()
GIVEN = "An Bình Châu Dũng Giang Hà Hải Hạnh Hiếu Hùng Hương Khánh Ngọc Nhung Quân Yến Ý".split()
STREETS = "Trần Hưng Đạo/Lý Thường Kiệt/Phố Huế/Láng Hạ/Giải Phóng/Lê Duẩn/Đội Cấn".split("/")
TRADES = "xây dựng/thương mại/dịch vụ/vận tải/xuất nhập khẩu/thủy sản/cơ khí/dệt may".split("/")
SENTENCES = (
    "Báo cáo tình hình thực hiện nhiệm vụ phát triển kinh tế - xã hội 6 tháng đầu năm 2004",
    "Ủy ban nhân dân thành phố Hà Nội phê duyệt dự án đầu tư xây dựng công trình",
    "Diện tích gieo trồng lúa cả năm ước đạt 42.500 ha, giảm 1,2% so với cùng kỳ",
    "Đề nghị các đơn vị nghiêm túc thực hiện, báo cáo kết quả trước ngày 15/7/2003",
    "Người khuyết tật, người cao tuổi cô đơn không nơi nương tựa",
)
WORDS = "Có/Không/Tốt/Khá/Trung bình/Yếu/Nữ/Đạt/Chưa đạt/Đã nộp/Cận nghèo/Mới/Cũ".split("/")
MIXED = ("Café Phố Cổ", "Khách sạn Métropole Hà Nội", "Công ty Nestlé Việt Nam", "Hotel Daewoo")
WARDS = sorted(unit.name for unit in wards.hanoi().old_by_code.values())


def makers(dice: random.Random):
    pick = dice.choice
    return {
        "Họ và tên": lambda: f"{pick(FAMILIES)} {pick(['Văn', 'Thị', 'Đức'])} {pick(GIVEN)}",
        "Địa chỉ": lambda: f"Số {dice.randint(1, 400)}, ngõ {dice.randint(1, 99)} {pick(STREETS)}",
        "TÊN DOANH NGHIỆP": lambda: f"CÔNG TY TNHH {pick(TRADES)} {pick(STREETS)}".upper(),
        "Đơn vị": lambda: f"Công ty cổ phần {pick(TRADES)} {pick(GIVEN)}",
        "Xã, phường": lambda: pick(WARDS),
        "Nội dung": lambda: pick(SENTENCES),
        "Xếp loại": lambda: pick(WORDS),
        "Đối tác": lambda: pick(MIXED),
        "Quyết định": lambda: f"{dice.randint(1, 999)}/{pick(['QĐ-UB', 'NĐ-CP', 'HĐND'])}",
    }


def mended(columns: dict[str, list[str]]) -> list[list[str]]:
    with Workbench() as bench:
        width, rows = len(columns), list(zip(*columns.values(), strict=True))
        name = bench.load(text_schema(width), batches_of_rows(enumerate(rows), width))
        raw = RawTable(name, [RawColumn(f"c{i}", header) for i, header in enumerate(columns)])
        mend(raw, Options(), bench)
        found = bench.rows(f"SELECT * EXCLUDE row FROM {name} ORDER BY row")
        return [[column.header for column in raw.columns], *map(list, found)]


def wrong_and_all(expected: list[str], found: list[str]) -> tuple[int, int]:
    """Wrong letters, and letters with Vietnamese marks. Fonts of TCVN3 have no marked capitals, so
    case does not count."""
    wrong = letters = 0
    for one, other in zip(expected, found, strict=True):
        there = unicodedata.normalize("NFC", one).casefold()
        letters += sum(not letter.isascii() for letter in there)
        if there != other.casefold():
            same = difflib.SequenceMatcher(None, there, other.casefold(), autojunk=False)
            wrong += max(len(there), len(other)) - sum(
                block.size for block in same.get_matching_blocks()
            )
    return wrong, letters


@pytest.mark.parametrize("encoding", ["tcvn3", "vni", "viscii"])
def test_of_old_tables_999_letters_of_1000_come_back(encoding):
    dice = random.Random(encoding)
    wrong = letters = 0
    for _ in range(4):
        made = makers(dice)
        names = dice.sample(sorted(made), 5)
        columns = {name: [made[name]() for _ in range(60)] for name in names}
        hidden = {
            encoded(name, encoding): [encoded(text, encoding) for text in texts]
            for name, texts in columns.items()
        }
        head, *rows = mended(hidden)
        expected = [*names, *(text for row in zip(*columns.values(), strict=True) for text in row)]
        more = wrong_and_all(expected, [*head, *(text for row in rows for text in row)])
        wrong, letters = wrong + more[0], letters + more[1]
    assert letters > 3_000
    assert wrong <= 0.001 * letters


@pytest.mark.parametrize("encoding", ["tcvn3", "vni", "viscii"])
def test_a_column_half_unicode_keeps_its_clean_half(encoding):
    dice = random.Random(f"half {encoding}")
    wrong = letters = damaged = 0
    for name, make in makers(dice).items():
        texts = [make() for _ in range(80)]
        half = [text if at % 2 else encoded(text, encoding) for at, text in enumerate(texts)]
        _, *rows = mended({name: half})
        found = [row[0] for row in rows]
        damaged += sum(there != text for there, text in zip(found[1::2], texts[1::2], strict=True))
        more = wrong_and_all(texts, found)
        wrong, letters = wrong + more[0], letters + more[1]
    assert damaged == 0
    assert letters > 2_000
    assert wrong <= 0.005 * letters


def test_clean_tables_stay_as_they_are():
    dice = random.Random("clean")
    columns = {name: [make() for _ in range(60)] for name, make in makers(dice).items()}
    head, *rows = mended(columns)
    assert head == list(columns)
    assert rows == [list(row) for row in zip(*columns.values(), strict=True)]
