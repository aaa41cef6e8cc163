"""A query's rows as frames: the header once the first rows are there, then bytes of the format.

The first rows are fetched before the header, so that most failures still get their status code. An
answer that is short enough is one frame.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import duckdb

from api_gateway import formats, frames, plan, results
from api_gateway.content import Content
from api_gateway.engine import Parsed
from api_gateway.results import NewCursor
from api_gateway.writers import WRITERS

Running = Callable[[], AbstractContextManager[None]]
# An answer of up to this is one frame together with its header.
_WHOLE_BYTES = 64 * 1024
# The most bytes in one frame; and the longest pieces that are copied together into one.
_FRAME_BYTES = 4 * 1024 * 1024
_COPIED_BYTES = 16 * 1024


def answer(
    cursor: duckdb.DuckDBPyConnection,
    beside: NewCursor,
    parsed: Parsed,
    job: dict[str, Any],
    sock: socket.socket,
    running: Running,
) -> int:
    """Run `job` (`sql`, `params`, `format`, `limit`, `most_rows`, `csv_safe`, `count`,
    `reach`, `described`, `envelope`, `folder`, `encoding`, `digest`) and send its frames. `beside`
    makes another cursor.

    Returns the number of rows. Raises what the engine raises, Unsuited when the rows do not fit the
    format, and OSError when the reader is gone.
    """
    make, batch_rows = WRITERS[job["format"]]
    with running():
        total = plan.count(cursor, job["count"]) if job["count"] else None
        reached = plan.reached(cursor, job["reach"]) if job["reach"] else None
        found = results.Query(cursor, beside, parsed, job, batch_rows).run()
        if reached:
            found.row_count, found.truncated = reached
        first = next(found.batches, None)
    count = first.num_rows if first is not None else 0
    header = {"columns": found.shown, "truncated": found.truncated}
    envelope = job["envelope"] | header | {"folder": job["folder"]}
    header |= {"first_rows": count, "row_count": found.row_count, "total": total}
    content = Content(job["encoding"], digested=job["digest"])
    sender = _Sender(sock, header, content)
    writer = make(sender.send, found.schema, found.row, envelope)
    if first is not None:
        # Whether a workbook can hold all rows is only known when it is complete.
        if job["format"] != "xlsx" and _goes_on(count, found, batch_rows):
            sender.flush()
        writer.write(first)
        sender.hurry()

    def deliver(batch: Any) -> int:
        sender.rows(batch.num_rows)
        writer.write(batch)
        sender.hurry()
        return int(batch.num_rows)

    # While one batch is written and sent, the engine makes the next one.
    with ThreadPoolExecutor(1) as beside_engine:
        sending: Future[int] | None = None
        for batch in _timed(found.batches, running):
            count += sending.result() if sending else 0
            sending = beside_engine.submit(deliver, batch)
        count += sending.result() if sending else 0
    writer.close(count)
    sender.end({"row_count": count, "truncated": found.truncated})
    return count


def _goes_on(first_rows: int, found: results.Result, batch_rows: int) -> bool:
    """Whether more rows are likely to come: then the first ones are sent without waiting."""
    if found.row_count is not None:
        return first_rows < found.row_count
    return found.goes_on or first_rows >= min(batch_rows, results.SHORT_ROWS)


def _timed(reader: Iterator[Any], running: Running) -> Iterator[Any]:
    while True:
        with running():
            batch = next(reader, None)
        if batch is None:
            return
        yield batch


class _Sender:
    """Sends an answer's bytes behind its header, gathered into few frames.

    Bytes are held back until a frame is full; short pieces are copied together, which costs less
    than a frame of their own. A short answer becomes one frame, which costs least.
    """

    def __init__(self, sock: socket.socket, header: dict[str, Any], content: Content) -> None:
        self._sock, self._header, self._content = sock, header, content
        self._held: list[bytearray | memoryview] = []
        self._held_bytes = 0
        self._said = False

    def rows(self, count: int) -> None:
        """Tell that so many rows are about to be sent: the gateway may have to stop here."""
        if self._said:
            frames.send(self._sock, frames.ROWS, str(count).encode())
        else:
            self._header["first_rows"] += count

    def send(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        for piece in formats.pieces(view, _FRAME_BYTES):
            self._hold(piece)
        return len(view)

    def _hold(self, piece: memoryview) -> None:
        if self._held_bytes + len(piece) > (_FRAME_BYTES if self._said else _WHOLE_BYTES):
            self.flush()
        self._held_bytes += len(piece)
        if len(piece) > _COPIED_BYTES:
            # Not copied: its writer does not change it any more.
            self._held.append(piece)
        elif self._held and isinstance(self._held[-1], bytearray):
            self._held[-1] += piece
        else:
            self._held.append(bytearray(piece))

    def hurry(self) -> None:
        """Send what is held, unless the whole answer may still be one frame."""
        if self._said:
            self.flush()

    def flush(self) -> None:
        """Send what is held; from now on the answer is one of several frames."""
        if not self._said:
            self._said = True
            frames.send_json(self._sock, frames.HEADER, self._header)
        if self._held:
            self._send()

    def end(self, summary: dict[str, Any]) -> None:
        if self._said:
            self._send(last=True)
            frames.send_json(self._sock, frames.END, summary | self._content.told)
        else:
            data = b"".join(self._content.sent(self._held, last=True))
            frames.send_whole(self._sock, self._header | self._content.told, data)

    def _send(self, *, last: bool = False) -> None:
        if self._content.is_encoded:
            frames.send(self._sock, frames.BYTES, str(self._held_bytes).encode())
        if parts := self._content.sent(self._held, last=last):
            frames.send_parts(self._sock, frames.DATA, parts)
        self._held, self._held_bytes = [], 0
