"""Texts of many rows, written by compiled code (`row_text.cpp`) from Arrow columns: in half the
time that the expressions of `value_text` take, and to the same letter, as a test shows.

It is built at the installation where there is a compiler. Where there was none, and for types that
are not in `_KINDS`, the engine writes all rows.
"""

from __future__ import annotations

import ctypes
import importlib.util
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pyarrow as pa

from api_gateway import value_text
from api_gateway.engine import THREADS
from api_gateway.value_text import json_text

# The engine's type → the type of its Arrow column, in the order of `Kind` in row_text.cpp.
_KINDS: dict[str, Callable[[pa.DataType], bool]] = {
    "tinyint": pa.types.is_int8,
    "smallint": pa.types.is_int16,
    "integer": pa.types.is_int32,
    "bigint": pa.types.is_int64,
    "utinyint": pa.types.is_uint8,
    "usmallint": pa.types.is_uint16,
    "uinteger": pa.types.is_uint32,
    "ubigint": pa.types.is_uint64,
    "hugeint": pa.types.is_decimal128,
    "double": pa.types.is_float64,
    "decimal": pa.types.is_decimal128,
    "boolean": pa.types.is_boolean,
    "date": pa.types.is_date32,
    "time": lambda kind: kind == pa.time64("us"),
    "timestamp": lambda kind: kind == pa.timestamp("us"),
    "timestamp with time zone": lambda kind: pa.types.is_timestamp(kind) and kind.unit == "us",
    "varchar": lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind),
    "blob": lambda kind: pa.types.is_binary(kind) or pa.types.is_large_binary(kind),
}
_NUMBERS = {name: number for number, name in enumerate(_KINDS)}
_WRITTEN, _BEYOND, _NO_MEMORY = range(3)
# As `row_text_layout` of row_text.cpp says.
_LAYOUT = 1
# Behind each text that is copied in whole blocks, as `BLOCK` in row_text.cpp.
_BLOCK = bytes(16)
_PAGE_BYTES = 64 * 1024
# What is to be done once a batch takes as long as some thousand rows.
BATCH_ROWS = 20 * 2048
# So many batches are written ahead of the one that is taken, unless they are large.
_AHEAD, _LARGE_BYTES = THREADS, 4 * 1024 * 1024


class _Column(ctypes.Structure):
    """As `Column` in row_text.cpp."""

    _fields_ = [
        ("kind", ctypes.c_int32),
        ("scale", ctypes.c_int32),
        ("quoted", ctypes.c_int32),
        ("missing_length", ctypes.c_int32),
        ("offset", ctypes.c_int64),
        ("valid", ctypes.c_void_p),
        ("values", ctypes.c_void_p),
        ("ends", ctypes.c_void_p),
        ("long_ends", ctypes.c_void_p),
        ("before", ctypes.c_char_p),
        ("before_length", ctypes.c_int64),
        ("missing", ctypes.c_char_p),
    ]


class _Rows(ctypes.Structure):
    """As `Rows` in row_text.cpp."""

    _fields_ = [
        ("columns", ctypes.POINTER(_Column)),
        ("column_count", ctypes.c_int64),
        ("row_count", ctypes.c_int64),
        ("after", ctypes.c_char_p),
        ("after_length", ctypes.c_int64),
        ("harmless", ctypes.c_int64),
    ]


def _library() -> Any:
    """The compiled code; None where it was not built, or from sources of another version."""
    built = importlib.util.find_spec("api_gateway._row_text")
    if built is None or built.origin is None:
        return None
    library = ctypes.CDLL(built.origin)
    if library.row_text_layout() != _LAYOUT:
        return None
    library.write_rows.argtypes = [
        ctypes.POINTER(_Rows), ctypes.c_int32, ctypes.c_int64, ctypes.POINTER(ctypes.c_void_p),
        ctypes.c_void_p,
    ]  # fmt: skip
    library.free_rows.argtypes = [ctypes.c_void_p]
    return library


_LIBRARY = _library()


def is_built() -> bool:
    """Whether there was a compiler at the installation."""
    return _LIBRARY is not None


def knows(columns: list[tuple[str, Any]]) -> bool:
    """Whether it writes `columns` of (name, DuckDB type)."""
    return is_built() and all(_name(kind) in _KINDS for _, kind in columns)


def _name(kind: Any) -> str:
    return "decimal" if kind.id == "decimal" else str(kind).lower()


