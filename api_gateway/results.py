"""A query's rows, run once, as the batches that a format's writer takes.

| format | rows | batches |
|---|---|---|
| text | few for certain | written here (`short_text`) |
| text | of types that it knows | by compiled code (`row_text`) |
| text | many, of a statement that flows | the first ones written here, then anew (`_anew`) |
| text | many | the first ones written here, the others by the engine, from Arrow |
| Arrow, Parquet | any | as the engine gives them |
| others, and types that Arrow changes | any | of the query inside the format's expressions |
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import duckdb
import pyarrow as pa

from api_gateway import engine, formats, row_text, short_text, spreadsheet
from api_gateway.batches import fitting, sized
from api_gateway.engine import Parsed
from api_gateway.formats import Row
from api_gateway.row_text import RowText
from api_gateway.short_text import Beyond

# Up to so many rows (one vector of the engine) are written here: it would take longer to plan the
# expressions that make their texts.
SHORT_ROWS = 2048
# Of many rows the first ones leave at once, without waiting for the others.
_FIRST_ROWS = 256
_TEXTS = frozenset({"json", "rows", "object", "ndjson", "csv"})
_BINARY = frozenset({"arrow", "parquet"})
# Types that are the same after a way through Arrow.
_EXACT = frozenset(
    {
        "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
        "HUGEINT", "FLOAT", "DOUBLE", "BOOLEAN", "VARCHAR", "DATE", "TIME", "TIMESTAMP",
        "TIMESTAMP WITH TIME ZONE", "BLOB",
    }
)  # fmt: skip

NewCursor = Callable[[], duckdb.DuckDBPyConnection]


@dataclass
class Result:
    """`batches` of the schema that a format's writer takes.

    `row_count` is known beforehand for limited answers only. `truncated`: the limit cut rows off.
    `goes_on`: more rows come than those of the first batch.
    """

    row: Row
    shown: list[dict[str, Any]]
    schema: pa.Schema
    batches: Iterator[Any]
    row_count: int | None = None
    truncated: bool = False
    goes_on: bool = False


class Query:
    """One query on its way. `job` is that of `answers.answer`; `rows` is how many a batch has."""

    def __init__(
        self,
        cursor: duckdb.DuckDBPyConnection,
        beside: NewCursor,
        parsed: Parsed,
        job: dict[str, Any],
        rows: int,
    ) -> None:
        self._cursor, self._beside, self._parsed = cursor, beside, parsed
        self._job, self._batch_rows = job, rows
        self._format, self._limit = job["format"], job["limit"]
        self._sql = job["sql"]
        if self._limit is not None:
            self._sql = f"SELECT * FROM ({job['sql']}) AS answer LIMIT {self._limit + 1}"  # noqa: S608

    def run(self) -> Result:
        """Begin it. Raises what the engine raises, and Unsuited."""
        if self._is_short() and (few := self._few()):
            return few
        relation = self._selected()
        self._describe(zip(relation.columns, relation.types, strict=True))
        row = self._row_of()
        if not self._is_exact():
            relation = self._wrapped(row)
        if self._limit is not None:
            return self._kept(row, relation.to_arrow_table())
        if self._format in _TEXTS and self._is_exact():
            if self._compiles:
                schema, rows = self._sized(relation, self._selected, row_text.BATCH_ROWS)
                return Result(row, self._shown, schema, self._texts(row, rows, schema))
            return self._streamed(row, relation.to_arrow_reader(SHORT_ROWS))
        again = self._selected if self._is_exact() else partial(self._wrapped, row)
        schema, rows = self._sized(relation, again, self._batch_rows)
        return Result(row, self._shown, schema, rows)

    def _selected(self) -> Any:
        return self._cursor.sql(self._parsed.of(self._sql), params=self._job["params"])

    def _sized(
        self, relation: Any, again: Callable[[], Any], most_rows: int
    ) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """As `batches.sized`; `again` makes the relation another time."""
        known = [relation]

        def ask(rows: int) -> pa.RecordBatchReader:
            if known:
                return known.pop().to_arrow_reader(rows)
            if self._format in _BINARY:
                engine.read_ahead(self._cursor)
            return again().to_arrow_reader(rows)

        return sized(ask, most_rows, repeats=self._job["flows"])

    def _is_short(self) -> bool:
        """Whether the rows are few for certain: then they are fetched in one go."""
        most = self._job["most_rows"] if self._limit is None else self._limit + 1
        return self._format in _TEXTS and most is not None and most <= SHORT_ROWS

    def _few(self) -> Result | None:
        """The result of few rows, written here. None when only the engine can write them, or when
        there are more of them than was expected."""
        done = self._cursor.execute(self._parsed.of(self._sql), self._job["params"])
        self._describe((name, kind) for name, kind, *_ in done.description)
        rows = done.fetchmany(SHORT_ROWS + 1)
        if len(rows) > SHORT_ROWS:
            done.abort()
            return None
        kept = rows if self._limit is None else rows[: self._limit]
        row = formats.bare(self._format, self._columns, csv_safe=self._job["csv_safe"])
        try:
            batches = [self._short(row, zip(*kept, strict=True))] if kept else []
        except Beyond:
            return None
        known = None if self._limit is None else len(kept)
        cut = len(kept) < len(rows)
        return Result(row, self._shown, pa.schema([]), iter(batches), known, cut)

    def _describe(self, columns: Iterable[tuple[str, Any]]) -> None:
        said = list(columns)
        names = formats.unique(name for name, _ in said)
        self._columns = list(zip(names, (kind for _, kind in said), strict=True))
        self._shown = formats.described(self._columns, self._job["described"])
        # Binary formats take the columns as the engine calls them.
        self._named = names == [name for name, _ in said]

    def _row_of(self) -> Row:
        if self._format == "geojson":
            return formats.features(self._columns, self._shown)
        if self._format == "xlsx":
            return spreadsheet.row(self._columns)
        return formats.row(self._format, self._columns, csv_safe=self._job["csv_safe"])

    def _is_exact(self) -> bool:
        """Whether the rows themselves, through Arrow, are all that the format needs."""
        if self._format not in _TEXTS and not (self._format in _BINARY and self._named):
            return False
        return all(str(kind) in _EXACT or kind.id == "decimal" for _, kind in self._columns)

    @cached_property
    def _compiles(self) -> bool:
        """Whether compiled code writes the texts of these columns."""
        return row_text.knows(self._columns)

    def _wrapped(self, row: Row) -> Any:
        names = ", ".join(f"c{index}" for index in range(len(self._columns)))
        sql = f"SELECT {row.select} FROM ({self._sql}) AS answer({names})"  # noqa: S608
        return self._cursor.sql(sql, params=self._job["params"])

    def _kept(self, row: Row, rows: pa.Table) -> Result:
        """The result of a limited answer, which is small: its header says whether it is whole."""
        kept = rows.slice(0, self._limit)
        batches: Iterator[Any] = iter(())
        if kept.num_rows and self._format in _TEXTS and self._is_exact():
            batches = self._texts(row, iter(kept.to_batches(SHORT_ROWS)), rows.schema)
        elif kept.num_rows:
            batches = iter(kept.to_batches(self._batch_rows))
        cut = kept.num_rows < rows.num_rows
        return Result(row, self._shown, rows.schema, batches, kept.num_rows, cut)

    def _texts(
        self, row: Row, rows: Iterator[pa.RecordBatch], schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        """The texts of `rows`: of the first batch as soon as it is there."""
        if self._compiles:
            yield from self._compiled(row, rows, schema)
            return
        first = next(rows, None)
        if first is None:
            return
        try:
            yield self._short(row, short_text.of_arrow(first))
        except Beyond:
            rows = itertools.chain([first], rows)
        second = next(rows, None)
        if second is not None:
            yield from self._by_engine(row, itertools.chain([second], rows), schema)

    def _compiled(
        self, row: Row, rows: Iterator[pa.RecordBatch], schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        """The texts of `rows`; by the engine from the first value on that is beyond it."""
        written = RowText(self._format, self._columns, row.between, csv_safe=self._job["csv_safe"])
        for batch, texts in (pairs := written.each(rows)):
            if texts is None:
                rest = itertools.chain([batch], (batch for batch, _ in pairs))
                yield from self._by_engine(row, rest, schema)
                return
            yield texts

    def _streamed(self, row: Row, reader: pa.RecordBatchReader) -> Result:
        """The result of rows that may be many, without compiled code."""
        first, schema = next(reader, None), reader.schema
        many = first is not None and first.num_rows == SHORT_ROWS
        if many and self._job["flows"]:
            return Result(row, self._shown, schema, self._anew(row, reader, first), goes_on=True)
        rows = itertools.chain([first] if first is not None else [], reader)
        return Result(row, self._shown, schema, self._texts(row, rows, schema))

    def _anew(
        self, row: Row, reader: pa.RecordBatchReader, first: pa.RecordBatch
    ) -> Iterator[pa.RecordBatch]:
        """The texts of many rows: those of the first few are written here and leave at once. Then
        the engine begins again and writes all rows as it reads them, with all its threads; as it
        reads them in the same order, the rows that were sent already are cut off."""
        few, sent = first.slice(0, _FIRST_ROWS), 0
        batch_rows = min(self._batch_rows, max(SHORT_ROWS, fitting(first)))
        try:
            texts = self._short(row, short_text.of_arrow(few))
        except Beyond:
            reader.close()
        else:
            yield texts
            reader.close()
            sent = few.num_rows
        engine.read_ahead(self._cursor)
        for batch in self._wrapped(row).to_arrow_reader(batch_rows):
            again = min(sent, batch.num_rows)
            sent -= again
            if again < batch.num_rows:
                yield batch.slice(again)

    def _short(self, row: Row, values: Iterable[Iterable[Any]]) -> pa.RecordBatch:
        return short_text.texts(
            self._format, self._columns, values, row.between, csv_safe=self._job["csv_safe"]
        )

    def _by_engine(
        self, row: Row, rows: Iterator[pa.RecordBatch], schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        failed: list[BaseException] = []

        def told() -> Iterator[pa.RecordBatch]:
            # Keep the error itself: the engine, which reads from here, would raise one of its own.
            try:
                yield from rows
            except BaseException as error:
                failed.append(error)
                raise

        cursor = self._beside()
        source = pa.RecordBatchReader.from_batches(schema, told())
        columns = ", ".join(
            f"#{place}{'::HUGEINT' if kind.id == 'hugeint' else ''} AS c{place - 1}"
            for place, (_, kind) in enumerate(self._columns, 1)
        )
        texts: Any = cursor.from_arrow(source).project(columns).project(row.select)
        try:
            yield from texts.to_arrow_reader(SHORT_ROWS)
        except Exception as error:
            raise (failed[0] if failed else error) from None
        finally:
            cursor.close()
