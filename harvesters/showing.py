"""Tables as officers are shown them before anything is published: columns, first rows, as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from harvesters import holds
from harvesters.holds import Hold
from harvesters.prepare import Gated
from harvesters.validate import Checked

PREVIEWED_ROWS = 20
EXAMPLES = 3
COVERED = "•••"


@dataclass(frozen=True)
class ShownTable:
    """The first accepted rows; cells of columns with personal data are covered."""

    columns: list[str]
    rows: list[list[str]]


def show(gated: Gated, limit: int = PREVIEWED_ROWS) -> ShownTable:
    """The first `limit` rows of a table that was checked and gated."""
    checked = gated.checked
    names = [typed.column.name for typed in checked.typed.columns]
    personal = set(_personal_columns(gated.holds))
    covered = [name in personal for name in names]
    rows = [
        [COVERED if hide and text else text for hide, text in zip(covered, row, strict=True)]
        for row in _texts(checked, limit)
    ]
    return ShownTable(names, rows)


def as_preview(gated: Gated) -> dict[str, Any]:
    """One table as `hanoiic_preview_update` takes it."""
    checked, shown = gated.checked, show(gated)
    return {
        "part": checked.typed.raw.part,
        "row_count": checked.accepted_count,
        "rejected_count": checked.rejected_count,
        "columns": [
            {
                "name": typed.column.name,
                "type": typed.column.type,
                "unit": typed.column.unit,
                "examples": _examples(row[index] for row in shown.rows),
                "decided_by": "pin" if typed.pin.type or typed.pin.format else "data",
                "messages": _about(typed.column.name, checked.typed.messages),
            }
            for index, typed in enumerate(checked.typed.columns)
        ],
        "rows": shown.rows,
        "messages": [*checked.typed.raw.messages, *checked.typed.messages],
        "holds": [asdict(hold) for hold in gated.holds],
    }


def _texts(checked: Checked, limit: int) -> Iterable[list[str]]:
    sql = f"SELECT * FROM ({checked.accepted_sql()}) LIMIT {int(limit)}"  # noqa: S608
    for batch in checked.bench.batches(sql):
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            yield [_text(value) for value in row]


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{len(value)} bytes" if isinstance(value, bytes) else str(value)


def _examples(texts: Iterable[str]) -> list[str]:
    return list(islice(dict.fromkeys(text for text in texts if text), EXAMPLES))


def _about(name: str, messages: Iterable[str]) -> list[str]:
    return [text for text in messages if text.startswith((f"{name}:", f"{name} "))]


def _personal_columns(found: Iterable[Hold]) -> Iterable[str]:
    for hold in found:
        if hold.kind == holds.PERSONAL_DATA:
            columns: list[Mapping[str, Any]] = hold.facts.get("columns") or []
            yield from (str(column.get("column")) for column in columns)
