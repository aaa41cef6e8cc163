"""A bounded set of query processes, kept by the files they hold: a warm one answers in
milliseconds.

**Sharing.** A process serves one set of files for its whole life, and everybody who may read
exactly those, one after the other. No query leaves anything behind: each has a cursor of its own in
a transaction that may not write (`worker.py`), the settings are locked, and a process that failed
in any way is not used again.

**Long queries** make their process give way to others. Questions that are known to take long have
places of their own, half as many again, so that quick queries always find one; they may wait
longer. A query that turns out to take long while it runs moves to such a place, of which there are
as many again for that, and no longer counts against its party. Where a process that gave way can't
get its turn back (`Nursery.takes_turns`), it serves only long queries from then on, and processes
that never gave way serve the others.

**Parties.** Free places go round by party (an organisation, or the address of a stranger;
`places.py`), and no party may have all.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from api_gateway import metrics
from api_gateway.engine import Source
from api_gateway.errors import GatewayError
from api_gateway.nursery import Nursery
from api_gateway.places import Places
from api_gateway.process import Process
from api_gateway.settings import LONG_CPU_S, SLOW_QUEUE_S, SLOW_S

log = logging.getLogger(__name__)

_MOST_SLOW = 1024
_DEATH_S = 1.0
_TOO_LONG = frozenset({"overtime", "query_timeout"})


@dataclass(frozen=True)
class Life:
    """How long a process is used: queries, and seconds since its start."""

    queries: int = 10_000
    seconds: float = 900.0

    def is_over(self, process: Process) -> bool:
        return process.served >= self.queries or time.monotonic() - process.born_at >= self.seconds


class Pool:
    """At most `size` processes are at work on quick queries, and as many are kept. Beside them half
    as many are at work on queries known to take long, and as many more on those that turned out to.
    """

    def __init__(
        self,
        nursery: Nursery,
        size: int,
        wait_s: float,
        *,
        spare: bool,
        share: int | None = None,
        life: Life | None = None,
        name: str = "query",
    ) -> None:
        self._nursery = nursery
        self._size = size
        self._life = life or Life()
        self._name = name
        # Finding a labelled metric takes longer than counting with it.
        self._waiting = metrics.WAITING.labels(name)
        self._queued_s = metrics.QUEUE.labels(name)
        self._busy = metrics.BUSY.labels(name)
        self.places = Places(size, wait_s, share)
        self.slow_places = Places(max(1, size // 2), SLOW_QUEUE_S, share)
        self._lock = threading.Lock()
        # Idle processes, and how many are in use, by whether they gave way for good. The idle ones
        # are in the order of their last use: the first one has waited longest.
        self._idle: dict[bool, list[tuple[Hashable, Process]]] = {False: [], True: []}
        self._used: Counter[bool] = Counter()
        # The questions that took long when they last ran; a dict, for its order.
        self._slow: dict[Hashable, None] = {}
        self._spare: Process | None = None
        self._refiller = ThreadPoolExecutor(1, "spare") if spare else None
        self._refill()

    @contextmanager
    def process(
        self,
        key: Hashable,
        sources: Iterable[Source],
        party: str = "",
        memory_mb: int | None = None,
    ) -> Iterator[Lease]:
        """A process that holds `sources` and has `memory_mb`, or the usual. It returns to the pool
        only if the lease was finished, otherwise it is killed. Raises Busy, WorkerDied."""
        lease = self.lease(key, sources, party, None, memory_mb)
        try:
            yield lease
        finally:
            lease.end()

    def lease(
        self,
        key: Hashable,
        sources: Iterable[Source],
        party: str = "",
        work: Hashable = None,
        memory_mb: int | None = None,
    ) -> Lease:
        """As `process`, for answers that outlive the call: the caller must `end` the lease. By
        `work` the next lease for the same question knows whether it takes long."""
        place = self._place(party, (key, work))
        slow = place is self.slow_places
        process, behind = None, self._stays_behind(slow=slow)
        try:
            process = self._warm(key, behind=behind)
            metrics.looked_up("process", hit=process is not None)
            if process:
                return Lease(self, key, party, work, process, place, slow=slow, behind=behind)
            process = self._fresh()
            metrics.STARTED.labels(self._name).inc()
            process.open(sources, memory_mb)
        except BaseException:
            with self._lock:
                self._used[behind] -= 1
            if process:
                self._discard(process, "lost")
            self._free(place, party)
            raise
        return Lease(self, key, party, work, process, place, slow=slow, behind=behind)

    @property
    def busy(self) -> int:
        """The number of processes at work."""
        return self.places.held + self.slow_places.held

    def _place(self, party: str, work: Hashable) -> Places:
        """Take a place for a query, among the quick or the long ones. Raises Busy."""
        with self._waiting.track_inprogress(), self._queued_s.time():
            known = work in self._slow
            place = self.slow_places if known else self.places
            place.take(party)
            if not known and work in self._slow:
                # The same question was found to take long while this one waited.
                place.free(party)
                place = self.slow_places
                place.take(party)
        self._busy.inc()
        return place

    def _free(self, place: Places, party: str, *, apart: bool = False) -> None:
        self._busy.dec()
        place.free(party, apart=apart)

    def _found_slow(self, lease: Lease) -> None:
        """A running query turned out to take long: it moves to a place for those, and whoever asks
        the same from now on waits for one."""
        with self._lock:
            self._note((lease.key, lease.work), slow=True)
            self._used[lease.behind] -= 1
            lease.behind = self._stays_behind(slow=True)
            self._used[lease.behind] += 1
        # More of these are allowed than of queries known to take long, as this one runs already;
        # what matters is that its place becomes free for quick ones.
        if self.slow_places.move_in(lease.party, self._size):
            lease.place.free(lease.party)
            lease.place = self.slow_places
        else:
            lease.place.set_apart(lease.party)
            lease.apart = True

    def _stays_behind(self, *, slow: bool) -> bool:
        """Whether a query needs a process of those that gave way for good."""
        return slow and not self._nursery.takes_turns

    def _warm(self, key: Hashable, *, behind: bool) -> Process | None:
        with self._lock:
            idle = self._idle[behind]
            self._used[behind] += 1
            for index in range(len(idle) - 1, -1, -1):
                if idle[index][0] == key:
                    process = idle.pop(index)[1]
                    if process.alive() and not self._life.is_over(process):
                        return process
                    self._discard(process, "age" if process.alive() else "lost")
            self._make_room(behind=behind)
            return None

    def _make_room(self, *, behind: bool) -> None:
        """End an idle process if there are too many. Each kind makes room for itself only: else the
        two would end each other's at every turn."""
        apart = max(1, self._size // 2)
        most = apart if behind else self._size
        if self._nursery.takes_turns:
            # Then there is only one kind, for all places.
            most = self._size + apart
        idle = self._idle[behind]
        if idle and self._used[behind] + len(idle) > most:
            self._discard(idle.pop(0)[1], "place")

    def _fresh(self) -> Process:
        with self._lock:
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
        except (GatewayError, OSError):
            log.exception("no_spare")
            return
        with self._lock:
            extra, self._spare = self._spare, process
        if extra:
            extra.kill()

    def _discard(self, process: Process, cause: str, patience_s: float = 0.0) -> None:
        process.kill(patience_s)
        metrics.ENDED.labels(self._name, cause).inc()

    def _note(self, work: tuple[Hashable, Hashable], *, slow: bool) -> None:
        self._slow.pop(work, None)
        if slow and work[1] is not None:
            self._slow[work] = None
            if len(self._slow) > _MOST_SLOW:
                del self._slow[next(iter(self._slow))]

    def _return(self, lease: Lease) -> None:
        process = lease.process
        if not lease.finished:
            # Wait until it is gone, and its memory with it, before its place becomes free.
            self._discard(process, lease.cause, _DEATH_S)
            if lease.cause in _TOO_LONG:
                with self._lock:
                    self._note((lease.key, lease.work), slow=True)
            if (late_s := time.monotonic() - lease.due_at) > 0:
                metrics.PAST_LIMIT.labels(self._name).observe(late_s)
        elif self._life.is_over(process):
            self._discard(process, "age")
        else:
            took_long = lease.took_long()
            process.slow |= lease.behind or self._stays_behind(slow=took_long)
            with self._lock:
                self._note((lease.key, lease.work), slow=took_long)
                self._idle[process.slow].append((lease.key, process))
        with self._lock:
            self._used[lease.behind] -= 1
            self._make_room(behind=process.slow)
        self._free(lease.place, lease.party, apart=lease.apart)


class Lease:
    """The right to use one process until `end`. If it is not `finish`ed by then, the process is
    killed, and counted in the metrics under `cause`."""

    def __init__(
        self,
        pool: Pool,
        key: Hashable,
        party: str,
        work: Hashable,
        process: Process,
        place: Places,
        *,
        slow: bool,
        behind: bool,
    ) -> None:
        self._pool, self.key, self.party, self.work = pool, key, party, work
        self.process, self.place, self.slow, self.behind = process, place, slow, behind
        self.finished = self.apart = self._ended = self._found = False
        self.cause = "left"
        self.begun_at, self._cpu_at_start_s = time.monotonic(), process.cpu_s()
        # When the query must be over; infinity once its answer has begun.
        self.due_at = math.inf
        process.served += 1

    def head(self, timeout_s: float) -> tuple[bytes, int]:
        """As `Process.head`. A query that turns out to take long meanwhile makes room for
        others."""
        deadline = time.monotonic() + timeout_s
        while not (self.slow or self._found):
            if self.took_long():
                self._found = True
                self._pool._found_slow(self)
                break
            left = deadline - time.monotonic()
            if left <= SLOW_S:
                break
            try:
                self.process.wait(SLOW_S)
            except TimeoutError:
                continue
            break
        return self.process.head(max(0.0, deadline - time.monotonic()))

    def receive(self, timeout_s: float) -> tuple[bytes, bytes]:
        """The next frame, as `head`."""
        kind, length = self.head(timeout_s)
        return kind, b"".join(self.process.pieces(length, timeout_s))

    def took_long(self) -> bool:
        """Whether its query used the CPU for long; waiting for the CPU does not count.

        A query that is known to take long stays so even if it is a little quicker now, as it is in
        a process that has read its tables before: it would lose that process.
        """
        if not self.slow and time.monotonic() - self.begun_at < SLOW_S:
            return False
        # A new process opens its tables first.
        least_s = LONG_CPU_S if self.slow or self.process.served > 1 else SLOW_S
        return self.used_s() >= least_s

    def used_s(self) -> float:
        """The CPU time that its process used for it, in seconds."""
        return self.process.cpu_s() - self._cpu_at_start_s

    def finish(self) -> None:
        """The process has answered in full and may serve again."""
        self.finished = True

    def fail(self, cause: str) -> None:
        """The process is not to serve again."""
        self.finished, self.cause = False, cause

    def end(self) -> None:
        """Give the process back, or kill it if it did not finish; safe to repeat."""
        if not self._ended:
            self._ended = True
            self._pool._return(self)
