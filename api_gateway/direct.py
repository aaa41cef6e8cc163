"""Has the kernel move bytes from a query process to a caller's connection (`splice(2)`), through a
pipe: they are never copied into this process."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket

from api_gateway.process import ClientGone, Process
from api_gateway.settings import STALL_S

# The largest pipe that an unprivileged process may have.
_PIPE_BYTES = 1024 * 1024
# Up to so many bytes a copy costs less.
_COPIED_BYTES = 16 * 1024
_MOVE = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK


class Line:
    """A caller's connection, written to in the chunks of HTTP/1.1 (RFC 9112, 7.1)."""

    def __init__(self, connection: socket.socket) -> None:
        # With a timeout the socket never blocks in the kernel; when it is full, the waiting is done
        # here.
        connection.settimeout(STALL_S)
        self._connection = connection
        self._out, self._in = os.pipe()
        # Refused when the user has too much memory in pipes: then the pipe stays small.
        with contextlib.suppress(OSError):
            fcntl.fcntl(self._in, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def close(self) -> None:
        os.close(self._in)
        os.close(self._out)

    def chunk(self, process: Process, length: int, patience_s: float) -> None:
        """One chunk: the next `length` bytes that the process sends. Raises TimeoutError and
        WorkerDied as the process does, ClientGone when the caller takes nothing any more."""
        head = b"%X\r\n" % length
        if length <= _COPIED_BYTES:
            self._say(head + b"".join(process.pieces(length, patience_s)) + b"\r\n")
            return
        ahead = process.ahead(length)
        self._say(head + ahead, socket.MSG_MORE)
        length -= len(ahead)
        while length:
            moved = process.move(self._in, min(length, _PIPE_BYTES), patience_s)
            length -= moved
            self._let_out(moved)
        self._say(b"\r\n")

    def _say(self, data: bytes, flags: int = 0) -> None:
        try:
            self._connection.sendall(data, flags)
        except OSError as error:
            raise ClientGone from error

    def _let_out(self, left: int) -> None:
        flags = _MOVE | os.SPLICE_F_MORE
        while left:
            try:
                left -= os.splice(self._out, self._connection.fileno(), left, flags=flags)
            except BlockingIOError:
                self._wait()
            except OSError as error:
                raise ClientGone from error

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._connection, select.POLLOUT)
        if not poll.poll(STALL_S * 1000):
            raise ClientGone
