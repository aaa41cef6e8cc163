"""How each column lies in its Parquet file, by what a scan costs and what the file weighs.

| column | encoding | compressed by |
|---|---|---|
| whose values repeat | dictionary | zstd |
| whole numbers, decimals, dates, timestamps | differences (`DELTA_BINARY_PACKED`) | zstd |
| measured numbers (`float64`) | byte by byte (`BYTE_STREAM_SPLIT`) | snappy |
| others | plain | zstd |

Differences are smaller and read several times as fast as plain values under zstd. The bytes of a
measured number hardly compress: zstd would cost each scan more than the file gains. Encodings:
https://parquet.apache.org/docs/file-format/data-pages/encodings/
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_FEW_ROWS = 20_000
_REPEATING_SHARE = 0.5
# Of more digits a decimal is no 64-bit integer.
_INTEGER_DIGITS = 18


def of(group: pa.Table) -> dict[str, Any]:
    """What `pyarrow.parquet.ParquetWriter` is told of a table whose first rows are `group`."""
    if group.num_rows < _FEW_ROWS or any(map(pa.types.is_nested, group.schema.types)):
        return {"compression": "zstd"}
    repeating = _repeating(group)
    single = [field for field in group.schema if field.name not in repeating]
    encodings = {field.name: encoding for field in single if (encoding := _encoding(field.type))}
    split = {name for name, encoding in encodings.items() if encoding == "BYTE_STREAM_SPLIT"}
    return {
        "compression": {name: "snappy" if name in split else "zstd" for name in group.column_names},
        "use_dictionary": repeating or False,
        "column_encoding": encodings or None,
        "store_decimal_as_integer": True,
    }


def _encoding(stored: pa.DataType) -> str | None:
    if pa.types.is_floating(stored):
        return "BYTE_STREAM_SPLIT"
    whole = pa.types.is_integer(stored) or pa.types.is_date(stored) or pa.types.is_timestamp(stored)
    if whole or (pa.types.is_decimal(stored) and stored.precision <= _INTEGER_DIGITS):
        return "DELTA_BINARY_PACKED"
    return None


def _repeating(group: pa.Table) -> list[str]:
    """The columns that a dictionary makes smaller; to try it on the others takes a while."""
    some = group.slice(0, _FEW_ROWS)
    most = _REPEATING_SHARE * some.num_rows
    distinct = [pc.count_distinct(column).as_py() for column in some.columns]
    return [name for name, count in zip(group.column_names, distinct, strict=True) if count < most]
