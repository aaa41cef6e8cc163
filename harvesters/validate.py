"""Typed rows to accepted ones and rejected ones: the source's contract, checked on every row.

A row is rejected for the first rule it breaks, with its number in the file and the original text.
Too many rejected rows, or none accepted, refuse the whole table: the version before it stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import duckdb
import pyarrow as pa

from harvesters import ahead
from harvesters.errors import SourceInvalid, TableEmpty, TooManyRejected
from harvesters.normalise import TypedColumn, TypedTable
from harvesters.source import Options
from harvesters.workbench import Workbench, literal, quoted
from lake.rejected import Rejected

SHOWN_REJECTED = 100
_SQL_TYPES = {
    "int64": "BIGINT",
    "float64": "DOUBLE",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "time": "TIME",
    "string": "VARCHAR",
}


@dataclass(frozen=True)
class Rule:
    """One condition under which a row is rejected: SQL over `t<n>` (text) and `v<n>` (value).

    `over_all_rows`: it compares rows with each other.
    """

    column: TypedColumn
    position: int
    reason_code: str
    reason: str
    breaks: str
    over_all_rows: bool = False


@dataclass(frozen=True)
class Checked:
    """A table whose rows were counted against its rules; nothing was copied yet."""

    typed: TypedTable
    rules: list[Rule]
    accepted_count: int
    rejected_count: int
    bench: Workbench

    @property
    def validity(self) -> float:
        """The share of rows that keep the contract, 0 to 1."""
        return self.accepted_count / max(1, self.accepted_count + self.rejected_count)

    def accepted(self) -> Iterator[pa.RecordBatch]:
        """The accepted rows in file order, one column of values for each of the typed columns."""
        casts = [column.cast for column in self.typed.columns]
        name = self.typed.raw.name
        if any(rule.over_all_rows for rule in self.rules):
            return self.bench.batches(self.accepted_sql())
        if self.rules or None in casts:
            return self.bench.batch_by_batch(name, self.accepted_sql())
        keys = [column.raw.key for column in self.typed.columns]

        def values(batch: pa.RecordBatch) -> pa.RecordBatch:
            texts = map(batch.column, keys)
            arrays = [text.cast(to) for text, to in zip(texts, casts, strict=True)]
            return pa.RecordBatch.from_arrays(arrays, names=keys)

        as_it_came = self.bench.as_it_came(name)
        if as_it_came is None:
            return self.bench.batches(self.accepted_sql())
        return ahead.each(values, as_it_came)

    def accepted_sql(self) -> str:
        """The accepted rows in file order: one column `v<n>` for each of the typed columns."""
        values = ", ".join(f"v{index}" for index in range(len(self.typed.columns)))
        rows = _judged(self.typed, self.rules)
        return f"SELECT {values} FROM {rows} WHERE broken IS NULL ORDER BY row"  # noqa: S608

    def rejected(self) -> Iterator[Rejected]:
        """The rejected rows: ragged ones first, then those that broke a rule."""
        yield from self.typed.raw.rejected
        if not self.rules:
            return
        originals = " ".join(
            f"WHEN {number} THEN o{rule.position}" for number, rule in enumerate(self.rules)
        )
        rows = _judged(self.typed, self.rules)
        broken = self.bench.batches(
            f"SELECT row, broken, CASE broken {originals} END AS value "  # noqa: S608
            f"FROM {rows} WHERE broken IS NOT NULL ORDER BY row"
        )
        for batch in broken:
            for found in batch.to_pylist():
                rule = self.rules[found["broken"]]
                name = rule.column.column.name
                yield Rejected(found["row"], name, found["value"], rule.reason_code, rule.reason)

    def shown(self) -> list[Rejected]:
        return list(islice(self.rejected(), SHOWN_REJECTED))


def validate(
    typed: TypedTable, options: Options, bench: Workbench, more: Iterable[Rule] = ()
) -> Checked:
    """Count the rows of a table against its contract; `more` are its rules beyond one column.

    Raises SourceInvalid (a rule that cannot be checked). Whether the counts are good enough is for
    `refuse_unfit` to say.
    """
    del options
    rules = [rule for index, column in enumerate(typed.columns) for rule in _rules(index, column)]
    rules += more
    broken = 0
    if rules:
        try:
            broken = int(
                bench.row(f"SELECT count(broken) FROM {_judged(typed, rules)}")[0]  # noqa: S608
            )
        except duckdb.Error as error:
            raise SourceInvalid(
                "A minimum, maximum or pattern of the source can't be checked against its column."
            ) from error
    return Checked(typed, rules, typed.row_count - broken, broken + len(typed.raw.rejected), bench)


def refuse_unfit(checked: Checked, options: Options) -> None:
    """Raises TooManyRejected, TableEmpty."""
    total = checked.accepted_count + checked.rejected_count
    if checked.rejected_count > options.max_rejected_share * total:
        raise TooManyRejected(
            f"{checked.rejected_count} of {total} rows were rejected; "
            f"{options.max_rejected_share:.0%} are allowed. Nothing was published.",
            rejected=checked.rejected_count,
            rows=total,
        )
    if not checked.accepted_count and not checked.typed.raw.may_be_empty:
        raise TableEmpty("The table has a header and no rows; nothing was published.")


def _judged(typed: TypedTable, rules: list[Rule]) -> str:
    """The raw table with each row's values and the number of the first rule it breaks."""
    raw = typed.raw.name
    values = ", ".join(f"{column.value} AS v{index}" for index, column in enumerate(typed.columns))
    if not rules:
        return f"(SELECT row, {values}, NULL AS broken FROM {raw})"  # noqa: S608
    ruled = sorted({rule.position for rule in rules})
    texts = ", ".join(
        f"{typed.columns[index].text} AS t{index}, "
        # The text as it stood in the file: a sign for "no value" may be the reason.
        f"CAST({quoted(typed.columns[index].raw.key)} AS VARCHAR) AS o{index}"
        for index in ruled
    )
    cases = " ".join(f"WHEN {rule.breaks} THEN {number}" for number, rule in enumerate(rules))
    return (
        f"(SELECT *, CASE {cases} END AS broken "  # noqa: S608
        f"FROM (SELECT row, {values}, {texts} FROM {raw}))"
    )


