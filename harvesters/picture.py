"""A picture of a sheet that is no table: its size, and which of its cells are filled."""

from __future__ import annotations

from harvesters.row_kinds import Rows

MOST_ROWS, MOST_COLUMNS = 12, 24
_FILLED, _EMPTY = "■", "·"


def size(rows: Rows) -> str:
    """`12 rows × 5 columns, 17 filled cells`."""
    wide = max(map(len, rows), default=0)
    filled = sum(bool(cell.strip()) for row in rows for cell in row)
    return f"{len(rows)} rows × {wide} columns, {filled} filled cells"


def of(rows: Rows) -> str:
    """One line a row, one sign a cell, and no text: people may have filled in a form."""
    wide = min(max(map(len, rows), default=0), MOST_COLUMNS)
    lines = []
    for row in rows[:MOST_ROWS]:
        cells = [_FILLED if cell.strip() else _EMPTY for cell in row[:wide]]
        lines.append(" ".join(cells + [_EMPTY] * (wide - len(cells))))
    if len(rows) > MOST_ROWS:
        lines.append(f"… {len(rows) - MOST_ROWS} more rows")
    return "\n".join(lines)
