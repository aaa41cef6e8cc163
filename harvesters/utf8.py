"""UTF-8 in bulk: whether a file is it, and its bytes cut between letters.

Arrow checks the bytes, several times as fast as decoding them would be; which byte is wrong is
asked of Python's decoder, once there is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from harvesters import ahead

CHUNK_BYTES = 1 << 20
_LONGEST_LETTER = 4


def first_wrong(path: Path) -> int | None:
    """The position of the first byte that is no UTF-8; None when the whole file is."""
    begin = 0
    for wrong, length in ahead.each(_looked_through, chunks(path)):
        if wrong is not None:
            return begin + wrong
        begin += length
    return None


def _looked_through(chunk: bytes) -> tuple[int | None, int]:
    return first_wrong_of(chunk), len(chunk)


def first_wrong_of(chunk: bytes) -> int | None:
    """The position of the first byte of a whole chunk that is no UTF-8."""
    offsets = pa.py_buffer(np.array([0, len(chunk)], np.int64))
    one_text = pa.Array.from_buffers(pa.large_string(), 1, [None, offsets, pa.py_buffer(chunk)])
    try:
        one_text.validate(full=True)
    except pa.ArrowInvalid:
        try:
            chunk.decode("utf-8")
        except UnicodeDecodeError as error:
            return error.start
        raise
    return None


def chunks(path: Path) -> Iterator[bytes]:
    """The file's bytes in order; if they are UTF-8, no letter is cut in two."""
    left = b""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            whole = left + chunk
            end = len(whole) - _begun_letter(whole)
            left = whole[end:]
            if end:
                yield whole[:end]
    if left:
        yield left


def _begun_letter(chunk: bytes) -> int:
    """How many bytes at the end of a chunk are the beginning of a letter that goes on after it."""
    for length in range(1, min(_LONGEST_LETTER, len(chunk) + 1)):
        byte = chunk[-length]
        if byte < 0x80:
            return 0
        if byte >= 0xC0:
            wanted = 2 + (byte >= 0xE0) + (byte >= 0xF0)
            return length if length < wanted else 0
    return 0
