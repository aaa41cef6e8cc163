"""Parquet and GeoParquet, read apart (`harvesters.apart`): types kept, geometries in CRS84."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from harvesters.errors import CrsMissing, ParquetBroken, ParquetEncrypted
from harvesters.pins import pins_by_column
from harvesters.rawtable import ROW, RawColumn
from harvesters.readers import arrow_columns, places
from harvesters.readers.arrow_columns import Kept
from harvesters.readers.process import REJECTED, Table
from harvesters.source import ColumnPin, Options

BATCH_BYTES = 16 << 20
BATCH_ROWS = 16_384


def read(path: Path, arguments: Mapping[str, Any]) -> Iterator[Table]:
    """The file's one table. `arguments`: `pins` (type by column), `crs`.

    Raises ParquetBroken, ParquetEncrypted, CrsMissing, CrsUnsupported, TooManyColumns.
    """
    with (
        _named_errors(),
        pq.ParquetFile(
            path,
            pre_buffer=False,
            buffer_size=1 << 20,
            thrift_string_size_limit=16 << 20,
            thrift_container_size_limit=1 << 20,
            arrow_extensions_enabled=False,
        ) as file,
    ):
        yield _table(file, arguments)


@contextmanager
def _named_errors() -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        if "crypt" in str(error).lower():
            raise ParquetEncrypted("The Parquet file is encrypted.") from error
        raise ParquetBroken("The Parquet file is truncated or damaged.") from error


def _table(file: pq.ParquetFile, arguments: Mapping[str, Any]) -> Table:
    _refuse_other_files(file)
    flat = arrow_columns.flattened(file.schema_arrow.empty_table()).schema
    geometry, crs = _geometry(file, arguments.get("crs"))
    others = pa.schema([each for each in flat if each.name != geometry])
    columns = arrow_columns.kept(others, as_text(others, arguments["pins"]))
    fields = [pa.field(ROW, pa.int64()), *(each.field for each in columns)]
    listed = [each.column for each in columns]
    messages = [f"{file.metadata.num_rows} rows, written by {file.metadata.created_by[:60]!r}"]
    to_crs84 = None
    if geometry is not None:
        to_crs84 = places.transformer(crs or places.CRS84)
        fields += places.FIELDS
        listed += places.COLUMNS
        messages.append(f"geometry {geometry!r} in {places.name(crs or places.CRS84)}")
    schema = pa.schema([*fields, pa.field(REJECTED, pa.string())])
    batches = places.batches(_rows(file, columns, geometry), to_crs84, schema)
    return Table(schema, batches, listed, messages=messages)


def as_text(schema: pa.Schema, pins: Mapping[str, str]) -> set[str]:
    """The columns whose type an officer pinned: they are read as text, and typed later."""
    columns = [RawColumn(str(index), each.name) for index, each in enumerate(schema)]
    wanted = Options(columns={name: ColumnPin(type=pinned) for name, pinned in pins.items()})
    return {schema.field(int(key)).name for key in pins_by_column(columns, wanted)}


def _refuse_other_files(file: pq.ParquetFile) -> None:
    for group in range(file.metadata.num_row_groups):
        for column in range(file.metadata.num_columns):
            if file.metadata.row_group(group).column(column).file_path:
                raise ParquetBroken("The Parquet file keeps its columns in another file.")


def _geometry(file: pq.ParquetFile, pinned_crs: str | None) -> tuple[str | None, str | None]:
    """The name of the geometry's column and its coordinate system (None: CRS84)."""
    # Of the file; that of Arrow's own schema, where there is one, need not have it.
    metadata = (file.metadata.metadata or {}).get(b"geo")
    if metadata is None:
        return None, None
    try:
        about = json.loads(metadata)
        name = about["primary_column"]
        column = about["columns"][name]
        if column["encoding"] != "WKB" or name not in file.schema_arrow.names:
            return None, None
    except (ValueError, KeyError, TypeError) as error:
        raise ParquetBroken("The description of the GeoParquet file can't be read.") from error
    if pinned_crs:
        return name, pinned_crs
    if "crs" not in column:
        return name, None
    if column["crs"] is None:
        raise CrsMissing(
            "The GeoParquet file says that its coordinate system is unknown; pin the option `crs`."
        )
    return name, json.dumps(column["crs"])


def _rows(file: pq.ParquetFile, columns: list[Kept], geometry: str | None) -> Iterator[places.Rows]:
    for batch in _read(file):
        table = arrow_columns.flattened(pa.Table.from_batches([batch])).combine_chunks()
        wkb = None if geometry is None else table.column(geometry).to_pylist()
        yield places.Rows(len(batch), [_converted(each, table) for each in columns], wkb)


def _read(file: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    with _named_errors():
        yield from file.iter_batches(_rows_at_once(file), use_threads=False)


def _converted(kept: Kept, table: pa.Table) -> pa.Array:
    column = table.column(kept.column.header)
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks)
    return kept.convert(array)


def _rows_at_once(file: pq.ParquetFile) -> int:
    metadata = file.metadata
    total = sum(
        metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups)
    )
    each = max(1, total // max(1, metadata.num_rows), metadata.num_columns * 8)
    return int(max(64, min(BATCH_ROWS, BATCH_BYTES // each)))
