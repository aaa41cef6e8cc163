"""What the texts of a table's columns say: which readings accept all of them.

First every reading is tried on a sample to drop the hopeless ones, then the rest on all rows. Of a
table that is still as it came, much is known from when its texts streamed past.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harvesters import plain
from harvesters.census import NOTHING, Look
from harvesters.errors import SourceInvalid
from harvesters.rawtable import RawColumn
from harvesters.readings import (
    INFERRED,
    NUMBERS,
    PINNED,
    SENTINELS_BESIDE_VALUES,
    Reading,
)
from harvesters.source import ColumnPin
from harvesters.workbench import Workbench, literal, quoted

SAMPLE_ROWS = 2_000
COLUMNS_AT_ONCE = 40
EXAMPLE_ROWS = 64
DECIMAL = re.compile(r"decimal\((\d{1,2}),\s*(\d{1,2})\)")

_Candidates = dict[str, tuple[Reading, ...]]


@dataclass
class Evidence:
    """What the texts of one column say: how many there are, and what each reading misses.

    `look` is what is known of them all, where that is known.
    """

    filled: int
    misses: dict[str, int]
    sentinels: int
    look: Look | None = None

    def accepted(self, readings: Sequence[Reading]) -> list[Reading]:
        if not self.filled:
            return []
        return [reading for reading in readings if self.misses.get(reading.name) == 0]


def gather(
    table: str, columns: list[RawColumn], pins: Mapping[str, ColumnPin], bench: Workbench
) -> dict[str, Evidence]:
    """The evidence of each column of text. Raises SourceInvalid (a pin that cannot be)."""
    texts = [column for column in columns if not column.native]
    hopeful = {
        column.key: candidates(column, pins.get(column.key, ColumnPin())) for column in texts
    }
    inferred = {
        column.key
        for column in texts
        if (pins.get(column.key, ColumnPin()).type or column.type) is None
    }
    census = bench.census(table)
    looks = {key: census.looks[key] for key in inferred} if census else {}
    found = {key: known for key, look in looks.items() if (known := _known(look))}
    for key, look in looks.items():
        if key not in found:
            hopeful[key] = tuple(
                reading for reading in hopeful[key] if all(map(reading.may_accept, look.examples))
            )
            if not hopeful[key]:
                found[key] = _hopeless(look)
    unseen = [column.key for column in texts if column.key in inferred and column.key not in looks]
    for key, examples in _examples(table, unseen, bench).items():
        hopeful[key] = tuple(
            reading for reading in hopeful[key] if all(map(reading.may_accept, examples))
        )
    open_texts = [column for column in texts if column.key not in found]
    if bench.row_count(table) > SAMPLE_ROWS:
        head = f"(SELECT * FROM {table} LIMIT {SAMPLE_ROWS})"  # noqa: S608
        sample = bench.sample(table, SAMPLE_ROWS) or head
        first = _count_misses(sample, open_texts, hopeful, bench)
        for key in inferred.intersection(first):
            hopeful[key] = tuple(
                reading for reading in hopeful[key] if first[key].misses[reading.name] == 0
            )
            if not hopeful[key] and key in looks:
                found[key] = _hopeless(looks[key])
    open_texts = [column for column in texts if column.key not in found]
    found.update(_count_misses(table, open_texts, hopeful, bench))
    return {column.key: found[column.key] for column in texts}


def candidates(column: RawColumn, pin: ColumnPin) -> tuple[Reading, ...]:
    """The readings a column may have. Raises SourceInvalid."""
    wanted = pin.type or column.type
    if wanted is None:
        return _of_sign(column, INFERRED)
    family = "decimal" if DECIMAL.fullmatch(wanted) else wanted
    if family not in PINNED:
        raise SourceInvalid(f"The column {column.header!r} can't be pinned to type {wanted!r}.")
    order = pin.format or column.format
    readings = _of_sign(column, PINNED[family])
    chosen = tuple(reading for reading in readings if order in (None, reading.order, reading.name))
    return chosen or readings


def _of_sign(column: RawColumn, readings: tuple[Reading, ...]) -> tuple[Reading, ...]:
    """The readings that fit the sign which a column's numbers are known to have."""
    if column.decimal is None:
        return readings
    return tuple(one for one in readings if one.decimal in (None, column.decimal))


