"""Rejected rows of a report: a page of them, and all of them as CSV. Pure functions."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .report import REJECTED_KEYS

ROWS_A_PAGE = 25
# What a spreadsheet would take for a formula (OWASP, "CSV injection").
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@dataclass(frozen=True)
class Page:
    """Rows of one page; ``number`` is counted from 1, ``total`` are the rows of all pages."""

    rows: Sequence[Any]
    number: int
    count: int
    total: int


def page(rows: Iterable[Any], number: str, size: int = ROWS_A_PAGE) -> Page:
    """The page asked for, the last one where there is none such; reads the rows once."""
    wanted = max(1, int(number)) if number.isdecimal() and len(number) < 8 else 1
    shown: list[Any] = []
    here = total = 0
    for row in rows:
        if total % size == 0 and here < wanted:
            here, shown = here + 1, []
        if total // size + 1 == here:
            shown.append(row)
        total += 1
    return Page(shown, max(1, here), max(1, -(-total // size)), total)


def as_csv(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """CSV line by line, with a byte order mark, so that a spreadsheet reads it as UTF-8."""
    yield "\ufeff" + _line(REJECTED_KEYS)
    for row in rows:
        yield _line([safe(row.get(key)) for key in REJECTED_KEYS])


def _line(cells: Iterable[Any]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\r\n").writerow(cells)
    return file.getvalue()


def safe(value: Any) -> Any:
    """A cell that no spreadsheet runs: a text that would begin a formula gets an apostrophe.

    >>> safe("=1+1"), safe("-5"), safe(-5)
    ("'=1+1", "'-5", -5)
    """
    if isinstance(value, str) and value.lstrip(" ").startswith(FORMULA_STARTS):
        return f"'{value}"
    return value
