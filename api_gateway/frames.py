"""Frames between the web process and a query process: kind (1 byte), length (4 bytes), payload.

A query process answers a job with one HEADER, any number of DATA and one END, or with FAILED at any
point before END. A short answer is one WHOLE: its header and its data. Each batch but the first,
which HEADER tells of, is preceded by ROWS: how many rows the DATA after it adds. DATA of encoded
content is preceded by BYTES: how many it is decoded.
"""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

from api_gateway import stalled

JOB, HEADER, ROWS, DATA, END, FAILED = b"J", b"H", b"R", b"D", b"E", b"X"
WHOLE, BYTES = b"W", b"B"
_PREFIX = struct.Struct("!cI")
HEAD_BYTES = _PREFIX.size
_LENGTH = struct.Struct("!I")
# Up to so much, a copy is cheaper than a call of the kernel.
_COPIED_BYTES = 128 * 1024
# What a query process may have sent before it is read, if the system allows so much: each of both
# does more at a time then, and waits for the other less often.
_AHEAD_BYTES = 1024 * 1024
# Of one call (`IOV_MAX`).
_MOST_PARTS = 1024
LONGEST = 64 * 1024 * 1024


class Closed(Exception):
    """The other side ended the conversation."""


def pair() -> tuple[socket.socket, socket.socket]:
    """A connection: the web process's end and the query process's."""
    mine, theirs = socket.socketpair()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _AHEAD_BYTES)
    # A reader that stalls is gone; its query must not hold a place.
    stalled.give_up(theirs, socket.SO_SNDTIMEO)
    return mine, theirs


def frame(kind: bytes, payload: bytes | bytearray | memoryview) -> bytes:
    """One frame's bytes."""
    return _PREFIX.pack(kind, len(payload)) + payload


def send(sock: socket.socket, kind: bytes, payload: bytes | bytearray | memoryview) -> None:
    """Send one frame; blocks while the reader is slow, until it `stalled`."""
    if len(payload) <= _COPIED_BYTES:
        sock.sendall(frame(kind, payload))
    else:
        send_parts(sock, kind, [payload])


def send_parts(sock: socket.socket, kind: bytes, parts: list[Any]) -> None:
    """As `send`, of a payload in several parts, each a buffer of bytes. The kernel gathers them:
    the reader wakes once for as much as there is room for, not for each of them."""
    left: list[Any] = [_PREFIX.pack(kind, sum(map(len, parts))), *parts]
    while left:
        sent = sock.sendmsg(left[:_MOST_PARTS])
        while left and sent >= len(left[0]):
            sent -= len(left.pop(0))
        if sent:
            left[0] = memoryview(left[0])[sent:]


def send_json(sock: socket.socket, kind: bytes, content: Any) -> None:
    send(sock, kind, json.dumps(content, ensure_ascii=False).encode())


def send_whole(sock: socket.socket, header: Any, data: bytes | bytearray) -> None:
    said = json.dumps(header, ensure_ascii=False).encode()
    send(sock, WHOLE, _LENGTH.pack(len(said)) + said + data)


def parts(payload: bytes) -> tuple[Any, bytes]:
    """The header and the data of a WHOLE."""
    end = _LENGTH.size + _LENGTH.unpack_from(payload)[0]
    return json.loads(payload[_LENGTH.size : end]), payload[end:]


def receive(sock: socket.socket) -> tuple[bytes, bytes]:
    """The next frame. Raises Closed at the end, TimeoutError as the socket's timeout says."""
    kind, length = head(_exactly(sock, HEAD_BYTES))
    return kind, _exactly(sock, length)


def head(prefix: bytes) -> tuple[bytes, int]:
    """Kind and length of a frame, by its first HEAD_BYTES. Raises Closed."""
    kind, length = _PREFIX.unpack(prefix)
    if length > LONGEST:
        raise Closed
    return kind, length


def _exactly(sock: socket.socket, count: int) -> bytes:
    received = bytearray(count)
    view, filled = memoryview(received), 0
    while filled < count:
        got = sock.recv_into(view[filled:])
        if not got:
            raise Closed
        filled += got
    return bytes(received)
