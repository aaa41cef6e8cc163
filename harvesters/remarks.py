"""Marks rows that are not plain data: sums, names of groups, notes. They stay in the table.

Only the department knows what they are for, so none is dropped; but whoever adds up a column must
not count a sum twice. When there are any, the table gets a column that says what each row is. Only
notes below the last row are taken out; the report has their text.
"""

from __future__ import annotations

from itertools import pairwise

from harvesters import around
from harvesters.census import ANY, DATE, NUMBER
from harvesters.rawtable import RawColumn, RawTable
from harvesters.source import Options
from harvesters.workbench import Workbench, literal, quoted

ROW_KIND = "row_kind"
DESCRIPTION = (
    "Loại dòng, tự đánh dấu / kind of row, marked by itself: row (số liệu), total (tổng cộng), "
    "subtotal (cộng nhóm), group (tên nhóm, “trong đó”), note (ghi chú)"
)
LABEL_COLUMNS = 3
LEAST_COLUMNS = 2
SHOWN_ROWS = 10
SHOWN_LETTERS = 120
MOST_NOTES = 30
# Reports have sums; in mass data a look at every row would cost more than it finds.
MOST_ROWS = 100_000
# Up to here every label is looked at without a query.
FEW_ROWS = 2_000
# How texts begin that _TOTAL, _SUBTOTAL or _GROUP find.
_BEGINS = (
    *("tổng", "toàn thành phố", "grand total", "total", "cộng", "tiểu cộng", "sub"),
    *("trong đó", "bao gồm", "gồm", "of which", "including"),
)
# The whole cell has to say it: "Tổng công ty" is a company and "Cộng hòa Séc" a country.
_TOTAL = (
    r"(tổng|tổng số|tổng cộng|tổng toàn .*|tổng (cộng|số) \(.*\)|tổng cộng toàn .*|toàn thành phố"
    r"|grand total|total) *:?"
)
_SUBTOTAL = (
    r"(cộng|tiểu cộng|cộng (nhóm|mục|phần|khoản|chương|loại|theo) .*|cộng [ivx0-9]+|cộng \(.*\)"
    r"|tổng (nhóm|mục|phần) .*|sub-?total( .*)?) *:?"
)
_GROUP = r"(trong đó|bao gồm|gồm có|gồm|of which|including) *:?"
_NOTE = (
    r"(?s)(\(?\*+\)?.*|(ghi chú|nguồn|nguồn số liệu|lưu ý|chú thích|note|notes|source)( *[:.(].*)?"
    r"|(người lập|kế toán|thủ trưởng|hà nội, ngày).*)"
)
_TOLD = {
    "total": "look like sums.",
    "subtotal": "look like sums of groups.",
    "group": "name a group, or have one cell only.",
    "note": "are notes.",
}


def remark(table: RawTable, options: Options, bench: Workbench) -> None:
    """Mark what strikes of the table's rows, and tell it; `row_kind` pins whether to mark."""
    wanted = options.row_kind
    if bench.row_count(table.name) > MOST_ROWS and not wanted:
        return
    if not wanted and _is_plain(table, bench):
        return
    _drop_repeated_headers(table, bench)
    keys = [quoted(column.key) for column in table.columns if not column.native]
    if wanted is False or len(keys) < LEAST_COLUMNS:
        return
    kind = _kind(keys)
    _take_notes(table, keys, kind, bench)
    found = bench.rows(
        f"SELECT kind, count(*), list(row ORDER BY row)[:{SHOWN_ROWS + 1}] "  # noqa: S608
        f"FROM (SELECT row, {kind} AS kind FROM {table.name}) WHERE kind <> 'row' GROUP BY kind"
    )
    counted = {name: (number, rows) for name, number, rows in found}
    if not counted and not wanted:
        return
    for name in (name for name in _TOLD if name in counted):
        number, rows = counted[name]
        shown = ", ".join(map(str, rows[:SHOWN_ROWS])) + (" …" if number > SHOWN_ROWS else "")
        table.messages.append(
            f"{number} rows {_TOLD[name]} They are kept, {ROW_KIND} marks them: {shown}"
        )
    _mark(table, kind, bench)


