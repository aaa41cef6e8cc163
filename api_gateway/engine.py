"""The first lock: a DuckDB instance that holds the caller's tables and nothing else.

It is opened in two steps, so that a spare process can wait with the slow one done. `connect` makes
an instance without any thread of its own, so that everything it starts later is under the
restrictions of the operating system, which are applied in between. `lock` gives it its tables and
locks the configuration for good.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb

from lake import logs

log = logging.getLogger(__name__)

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
    # The one setting that this program changes later, of a cursor alone; no SELECT can.
    "SET GLOBAL allowed_configs = ['max_streaming_buffer_size']",
    "SET GLOBAL lock_configuration = true",
)

_ROWS = "main.rows"
# A tree takes many times the memory of its text.
_MOST_PARSED = 64
_LONGEST_PARSED = 4096


@dataclass(frozen=True)
class Source:
    """One table of a query: the files of one version (or edition), its columns that hold a time of
    day, which the lake stores as text, and a database that holds the same rows (`hot.py`)."""

    table: str
    files: tuple[str, ...]
    times: tuple[str, ...] = ()
    hot: str | None = None

    @property
    def readable(self) -> list[Path]:
        """The files that a query of it reads."""
        return [Path(file) for file in (*self.files, *([self.hot] if self.hot else ()))]


class Parsed:
    """Statements as `connection` parses them, the last ones remembered: to parse a short question
    takes a tenth of the time to answer it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._read = lru_cache(maxsize=_MOST_PARSED)(connection.extract_statements)

    def of(self, sql: str) -> duckdb.Statement | str:
        """What a cursor of the connection executes as `sql`. Raises what the engine raises."""
        if len(sql) > _LONGEST_PARSED:
            return sql
        statements = self._read(sql)
        return statements[0] if len(statements) == 1 else sql


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
    for number, source in enumerate(sources):
        connection.execute(_view(source, _attached(connection, source, number)))
    for statement in _AFTER_VIEWS:
        connection.execute(statement)


def store(connection: duckdb.DuckDBPyConnection, source: Source, spill: Path) -> Path:
    """A database below `spill` that holds the rows of `source`, in their order."""
    made = spill / "rows.duckdb"
    connection.execute(f"SET GLOBAL temp_directory = {literal(str(spill))}")
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    # Decoding numbers with fractions takes longer than reading what it saves.
    connection.execute("SET GLOBAL disabled_compression_methods = 'alp,alprd'")
    connection.execute(f"ATTACH {literal(str(made))} AS made")
    connection.execute(f"CREATE TABLE made.{_ROWS} AS {_scan(source)}")
    # Detaching writes everything to the file.
    connection.execute("DETACH made")
    return made


def _attached(connection: duckdb.DuckDBPyConnection, source: Source, number: int) -> str | None:
    """How to select what the source's database holds; None if it has none that can be read."""
    if source.hot is None:
        return None
    name = f"hot_{number}"
    try:
        connection.execute(f"ATTACH {literal(source.hot)} AS {name} (READ_ONLY)")
    except duckdb.Error as error:
        log.warning("hot_not_read", extra=logs.facts(error=type(error).__qualname__))
        return None
    return f"FROM {name}.{_ROWS}"


def _scan(source: Source) -> str:
    files = ", ".join(literal(file) for file in source.files)
    times = ", ".join(f"{quoted(name)}::TIME AS {quoted(name)}" for name in source.times)
    columns = f"* REPLACE ({times})" if times else "*"
    # Hive and file-name columns would show how the lake is laid out.
    return (
        f"SELECT {columns} "  # noqa: S608
        f"FROM read_parquet([{files}], hive_partitioning = false, filename = false)"
    )


def _view(source: Source, attached: str | None = None) -> str:
    select = attached or _scan(source)
    return f"CREATE VIEW {quoted(source.table)} WITH (DEFER_BINDING) AS {select}"


def read_ahead(cursor: duckdb.DuckDBPyConnection) -> None:
    """Have a cursor's next query run further ahead of its reader. Rows leave in the order of the
    table: without room for what each thread makes of a row group, one waits for the other."""
    cursor.execute("SET max_streaming_buffer_size = '64MiB'")


def literal(text: str) -> str:
    """`text` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """`name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
