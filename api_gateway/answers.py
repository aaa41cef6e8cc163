"""A query's rows as frames: the header once the first rows are there, then bytes of the format.

The first rows are fetched before the header, so that most failures still get their status code.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import duckdb

from api_gateway import formats, frames, plan, spreadsheet
from api_gateway.formats import CHUNK_BYTES, Row
from api_gateway.writers import WRITERS

Running = Callable[[], AbstractContextManager[None]]


def answer(
    cursor: duckdb.DuckDBPyConnection, job: dict[str, Any], sock: socket.socket, running: Running
) -> int:
    """Run `job` (`sql`, `params`, `format`, `limit`, `csv_safe`, `count`, `described`, `envelope`,
    `folder`)
    and send its frames.

    Returns the number of rows. Raises what the engine raises, Unsuited when the rows do not fit the
    format, and OSError when the reader is gone.
    """
    make, batch_rows = WRITERS[job["format"]]
    with running():
        relation = cursor.sql(job["sql"], params=job["params"])
        columns = list(zip(formats.unique(relation.columns), relation.types, strict=True))
        shown = formats.described(columns, job["described"])
        row = _row(job, columns, shown)
        total = plan.count(cursor, job["count"]) if job["count"] else None
        reader, row_count, truncated = _rows(cursor, job, row.select, len(columns), batch_rows)
        schema, first = reader.schema, next(reader, None)
    count = first.num_rows if first is not None else 0
    header = {"columns": shown, "truncated": truncated}
    envelope = job["envelope"] | header | {"folder": job["folder"]}
    header |= {"first_rows": count, "row_count": row_count, "total": total}
    sender = _Sender(sock, header, held=job["format"] == "xlsx")
    writer = make(sender.send, schema, row, envelope)
    if first is not None:
        writer.write(first)
    for batch in _timed(reader, running):
        sender.rows(batch.num_rows)
        count += batch.num_rows
        writer.write(batch)
    writer.close(count)
    frames.send_json(sock, frames.END, {"row_count": count, "truncated": truncated})
    return count


def _row(job: dict[str, Any], columns: list[tuple[str, Any]], shown: list[dict[str, Any]]) -> Row:
    if job["format"] == "geojson":
        return formats.features(columns, shown)
    if job["format"] == "xlsx":
        return spreadsheet.row(columns)
    return formats.row(job["format"], columns, csv_safe=job["csv_safe"])


def _rows(
    cursor: duckdb.DuckDBPyConnection,
    job: dict[str, Any],
    select: str,
    width: int,
    batch_rows: int,
) -> tuple[Any, int | None, bool]:
    """A reader over the rows, their number, and whether the limit cut some off. Without a limit
    they stream, unnumbered; a limited answer is small and kept whole, as its header must say
    whether it is complete."""
    names = ", ".join(f"c{index}" for index in range(width))
    sql = f"SELECT {select} FROM ({job['sql']}) AS answer({names})"  # noqa: S608
    limit = job["limit"]
    if limit is None:
        return cursor.sql(sql, params=job["params"]).to_arrow_reader(batch_rows), None, False
    whole: Any = cursor.execute(f"{sql} LIMIT {int(limit) + 1}", job["params"]).to_arrow_table()
    kept = whole.slice(0, limit)
    reader = kept.to_reader(max_chunksize=batch_rows)
    return reader, kept.num_rows, whole.num_rows > limit


def _timed(reader: Any, running: Running) -> Iterator[Any]:
    while True:
        with running():
            batch = next(reader, None)
        if batch is None:
            return
        yield batch


class _Sender:
    """Sends an answer's bytes behind its header: at once, or `held` until the first byte, for a
    format that is only known to hold all rows when it is complete."""

    def __init__(self, sock: socket.socket, header: dict[str, Any], *, held: bool) -> None:
        self._sock, self._header = sock, header
        self._said = False
        if not held:
            self._say()

    def rows(self, count: int) -> None:
        """Told before they are sent: the gateway may have to stop here."""
        if self._said:
            frames.send(self._sock, frames.ROWS, str(count).encode())
        else:
            self._header["first_rows"] += count

    def send(self, data: Any) -> int:
        self._say()
        view = memoryview(data).cast("B")
        for piece in formats.pieces(view, CHUNK_BYTES):
            frames.send(self._sock, frames.DATA, piece)
        return len(view)

    def _say(self) -> None:
        if not self._said:
            self._said = True
            frames.send_json(self._sock, frames.HEADER, self._header)
