"""Rejected rows of a harvest run, kept as Parquet at `rejected/<table>/<run>.parquet`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields
from itertools import islice

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

from lake import names, staging
from lake.store import Lake

_BATCH_ROWS = 10_000


@dataclass(frozen=True)
class Rejected:
    """One refused value: its source row (counted from 1), column, text, and why it was refused."""

    row: int
    column: str
    value: str | None
    reason_code: str
    reason: str


_SCHEMA = pa.schema(
    [
        pa.field("row", pa.int64()),
        pa.field("column", pa.string()),
        pa.field("value", pa.string()),
        pa.field("reason_code", pa.string()),
        pa.field("reason", pa.string()),
    ]
)


def write(lake: Lake, table: str, run_id: str, rejected: Iterable[Rejected]) -> str:
    """Write what a run rejected, whole or not at all, replacing what the run wrote before.

    Returns the path or URI.
    """
    path = _path(table, run_id)
    staging.replace(lake.fs, path, _SCHEMA, _batches(iter(rejected)))
    return f"{lake.root}/{path}"


def read(lake: Lake, table: str, run_id: str, *, limit: int | None = None) -> list[Rejected]:
    """What the run rejected, in order, at most `limit` rows; none when it wrote nothing."""
    path = _path(table, run_id)
    if lake.fs.get_file_info(path).type == pyarrow.fs.FileType.NotFound:
        return []
    with pq.ParquetFile(path, filesystem=lake.fs) as file:
        rows = (row for batch in file.iter_batches() for row in batch.to_pylist())
        return [Rejected(**row) for row in islice(rows, limit)]


def _path(table: str, run_id: str) -> str:
    return f"rejected/{names.check(table)}/{names.check_key(run_id)}.parquet"


def _batches(rejected: Iterator[Rejected]) -> Iterator[pa.RecordBatch]:
    keys = [field.name for field in fields(Rejected)]
    while rows := list(islice(rejected, _BATCH_ROWS)):
        yield pa.RecordBatch.from_pylist(
            [dict(zip(keys, astuple(row), strict=True)) for row in rows], schema=_SCHEMA
        )
