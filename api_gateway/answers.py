"""A query's rows as frames: the header once the first rows are there, then bytes of the format.

The first rows are fetched before the header, so that most failures still get their status code.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

import duckdb
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from api_gateway import formats, frames
from api_gateway.formats import Row

_CHUNK = 256 * 1024
_TEXT_ROWS = 10_000
_ARROW_ROWS = 50_000
# A row group of DuckDB's own writer.
_PARQUET_ROWS = 122_880
Running = Callable[[], AbstractContextManager[None]]


def answer(
    cursor: duckdb.DuckDBPyConnection, job: dict[str, Any], sock: socket.socket, running: Running
) -> int:
    """Run `job` (`sql`, `params`, `format`, `limit`, `csv_safe`, `envelope`) and send its frames.

    Returns the number of rows. Raises what the engine raises, and OSError when the reader is gone.
    """
    wanted = job["format"]
    with running():
        relation = cursor.sql(job["sql"], params=job["params"])
        columns = list(zip(formats.unique(relation.columns), relation.types, strict=True))
        row = formats.row(wanted, columns, csv_safe=job["csv_safe"])
        reader, truncated = _rows(cursor, job, row.select, len(columns))
        schema, first = reader.schema, next(reader, None)
    header = {
        "columns": [{"name": name, "type": str(kind)} for name, kind in columns],
        "truncated": truncated,
    }
    count = first.num_rows if first is not None else 0
    frames.send_json(sock, frames.HEADER, header | {"first_rows": count})
    writer = _WRITERS[wanted](lambda data: _send(sock, data), schema, row, job["envelope"] | header)
    if first is not None:
        writer.write(first)
    for batch in _timed(reader, running):
        # Told before they are sent: the gateway may have to stop here.
        frames.send(sock, frames.ROWS, str(batch.num_rows).encode())
        count += batch.num_rows
        writer.write(batch)
    writer.close(count)
    frames.send_json(sock, frames.END, {"row_count": count, "truncated": truncated})
    return count


def _rows(
    cursor: duckdb.DuckDBPyConnection, job: dict[str, Any], select: str, width: int
) -> tuple[Any, bool]:
    """A reader over the rows, and whether the limit cut some off. Without a limit they stream; a
    limited answer is small and kept whole, as its header must say whether it is complete."""
    names = ", ".join(f"c{index}" for index in range(width))
    sql = f"SELECT {select} FROM ({job['sql']}) AS answer({names})"  # noqa: S608
    size = _BATCH_ROWS[job["format"]]
    limit = job["limit"]
    if limit is None:
        return cursor.sql(sql, params=job["params"]).to_arrow_reader(size), False
    whole: Any = cursor.execute(f"{sql} LIMIT {int(limit) + 1}", job["params"]).to_arrow_table()
    kept = whole.slice(0, limit)
    return kept.to_reader(max_chunksize=size), whole.num_rows > limit


def _timed(reader: Any, running: Running) -> Iterator[Any]:
    while True:
        with running():
            batch = next(reader, None)
        if batch is None:
            return
        yield batch


def _send(sock: socket.socket, data: Any) -> int:
    view = memoryview(data).cast("B")
    for piece in formats.pieces(view, _CHUNK):
        frames.send(sock, frames.DATA, piece)
    return len(view)


class Writer(Protocol):
    """Turns batches into a format's bytes."""

    def write(self, batch: Any) -> None: ...
    def close(self, row_count: int) -> None: ...


Send = Callable[[Any], int]


class _Text:
    """Rows that the engine already wrote as texts, in the first column."""

    def __init__(self, send: Send, _: Any, row: Row, __: dict[str, Any]) -> None:
        self._send = send
        if row.head:
            send(row.head.encode())

    def write(self, batch: Any) -> None:
        self._send(formats.text_of(batch.column(0)))

    def close(self, row_count: int) -> None:
        pass


class _Json:
    """The envelope around rows: request, tables and columns before, count and `truncated` after."""

    def __init__(self, send: Send, _: Any, row: Row, envelope: dict[str, Any]) -> None:
        self._send, self._between, self._begun = send, row.between.encode(), False
        self._truncated = envelope["truncated"]
        head = {key: value for key, value in envelope.items() if key != "truncated"}
        send(json.dumps(head, ensure_ascii=False)[:-1].encode() + b', "rows": [\n')

    def write(self, batch: Any) -> None:
        if not batch.num_rows:
            return
        if self._begun:
            self._send(self._between)
        self._begun = True
        # Every row ends with the separator; the last one of a batch keeps it back.
        self._send(formats.text_of(batch.column(0))[: -len(self._between)])

    def close(self, row_count: int) -> None:
        tail = json.dumps({"row_count": row_count, "truncated": self._truncated})
        self._send(b"\n], " + tail[1:].encode() + b"\n")


class _Sink:
    """The file that Arrow's writers write into."""

    closed = False

    def __init__(self, send: Send) -> None:
        self._send = send
        self._written = 0

    def write(self, data: Any) -> int:
        count = self._send(data)
        self._written += count
        return count

    def tell(self) -> int:
        return self._written

    def flush(self) -> None: ...

    def close(self) -> None:
        self.closed = True

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False


class _Arrow:
    def __init__(self, send: Send, schema: Any, _: Row, __: dict[str, Any]) -> None:
        self._sink = pa.PythonFile(_Sink(send), mode="w")
        self._writer = pa.ipc.new_stream(self._sink, schema)

    def write(self, batch: Any) -> None:
        self._writer.write_batch(batch)

    def close(self, row_count: int) -> None:
        self._writer.close()


class _Parquet:
    def __init__(self, send: Send, schema: Any, _: Row, __: dict[str, Any]) -> None:
        self._sink = pa.PythonFile(_Sink(send), mode="w")
        self._writer = pa.parquet.ParquetWriter(self._sink, schema, compression="zstd")

    def write(self, batch: Any) -> None:
        self._writer.write_batch(batch)

    def close(self, row_count: int) -> None:
        self._writer.close()


_WRITERS: dict[str, Callable[[Send, Any, Row, dict[str, Any]], Writer]] = {
    "json": _Json,
    "ndjson": _Text,
    "csv": _Text,
    "arrow": _Arrow,
    "parquet": _Parquet,
}
_BATCH_ROWS = {
    "json": _TEXT_ROWS,
    "ndjson": _TEXT_ROWS,
    "csv": _TEXT_ROWS,
    "arrow": _ARROW_ROWS,
    "parquet": _PARQUET_ROWS,
}
