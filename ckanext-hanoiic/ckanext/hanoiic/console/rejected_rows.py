"""Rejected rows of a report: a page of them, and all of them as CSV. Pure functions."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .report import REJECTED_KEYS

ROWS_A_PAGE = 25
# What a spreadsheet would take for a formula (OWASP, "CSV injection").
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True)
class Page:
    """Rows of one page; ``number`` is counted from 1."""

    rows: Sequence[dict[str, Any]]
    number: int
    count: int


def page(rows: Sequence[dict[str, Any]], number: str) -> Page:
    """The page asked for, the nearest one where there is none such."""
    count = max(1, -(-len(rows) // ROWS_A_PAGE))
    wanted = int(number) if number.isdecimal() and len(number) < 6 else 1
    here = min(max(1, wanted), count)
    start = (here - 1) * ROWS_A_PAGE
    return Page(rows[start : start + ROWS_A_PAGE], here, count)


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """CSV with a byte order mark, so that a spreadsheet reads it as UTF-8."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(REJECTED_KEYS)
    writer.writerows([safe(row.get(key)) for key in REJECTED_KEYS] for row in rows)
    return "\ufeff" + file.getvalue()


def safe(value: Any) -> Any:
    """A cell that no spreadsheet runs: a text that would begin a formula gets an apostrophe.

    >>> safe("=1+1"), safe("-5"), safe(-5)
    ("'=1+1", "'-5", -5)
    """
    if isinstance(value, str) and value.lstrip(" ").startswith(FORMULA_STARTS):
        return f"'{value}"
    return value