def cleaned(column: RawColumn, sentinels: Sequence[str]) -> str:
    """The SQL of a column's text, NULL where it says "no value"."""
    listed = ", ".join(map(literal, sentinels))
    key = quoted(column.key)
    return f"CASE WHEN {key} NOT IN ({listed}) THEN {key} END"


def decimal_sign(evidence: Mapping[str, Evidence]) -> str | None:
    """The decimal sign of the table, by the columns where only one sign is possible."""
    signs = set()
    for column in evidence.values():
        readable = {reading.decimal for reading in column.accepted(NUMBERS) if reading.decimal}
        if len(readable) == 1:
            signs |= readable
    return signs.pop() if len(signs) == 1 else None


def sign_is_open(evidence: Evidence) -> bool:
    """Whether numbers have a sign that may divide thousands as well as decimals: `12.500`."""
    accepted = {reading.name for reading in evidence.accepted(NUMBERS)}
    return any(
        one in accepted and f"grouped_by_{one}" in accepted and other not in accepted
        for one, other in (("point", "comma"), ("comma", "point"))
    )


def date_order(evidence: Mapping[str, Evidence]) -> str | None:
    """`dmy` or `mdy`, by the columns where only one of them is possible."""
    orders = set()
    for column in evidence.values():
        readable = {reading.order for reading in column.accepted(INFERRED) if reading.order}
        if len(readable) == 1:
            orders |= readable & {"dmy", "mdy"}
    return orders.pop() if len(orders) == 1 else None


def _examples(table: str, keys: list[str], bench: Workbench) -> dict[str, list[str]]:
    """The first texts of columns, none of them a sentinel: what they can't be needs no query. (The
    SQL of all readings is so long that reading it takes longer than answering.)"""
    if not keys:
        return {}
    listed = ", ".join(map(quoted, keys))
    rows = bench.rows(f"SELECT {listed} FROM {table} LIMIT {EXAMPLE_ROWS}")  # noqa: S608
    columns = zip(*rows, strict=True) if rows else ([] for _ in keys)
    return {
        key: [text for text in texts if text and text not in SENTINELS_BESIDE_VALUES]
        for key, texts in zip(keys, columns, strict=True)
    }


def _hopeless(look: Look) -> Evidence:
    return Evidence(look.filled - look.sentinels, {}, look.sentinels, look)


def _known(look: Look) -> Evidence | None:
    if look.shape == NOTHING:
        return Evidence(0, {}, 0, look)
    misses = plain.misses(look)
    return Evidence(look.filled, misses, 0, look) if misses else None


def _count_misses(
    table: str, columns: list[RawColumn], readings: _Candidates, bench: Workbench
) -> dict[str, Evidence]:
    found: dict[str, Evidence] = {}
    for start in range(0, len(columns), COLUMNS_AT_ONCE):
        some = columns[start : start + COLUMNS_AT_ONCE]
        counts: list[str] = []
        for column in some:
            text = cleaned(column, SENTINELS_BESIDE_VALUES)
            counts += [f"count({quoted(column.key)})", f"count({text})"]
            counts += [
                f"count({text}) FILTER (NOT {reading.accepts(quoted(column.key))})"
                for reading in readings[column.key]
            ]
        row = iter(bench.row(f"SELECT {', '.join(counts)} FROM {table}"))  # noqa: S608
        for column in some:
            filled, values = next(row), next(row)
            misses = {reading.name: next(row) for reading in readings[column.key]}
            found[column.key] = Evidence(values, misses, filled - values)
    return found