class RowText:
    """Writes batches of `columns` (name, DuckDB type) as `format_name`, one of the text formats;
    `between` as in `formats.Row`, `csv_safe` as in `value_text.csv_cell`."""

    def __init__(
        self, format_name: str, columns: list[tuple[str, Any]], between: str, *, csv_safe: bool
    ) -> None:
        self._json = format_name != "csv"
        self._harmless = csv_safe and not self._json
        self._after = (("}" + (between or "\n")) if self._json else "\n").encode()
        missing = b"null" if self._json else b'""' if len(columns) == 1 else b""
        self._kinds = [_KINDS[_name(kind)] for _, kind in columns]
        self._columns = (_Column * len(columns))()
        for index, ((name, kind), column) in enumerate(zip(columns, self._columns, strict=True)):
            before = self._before(index, name).encode()
            column.before, column.before_length = before + _BLOCK, len(before)
            column.missing, column.missing_length = missing + _BLOCK, len(missing)
            column.kind = _NUMBERS[_name(kind)]
            if kind.id == "decimal":
                of = dict(kind.children)
                column.scale = of["scale"]
                column.quoted = of["precision"] > value_text.DOUBLE_DIGITS
        self._likely_bytes, self._gave_up = _PAGE_BYTES, False

    def _before(self, index: int, name: str) -> str:
        if not self._json:
            return "," if index else ""
        return ("," if index else "{") + json_text(name) + ":"

    def each(
        self, batches: Iterator[pa.RecordBatch]
    ) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch | None]]:
        """Each batch with what `write` makes of it: of the first one at once, of others ahead."""
        for first in batches:
            yield first, self.write(first)
            break
        ahead: deque[tuple[pa.RecordBatch, Future[pa.RecordBatch | None]]] = deque()
        with ThreadPoolExecutor(THREADS) as threads:
            for batch in batches:
                ahead.append((batch, threads.submit(self.write, batch)))
                most = _AHEAD if batch.nbytes < _LARGE_BYTES else 0
                while len(ahead) > most:
                    written, texts = ahead.popleft()
                    yield written, texts.result()
            for written, texts in ahead:
                yield written, texts.result()

    def write(self, rows: pa.RecordBatch) -> pa.RecordBatch | None:
        """A column with the text of each row. None of rows with a day before the year 1 or after
        9999, and of all after them. Raises MemoryError."""
        arrow = zip(self._kinds, rows.columns, strict=True)
        self._gave_up = self._gave_up or not all(suits(column.type) for suits, column in arrow)
        if self._gave_up:
            return None
        # Of this call alone, as others run beside it.
        columns = type(self._columns).from_buffer_copy(self._columns)
        for column, values in zip(columns, rows.columns, strict=True):
            _point(column, values)
        whole = _Rows(
            columns, len(columns), rows.num_rows, self._after + _BLOCK, len(self._after),
            self._harmless,
        )  # fmt: skip
        ends, text = pa.allocate_buffer(8 * (rows.num_rows + 1)), ctypes.c_void_p()
        outcome = _LIBRARY.write_rows(whole, self._json, self._likely_bytes, text, ends.address)
        if outcome == _NO_MEMORY:
            raise MemoryError
        if outcome == _BEYOND:
            self._gave_up = True
            return None
        size = memoryview(ends).cast("q")[rows.num_rows]
        self._likely_bytes = size + _PAGE_BYTES
        buffer = pa.foreign_buffer(text.value, size, _Written(text))
        made = pa.Array.from_buffers(pa.large_string(), rows.num_rows, [None, ends, buffer])
        return pa.record_batch([made], names=["text"])


def _point(column: _Column, values: pa.Array) -> None:
    """Have `column` look at `values`, which the caller keeps."""
    valid, *buffers = (buffer.address if buffer else None for buffer in values.buffers())
    column.offset = values.offset
    column.valid = valid if values.null_count else None
    column.values = buffers[-1]
    if len(buffers) > 1:
        long = pa.types.is_large_string(values.type) or pa.types.is_large_binary(values.type)
        column.ends, column.long_ends = (None, buffers[0]) if long else (buffers[0], None)


class _Written:
    """Text in memory of the library, which takes it back when nobody looks at it any more."""

    def __init__(self, text: ctypes.c_void_p) -> None:
        self._text = text

    def __del__(self) -> None:
        _LIBRARY.free_rows(self._text)
