"""Bytes on their way through the streaming JSON parser, stopped where they would harm it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import ijson  # type: ignore[import-untyped]

from harvesters.errors import JsonBroken, LineTooLong, NestedTooDeep

MAX_DEPTH = 64
BUFFER_BYTES = 1 << 16
# A text or a number longer than this is none.
LONGEST_VALUE_BYTES = 8 << 20
LONGEST_ROW_BYTES = 16 << 20
# The names on the way to a value: the parser keeps them all with every value.
_LONGEST_PATH = 4_000
# Python makes no integer of more than 4,300 digits, and the parser dies of that.
_LONGEST_NUMBER = 4_000
_TOO_LONG = re.compile(rb"[0-9]{%d}" % _LONGEST_NUMBER)
_ENDS = ("end_map", "end_array")


class JsonStream:
    """A file of UTF-8 chunks for ijson. Its reader calls `mark` after each value or row it is
    done with; reading on for `longest` bytes without that is refused.

    Raises LineTooLong, JsonBroken.
    """

    def __init__(self, chunks: Iterator[bytes], longest: int = LONGEST_ROW_BYTES) -> None:
        self._chunks = chunks
        self._longest = longest
        self._held = b""
        self._tail = b""
        self.read_bytes = 0
        self.marked = 0

    def read(self, size: int) -> bytes:
        if not self._held:
            self._held = next(self._chunks, b"")
        part, self._held = self._held[:size], self._held[size:]
        self.read_bytes += len(part)
        if self.read_bytes - self.marked > self._longest:
            raise LineTooLong(
                f"A value of the document is longer than {self._longest >> 20} MiB, near byte "
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


def walk(stream: JsonStream) -> Iterator[tuple[list[str], str, str, Any]]:
    """Every event of a document with the steps to what holds it and its own name there (`item` in
    a list). The steps are one list, which changes; the root's own step is empty.

    Raises NestedTooDeep, JsonBroken, the errors of the stream, and ijson.JSONError.
    """
    steps: list[str] = []
    in_list: list[bool] = []
    key, letters = "", 0
    for event, value in ijson.basic_parse(stream, buf_size=BUFFER_BYTES):
        stream.mark()
        if event == "map_key":
            key = value
            yield steps, key, event, value
            continue
        if event in _ENDS:
            letters -= len(steps[-1])
            name = steps.pop()
            in_list.pop()
            yield steps, name, event, value
            continue
        name = "" if not steps else "item" if in_list[-1] else key
        yield steps, name, event, value
        if event in ("start_map", "start_array"):
            letters += len(name)
            if len(steps) >= MAX_DEPTH:
                raise NestedTooDeep(
                    f"The document is more than {MAX_DEPTH} levels deep, near byte "
                    f"{stream.read_bytes}."
                )
            if letters > _LONGEST_PATH:
                raise JsonBroken(
                    f"The document has names of over {_LONGEST_PATH} letters, near byte "
                    f"{stream.read_bytes}."
                )
            steps.append(name)
            in_list.append(event == "start_array")


def prefix(steps: list[str], name: str) -> str:
    """The place of a value as ijson writes it."""
    return ".".join([*steps[1:], name]) if steps else ""
