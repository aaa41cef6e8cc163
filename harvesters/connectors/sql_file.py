"""The rows of a database as one Parquet file in the raw store, and what it says beside them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
from pyproj.exceptions import CRSError

from harvesters.errors import CrsUnsupported
from harvesters.fetch import Client, Fetched
from harvesters.incoming import Incoming
from harvesters.readers.database_columns import GEOMETRY, UNTYPED, system_of
from harvesters.source import Source

ROWS_A_GROUP = 16_384
BYTES_A_GROUP = 32 << 20
_MESSAGES = "messages"


@dataclass
class Ending:
    """What a database says when all rows came: how many there are, and what of them can't be read
    (column → count)."""

    count: int | None = None
    unreadable: dict[str, int] = field(default_factory=dict)

    def hear(self, said: dict[str, Any]) -> None:
        self.count, self.unreadable = said["count"], json.loads(said["unreadable"])


@dataclass(frozen=True)
class Answer:
    """Rows on their way: `batches` fills the ending when the last one came."""

    schema: pa.Schema
    batches: Callable[[Ending], Iterator[pa.RecordBatch]]


def written(source: Source, client: Client, ask: Callable[[], Answer]) -> Fetched:
    """All rows of an answer as a file. Raises what the answer raises, SourceTooLarge,
    SourceTooSlow, CrsUnsupported."""
    with Incoming(client.raw_dir, client.limits) as incoming:
        answer, ending = ask(), Ending()
        write(incoming, answer.schema, answer.batches(ending), ending)
        return kept(source, client, incoming)


def kept(source: Source, client: Client, incoming: Incoming) -> Fetched:
    sha256 = incoming.keep()
    path = client.raw_path(sha256)
    return Fetched(source.url, path, sha256, incoming.byte_count, None, None)


def write(
    incoming: Incoming, schema: pa.Schema, batches: Iterable[pa.RecordBatch], ending: Ending
) -> int:
    """Write rows as Parquet (GeoParquet where there is a geometry); how many they are."""
    incoming.begin()
    geometry = next((each.name for each in schema if _is(each, GEOMETRY)), None)
    systems: set[int] = set()
    count = 0
    with pq.ParquetWriter(
        pa.PythonFile(_Sink(incoming), mode="w"), schema, compression="zstd"
    ) as writer:
        for group in _groups(schema, batches):
            count += group.num_rows
            if geometry is not None:
                shapes = group.column(geometry).to_pylist()
                systems |= {system_of(shape) for shape in shapes if shape}
            writer.write_table(group, row_group_size=ROWS_A_GROUP)
        about = {_MESSAGES: json.dumps(_said(ending), ensure_ascii=False)}
        if geometry is not None:
            about["geo"] = json.dumps(_geo(geometry, systems))
        writer.add_key_value_metadata(about)
    return count


def _groups(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The rows in groups that are the same however they came."""
    held: list[pa.RecordBatch] = []
    count = size = 0
    for batch in batches:
        held.append(batch)
        count, size = count + len(batch), size + batch.nbytes
        while count >= ROWS_A_GROUP or size >= BYTES_A_GROUP:
            table = pa.Table.from_batches(held, schema)
            yield table.slice(0, ROWS_A_GROUP)
            rest = table.slice(ROWS_A_GROUP)
            held, count, size = rest.to_batches(), rest.num_rows, 0
    if count:
        yield pa.Table.from_batches(held, schema)


def _geo(geometry: str, systems: set[int]) -> dict[str, Any]:
    """GeoParquet's words: https://geoparquet.org/releases/v1.1.0/"""
    if len(systems) > 1:
        raise CrsUnsupported(
            f"The geometries are in {len(systems)} coordinate systems at once: "
            f"{', '.join(map(str, sorted(systems)))}."
        )
    column: dict[str, Any] = {"encoding": "WKB", "geometry_types": [], "crs": None}
    try:
        # Without a number it is not known, and an officer pins it.
        if system := next(iter(systems), 0):
            column["crs"] = pyproj.CRS.from_epsg(system).to_json_dict()
    except CRSError:
        pass
    return {"version": "1.1.0", "primary_column": geometry, "columns": {geometry: column}}


def _said(ending: Ending) -> list[str]:
    return [
        f"{column}: {count} values that its type lacks (infinity, a day 0) became NULL"
        for column, count in sorted(ending.unreadable.items())
    ]


def messages(path: Path) -> list[str]:
    """What an officer should know of the file's rows."""
    metadata = pq.read_metadata(path)
    said = json.loads((metadata.metadata or {}).get(_MESSAGES.encode(), b"[]"))
    return [f"{metadata.num_rows} rows of the database", *said]


def untyped(schema: pa.Schema) -> list[str]:
    """Columns of numbers whose size the database does not say: their type is found out."""
    return [each.name for each in schema if _is(each, UNTYPED)]


def _is(of: pa.Field, word: str) -> bool:
    return word.encode() in (of.metadata or {})


class _Sink:
    """The raw store as a file to write to."""

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming
        self.closed = False

    def write(self, chunk: Any) -> int:
        written = bytes(chunk)
        self._incoming.add(written)
        return len(written)

    def tell(self) -> int:
        return self._incoming.byte_count

    def flush(self) -> None: ...

    def close(self) -> None:
        self.closed = True
