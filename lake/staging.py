"""Staging: rows become one Parquet file in the table's folder, and their content hash, in one pass.

A staged file is no part of the table until a commit names it. One that a killed process left behind
is never read, and vacuum removes it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from pathlib import PurePosixPath
from typing import TypeAlias

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

from lake import encodings, schema
from lake.ahead import read_ahead
from lake.content import ContentHash

ROWS_PER_GROUP = 122_880  # DuckDB's own row group: one thread reads one group
UNFINISHED = ".unfinished"
# No writer takes longer than this for one file.
_ABANDONED_AFTER = timedelta(days=1)

Batches: TypeAlias = pa.RecordBatchReader | pa.Table | Iterable[pa.RecordBatch]


@dataclass(frozen=True)
class Staged:
    """A file that waits for its commit."""

    file_name: str
    stored: pa.Schema
    row_count: int
    byte_count: int
    content_hash: str
    publish_id: str


def reader(batches: Batches, given: pa.Schema | None = None) -> pa.RecordBatchReader:
    """Batches of any shape as one reader. `given` is needed when an iterable may have no batch."""
    if isinstance(batches, pa.Table):
        return batches.to_reader(max_chunksize=ROWS_PER_GROUP)
    if isinstance(batches, pa.RecordBatchReader):
        return batches
    iterator: Iterator[pa.RecordBatch] = iter(batches)
    if given is None:
        first = next(iterator, None)
        if first is None:
            raise ValueError("no batch and no schema: what columns has the table?")
        given, iterator = first.schema, _chain(first, iterator)
    return pa.RecordBatchReader.from_batches(given, iterator)


def write(
    fs: pyarrow.fs.FileSystem, path: str, stored: pa.Schema, batches: Iterable[pa.RecordBatch]
) -> int:
    """Write `batches` as one Parquet file in row groups of an even size; its rows are counted.

    The file of a stream that fails is removed again.
    """
    row_count = 0
    fs.create_dir(str(PurePosixPath(path).parent), recursive=True)
    groups = _groups(stored, batches)
    first = list(islice(groups, 1))
    try:
        with pq.ParquetWriter(
            path,
            stored,
            filesystem=fs,
            **encodings.of(first[0] if first else stored.empty_table()),
        ) as writer:
            for table in chain(first, groups):
                writer.write_table(table, row_group_size=ROWS_PER_GROUP)
                row_count += table.num_rows
    except BaseException:
        _remove(fs, path)
        raise
    return row_count


def replace(
    fs: pyarrow.fs.FileSystem, path: str, stored: pa.Schema, batches: Iterable[pa.RecordBatch]
) -> None:
    """Write one Parquet file that appears at `path` whole, in place of the one before."""
    unfinished = f"{path}.{uuid.uuid4().hex}{UNFINISHED}"
    write(fs, unfinished, stored, batches)
    fs.move(unfinished, path)


def stage(fs: pyarrow.fs.FileSystem, folder: str, rows: pa.RecordBatchReader) -> Staged:
    """Write the rows to a new file in the table's folder, hashing them on the way."""
    stored = schema.stored_schema(rows.schema)
    content = ContentHash(stored)

    def hashed() -> Iterator[pa.RecordBatch]:
        for batch in rows:
            batch = schema.store(batch, stored)
            content.update(batch)
            yield batch

    publish_id = uuid.uuid4().hex
    file_name = f"part-00000-{publish_id}.parquet"
    path = f"{folder}/{file_name}"
    row_count = write(fs, path, stored, read_ahead(hashed()))
    return Staged(
        file_name=file_name,
        stored=stored,
        row_count=row_count,
        byte_count=fs.get_file_info(path).size,
        content_hash=content.hexdigest(),
        publish_id=publish_id,
    )


def is_abandoned(info: pyarrow.fs.FileInfo) -> bool:
    """Whether an unfinished file is so old that its writer is dead."""
    return bool(info.mtime is not None and info.mtime < datetime.now(UTC) - _ABANDONED_AFTER)


def discard(fs: pyarrow.fs.FileSystem, folder: str, staged: Staged) -> None:
    """Remove a staged file that no commit will name."""
    _remove(fs, f"{folder}/{staged.file_name}")


def _remove(fs: pyarrow.fs.FileSystem, path: str) -> None:
    if fs.get_file_info(path).type != pyarrow.fs.FileType.NotFound:
        fs.delete_file(path)


def _chain(first: pa.RecordBatch, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    yield from rest


def _groups(stored: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    waiting: list[pa.RecordBatch] = []
    row_count = 0
    for batch in batches:
        waiting.append(batch)
        row_count += batch.num_rows
        if row_count >= ROWS_PER_GROUP:
            table = pa.Table.from_batches(waiting, stored)
            whole = row_count - row_count % ROWS_PER_GROUP
            yield table.slice(0, whole)
            waiting, row_count = table.slice(whole).to_batches(), row_count - whole
    if row_count:
        yield pa.Table.from_batches(waiting, stored)
