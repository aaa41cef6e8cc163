"""The temporary DuckDB database of one run: text tables lie here between decode and publish.

On disk, so that a file of millions of rows needs little memory; locked, since what it holds comes
from outside: no files, no network, no extension, no further configuration.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import pyarrow as pa

MEMORY_LIMIT = "512MB"
THREADS = 2
BATCH_ROWS = 65_536


class Workbench:
    """Use as a context manager; everything on it is gone afterwards."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="hanoiic-harvest-", dir=folder)
        self.folder = Path(self._folder.name)
        self._tables = 0
        self._connection = duckdb.connect(
            str(self.folder / "bench.duckdb"),
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
        self._connection.close()
        self._folder.cleanup()

    def load(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> str:
        """Store a stream of batches as a new table; its name."""
        self._tables += 1
        name = f"raw_{self._tables}"
        failures: list[Exception] = []
        reader = pa.RecordBatchReader.from_batches(schema, _noting(batches, failures))
        self._connection.register("incoming", reader)
        try:
            self._connection.execute(f"CREATE TABLE {name} AS SELECT * FROM incoming")  # noqa: S608
        except duckdb.Error:
            # DuckDB wraps what the stream raised; the reader of the data knows better what it was.
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
            yield from cursor.sql(sql).to_arrow_reader(BATCH_ROWS)

    def drop(self, name: str) -> None:
        self._connection.execute(f"DROP TABLE IF EXISTS {name}")


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