def _rules(position: int, typed: TypedColumn) -> Iterator[Rule]:
    pin, text, value = typed.pin, f"t{position}", f"v{position}"

    def rule(code: str, reason: str, breaks: str, over_all_rows: bool = False) -> Rule:
        return Rule(typed, position, code, reason, breaks, over_all_rows)

    type_text = typed.column.type
    if typed.may_fail:
        yield rule(
            "type_mismatch",
            f"is no {type_text}",
            f"{text} IS NOT NULL AND {value} IS NULL",
        )
    if pin.required:
        yield rule("required", "is empty", f"{value} IS NULL")
    if pin.minimum is not None:
        bound = _bound(typed, pin.minimum)
        yield rule("below_minimum", f"is below {pin.minimum}", f"{value} < {bound}")
    if pin.maximum is not None:
        bound = _bound(typed, pin.maximum)
        yield rule("above_maximum", f"is above {pin.maximum}", f"{value} > {bound}")
    if pin.pattern is not None:
        yield rule(
            "pattern_mismatch",
            "does not match the pattern",
            f"NOT regexp_full_match(CAST({text} AS VARCHAR), {literal(pin.pattern)})",
        )
    if pin.unique:
        first = f"min(row) OVER (PARTITION BY {value})"
        yield rule(
            "not_unique",
            "occurs more than once; the first row stays",
            f"{value} IS NOT NULL AND row > {first}",
            over_all_rows=True,
        )


def _bound(typed: TypedColumn, bound: Any) -> str:
    sql_type = _SQL_TYPES.get(typed.column.type, typed.column.type.upper())
    if typed.reading == "timestamp_zone":
        sql_type = "TIMESTAMPTZ"
    return f"CAST({literal(str(bound))} AS {sql_type})"
