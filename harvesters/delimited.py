"""Delimited text to a table: find the dialect and the header, then stream numbered records."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from harvesters import header
from harvesters.decode import Text
from harvesters.errors import LineTooLong, TableNotFound, TooManyColumns
from harvesters.rawtable import MAX_COLUMNS, ROW, cleaned, text_schema
from harvesters.source import Options
from lake.rejected import Rejected

DELIMITERS = (",", ";", "\t", "|")
SAMPLE_RECORDS = 400
BLOCK_BYTES = 4 << 20
# A record longer than this is a file without line ends.
LONGEST_BLOCK_BYTES = 32 << 20
_CODE_AND_NAME = re.compile(r"\s*\d+ +\S")


@dataclass(frozen=True)
class Dialect:
    """How the records of a text are cut. `head` are the sample's first records, as cells.

    With `code_and_name` a line is a number, a space, and a name that has spaces too.
    """

    delimiter: str
    quote: str
    header: header.Header
    code_and_name: bool = False

    @property
    def width(self) -> int:
        return len(self.header.names)


def dialect(text: Text, options: Options) -> Dialect:
    """The text's dialect, with the officer's pins. Raises TableNotFound, TooManyColumns."""
    sample = text.head()
    lines = sample.splitlines()
    if len(lines) > 1 and not sample.endswith(("\n", "\r")):
        sample = sample[: -len(lines[-1])] or sample
    if not sample.strip():
        raise TableNotFound("The file is empty.")
    quote = _quote(sample)
    found = _found_code_and_name(sample, options)
    if found is not None:
        return found
    delimiter = options.delimiter or _delimiter(sample, quote)
    rows = _records(sample, delimiter, quote)
    width = _width(rows[max(options.skip_rows, (options.header_row or 1) - 1) :])
    names = header.find(rows, options.header_row, options.skip_rows, width)
    if names is None:
        raise TableNotFound("No header with rows below it was found in the file.")
    if len(names.names) > MAX_COLUMNS:
        raise TooManyColumns(
            f"The table has {len(names.names)} columns; {MAX_COLUMNS} are allowed."
        )
    return Dialect(delimiter, quote, names)


def batches(text: Text, found: Dialect, ragged: list[Rejected]) -> Iterator[pa.RecordBatch]:
    """The records below the header as cleaned text batches; ragged ones go to `ragged`.

    Raises LineTooLong and what `Text.iter_utf8` raises.
    """
    schema = text_schema(found.width)
    names = [field.name for field in schema][1:]
    row = 0
    for block in _blocks(text.iter_utf8(), found.quote.encode()):
        prepared = _split_once(block) if found.code_and_name else block
        refused: list[Rejected] = []
        table = _read(prepared, found, names, row, refused)
        counted = table.num_rows + len(refused)
        numbers = _numbers(row, counted, {rejected.row for rejected in refused})
        ragged.extend(rejected for rejected in refused if rejected.row > found.header.first_row)
        batch = table.combine_chunks().to_batches()
        if batch:
            numbered = pa.RecordBatch.from_arrays([numbers, *batch[0].columns], schema=schema)
            yield cleaned(_below(numbered, found.header.first_row))
        row += counted


def _read(
    block: bytes, found: Dialect, names: list[str], before: int, refused: list[Rejected]
) -> pa.Table:
    def refuse(record: pa_csv.InvalidRow) -> str:
        extra = record.actual_columns - record.expected_columns
        refused.append(
            Rejected(
                row=before + record.number,
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
            # One thread and one block: only so does a refused record know its number.
            pa_csv.ReadOptions(use_threads=False, block_size=len(block) + 1, column_names=names),
            pa_csv.ParseOptions(
                delimiter="\t" if found.code_and_name else found.delimiter,
                quote_char=found.quote or False,
                newlines_in_values=True,
                ignore_empty_lines=False,
                invalid_row_handler=refuse,
            ),
            pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise LineTooLong(
            "The records can't be told apart: a quotation mark that never closes?"
        ) from error


def _numbers(before: int, count: int, without: set[int]) -> pa.Array:
    """Row numbers from `before` + 1, leaving out those of refused records."""
    numbers = np.arange(before + 1, before + count + 1)
    return pa.array(np.delete(numbers, [number - before - 1 for number in without]), pa.int64())


def _below(batch: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
    above = int(np.searchsorted(batch.column(ROW).to_numpy(), first_row, side="right"))
    return batch.slice(above)


def _blocks(chunks: Iterator[bytes], quote: bytes) -> Iterator[bytes]:
    """Cut a stream where records end: at a line end with an even number of quotes before it."""
    held = b""
    for chunk in chunks:
        held += chunk
        if len(held) < BLOCK_BYTES:
            continue
        cut = _record_end(held, quote)
        if cut:
            yield held[:cut]
            held = held[cut:]
    if held:
        if len(held) > LONGEST_BLOCK_BYTES:
            raise LineTooLong(f"A line is longer than {LONGEST_BLOCK_BYTES >> 20} MiB.")
        yield held


def _record_end(block: bytes, quote: bytes) -> int:
    end = len(block)
    quotes = block.count(quote) if quote else 0
    while True:
        line_end = max(block.rfind(b"\n", 0, end), block.rfind(b"\r", 0, end - 1))
        if line_end < 0:
            break
        if quote:
            quotes -= block.count(quote, line_end, end)
        if quotes % 2 == 0 and not block.startswith(b"\r\n", line_end):
            return line_end + 1
        end = line_end
    if len(block) <= LONGEST_BLOCK_BYTES:
        return 0
    # Quotes that never pair up (5" pipes): any line end will do, if there is one.
    anyway = block.rfind(b"\n")
    if anyway < 0:
        raise LineTooLong(f"A line is longer than {LONGEST_BLOCK_BYTES >> 20} MiB.")
    return anyway + 1


def _quote(sample: str) -> str:
    single = len(re.findall(r"(?:^|[,;\t|])'[^'\n]*'(?=[,;\t|\r\n])", sample, re.M))
    return "'" if single > 2 and '"' not in sample else '"'


def _records(
    sample: str, delimiter: str, quote: str, count: int = SAMPLE_RECORDS
) -> list[list[str]]:
    # Only line ends end lines: `splitlines` would also cut at letters of old encodings.
    lines = io.StringIO(sample, newline="")
    reader = csv.reader(lines, delimiter=delimiter, quotechar=quote)
    try:
        return list(islice(reader, count))
    except csv.Error as error:
        raise TableNotFound("The file's records can't be told apart.") from error


def _width(rows: list[list[str]]) -> int:
    """The usual number of cells a record: the delimiters are there even where cells are empty."""
    lengths = Counter(len(row) for row in rows if any(cell.strip() for cell in row))
    return max(lengths.items(), key=lambda item: (item[1], item[0]), default=(0, 0))[0]


def _delimiter(sample: str, quote: str) -> str:
    """The delimiter that cuts the most records into the same number of cells, and into the most."""

    def score(delimiter: str) -> tuple[float, int]:
        lengths = Counter(len(row) for row in _records(sample, delimiter, quote) if any(row))
        widths = {width: seen for width, seen in lengths.items() if width > 1}
        if not widths:
            return (0.0, 0)
        width, seen = max(widths.items(), key=lambda item: (item[1], item[0]))
        return (round(seen / lengths.total(), 2), width)

    best = max(DELIMITERS, key=score)
    return best if score(best)[1] > 1 else ","


def _found_code_and_name(sample: str, options: Options) -> Dialect | None:
    """A list of `<number> <name with spaces>` lines: the space cuts once."""
    if options.delimiter not in (None, " "):
        return None
    lines = [line for line in sample.splitlines()[:SAMPLE_RECORDS] if line.strip()]
    first = next((index for index, line in enumerate(lines) if _CODE_AND_NAME.match(line)), None)
    if first is None or first > 10 or any(sign in sample for sign in "\t;|"):
        return None
    matching = sum(bool(_CODE_AND_NAME.match(line)) for line in lines[first:])
    commas = sum("," in line for line in lines)
    if matching < 3 or matching < 0.95 * len(lines[first:]) or commas > 0.5 * len(lines):
        return None
    pinned = list(options.columns)
    names = pinned if len(pinned) == 2 else ["", ""]
    return Dialect(" ", "", header.Header(names, None, max(first, options.skip_rows)), True)


def _split_once(block: bytes) -> bytes:
    """Turn the space after the number of each line into a tab, so that names keep theirs."""
    return re.sub(rb"^[ \t]*(\d+) +", rb"\1\t", block.replace(b"\t", b" "), flags=re.M)
