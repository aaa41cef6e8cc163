"""The temporary DuckDB database of one run: text tables lie here between decode and publish.

What does not fit in MEMORY_LIMIT is spilled to disk. The database is locked, since what it holds
comes from outside: it reads no files, no network and no extensions, and its configuration is fixed.

A table is either DuckDB's own, or it is kept beside it as it came, in Arrow's file format, which
costs a tenth. DuckDB reads both alike; `own` makes a table DuckDB's own before it is changed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as pa_dataset
import pyarrow.ipc as pa_ipc

from harvesters.census import Census

MEMORY_LIMIT = "512MB"
THREADS = 2
BATCH_ROWS = 65_536
# Batches of a file up to which it is not worth a file of its own.
KEPT_IN_MEMORY = 4


class Workbench:
    """Use as a context manager; everything on it is gone afterwards."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="hanoiic-harvest-", dir=folder)
        self.folder = Path(self._folder.name)
        self._tables = 0
        self._kept: dict[str, tuple[pa.Table | pa_dataset.Dataset, Census]] = {}
        self._connection = duckdb.connect(
            # In memory, and what finds no room there in the spill folder.
            ":memory:",
            config={
                "memory_limit": MEMORY_LIMIT,
                "threads": THREADS,
                "temp_directory": str(self.folder / "spill"),
                "python_enable_replacements": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")

    def __enter__(self) -> Workbench:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()
        self._folder.cleanup()

    def clear(self) -> None:
        """Take everything off, for the next file."""
        for name in self._kept:
            self._connection.unregister(name)
        self._kept.clear()
        for (name,) in self.rows("SELECT table_name FROM duckdb_tables()"):
            self.drop(name)
        for file in self.folder.glob("*.arrow"):
            file.unlink()

    def keep(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch], census: Census) -> str:
        """Store a stream of batches as a new table that is only read; its name.

        `census` is that of the batches when they are all read.
        """
        name = self._name()
        iterator = iter(batches)
        few = list(islice(iterator, KEPT_IN_MEMORY))
        kept: pa.Table | pa_dataset.Dataset
        if len(few) < KEPT_IN_MEMORY:
            kept = pa.Table.from_batches(few, schema)
        else:
            path = self.folder / f"{name}.arrow"
            with pa.OSFile(str(path), "wb") as file, pa_ipc.new_file(file, schema) as writer:
                for batch in chain(few, iterator):
                    writer.write(batch)
            kept = pa_dataset.dataset(path, schema, format="ipc")
        self._kept[name] = (kept, census)
        self._connection.register(name, kept)
        return name

    def census(self, name: str) -> Census | None:
        """What is known of a table that is still as it came."""
        return self._kept[name][1] if name in self._kept else None

    def row_count(self, name: str) -> int:
        """How many rows a table has."""
        if name in self._kept:
            return self._kept[name][1].row_count
        return int(self.row(f"SELECT count(*) FROM {name}")[0])  # noqa: S608

    def as_it_came(self, name: str) -> Iterator[pa.RecordBatch] | None:
        """The rows of a table that is still as it came, in order; None for another one."""
        return _batches(self._kept[name][0]) if name in self._kept else None

    def sample(self, name: str, row_count: int, windows: int = 1) -> str | None:
        """A table of some `row_count` rows from `windows` places all over a table that is still
        as it came, in memory; None for another one."""
        if name not in self._kept:
            return None
        sample = f"{name}_sample_{row_count}_{windows}"
        if sample not in self._kept:
            kept, _ = self._kept[name]
            rows = _windows(kept, row_count, windows)
            self._kept[sample] = (rows, Census(()))
            self._connection.register(sample, rows)
        return sample

    def batch_by_batch(self, name: str, sql: str) -> Iterator[pa.RecordBatch]:
        """Stream the answer of a query that asks each row of `name` by itself and answers in the
        order of the rows: of a long table DuckDB need not sort more than a batch."""
        if name not in self._kept:
            yield from self.batches(sql)
            return
        with self._connection.cursor() as cursor:
            for batch in _batches(self._kept[name][0]):
                cursor.register(name, pa.Table.from_batches([batch]))
                yield from cursor.sql(sql).to_arrow_reader(BATCH_ROWS)

    def own(self, name: str) -> None:
        """Make a table one that can be changed; what was known of it is no longer."""
        if name not in self._kept:
            return
        kept, _ = self._kept.pop(name)
        self._connection.unregister(name)
        self._connection.register("incoming", kept)
        try:
            self._connection.execute(f"CREATE TABLE {name} AS SELECT * FROM incoming")  # noqa: S608
        finally:
            self._connection.unregister("incoming")

    def load(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> str:
        """Store a stream of batches as a new table; its name."""
        name = self._name()
        failures: list[Exception] = []
        reader = pa.RecordBatchReader.from_batches(schema, _noting(batches, failures))
        self._connection.register("incoming", reader)
        try:
            self._connection.execute(f"CREATE TABLE {name} AS SELECT * FROM incoming")  # noqa: S608
        except duckdb.Error:
            # Raise what the stream raised: DuckDB's error about it says less.
            if failures:
                raise failures[0] from None
            raise
        finally:
            self._connection.unregister("incoming")
        return name

    def execute(self, sql: str, values: Sequence[Any] = ()) -> None:
        self._connection.execute(sql, list(values))

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, list(values)).fetchall()

    def row(self, sql: str, values: Sequence[Any] = ()) -> tuple[Any, ...]:
        return self.rows(sql, values)[0]

    def batches(self, sql: str) -> Iterator[pa.RecordBatch]:
        """Stream the answer of one query."""
        with self._connection.cursor() as cursor:
            for name, (kept, _) in self._kept.items():
                cursor.register(name, kept)
            yield from cursor.sql(sql).to_arrow_reader(BATCH_ROWS)

    def _name(self) -> str:
        self._tables += 1
        return f"raw_{self._tables}"

    def drop(self, name: str) -> None:
        self._connection.execute(f"DROP TABLE IF EXISTS {name}")


def _batches(kept: pa.Table | pa_dataset.Dataset) -> Iterator[pa.RecordBatch]:
    if isinstance(kept, pa.Table):
        yield from kept.to_batches()
        return
    with pa.OSFile(kept.files[0]) as file, pa_ipc.open_file(file) as reader:
        for number in range(reader.num_record_batches):
            yield reader.get_batch(number)


def _windows(kept: pa.Table | pa_dataset.Dataset, row_count: int, windows: int) -> pa.Table:
    if isinstance(kept, pa.Table):
        step = kept.num_rows / windows
        slices = [kept.slice(int(step * n), row_count // windows) for n in range(windows)]
        return pa.concat_tables(slices)
    with pa.OSFile(kept.files[0]) as file, pa_ipc.open_file(file) as reader:
        step = reader.num_record_batches / windows
        batches = [reader.get_batch(int(step * n)) for n in range(windows)]
    return pa.Table.from_batches([batch.slice(0, row_count // windows) for batch in batches])


def _noting(
    batches: Iterable[pa.RecordBatch], failures: list[Exception]
) -> Iterator[pa.RecordBatch]:
    try:
        yield from batches
    except Exception as error:
        failures.append(error)
        raise


def quoted(name: str) -> str:
    """A column's name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as an SQL literal; DuckDB knows no backslash escapes in it."""
    return "'" + text.replace("'", "''") + "'"
