"""The content hash of a table: equal for the same columns with the same values in the same order.

Every column feeds three digests (is a value there, how long is it, its bytes), so how the rows are
cut into batches does not matter, and nothing but the digests is kept.
"""

from __future__ import annotations

import hashlib
import json
import struct

import pyarrow as pa
import pyarrow.compute as pc

from lake import schema


class ContentHash:
    """Feed it every batch of a stored schema in order; then `hexdigest`."""

    def __init__(self, stored: pa.Schema) -> None:
        self._columns = [_ColumnHash() for _ in stored]
        # Names, types, units and descriptions are content too: a corrected unit is a new version.
        self._heading = json.dumps(
            [vars(column) for column in schema.from_arrow(stored)], sort_keys=True
        )

    def update(self, batch: pa.RecordBatch) -> None:
        for column, array in zip(self._columns, batch.columns, strict=True):
            column.update(array)

    def hexdigest(self) -> str:
        whole = hashlib.sha256(self._heading.encode())
        for column in self._columns:
            whole.update(column.digest())
        return whole.hexdigest()


class _ColumnHash:
    def __init__(self) -> None:
        self._presence = hashlib.sha256()
        self._lengths = hashlib.sha256()
        self._values = hashlib.sha256()
        self._elements: _ColumnHash | None = None

    def update(self, array: pa.Array) -> None:
        self._presence.update(_numbers(array.is_valid().cast(pa.uint8())))
        if pa.types.is_list(array.type):
            self._lengths.update(_numbers(pc.fill_null(pc.list_value_length(array), 0)))
            self._elements = self._elements or _ColumnHash()
            # Flattening leaves out what a null list hides.
            self._elements.update(pc.list_flatten(array))
        elif pa.types.is_string(array.type) or pa.types.is_binary(array.type):
            filled = pc.fill_null(array, pa.scalar(b"").cast(array.type))
            self._lengths.update(_numbers(pc.binary_length(filled)))
            self._values.update(_bytes(filled))
        elif pa.types.is_boolean(array.type):
            self._values.update(_numbers(pc.fill_null(array, False).cast(pa.uint8())))
        else:
            self._values.update(_numbers(pc.fill_null(array, pa.scalar(0, array.type))))

    def digest(self) -> bytes:
        parts = [self._presence, self._lengths, self._values]
        joined = b"".join(part.digest() for part in parts)
        if self._elements:
            joined += self._elements.digest()
        return hashlib.sha256(joined).digest()


def _numbers(array: pa.Array) -> memoryview:
    width = array.type.bit_width // 8
    return memoryview(array.buffers()[1] or b"")[
        array.offset * width : (array.offset + len(array)) * width
    ]


def _bytes(array: pa.Array) -> memoryview:
    _, offsets, data = array.buffers()
    if not len(array) or data is None:
        return memoryview(b"")
    (start,) = struct.unpack_from("<i", offsets, array.offset * 4)
    (end,) = struct.unpack_from("<i", offsets, (array.offset + len(array)) * 4)
    return memoryview(data)[start:end]
