"""Delimited text to a table: find the dialect and the header, then stream numbered records."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

import pyarrow as pa

from harvesters import ahead, around, blocks, cells, header
from harvesters.census import Census
from harvesters.decode import Text
from harvesters.errors import TableNotFound, TooManyColumns
from harvesters.rawtable import MAX_COLUMNS
from harvesters.source import Options
from lake.rejected import Rejected

DELIMITERS = (",", ";", "\t", "|")
SAMPLE_RECORDS = 400
_CODE_AND_NAME = re.compile(r"\s*\d+ +\S")


@dataclass(frozen=True)
class Dialect:
    """How the records of a text are cut. `above` are the lines above the header.

    With `code_and_name` a line is a number, a space, and a name that has spaces too.
    """

    delimiter: str
    quote: str
    header: header.Header
    code_and_name: bool = False
    above: list[str] = field(default_factory=list)

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
    names = header.find(
        rows, options.header_row, options.skip_rows, width, height=options.header_rows
    )
    if names is None:
        raise TableNotFound("No header with rows below it was found in the file.")
    if len(names.names) > MAX_COLUMNS:
        raise TooManyColumns(
            f"The table has {len(names.names)} columns; {MAX_COLUMNS} are allowed."
        )
    return Dialect(delimiter, quote, names, above=around.lines(rows[: names.top]))


def batches(
    text: Text, found: Dialect, ragged: list[Rejected], census: Census
) -> Iterator[pa.RecordBatch]:
    """The records below the header as cleaned text batches; ragged ones go to `ragged`, what the
    columns look like to `census`.

    Raises LineTooLong and what `Text.iter_utf8` raises.
    """
    row = 0
    read = partial(cells.read, dialect=found)
    for read_block in ahead.each(read, blocks.cut(text.iter_utf8(), found.quote.encode())):
        block = read_block.below(row, found.header.first_row)
        row += block.row_count
        ragged.extend(block.refused)
        census.add(block.batch.num_rows, block.looks)
        if block.batch.num_rows:
            yield block.batch


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
