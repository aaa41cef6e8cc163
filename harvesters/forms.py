"""A sheet that people fill in is no table: labels with a colon, dotted lines, rows that share no
columns, or two columns of which the first names what stands in the second."""

from __future__ import annotations

import re

from harvesters import row_kinds
from harvesters.header import Header
from harvesters.row_kinds import Rows

# What is longer is mass data.
MOST_ROWS = 200
_BLANK = re.compile(r"\.{4,}|…{2,}|_{4,}")
_MOSTLY_LABELS = 0.2
_LEAST_LABELS = 2
# What a form asks for; a table has such words above its columns, not in its rows.
_ASKED = re.compile(
    r"(?i)(tên|họ tên|họ và tên|địa chỉ|điện thoại|số điện thoại|sđt|fax|e-?mail|website|ngày|năm"
    r"|người|chức vụ|chức danh|đơn vị|cơ quan|phòng ban|mã|mã số|số|loại|nơi|giới tính|quốc tịch"
    r"|giám đốc|ghi chú|mục đích|lý do|name|full name|address|phone|date|department|position"
    r"|contact|note|reason|purpose)\b.*"
)
_NUMBER = re.compile(r"[\d.,% -]+")
_LEAST_ASKED = 3


def is_form(cells: Rows, head: Header) -> bool:
    """Whether the cells of an area, in which a header was found, are a form all the same.

    A name or a tenth of a table's cells may end in a colon; in a form many do, and hardly a row
    below has cells in most of the columns.
    """
    if len(cells) > MOST_ROWS:
        return False
    if len(head.names) == 2 and _answers_questions(cells[head.row or 0 :]):
        return True
    below = [row for row in cells[head.first_row :] if row_kinds.filled(row)]
    filled = [cell.strip() for row in cells[head.row or 0 :] for cell in row if cell.strip()]
    labels = sum(_is_label(text) for text in filled)
    if labels < _LEAST_LABELS or labels < _MOSTLY_LABELS * len(filled):
        return False
    whole = sum(row_kinds.filled(row) * 3 >= len(head.names) * 2 for row in below)
    return whole * 2 <= len(below) or any(map(_is_label, head.names))


def _answers_questions(rows: Rows) -> bool:
    """Whether two columns are what a form asks for and what was answered: different things, so
    that the answers are not all numbers as below `Số hộ`, `Số trẻ em`."""
    pairs = [(row[0].strip(), row[1].strip()) for row in rows if len(row) > 1 and row[0].strip()]
    asked = [found[1].lower() for label, _ in pairs if (found := _ASKED.fullmatch(label))]
    words = sum(bool(answer) and not _NUMBER.fullmatch(answer) for _, answer in pairs)
    return (
        len(set(asked)) >= _LEAST_ASKED
        and len(asked) * 5 >= len(pairs) * 3
        and words * 3 >= len(pairs)
        and len({label for label, _ in pairs}) == len(pairs)
    )


def _is_label(text: str) -> bool:
    """`Họ tên:`, or a line to write on."""
    ends = text.endswith(":") and any(letter.isalnum() for letter in text)
    return ends or _BLANK.search(text) is not None
