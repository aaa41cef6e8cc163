"""A bounded set of query processes, kept by what they hold: a warm one answers in milliseconds."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Hashable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from api_gateway.engine import Source
from api_gateway.errors import Busy, WorkerDied
from api_gateway.processes import Nursery, Process

log = logging.getLogger(__name__)


class Pool:
    """At most `size` processes with tables. A process serves one key for its whole life, and a key
    is one caller and one set of files: nothing of one caller ever meets another."""

    def __init__(self, nursery: Nursery, size: int, wait_s: float, *, spare: bool) -> None:
        self._nursery = nursery
        self._size = size
        self._wait_s = wait_s
        self._freed = threading.Condition()
        self._busy = 0
        # In the order of their last use: the first one has waited longest.
        self._idle: list[tuple[Hashable, Process]] = []
        self._spare: Process | None = None
        self._refiller = ThreadPoolExecutor(1, "spare") if spare else None
        self._refill()

    @contextmanager
    def process(self, key: Hashable, sources: Iterable[Source]) -> Iterator[Lease]:
        """A process that holds `sources`. It returns to the pool only if the lease was finished,
        otherwise it is killed. Raises Busy, WorkerDied."""
        lease = self.lease(key, sources)
        try:
            yield lease
        finally:
            lease.end()

    def lease(self, key: Hashable, sources: Iterable[Source]) -> Lease:
        """As `process`, for answers that outlive the call: the caller must `end` the lease."""
        process = self._reserve(key)
        try:
            if process is None:
                process = self._fresh()
                process.open(sources)
        except BaseException:
            self._return(key, process, keep=False)
            raise
        return Lease(self, key, process)

    @property
    def busy(self) -> int:
        """The number of processes at work."""
        return self._busy

    def _reserve(self, key: Hashable) -> Process | None:
        deadline = time.monotonic() + self._wait_s
        with self._freed:
            while self._busy >= self._size:
                if not self._freed.wait(deadline - time.monotonic()):
                    raise Busy(headers={"Retry-After": "2"})
            self._busy += 1
            for index in range(len(self._idle) - 1, -1, -1):
                if self._idle[index][0] == key:
                    process = self._idle.pop(index)[1]
                    if process.alive():
                        return process
                    process.kill()
            if self._busy + len(self._idle) > self._size:
                self._idle.pop(0)[1].kill()
            return None

    def _fresh(self) -> Process:
        with self._freed:
            process, self._spare = self._spare, None
        self._refill()
        if process and process.alive():
            return process
        return self._nursery.spawn()

    def _refill(self) -> None:
        if self._refiller:
            self._refiller.submit(self._add_spare)

    def _add_spare(self) -> None:
        try:
            process = self._nursery.spawn()
        except (WorkerDied, OSError):
            log.exception("no_spare")
            return
        with self._freed:
            extra, self._spare = self._spare, process
        if extra:
            extra.kill()

    def _return(self, key: Hashable, process: Process | None, *, keep: bool) -> None:
        with self._freed:
            self._busy -= 1
            if process and keep:
                self._idle.append((key, process))
            elif process:
                process.kill()
            self._freed.notify()


class Lease:
    """The right to use one process until `end`."""

    def __init__(self, pool: Pool, key: Hashable, process: Process) -> None:
        self._pool, self._key, self.process = pool, key, process
        self._finished = self._ended = False

    def finish(self) -> None:
        """The process has answered in full and may serve again."""
        self._finished = True

    def end(self) -> None:
        """Give the process back, or kill it if it did not finish; safe to repeat."""
        if not self._ended:
            self._ended = True
            self._pool._return(self._key, self.process, keep=self._finished)
