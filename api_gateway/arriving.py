"""Requests that have not arrived in full: they wait in the kernel, and hold no thread.

What is there of a request is looked at where it lies (MSG_PEEK), and its connection becomes
readable again when there is as much as it needs (SO_RCVLOWAT). Whoever sends a letter a minute
holds a socket, not the turn of all others.
"""

from __future__ import annotations

import contextlib
import re
import socket
import time
from select import POLLIN, POLLRDHUP, poll

from api_gateway.settings import BODY_BYTES, STALL_S

# Whatever has a longer head or body is refused as soon as somebody reads that.
_HEAD_BYTES = 128 * 1024
_FEW_BYTES = 16 * 1024
# A body in chunks is looked at for each of them: only who sends them in shreds needs more.
_MOST_LOOKS = 2000
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,9})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_EXPECTING = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)
# gunicorn says it again; a client takes any number of them (RFC 9110, 15.2).
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,8})[^\r\n]{0,200}\r\n")
_LINE_BYTES = 256


class Arrival:
    """How one request comes in. `begun` are bytes of it that were read along with the last one."""

    def __init__(self) -> None:
        self._give_up_at = time.monotonic() + STALL_S
        self._looks = 0
        self._asked_on = False
        # So far a body's chunks are known.
        self._chunks_to = 0

    @property
    def is_over(self) -> bool:
        """Whether it took too long to be waited for any more."""
        return self._looks > _MOST_LOOKS or time.monotonic() > self._give_up_at

    def is_whole(self, connection: socket.socket, begun: bytes = b"") -> bool:
        """Whether the request is there, or nothing more will come. If not, the connection does not
        become readable before there is more of it."""
        self._looks += 1
        seen = begun + _peeked(connection)
        lacks = self.wanted(seen) - len(seen)
        whole = lacks <= 0 or not _can_wait(connection, len(seen) - len(begun) + lacks)
        if not whole and not self._asked_on and _waits_to_be_asked(seen):
            self._asked_on = True
            with contextlib.suppress(OSError):
                connection.send(_CONTINUE, socket.MSG_DONTWAIT)
        if whole:
            _wake_at(connection, 1)
        return whole

    def wanted(self, seen: bytes) -> int:
        """How many bytes of the request there must be before it can go on, by those that are."""
        head = seen.find(b"\r\n\r\n")
        if head < 0:
            return min(len(seen) + 1, _HEAD_BYTES)
        start, fields = head + 4, seen[: head + 2]
        if _CHUNKED.search(fields):
            return min(self._end_of_chunks(seen, start), start + BODY_BYTES)
        length = _LENGTH.search(fields)
        return start + int(length[1]) if length and int(length[1]) <= BODY_BYTES else start

    def _end_of_chunks(self, seen: bytes, start: int) -> int:
        at = max(start, self._chunks_to)
        while chunk := _CHUNK.match(seen, at):
            size = int(chunk[1], 16)
            if not size:
                end = seen.find(b"\r\n\r\n", chunk.end() - 2)
                return end + 4 if end >= 0 else len(seen) + 1
            if (after := chunk.end() + size + 2) > len(seen):
                # The least that is to follow it.
                return after + len(b"0\r\n\r\n")
            self._chunks_to = at = after
        # No chunk, unless its first line is not there yet.
        line = seen[at : at + _LINE_BYTES]
        return len(seen) + (len(line) < _LINE_BYTES and b"\n" not in line)


def _waits_to_be_asked(seen: bytes) -> bool:
    """Whether the body does not come before somebody asks for it."""
    head = seen.find(b"\r\n\r\n")
    return head >= 0 and bool(_EXPECTING.search(seen, 0, head + 2))


def _peeked(connection: socket.socket) -> bytes:
    for most in (_FEW_BYTES, _HEAD_BYTES + BODY_BYTES):
        try:
            seen = connection.recv(most, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return b""
        if len(seen) < most:
            break
    return seen


def _can_wait(connection: socket.socket, byte_count: int) -> bool:
    """Have it become readable when so many bytes are there. False if it is so before: its sender
    hung up, or the kernel takes no more."""
    # The kernel makes room for as many, but not for what it writes beside them.
    _wake_at(connection, 2 * byte_count)
    _wake_at(connection, byte_count)
    look = poll()
    look.register(connection, POLLIN | POLLRDHUP)
    return not look.poll(0)


def _wake_at(connection: socket.socket, byte_count: int) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, byte_count)
