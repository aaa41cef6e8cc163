"""What the command line prints of plans and reports."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from harvesters.departures import Departures
from harvesters.errors import DataRefused
from harvesters.passages import Stage
from harvesters.plan import PlannedFile, PlannedTable
from harvesters.report import HELD, PUBLISHED, Report, ending


def print_plan(planned: Iterable[PlannedFile | Departures], report: Report) -> str:
    """Print a plan while it is made, and the stages of its report; the worst state that a run would
    end in."""
    worst = [PUBLISHED]
    try:
        worst += _print_planned(planned)
    finally:
        print("\nStages, of which nothing was published or registered:")
        for stage in report.stages.values():
            print_stage(stage)
    order = (PUBLISHED, HELD, "failed", "refused")
    return max(worst, key=order.index)


def _print_planned(planned: Iterable[PlannedFile | Departures]) -> list[str]:
    worst = []
    for one in planned:
        if isinstance(one, Departures):
            print_departures(one)
            worst += [HELD] if one.hold else []
            continue
        print_file(one)
        worst += [HELD for table in one.tables if table.change == "held"]
        worst += [ending(one.error)] if one.error else []
    return worst


def print_file(file: PlannedFile) -> None:
    print(f"{file.dataset}: {file.file.name} ({file.file.kind})")
    for message in file.messages:
        print(f"  {message}")
    for table in file.tables:
        print_table(table)
    if file.error:
        verdict = "refused" if isinstance(file.error, DataRefused) else "failed"
        complain(f"  {verdict}: {file.error.code}: {file.error.detail}")


def print_table(table: PlannedTable) -> None:
    now = f" (now version {table.current_version})" if table.current_version is not None else ""
    print(f"\n  {table.table}: {table.change}{now}")
    print(f"  {table.accepted_count} rows accepted, {table.rejected_count} rejected\n")
    for hold in table.holds:
        print(f"  waits for an officer ({hold.kind}): {hold.reason}")
    rows = [("column", "type", "unit", "read as", "first value")]
    first = table.first_rows[0] if table.first_rows else [""] * len(table.columns)
    rows += [
        (column.name, column.type, column.unit, column.reading, value[:40])
        for column, value in zip(table.columns, first, strict=True)
    ]
    print_rows(rows)
    if table.rejected:
        print()
        rejected = [("row", "column", "reason", "text")]
        rejected += [
            (str(row.row), row.column, row.reason_code, (row.value or "")[:60])
            for row in table.rejected[:10]
        ]
        print_rows(rejected)


def print_departures(found: Departures) -> None:
    for message in found.messages:
        print(message)
    for word, datasets in (
        ("returned", found.returned),
        ("missing", found.missing),
        ("to be archived", found.archived),
    ):
        for dataset in datasets:
            print(f"{dataset.name}: {word}")


def print_stage(stage: Stage) -> None:
    counts = ", ".join(f"{name} {number}" for name, number in stage.counts.items())
    print(f"{stage.stage:<10} {stage.state:<8} {stage.duration_s:>8.2f} s  {counts}".rstrip())


def print_report(report: Report, state: str) -> None:
    for stage in report.stages.values():
        print_stage(stage)
        for message in stage.messages:
            print(f"           {message}")
    for table in report.tables:
        change = "new version" if table["changed"] else "unchanged, version"
        print(f"{table['table']}: {change} {table['version']}, {table['row_count']} rows")
    for hold in report.holds:
        print(f"{hold['table'] or 'catalogue'}: waits for an officer ({hold['kind']})")
    print(state)


def print_rows(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(f"    {line}".rstrip())


def complain(sentence: str) -> None:
    print(sentence, file=sys.stderr)
