"""Dates that a worksheet keeps as bare numbers: days since 30 December 1899, not shown as dates.

The name has to say that the column is one of dates, and every number has to be a day of our time.
"""

from __future__ import annotations

from dataclasses import replace

from harvesters.personal_rules import Words
from harvesters.rawtable import RawTable
from harvesters.workbench import Workbench, quoted

DATES = Words.of(
    ["ngày", "ngày tháng", "thời gian", "thời điểm", "date", "datetime", "timestamp", "time stamp"]
)
COUNTS = Words.of(["số ngày", "số lượng", "so ngay", "days", "number of days"])
# 1 January 1950 to 31 December 2079.
_FIRST, _LAST = 18_264, 65_745


def mark(table: RawTable, bench: Workbench) -> None:
    """Give such columns the type that reads them, in place; the messages tell it."""
    for at, column in enumerate(table.columns):
        name = column.header
        if column.native or column.type or not DATES.in_name(name) or COUNTS.in_name(name):
            continue
        key = quoted(column.key)
        number = f"try_cast({key} AS DOUBLE)"
        filled, days, parts = bench.row(
            f"SELECT count({key}), count(*) FILTER ({number} BETWEEN {_FIRST} AND {_LAST}), "  # noqa: S608
            f"count(*) FILTER ({number} <> trunc({number})) FROM {table.name}"
        )
        if not filled or days < filled:
            continue
        type_text = "timestamp" if parts else "date"
        table.columns[at] = replace(column, type=type_text, format="serial")
        table.messages.append(f"{name}: numbers read as a worksheet's days; pin its type if not")
