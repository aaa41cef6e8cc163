"""One block of delimited records to cleaned columns of text, with what they look like."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from harvesters import census
from harvesters.census import Look
from harvesters.errors import LineTooLong
from harvesters.rawtable import ROW, cleaned, text_schema
from harvesters.unreadable import Unreadable
from lake.rejected import Rejected

if TYPE_CHECKING:
    from harvesters.delimited import Dialect


@dataclass(frozen=True)
class Cells:
    """The `row_count` records of a block, numbered from 1 in it: `batch` those that have a value,
    `looks` what each of its columns looks like, `refused` those of another width."""

    batch: pa.RecordBatch
    looks: list[Look]
    refused: list[Rejected]
    row_count: int

    def below(self, before: int, first_row: int) -> Cells:
        """The same, numbered on after `before` rows; the rows up to `first_row` are left out."""
        numbers = pc.add(self.batch.column(ROW), before)
        batch = self.batch.set_column(0, self.batch.schema.field(ROW), numbers)
        refused = [replace(record, row=record.row + before) for record in self.refused]
        looks = self.looks
        if before < first_row:
            above = int(np.searchsorted(numbers.to_numpy(), first_row, side="right"))
            batch, looks = batch.slice(above), census.looks(batch.slice(above))
            refused = [record for record in refused if record.row > first_row]
        return Cells(batch, looks, refused, self.row_count)


def read(block: bytes, dialect: Dialect) -> Cells:
    """Cut a block of whole records into cells. Raises LineTooLong, TooManyRejected."""
    schema = text_schema(dialect.width)
    refused = Unreadable()
    text = _split_once(block) if dialect.code_and_name else block
    without: list[int] = []
    table = _parsed(text, dialect, schema.names[1:], refused, without)
    row_count = table.num_rows + len(without)
    numbers = _numbers(row_count, without)
    columns = [column.combine_chunks() for column in table.columns]
    batch = cleaned(pa.RecordBatch.from_arrays([numbers, *columns], schema=schema))
    return Cells(batch, census.looks(batch), refused, row_count)


def _parsed(
    block: bytes, dialect: Dialect, names: list[str], refused: Unreadable, without: list[int]
) -> pa.Table:
    """The records of the dialect's width. The numbers of all others go to `without`; `refused` are
    those of them that have anything in their cells."""
    marks = str.maketrans("", "", dialect.delimiter + dialect.quote)

    def refuse(record: pa_csv.InvalidRow) -> str:
        if refused.is_full:
            return "error"
        without.append(record.number)
        if not record.text.translate(marks).strip():
            return "skip"
        extra = record.actual_columns - record.expected_columns
        refused.append(
            Rejected(
                row=record.number,
                column="",
                value=record.text,
                reason_code="ragged_row",
                reason=f"{record.actual_columns} cells instead of {record.expected_columns}"
                + (" (a delimiter inside an unquoted text?)" if extra > 0 else ""),
            )
        )
        return "skip"

    try:
        return pa_csv.read_csv(
            pa.BufferReader(block),
            # One thread and one block: only so does a refused record know its number. Other
            # threads have other blocks.
            pa_csv.ReadOptions(use_threads=False, block_size=len(block) + 1, column_names=names),
            pa_csv.ParseOptions(
                delimiter="\t" if dialect.code_and_name else dialect.delimiter,
                quote_char=dialect.quote or False,
                # Line ends in cells are read all the same: this is about cutting, done already.
                newlines_in_values=False,
                ignore_empty_lines=False,
                invalid_row_handler=refuse,
            ),
            pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=False,
                # It was checked when the file was read.
                check_utf8=False,
            ),
        )
    except pa.ArrowInvalid as error:
        if refused.is_full:
            raise refused.refusal() from error
        raise LineTooLong(
            "The records can't be told apart: a quotation mark that never closes?"
        ) from error


def _numbers(count: int, without: list[int]) -> pa.Array:
    """Row numbers from 1, leaving out those of refused records."""
    numbers = np.arange(1, count + 1)
    return pa.array(np.delete(numbers, np.array(without, np.int64) - 1), pa.int64())


def _split_once(block: bytes) -> bytes:
    """Turn the space after the number of each line into a tab, so that names keep theirs."""
    return re.sub(rb"^[ \t]*(\d+) +", rb"\1\t", block.replace(b"\t", b" "), flags=re.M)
