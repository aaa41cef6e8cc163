"""New rows of a database put to the known ones, so that the file is what a whole answer would be.

    known rows, without those of the last key and those that came anew  +  rows from the last key on

The rows of the last key come again each time: others may have got the same key since. The database
says in the same transaction how many rows there are; when the file has another number, rows were
deleted, or came late with an older key, and everything is asked for anew. So it is after a week at
the latest, for what changed without a new key.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from harvesters.connectors import sql_file
from harvesters.connectors.sql_file import Answer, Ending
from harvesters.errors import SourceInvalid
from harvesters.fetch import REMEMBERED, Client, Fetched
from harvesters.incoming import Incoming
from harvesters.readers.database_columns import IDENTITY
from harvesters.source import Source

ALL_AFTER_S = 7 * 86_400
# With more new rows than that, everything may as well be asked for.
MOST_NEW_ROWS = 1_000_000
# A file that an older reader wrote is not gone on with.
VERSION = 1
_BATCH_ROWS = 16_384
_SEPARATOR = "\x1f"

Ask = Callable[[Any], Answer]


@dataclass(frozen=True)
class Memory:
    """What is remembered of a source between runs, in the raw store."""

    path: Path

    @classmethod
    def of(cls, source: Source, client: Client) -> Memory:
        options = source.options
        asked = [VERSION, source.id, source.url, options.query, options.key, options.unique]
        name = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
        return cls(client.raw_dir / REMEMBERED / name)

    def read(self, client: Client) -> Path | None:
        """The file of the last run, if it is still good to go on with."""
        try:
            said = json.loads(self.path.read_text())
            known = client.raw_path(said["sha256"])
            if not 0 <= time.time() - said["whole_at"] < ALL_AFTER_S:
                return None
            # Both are needed still: upkeep removes what is old.
            os.utime(known)
            os.utime(self.path)
        except (FileNotFoundError, ValueError, KeyError):
            return None
        return known

    def write(self, sha256: str, *, is_whole: bool) -> None:
        whole_at = time.time() if is_whole else json.loads(self.path.read_text())["whole_at"]
        self.path.parent.mkdir(exist_ok=True)
        written = self.path.with_suffix(f".{os.getpid()}-{time.monotonic_ns()}")
        written.write_text(json.dumps({"sha256": sha256, "whole_at": whole_at}))
        written.replace(self.path)


def collected(source: Source, client: Client, ask: Ask) -> Fetched:
    """The rows as a file: the known ones with the new ones, or all anew. Raises SourceInvalid, and
    as `sql_file.written`."""
    memory = Memory.of(source, client)
    known = memory.read(client)
    if known is not None:
        fetched = _gone_on(known, source, client, ask)
        if fetched is not None:
            memory.write(fetched.sha256, is_whole=False)
            return fetched
    fetched = sql_file.written(source, client, lambda: ask(None))
    memory.write(fetched.sha256, is_whole=True)
    return fetched


def _gone_on(known: Path, source: Source, client: Client, ask: Ask) -> Fetched | None:
    """The known rows with the new ones; None when they don't make up all that there are."""
    key = source.options.key
    assert key is not None  # noqa: S101  (its caller has looked)
    with pq.ParquetFile(known) as old, tempfile.TemporaryDirectory(dir=client.raw_dir) as folder:
        last = _last(old, key)
        if last is None:
            return None
        answer, ending = ask(_spoken(last)), Ending()
        if not answer.schema.equals(old.schema_arrow):
            return None
        fresh = Path(folder) / "new.parquet"
        with pq.ParquetWriter(fresh, answer.schema) as writer:
            for batch in answer.batches(ending):
                writer.write_batch(batch)
        with pq.ParquetFile(fresh) as new:
            if new.metadata.num_rows > MOST_NEW_ROWS:
                return None
            merged = _merged(old, new, key, last, _identity(answer.schema))
            with Incoming(client.raw_dir, client.limits) as incoming:
                count = sql_file.write(incoming, answer.schema, merged, ending)
                return sql_file.kept(source, client, incoming) if count == ending.count else None


def _last(old: pq.ParquetFile, key: str) -> Any:
    """The largest key of the known rows. Raises SourceInvalid for a key that has no order."""
    found = None
    for batch in old.iter_batches(_BATCH_ROWS, columns=[key]):
        try:
            largest = pc.max(batch.column(0)).as_py()
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
            raise SourceInvalid(
                f"The column {key!r} is no key: its values have no order."
            ) from error
        found = largest if found is None or (largest is not None and largest > found) else found
    return found


def _spoken(last: Any) -> Any:
    """A key as the database understands it and JSON can carry it."""
    if isinstance(last, datetime):
        # The session's zone is UTC.
        return last.replace(tzinfo=None).isoformat(" ")
    if isinstance(last, date):
        return last.isoformat()
    return last if isinstance(last, int | float) else str(last)


def _identity(schema: pa.Schema) -> list[str]:
    return [each.name for each in schema if IDENTITY.encode() in (each.metadata or {})]


def _merged(
    old: pq.ParquetFile, new: pq.ParquetFile, key: str, last: Any, identity: list[str]
) -> Iterator[pa.RecordBatch]:
    came = [_names(batch, identity) for batch in new.iter_batches(_BATCH_ROWS, columns=identity)]
    anew = pa.chunked_array(came, pa.string()).combine_chunks() if identity and came else None
    for batch in old.iter_batches(_BATCH_ROWS):
        keys = batch.column(batch.schema.get_field_index(key))
        is_last = pc.fill_null(pc.equal(keys, pa.scalar(last, keys.type)), False)
        goes = is_last
        if anew is not None:
            goes = pc.or_(goes, pc.is_in(_names(batch, identity), anew))
        yield batch.filter(pc.invert(goes))
    yield from new.iter_batches(_BATCH_ROWS)


def _names(batch: pa.RecordBatch, identity: list[str]) -> pa.Array:
    """What tells rows apart, as one text each."""
    if not identity:
        return pa.nulls(len(batch), pa.string())
    texts = [
        pc.cast(batch.column(batch.schema.get_field_index(name)), pa.string()) for name in identity
    ]
    return pc.binary_join_element_wise(*texts, _SEPARATOR, null_handling="replace")
