"""A sheet that people fill in is no table: labels with a colon, dotted lines, and rows that share
no columns."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harvesters.header import Header, Rows

# What is longer is mass data.
MOST_ROWS = 200
_LABEL = re.compile(r".*\w.*:|.*(?:\.{4,}|…{2,}|_{4,}).*", re.S)
_MOSTLY_LABELS = 0.2
_LEAST_LABELS = 2


def is_form(cells: Rows, head: Header) -> bool:
    """Whether the cells of an area, in which a header was found, are a form all the same.

    A name or a tenth of a table's cells may end in a colon; in a form many do, and hardly a row
    below has cells in most of the columns.
    """
    if len(cells) > MOST_ROWS:
        return False
    below = [row for row in cells[head.first_row :] if _filled(row)]
    filled = [cell.strip() for row in cells[head.row or 0 :] for cell in row if cell.strip()]
    labels = sum(bool(_LABEL.fullmatch(text)) for text in filled)
    if labels < _LEAST_LABELS or labels < _MOSTLY_LABELS * len(filled):
        return False
    whole = sum(_filled(row) * 3 >= len(head.names) * 2 for row in below)
    return whole * 2 <= len(below) or any(_LABEL.fullmatch(name) for name in head.names)


def _filled(row: Sequence[str]) -> int:
    return sum(bool(cell.strip()) for cell in row)
