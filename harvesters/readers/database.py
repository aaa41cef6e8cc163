"""The rows of a database's table or SELECT, asked for apart (`harvesters.apart`).

Whoever answers is not trusted: what it sends is read in this process of bounded memory. The
transaction is read only, its rows are streamed by a cursor of the server, and nothing but a SELECT
can stand in a subquery.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from harvesters.errors import (
    ApiRefused,
    SourceInterrupted,
    SourceInvalid,
    SourceTooLarge,
    SourceTooSlow,
)
from harvesters.readers import database_columns, database_login
from harvesters.readers.database_columns import IDENTITY, Reading
from harvesters.readers.database_login import Dialect
from harvesters.readers.process import Table
from lake import names

MOST_ROWS = 50_000_000
MOST_COLUMNS = 2_000
FIRST_ROWS = 64
ROWS_AT_ONCE = 4_096
# What is fetched at once, by the size of the rows before.
BYTES_AT_ONCE = 4 << 20
_COMMENTS = re.compile(r"\A(?:\s+|--[^\n]*|/\*.*?\*/)+", re.S)
ENDING = pa.schema([pa.field("count", pa.int64()), pa.field("unreadable", pa.string())])


def read(_path: Path, arguments: Mapping[str, Any]) -> Iterator[Table]:
    """The rows; then a table of one row: `count` of all rows where it is asked for (`counts`), and
    `unreadable`, a JSON object of how many values of a column were none of its type.

    `arguments`: those of `database_login.engine`, and `query` (a table or a SELECT), `key` (its
    order), `last` (only rows from this key on), `unique` (columns that tell rows apart), `counts`.
    Raises LoginRefused, SourceUnreachable, SourceInterrupted, SourceTooLarge, SourceInvalid,
    ApiRefused.
    """
    dialect = database_login.DIALECTS[arguments["scheme"]]
    engine = database_login.engine(dialect, arguments)
    with _named_errors(dialect), engine.connect() as connection:
        question = _Question(connection, dialect, arguments)
        yield question.rows()
        yield question.ending()


@contextlib.contextmanager
def _named_errors(dialect: Dialect) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        said = database_login.said(error.orig)
        if "memory" in said:
            # The driver's own words at this process' limit.
            raise SourceTooLarge(f"Values are too large to be read: {said}.") from error
        if database_login.is_timeout(error.orig):
            raise SourceTooSlow(f"The database gave the query up: {said}.") from error
        if error.connection_invalidated or database_login.is_gone(error.orig):
            raise SourceInterrupted(f"The database went away while it was read: {said}.") from error
        raise ApiRefused(f"The database answered with an error: {said}.") from error
    except (SQLAlchemyError, dialect.error()) as error:
        raise ApiRefused(
            f"The database answered with an error: {database_login.said(error)}."
        ) from error


class _Question:
    """One table or SELECT, what its rows are in order of, and what each of them is known by."""

    def __init__(
        self, connection: sa.Connection, dialect: Dialect, arguments: Mapping[str, Any]
    ) -> None:
        self._connection, self._dialect, self._arguments = connection, dialect, arguments
        quote = connection.dialect.identifier_preparer.quote_identifier
        wanted = arguments["query"].strip().rstrip(";").strip()
        self._identity: list[str] = list(arguments["unique"])
        if is_select(wanted):
            if ";" in wanted:
                raise SourceInvalid("The query has a semicolon; it must be a single SELECT.")
            # Colons of the query are no parameters.
            self._from = "(\n" + wanted.replace(":", "\\:") + "\n) q"
        else:
            parts = wanted.split(".")
            self._from = ".".join(map(quote, parts)).replace(":", "\\:") + " q"
            self._identity = self._identity or self._primary_key(parts)
        key = arguments["key"]
        self._order = [key] if key else []
        self._order += [each for each in self._identity if each not in self._order]
        self._quoted = {name: f"q.{quote(name)}".replace(":", "\\:") for name in self._order}
        self._unreadable: Counter[str] = Counter()

    def _primary_key(self, parts: list[str]) -> list[str]:
        if self._dialect.primary_key is None:
            return []
        values = {"name": parts[-1], "schema": parts[-2] if len(parts) > 1 else None}
        found = self._connection.execute(sa.text(self._dialect.primary_key), values)
        return [str(name) for (name,) in found]

    def rows(self) -> Table:
        """The rows as a table on its way. Raises SourceInvalid for columns that are not there."""
        statement = f"SELECT q.* FROM {self._from}"  # noqa: S608
        values = {}
        if self._arguments["last"] is not None:
            statement += f" WHERE {self._quoted[self._arguments['key']]} >= :last"
            values["last"] = self._arguments["last"]
        if self._order:
            statement += " ORDER BY " + ", ".join(self._quoted.values())
        streamed = self._connection.execution_options(stream_results=True)
        result = streamed.execute(sa.text(statement), values)
        headers = names.column_names([each[0] for each in result.cursor.description])
        if len(headers) > MOST_COLUMNS:
            raise SourceInvalid(f"The query has {len(headers)} columns; {MOST_COLUMNS} may be.")
        if gone := [each for each in self._order if each not in headers]:
            raise SourceInvalid(
                f"The query has no column {gone[0]!r}; it has: {', '.join(headers[:20])}."
            )
        readings = database_columns.readings(result.cursor, self._dialect.name)
        fields = [
            pa.field(header, reading.type, metadata=self._about(header, reading))
            for header, reading in zip(headers, readings, strict=True)
        ]
        schema = pa.schema(fields)
        return Table(schema, self._batches(result, readings, schema), [])

    def ending(self) -> Table:
        """What is to be said when all rows were sent."""
        count = None
        if self._arguments["counts"]:
            statement = sa.text(f"SELECT count(*) FROM {self._from}")  # noqa: S608
            count = int(self._connection.execute(statement).scalar_one())
        unreadable = json.dumps(+self._unreadable)
        return Table(ENDING, [pa.record_batch([[count], [unreadable]], schema=ENDING)], [])

    def _about(self, header: str, reading: Reading) -> dict[str, str]:
        return {**reading.about, **({IDENTITY: "1"} if header in self._identity else {})}

    def _batches(
        self, result: sa.CursorResult[Any], readings: list[Reading], schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        at_once, count = FIRST_ROWS, 0
        while rows := self._some(result, at_once):
            count += len(rows)
            if count > MOST_ROWS:
                raise SourceTooLarge(f"The query has more than {MOST_ROWS} rows.")
            columns = list(zip(*rows, strict=True))
            arrays = [
                reading.convert(list(values))
                for reading, values in zip(readings, columns, strict=True)
            ]
            for header, array, values in zip(schema.names, arrays, columns, strict=True):
                self._unreadable[header] += array.null_count - values.count(None)
            batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
            yield batch
            each_bytes = max(1, batch.nbytes // len(rows))
            at_once = max(1, min(ROWS_AT_ONCE, BYTES_AT_ONCE // each_bytes))

    def _some(self, result: sa.CursorResult[Any], count: int) -> list[sa.Row[Any]]:
        # Rows are read by whoever takes them, outside of `read`.
        with _named_errors(self._dialect):
            return list(result.fetchmany(count))


def is_select(wanted: str) -> bool:
    """Whether an officer's words are a SELECT; else they are a table's name."""
    words = _COMMENTS.sub("", wanted).lstrip("( \t\r\n").split()
    return len(words) > 1 and words[0].lower() in ("select", "with", "values")
