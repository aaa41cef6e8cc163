"""The first lock: a DuckDB instance that holds the caller's tables and nothing else.

Opened in two steps, so that a spare can wait with the slow one done. `connect` makes an instance
without a single thread of its own: everything it starts later is under the OS restrictions that
were applied in between. `lock` gives it its tables and turns the key: no setting changes any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

THREADS = 2
_CONFIG: dict[str, Any] = {
    "threads": 1,
    "async_threads": 0,
    "python_enable_replacements": False,
    "python_scan_all_frames": False,
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "allow_community_extensions": False,
    "allow_unsigned_extensions": False,
    "allow_persistent_secrets": False,
}
# In this order; SET GLOBAL, since cursors do not inherit a plain SET.
_BEFORE_VIEWS = (
    "SET GLOBAL threads = {threads}",
    "SET GLOBAL memory_limit = '{memory_mb}MiB'",
    "SET GLOBAL temp_directory = {spill}",
    "SET GLOBAL max_temp_directory_size = '{spill_mb}MiB'",
    "SET GLOBAL max_expression_depth = 250",
    "SET GLOBAL pivot_limit = 1000",
    "SET GLOBAL catalog_error_max_schemas = 0",
    "SET GLOBAL TimeZone = 'UTC'",
    # Files of the lake never change.
    "SET GLOBAL parquet_metadata_cache = true",
    "SET GLOBAL allowed_paths = [{paths}]",
)
_AFTER_VIEWS = (
    "SET GLOBAL allow_extension_repositories = 'forbidden'",
    "SET GLOBAL enable_external_access = false",
    "SET GLOBAL lock_configuration = true",
)


@dataclass(frozen=True)
class Source:
    """One table of a query: the files of one version (or edition), and its columns that hold a time
    of day, which the lake stores as text."""

    table: str
    files: tuple[str, ...]
    times: tuple[str, ...] = ()


def connect(memory_mb: int) -> duckdb.DuckDBPyConnection:
    """A bare single-threaded instance in memory."""
    return duckdb.connect(":memory:", config={**_CONFIG, "memory_limit": f"{memory_mb}MiB"})


def lock(
    connection: duckdb.DuckDBPyConnection,
    sources: Iterable[Source],
    spill: Path,
    spill_mb: int,
    memory_mb: int,
) -> None:
    """Create a view for each source, then forbid everything that is not in them, for good."""
    sources = list(sources)
    values = {
        "threads": THREADS,
        "spill": literal(str(spill)),
        "spill_mb": spill_mb,
        "memory_mb": memory_mb,
        "paths": ", ".join(literal(file) for source in sources for file in source.files),
    }
    for statement in _BEFORE_VIEWS:
        connection.execute(statement.format_map(values))
    for source in sources:
        connection.execute(_view(source))
    for statement in _AFTER_VIEWS:
        connection.execute(statement)


def _view(source: Source) -> str:
    files = ", ".join(literal(file) for file in source.files)
    times = ", ".join(f"{quoted(name)}::TIME AS {quoted(name)}" for name in source.times)
    columns = f"* REPLACE ({times})" if times else "*"
    # Hive and file-name columns would show how the lake is laid out.
    return (
        f"CREATE VIEW {quoted(source.table)} WITH (DEFER_BINDING) AS SELECT {columns} "  # noqa: S608
        f"FROM read_parquet([{files}], hive_partitioning = false, filename = false)"
    )


def literal(text: str) -> str:
    """`text` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """`name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
