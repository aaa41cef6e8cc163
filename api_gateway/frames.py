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

JOB, HEADER, ROWS, DATA, END, FAILED = b"J", b"H", b"R", b"D", b"E", b"X"
WHOLE, BYTES = b"W", b"B"
_PREFIX = struct.Struct("!cI")
HEAD_BYTES = _PREFIX.size
_LENGTH = struct.Struct("!I")
# Up to so much, a copy is cheaper than a call of the kernel.
_COPIED_BYTES = 128 * 1024
LONGEST = 64 * 1024 * 1024


class Closed(Exception):
    """The other side ended the conversation."""


def send(sock: socket.socket, kind: bytes, payload: bytes | bytearray | memoryview) -> None:
    """Send one frame; blocks while the reader is slow, up to the socket's timeout."""
    prefix = _PREFIX.pack(kind, len(payload))
    if len(payload) <= _COPIED_BYTES:
        sock.sendall(prefix + payload)
        return
    sock.sendall(prefix)
    sock.sendall(payload)


def send_parts(sock: socket.socket, kind: bytes, parts: list[Any]) -> None:
    """As `send`, of a payload in several parts, each a buffer of bytes."""
    sock.sendall(_PREFIX.pack(kind, sum(map(len, parts))))
    for part in parts:
        sock.sendall(part)


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
