"""What ``hanoiic sql`` does with an answer: a table on the terminal, bytes in a pipe or a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import requests
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)
from rich.table import Table
from rich.text import Text

from deploy.errors import OutputRefused

# Columns are not made narrower than this many letters for the sake of others.
_NARROWEST = 12
_PIECE_BYTES = 1 << 18


def show_rows(answer: dict[str, Any], *, limited: bool) -> None:
    """The rows as a table that fits the terminal, and below it what they are made of."""
    table = Table(header_style="bold", show_lines=False)
    numeric = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "DOUBLE", "FLOAT"}
    rows = [[_cell(row[column["name"]]) for column in answer["columns"]] for row in answer["rows"]]
    for index, column in enumerate(answer["columns"]):
        unit = f" [{column['unit']}]" if column.get("unit") else ""
        right = column["type"] in numeric or column["type"].startswith("DECIMAL")
        table.add_column(
            Text(f"{column['name']}{unit}"), justify="right" if right else "left",
            overflow="ellipsis", no_wrap=True,
            # A long column makes room for the short ones.
            min_width=min(_NARROWEST, max((row[index].cell_len for row in rows), default=1)),
        )  # fmt: skip
    for row in rows:
        table.add_row(*row)
    Console().print(table)
    notes = Console(stderr=True, highlight=False)
    count = answer["row_count"]
    notes.print(f"{count} {'row' if count == 1 else 'rows'}", style="bold")
    if answer["truncated"]:
        warn_truncated(
            "--limit shows more, --output keeps all" if limited else "--limit cut some off"
        )
    if answer.get("attribution"):
        notes.print(answer["attribution"], style="dim", markup=False)


def warn_truncated(more: str) -> None:
    notes = Console(stderr=True, highlight=False)
    notes.print(f"There are more rows: {more}.", style="yellow")


def _cell(value: Any) -> Text:
    if value is None:
        return Text("NULL", style="dim")
    if isinstance(value, str):
        return Text(value)
    return Text(json.dumps(value, ensure_ascii=False))


def show_plan(answer: dict[str, Any]) -> None:
    out = Console(highlight=False)
    estimate = answer["estimate"]
    out.print(
        f"about {estimate['rows']} rows from {estimate['rows_read']} read, "
        f"at most {estimate['bytes_read']:,} bytes of Parquet"
    )
    _show_node(out, answer["plan"], 0)


def _show_node(out: Console, node: dict[str, Any], depth: int) -> None:
    facts = [
        f"{name}={', '.join(value) if isinstance(value, list) else value}"
        for name, value in node.items()
        if name not in ("operator", "children")
    ]
    out.print(f"{'  ' * depth}{node['operator']}  {'  '.join(facts)}", markup=False)
    for child in node.get("children", ()):
        _show_node(out, child, depth + 1)


def pass_on(answer: requests.Response) -> None:
    for piece in answer.iter_content(_PIECE_BYTES):
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def write(answer: requests.Response, path: Path) -> None:
    """The answer's bytes in `path`, whole or not at all."""
    part = path.with_name(path.name + ".part")
    columns = (TextColumn(path.name), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
               TimeElapsedColumn())  # fmt: skip
    try:
        with part.open("wb") as file, Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task("", total=None)
            for piece in answer.iter_content(_PIECE_BYTES):
                file.write(piece)
                progress.update(task, advance=len(piece))
        part.replace(path)
    except OSError as error:
        if isinstance(error, requests.RequestException):
            raise
        raise OutputRefused(f"{path} can't be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)
    size = path.stat().st_size
    notes = Console(stderr=True, highlight=False)
    notes.print(f"{path}: {size:,} bytes", markup=False)
