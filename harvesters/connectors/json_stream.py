"""Bytes on their way into the streaming JSON parser, stopped where they would harm it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harvesters.errors import JsonBroken, LineTooLong

# One value or one row longer than this is no row.
LONGEST_BYTES = 32 << 20
BUFFER_BYTES = 1 << 16
# Python makes no integer of more than 4,300 digits, and the parser dies of that.
_LONGEST_NUMBER = 4_000
_TOO_LONG = re.compile(rb"[0-9]{%d}" % _LONGEST_NUMBER)


class JsonStream:
    """A file of UTF-8 chunks for ijson. Its reader calls `mark` after each value or row it is
    done with; reading on and on without that is refused.

    Raises LineTooLong, JsonBroken.
    """

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = b""
        self._tail = b""
        self.read_bytes = 0
        self.marked = 0

    def read(self, size: int) -> bytes:
        if not self._held:
            self._held = next(self._chunks, b"")
        part, self._held = self._held[:size], self._held[size:]
        self.read_bytes += len(part)
        if self.read_bytes - self.marked > LONGEST_BYTES:
            raise LineTooLong(
                f"A value of the document is longer than {LONGEST_BYTES >> 20} MiB, near byte "
                f"{self.marked}."
            )
        if _TOO_LONG.search(self._tail + part):
            raise JsonBroken(
                f"The document has a number of over {_LONGEST_NUMBER} digits, near byte "
                f"{self.read_bytes}."
            )
        self._tail = (self._tail + part)[-_LONGEST_NUMBER:]
        return part

    def mark(self) -> None:
        """What was read so far is done with."""
        self.marked = self.read_bytes
