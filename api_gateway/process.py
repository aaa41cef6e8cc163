"""The gateway's side of one query process: asking it, reading what it sends, ending it."""

from __future__ import annotations

import logging
import marshal
import math
import os
import select
import signal
import socket
import time
from collections.abc import Iterable, Iterator
from typing import Any

from api_gateway import frames, urgency
from api_gateway.engine import Source
from api_gateway.errors import WorkerDied
from api_gateway.settings import STALL_S

log = logging.getLogger(__name__)

_PIECE_BYTES = 256 * 1024
# Read at once with the head of a frame: all of a short answer.
_AHEAD_BYTES = 16 * 1024


class ClientGone(Exception):
    """The caller closed its connection; nobody waits for the answer."""


class Process:
    """One query process: jobs out, frames in. Killed by its pidfd, so never somebody else."""

    def __init__(self, sock: socket.socket, pid: int, pidfd: int) -> None:
        self._sock = sock
        self._pid = pid
        self._pidfd = pidfd
        self._client: socket.socket | None = None
        # Not blocking: most of an answer is there already when it is read.
        sock.setblocking(False)
        # Bytes that were read from the socket and not yet asked for.
        self._ahead = b""
        self.born_at = time.monotonic()
        self.memory_mb: int | None = None
        # How many queries it was leased for.
        self.served = 0
        # Whether it gave way to others for good.
        self.slow = False

    def open(self, sources: Iterable[Source], memory_mb: int | None = None) -> None:
        """Give it its tables, and possibly less memory than the usual; both for good."""
        self.memory_mb = memory_mb
        told = [vars(source) for source in sources]
        self.ask({"kind": "open", "sources": told, "memory_mb": memory_mb})

    def ask(self, job: dict[str, Any], client: socket.socket | None = None) -> None:
        """Send a job. `client` is watched while frames are awaited."""
        self._client = client
        # Quicker than JSON, but only in this direction: a query process is not trusted.
        data = frames.frame(frames.JOB, marshal.dumps(job))
        try:
            if (sent := self._sent(data)) < len(data):
                self._sock.settimeout(STALL_S)
                self._sock.sendall(memoryview(data)[sent:])
                self._sock.setblocking(False)
        except OSError as error:
            raise WorkerDied from error

    def _sent(self, data: bytes) -> int:
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return 0

    def wait(self, timeout_s: float) -> None:
        """Wait until it sends something. Raises TimeoutError, ClientGone."""
        if not self._ahead:
            self._await(timeout_s)

    def _await(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            ready = _readable(self._sock, self._client, max(0, deadline - time.monotonic()))
            if self._sock.fileno() in ready:
                return
            if not ready:
                raise TimeoutError
            if _has_left(self._client):
                raise ClientGone
            # The client sent its next request early (HTTP pipelining): it can't be watched any
            # more.
            self._client = None

    def receive(self, timeout_s: float) -> tuple[bytes, bytes]:
        """The next frame. Raises TimeoutError, WorkerDied, ClientGone."""
        kind, length = self.head(timeout_s)
        return kind, b"".join(self.pieces(length, timeout_s))

    def head(self, timeout_s: float) -> tuple[bytes, int]:
        """Kind and length of the next frame; its payload must be read next. Raises as `receive`."""
        while len(self._ahead) < frames.HEAD_BYTES:
            self._ahead += self._received(_AHEAD_BYTES, timeout_s)
        prefix = self.ahead(frames.HEAD_BYTES)
        try:
            return frames.head(prefix)
        except frames.Closed as error:
            raise WorkerDied from error

    def pieces(self, length: int, timeout_s: float) -> Iterator[bytes]:
        """A payload as it comes. Raises as `receive`."""
        while length:
            piece = self.ahead(length) or self._received(min(length, _PIECE_BYTES), timeout_s)
            length -= len(piece)
            yield piece

    def ahead(self, most: int) -> bytes:
        """Up to `most` bytes that were read already; they come before those that `move` moves."""
        piece, self._ahead = self._ahead[:most], self._ahead[most:]
        return piece

    def _received(self, most: int, timeout_s: float) -> bytes:
        while True:
            try:
                piece = self._sock.recv(most)
            except BlockingIOError:
                self._await(timeout_s)
                continue
            except OSError as error:
                raise WorkerDied from error
            if not piece:
                raise WorkerDied
            return piece

    def move(self, pipe: int, most: int, timeout_s: float) -> int:
        """Move what has come of a payload, up to `most` bytes, into a pipe, inside the kernel;
        returns how many bytes. Raises as `receive`."""
        flags = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK
        while True:
            try:
                moved = os.splice(self._sock.fileno(), pipe, most, flags=flags)
            except BlockingIOError:
                self._await(timeout_s)
            except OSError as error:
                raise WorkerDied from error
            else:
                if not moved:
                    raise WorkerDied
                return moved

    def alive(self) -> bool:
        return not _readable(self._pidfd, None, 0)

    def cpu_s(self) -> float:
        """The CPU time it used so far, in seconds."""
        return urgency.cpu_s(self._pid)

    def end_soon(self) -> None:
        """End it from another thread than the one that uses it, which then sees it die."""
        try:
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        except ProcessLookupError:
            log.debug("process_already_gone")

    def kill(self, patience_s: float = 0.0) -> None:
        """End it at once, and wait up to `patience_s` until it is gone; safe to repeat."""
        if self._pidfd < 0:
            return
        try:
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        except ProcessLookupError:
            log.debug("process_already_gone")
        else:
            _readable(self._pidfd, None, patience_s)
        finally:
            os.close(self._pidfd)
            self._pidfd = -1
            self._sock.close()


def _readable(one: socket.socket | int, other: socket.socket | None, timeout_s: float) -> set[int]:
    """Which of the two can be read. With `poll`, as `select` takes no more than 1024 open files."""
    poll = select.poll()
    poll.register(one, select.POLLIN)
    if other is not None:
        poll.register(other, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(math.ceil(timeout_s * 1000))}


def _has_left(client: socket.socket | None) -> bool:
    try:
        return client is not None and not client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
