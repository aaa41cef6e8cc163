"""The gateway's side of its query processes: starting, asking and ending them."""

from __future__ import annotations

import json
import logging
import marshal
import math
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

from api_gateway import frames, urgency
from api_gateway.engine import Source
from api_gateway.errors import WorkerDied
from api_gateway.sandbox import Locks
from api_gateway.settings import STALL_S, Settings
from lake import logs

log = logging.getLogger(__name__)

_START_S = 60.0
_PIECE_BYTES = 256 * 1024
# Read at once with the head of a frame: all of a short answer.
_AHEAD_BYTES = 16 * 1024
# All a query process may know of its environment.
_ENVIRONMENT = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "LANG": "C.UTF-8",
    "MALLOC_ARENA_MAX": "2",
    # Memory of a batch serves the next one: clean pages of the system cost as much as the rows.
    "MALLOC_MMAP_THRESHOLD_": str(32 * 1024 * 1024),
    "MALLOC_TRIM_THRESHOLD_": str(64 * 1024 * 1024),
    "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
    "TZ": "UTC",
}


class ClientGone(Exception):
    """The caller closed its connection; nobody waits for the answer."""


class Process:
    """One query process: jobs out, frames in. Killed by its pidfd, so never somebody else."""

    def __init__(self, sock: socket.socket, pid: int, pidfd: int) -> None:
        self._sock = sock
        self._pid = pid
        self._pidfd = pidfd
        self._client: socket.socket | None = None
        # Most of an answer is there when it is looked for.
        sock.setblocking(False)
        # Read, but not taken.
        self._ahead = b""
        self.born_at = time.monotonic()
        self.memory_mb: int | None = None
        # Queries it was leased for.
        self.served = 0
        # Whether it gave way for good.
        self.slow = False

    def open(self, sources: Iterable[Source], memory_mb: int | None = None) -> None:
        """Give it its tables, and less memory than it could have; for good."""
        self.memory_mb = memory_mb
        told = [vars(source) for source in sources]
        self.ask({"kind": "open", "sources": told, "memory_mb": memory_mb})

    def ask(self, job: dict[str, Any], client: socket.socket | None = None) -> None:
        """Send a job. `client` is watched while frames are awaited."""
        self._client = client
        # Quicker than JSON. Only in this direction: a query process is not to be trusted.
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
        """Until it sends something. Raises TimeoutError, ClientGone."""
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
            # It sent something early, as HTTP pipelining may: watch it no more.
            self._client = None

    def receive(self, timeout_s: float) -> tuple[bytes, bytes]:
        """The next frame. Raises TimeoutError, WorkerDied, ClientGone."""
        kind, length = self.head(timeout_s)
        return kind, b"".join(self.pieces(length, timeout_s))

    def head(self, timeout_s: float) -> tuple[bytes, int]:
        """Kind and length of the next frame, whose payload must be taken next. Raises as
        `receive`."""
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
        """What was read already, up to so many bytes: to be taken before what `move` moves."""
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
        """What is there of a payload, up to so many bytes, into a pipe. Raises as `receive`."""
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
        """Have it end, for another thread than the one that uses it, which sees it die."""
        try:
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        except ProcessLookupError:
            log.debug("process_already_gone")

    def kill(self, patience_s: float = 0.0) -> None:
        """End it at once, and wait for so long that its memory is free; safe to repeat."""
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
    """Which of the two can be read; `select` would end at 1024 open files."""
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


class Nursery:
    """Starts query processes through a zygote, and a new zygote when that one dies."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._turn = threading.Lock()
        self._control: socket.socket | None = None
        self._zygote: subprocess.Popen[bytes] | None = None
        self.locks = Locks(False, False, False)
        # Whether a process that gave way may have its turn back.
        self.takes_turns = False
        with self._turn:
            self._start()

    def spawn(self) -> Process:
        """A new process, connected and without tables. Raises WorkerDied."""
        with self._turn:
            for _ in range(2):
                try:
                    return self._spawn()
                except OSError:
                    log.warning("zygote_restarted")
                    self._stop()
                    self._start()
        raise WorkerDied

    def close(self) -> None:
        """End the zygote, and with it every query process."""
        with self._turn:
            self._stop()

    def _spawn(self) -> Process:
        if self._control is None:
            raise OSError
        mine, theirs = frames.pair()
        try:
            with theirs:
                socket.send_fds(self._control, [b"f"], [theirs.fileno()])
            message, descriptors, _, _ = socket.recv_fds(self._control, 16, 1)
            if not message:
                raise OSError
        except OSError:
            mine.close()
            raise
        return Process(mine, int(message), descriptors[0])

    def _start(self) -> None:
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        told = {
            "descriptor": theirs.fileno(),
            "lake_root": str(self._settings.readable_root),
            "hot_dir": str(self._settings.hot_dir),
            "spill_dir": str(self._settings.gateway_spill_dir.absolute()),
            "memory_mb": self._settings.gateway_memory_mb,
            "slow_query_s": self._settings.gateway_slow_query_s,
            "log_level": self._settings.log_level,
        }
        with theirs:
            self._zygote = subprocess.Popen(
                [sys.executable, "-I", "-m", "api_gateway.zygote", json.dumps(told)],
                env=_ENVIRONMENT,
                cwd="/",
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                # A Ctrl-C is for the gateway, which then ends them. Not a session of their own:
                # Linux may share the CPU among sessions first, and by nice only within one.
                process_group=0,
            )
        mine.settimeout(_START_S)
        said = mine.recv(4096)
        if not said:
            raise WorkerDied("the parent of the query processes did not start")
        told = json.loads(said)
        self.takes_turns = told.pop("takes_turns")
        self.locks = Locks(**told)
        self._control = mine
        log.info("sandbox", extra=logs.facts(**vars(self.locks), takes_turns=self.takes_turns))

    def _stop(self) -> None:
        if self._control:
            self._control.close()
            self._control = None
        if self._zygote:
            try:
                self._zygote.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._zygote.kill()
                self._zygote.wait()
            self._zygote = None
