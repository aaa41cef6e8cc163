"""A stream of delimited text, cut into blocks of whole records."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harvesters.errors import LineTooLong

BLOCK_BYTES = 4 << 20
# A record longer than this is a file without line ends.
LONGEST_BLOCK_BYTES = 32 << 20


def cut(chunks: Iterator[bytes], quote: bytes) -> Iterator[bytes]:
    """Cut a stream where records end: at a line end with an even number of quotes before it.

    Raises LineTooLong.
    """
    waiting: list[bytes] = []
    size = 0
    for chunk in chunks:
        waiting.append(chunk)
        size += len(chunk)
        if size < BLOCK_BYTES:
            continue
        held = b"".join(waiting)
        end = _record_end(held, quote)
        if end:
            yield held[:end]
        waiting, size = [held[end:]], len(held) - end
    if held := b"".join(waiting):
        if len(held) > LONGEST_BLOCK_BYTES:
            raise _too_long()
        yield held


def _record_end(block: bytes, quote: bytes) -> int:
    end = len(block)
    # Of many quotes numpy counts faster than `bytes.count`.
    letters = np.frombuffer(block, np.uint8)
    quotes = int(np.count_nonzero(letters == quote[0])) if quote else 0
    while True:
        line_end = max(block.rfind(b"\n", 0, end), block.rfind(b"\r", 0, end - 1))
        if line_end < 0:
            break
        if quote:
            quotes -= block.count(quote, line_end, end)
        if quotes % 2 == 0 and not block.startswith(b"\r\n", line_end):
            return line_end + 1
        end = line_end
    if len(block) <= LONGEST_BLOCK_BYTES:
        return 0
    # Quotes that never pair up (5" pipes): any line end will do, if there is one.
    anyway = block.rfind(b"\n")
    if anyway < 0:
        raise _too_long()
    return anyway + 1


def _too_long() -> LineTooLong:
    return LineTooLong(f"A line is longer than {LONGEST_BLOCK_BYTES >> 20} MiB.")
