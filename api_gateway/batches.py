"""Cuts rows into batches that are large enough to be efficient, and small enough for memory however
long the rows are."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa

# One vector of the engine, which hands out no fewer.
FEW_ROWS = 2048
_FULL_BYTES = 16 * 1024 * 1024
# What came so soon may be asked for again.
_SOON_S = 0.05


def sized(
    ask: Callable[[int], pa.RecordBatchReader], most_rows: int, *, repeats: bool
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """The schema and the rows of a query, in batches of `most_rows`, or of fewer rows if they are
    long. `ask` runs the query with so many rows at once. `repeats`: it gives the same rows in the
    same order when it is asked again.

    The first rows tell how long rows are. Asking again with another size is quicker than joining
    batches.
    """
    begun = time.monotonic()
    reader = ask(FEW_ROWS)
    first = next(reader, None)
    if first is None:
        return reader.schema, iter(())
    soon = time.monotonic() - begun < _SOON_S
    most_rows = min(most_rows, max(FEW_ROWS, fitting(first)))
    if repeats and soon and first.num_rows == FEW_ROWS < most_rows:
        reader.close()
        reader = ask(most_rows)
        return reader.schema, _parted(reader)
    return reader.schema, _parted(_joined(itertools.chain([first], reader), most_rows))


def fitting(rows: pa.RecordBatch) -> int:
    """How many rows that are as long as these make a batch."""
    return int(_FULL_BYTES * rows.num_rows // max(1, rows.nbytes))


def _joined(batches: Iterable[pa.RecordBatch], most_rows: int) -> Iterator[pa.RecordBatch]:
    held: list[pa.RecordBatch] = []
    row_count = byte_count = 0
    for batch in batches:
        held.append(batch)
        row_count, byte_count = row_count + batch.num_rows, byte_count + batch.nbytes
        if row_count + FEW_ROWS > most_rows or byte_count >= _FULL_BYTES:
            yield pa.concat_batches(held) if len(held) > 1 else batch
            held, row_count, byte_count = [], 0, 0
    if held:
        yield pa.concat_batches(held)


def _parted(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if batch.nbytes <= _FULL_BYTES or batch.num_rows == 1:
            yield batch
        else:
            half = batch.num_rows // 2
            yield from _parted([batch.slice(0, half), batch.slice(half)])
