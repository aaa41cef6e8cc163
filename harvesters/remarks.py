"""Rows of a worksheet that are no plain rows: sums, and lines with one cell (titles, notes).

They stay in the table, for nobody but the department knows what they are for; the report names
them, so that nobody adds a sum to what it is the sum of.
"""

from __future__ import annotations

from harvesters.rawtable import RawTable
from harvesters.workbench import Workbench, quoted

LABEL_COLUMNS = 3
SHOWN_ROWS = 10
# "Tổng công ty" is a company, so the whole cell has to say it.
_SUM = (
    r"(tổng|tổng số|tổng cộng|cộng|tổng cộng \(.*\)|tổng số \(.*\)|total|sub-?total|grand total)"
    r" *:?"
)


def remark(table: RawTable, bench: Workbench) -> None:
    """Add what strikes of the table's rows to its messages."""
    keys = [quoted(column.key) for column in table.columns if not column.native]
    if len(keys) < LABEL_COLUMNS:
        return
    says_sum = " OR ".join(
        f"coalesce(regexp_full_match(lower({key}), '{_SUM}'), false)"
        for key in keys[:LABEL_COLUMNS]
    )
    filled = " + ".join(f"({key} IS NOT NULL)::INTEGER" for key in keys)
    _tell(table, bench, f"({says_sum}) AND {filled} > 1", "look like sums.")
    _tell(table, bench, f"{filled} = 1", "have one cell only: titles or notes?")


def _tell(table: RawTable, bench: Workbench, condition: str, what: str) -> None:
    numbers = [
        row
        for (row,) in bench.rows(
            f"SELECT row FROM {table.name} WHERE {condition} ORDER BY row"  # noqa: S608
        )
    ]
    if not numbers:
        return
    shown = ", ".join(map(str, numbers[:SHOWN_ROWS])) + (" …" if numbers[SHOWN_ROWS:] else "")
    table.messages.append(f"{len(numbers)} rows {what} They are kept: {shown}")