def _is_plain(table: RawTable, bench: Workbench) -> bool:
    """Whether a short table is seen at a glance to have nothing but plain rows: two columns are
    always filled, no label begins as that of a sum or a group, and a column that has a name of
    letters has no letters."""
    census, batches = bench.census(table.name), bench.as_it_came(table.name)
    if census is None or batches is None or census.row_count > FEW_ROWS:
        return False
    keys = [column.key for column in table.columns if not column.native]
    looks = [census.looks[key] for key in keys]
    named = any(
        look.shape in (NUMBER, DATE) and any(map(str.isalpha, column.header))
        for column, look in zip(table.columns, looks, strict=True)
    )
    if not named or sum(look.filled == census.row_count for look in looks) < 2:
        return False
    labels = [key for key in keys[:LABEL_COLUMNS] if census.looks[key].shape == ANY]
    texts = (text for batch in batches for key in labels for text in batch.column(key).to_pylist())
    return not any(text is not None and text.lower().startswith(_BEGINS) for text in texts)


def _drop_repeated_headers(table: RawTable, bench: Workbench) -> None:
    """Headers that stand again in a table, after the end of a printed page."""
    named = [column for column in table.columns if column.header and not column.native]
    if len(named) < 2:
        return
    same = " AND ".join(
        f"{quoted(column.key)} IS NOT DISTINCT FROM {literal(column.header)}" for column in named
    )
    rows = [row for (row,) in bench.rows(f"SELECT row FROM {table.name} WHERE {same}")]  # noqa: S608
    if not rows:
        return
    bench.own(table.name)
    bench.execute(f"DELETE FROM {table.name} WHERE {same}")  # noqa: S608
    shown = ", ".join(map(str, sorted(rows)[:SHOWN_ROWS]))
    table.messages.append(f"{len(rows)} rows repeat the header; left out: {shown}")


def _take_notes(table: RawTable, keys: list[str], kind: str, bench: Workbench) -> None:
    """Take the lines of one cell below the table's last row off: notes, or set apart from it."""
    filled = f"coalesce({', '.join(keys)})"
    last = bench.rows(
        f"SELECT row, {kind} = 'note', {_filled(keys)} = 1, {filled} "  # noqa: S608
        f"FROM {table.name} ORDER BY row DESC LIMIT {MOST_NOTES + 1}"
    )
    notes: list[tuple[int, str]] = []
    for (row, is_note, is_alone, text), (above, *_) in pairwise(last):
        if not is_alone or not (is_note or row > above + 1):
            break
        notes.append((row, text))
    if not notes:
        return
    bench.own(table.name)
    bench.execute(f"DELETE FROM {table.name} WHERE row >= ?", [notes[-1][0]])  # noqa: S608
    table.below = around.lines([text] for _, text in notes[::-1])
    shown = " | ".join(text[:SHOWN_LETTERS] for _, text in notes[::-1])
    table.messages.append(f"{len(notes)} lines below the table are notes, not rows: {shown}")


def _kind(keys: list[str]) -> str:
    """The SQL of a row's kind."""
    labels = keys[:LABEL_COLUMNS]
    filled = _filled(keys)
    # Of two columns one may well be empty.
    alone = f"{filled} = 1" if len(keys) > LEAST_COLUMNS else "false"

    def says(pattern: str) -> str:
        asked = (
            f"coalesce(regexp_full_match(lower({key}), {literal(pattern)}), false)"
            for key in labels
        )
        return "(" + " OR ".join(asked) + ")"

    return (
        f"CASE WHEN {says(_GROUP)} THEN 'group' "
        f"WHEN {filled} > 1 AND {says(_TOTAL)} THEN 'total' "
        f"WHEN {filled} > 1 AND {says(_SUBTOTAL)} THEN 'subtotal' "
        f"WHEN {filled} = 1 AND {says(_NOTE)} THEN 'note' "
        f"WHEN {alone} THEN 'group' ELSE 'row' END"
    )


def _filled(keys: list[str]) -> str:
    return "(" + " + ".join(f"({key} IS NOT NULL)::INTEGER" for key in keys) + ")"


def _mark(table: RawTable, kind: str, bench: Workbench) -> None:
    bench.own(table.name)
    bench.execute(f"ALTER TABLE {table.name} ADD COLUMN {ROW_KIND} VARCHAR")
    bench.execute(f"UPDATE {table.name} SET {ROW_KIND} = {kind}")  # noqa: S608
    table.columns.append(
        RawColumn(ROW_KIND, ROW_KIND, type="string", native=True, description=DESCRIPTION)
    )
