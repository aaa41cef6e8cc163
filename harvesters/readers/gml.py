"""The GML pages in a folder, read apart (`harvesters.apart`) by GDAL as one table of texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyogrio import raw  # type: ignore[import-untyped]

from harvesters.rawtable import ROW
from harvesters.readers import places
from harvesters.readers.layers import named_errors
from harvesters.readers.process import REJECTED, Table

BATCH_ROWS = 2_048
_ID = "gml_id"


def read(path: Path, arguments: Mapping[str, Any]) -> Iterator[Table]:
    """One table of all files: `row`, texts `c0` …, `id`, `geometry` as WKB in CRS84.

    `arguments`: `template` (the name of GDAL's template beside the files), `columns` (how many
    texts), `crs`, `has_geometry`. Raises LayerBroken, CrsUnsupported.
    """
    texts = [f"c{index}" for index in range(arguments["columns"])]
    schema = pa.schema(
        [
            pa.field(ROW, pa.int64()),
            *(pa.field(name, pa.string()) for name in (*texts, "id")),
            pa.field(places.GEOMETRY, pa.binary()),
            pa.field(REJECTED, pa.string()),
        ]
    )
    yield Table(schema, _batches(path, texts, schema, arguments), [])


def _batches(
    folder: Path, texts: list[str], schema: pa.Schema, arguments: Mapping[str, Any]
) -> Iterator[pa.RecordBatch]:
    to_crs84 = places.transformer(arguments["crs"]) if arguments["has_geometry"] else None
    options = {"GFS_TEMPLATE": str(folder / arguments["template"]), "DOWNLOAD_SCHEMA": "NO"}
    row = 0
    for file in sorted(folder.glob("*.gml")):
        with (
            named_errors(),
            raw.open_arrow(file, use_pyarrow=True, batch_size=BATCH_ROWS, **options) as opened,
        ):
            about, reader = opened
            for batch in reader:
                yield _batch(batch, row, texts, schema, about["geometry_name"], to_crs84)
                row += len(batch)


def _batch(
    batch: pa.RecordBatch,
    row: int,
    texts: list[str],
    schema: pa.Schema,
    geometry: str | None,
    to_crs84: Any,
) -> pa.RecordBatch:
    arrays = [pa.array(range(row + 1, row + 1 + len(batch)), pa.int64())]
    for name in (*texts, _ID):
        found = name in batch.schema.names
        arrays.append(
            batch.column(name).cast(pa.string()) if found else pa.nulls(len(batch), pa.string())
        )
    reasons: list[str | None] = [None] * len(batch)
    shapes = pa.nulls(len(batch), pa.binary())
    if geometry in batch.schema.names:
        located, reasons = places.all_of(batch.column(geometry).to_pylist(), to_crs84)
        shapes = located[-1]
    arrays += [shapes, pa.array(reasons, pa.string())]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
