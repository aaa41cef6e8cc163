"""Delimited text: CSV, TSV and their relatives."""

from __future__ import annotations

from pathlib import Path

from harvesters import decode as decoding
from harvesters import delimited
from harvesters.census import Census
from harvesters.connectors.base import Connector
from harvesters.mending import mend
from harvesters.rawtable import RawColumn, RawTable, text_schema
from harvesters.remarks import remark
from harvesters.source import Options
from harvesters.unreadable import Unreadable
from harvesters.workbench import Workbench


def decode(path: Path, options: Options, bench: Workbench) -> list[RawTable]:
    """The file's one table."""
    text = decoding.text(path, options.encoding)
    found = delimited.dialect(text, options)
    ragged = Unreadable()
    schema = text_schema(found.width)
    census = Census(schema.names[1:])
    name = bench.keep(schema, delimited.batches(text, found, ragged, census), census)
    units = [*found.header.units, *[""] * found.width]
    columns = [
        RawColumn(f"c{index}", header, unit=units[index] or None)
        for index, header in enumerate(found.header.names)
    ]
    delimiter = {"\t": "tab", " ": "space"}.get(found.delimiter, found.delimiter)
    place, *more = found.header.told()
    messages = [f"encoding {text.encoding}, delimiter {delimiter}, {place}", *more]
    table = RawTable(name, columns, rejected=ragged, messages=messages, above=found.above)
    mend(table, options, bench, text.holds)
    remark(table, options, bench)
    return [table]


CONNECTOR = Connector(
    kind="csv",
    title="Delimited text (CSV, TSV)",
    help="Encoding, delimiter, decimal sign and header row are found out from the file. "
    "Options: encoding, delimiter, decimal, header_row (0: none), header_rows, skip_rows, "
    "row_kind, text_encoding.",
    decode=decode,
)
