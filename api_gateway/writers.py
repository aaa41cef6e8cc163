"""Rows as the bytes of a format: a writer takes Arrow batches and sends what they become."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from api_gateway import formats, spreadsheet
from api_gateway.formats import Row

_TEXT_ROWS = 10_000
_ARROW_ROWS = 50_000
# A row group of DuckDB's own writer.
_PARQUET_ROWS = 122_880


class Writer(Protocol):
    """Turns batches into a format's bytes."""

    def write(self, batch: Any) -> None: ...
    def close(self, row_count: int) -> None: ...


Send = Callable[[Any], int]


class _Text:
    """Rows that the engine already wrote as texts, in the first column."""

    def __init__(self, send: Send, _: Any, row: Row, __: dict[str, Any]) -> None:
        self._send = send
        if row.head:
            send(row.head.encode())

    def write(self, batch: Any) -> None:
        self._send(formats.text_of(batch.column(0)))

    def close(self, row_count: int) -> None:
        pass


class _Object:
    """Rows as JSON objects with a comma between them; of one row, the object alone."""

    def __init__(self, send: Send, _: Any, row: Row, envelope: dict[str, Any]) -> None:
        self._send, self._between, self._begun = send, row.between.encode(), False
        self._open(envelope)

    def _open(self, envelope: dict[str, Any]) -> None:
        """What stands before the first row."""

    def write(self, batch: Any) -> None:
        if not batch.num_rows:
            return
        if self._begun:
            self._send(self._between)
        self._begun = True
        # Every row ends with the separator; the last one of a batch keeps it back.
        self._send(formats.text_of(batch.column(0))[: -len(self._between)])

    def close(self, row_count: int) -> None:
        self._send(b"\n")


class _List(_Object):
    """A bare list of the rows."""

    def _open(self, envelope: dict[str, Any]) -> None:
        self._send(b"[\n")

    def close(self, row_count: int) -> None:
        self._send(b"\n]\n")


class _Json(_Object):
    """The envelope around rows: request, tables and columns before, count and `truncated` after."""

    _FIRST: dict[str, Any] = {}
    _ROWS = "rows"

    def _open(self, envelope: dict[str, Any]) -> None:
        self._truncated = envelope["truncated"]
        said = {key: envelope[key] for key in envelope if key not in ("truncated", "folder")}
        head = json.dumps(self._FIRST | said, ensure_ascii=False)
        self._send(f'{head[:-1]}, "{self._ROWS}": [\n'.encode())

    def close(self, row_count: int) -> None:
        tail = json.dumps({"row_count": row_count, "truncated": self._truncated})
        self._send(b"\n], " + tail[1:].encode() + b"\n")


class _GeoJson(_Json):
    """A FeatureCollection (RFC 7946) with the envelope's members beside its own."""

    _FIRST = {"type": "FeatureCollection"}
    _ROWS = "features"


class _Sink:
    """The file that Arrow's writers write into."""

    closed = False

    def __init__(self, send: Send) -> None:
        self._send = send
        self._written = 0

    def write(self, data: Any) -> int:
        count = self._send(data)
        self._written += count
        return count

    def tell(self) -> int:
        return self._written

    def flush(self) -> None: ...

    def close(self) -> None:
        self.closed = True

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False


class _Arrow:
    def __init__(self, send: Send, schema: Any, _: Row, envelope: dict[str, Any]) -> None:
        self._sink = pa.PythonFile(_Sink(send), mode="w")
        self._writer = pa.ipc.new_stream(self._sink, _annotated(schema, envelope))

    def write(self, batch: Any) -> None:
        self._writer.write_batch(batch)

    def close(self, row_count: int) -> None:
        self._writer.close()


class _Parquet:
    def __init__(self, send: Send, schema: Any, _: Row, envelope: dict[str, Any]) -> None:
        self._sink = pa.PythonFile(_Sink(send), mode="w")
        texts = [field.name for field in schema if _is_text(field.type)]
        # An answer is written once and read once: numbers are packed as they come.
        try:
            self._writer = pa.parquet.ParquetWriter(
                self._sink,
                _annotated(schema, envelope),
                compression="snappy",
                use_dictionary=texts or False,
            )
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
            raise formats.Unsuited(f"Parquet has no type for a column: {error}") from None

    def write(self, batch: Any) -> None:
        self._writer.write_batch(batch)

    def close(self, row_count: int) -> None:
        self._writer.close()


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _annotated(schema: Any, envelope: Mapping[str, Any]) -> Any:
    """The schema with what the envelope says: of columns in their fields, of tables in its own."""
    fields = [
        field.with_metadata(
            {
                f"hanoiic:{'type' if key == 'lake_type' else key}": text
                for key, text in said.items()
                if key not in ("name", "type")
            }
            or None
        )
        for field, said in zip(schema, envelope["columns"], strict=True)
    ]
    tables = json.dumps(envelope["tables"], ensure_ascii=False)
    return pa.schema(
        fields,
        {"hanoiic:tables": tables, "hanoiic:attribution": envelope["attribution"]},
    )


_Make = Callable[[Send, Any, Row, dict[str, Any]], Writer]
# Format → its writer, and the rows of a batch.
WRITERS: dict[str, tuple[_Make, int]] = {
    "json": (_Json, _TEXT_ROWS),
    "rows": (_List, _TEXT_ROWS),
    "object": (_Object, _TEXT_ROWS),
    "ndjson": (_Text, _TEXT_ROWS),
    "csv": (_Text, _TEXT_ROWS),
    "arrow": (_Arrow, _ARROW_ROWS),
    "parquet": (_Parquet, _PARQUET_ROWS),
    "xlsx": (spreadsheet.Writer, _TEXT_ROWS),
    "geojson": (_GeoJson, _TEXT_ROWS),
}
