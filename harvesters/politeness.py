"""How a host is spared: a few questions at once, a pause between them, rest when it asks for it.

This holds for all runs of one process together. How many runs may be at one host over all workers
is counted in `lanes`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from harvesters.errors import SourceAnsweredError, SourceTooSlow
from harvesters.fetch_limits import FetchLimits

# The longest rest that a host is granted, whatever it asks for.
LONGEST_REST_S = 3_600


class Host:
    """One host: who is there, and from when on (a monotonic clock's seconds) it may be asked."""

    def __init__(self, at_once: int) -> None:
        self._places = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()
        self._free_at = 0.0
        self._rests_until = 0.0
        self._said = 429

    @contextmanager
    def visit(self, limits: FetchLimits, pause_s: float) -> Iterator[None]:
        """Wait for a turn at the host, and hold it inside.

        Raises SourceAnsweredError when the host rests for longer than one waits here, SourceTooSlow
        when no place becomes free.
        """
        if not self._places.acquire(timeout=limits.total_s):
            raise SourceTooSlow("Other downloads from the same host took too long.")
        try:
            time.sleep(self._turn(limits, pause_s))
            yield
        finally:
            self._places.release()

    def _turn(self, limits: FetchLimits, pause_s: float) -> float:
        """Seconds until this question's turn, which is taken."""
        with self._lock:
            now = time.monotonic()
            rest_s = self._rests_until - now
            if rest_s > limits.retry_after_s:
                raise SourceAnsweredError(
                    f"The source asked to be left alone for another {rest_s:.0f} s.",
                    status=self._said,
                    retry_after_s=round(rest_s),
                )
            turn = max(now, self._free_at, self._rests_until)
            self._free_at = turn + pause_s
            return turn - now

    def rest(self, seconds: float, status: int) -> None:
        """The host said, with a 429 or 503, that it is not to be asked for so long."""
        with self._lock:
            until = time.monotonic() + min(seconds, LONGEST_REST_S)
            self._rests_until, self._said = max(self._rests_until, until), status


class Hosts:
    """The hosts of a process, by name and port."""

    def __init__(self) -> None:
        self._hosts: dict[str, Host] = {}
        self._lock = threading.Lock()

    def of(self, authority: str, at_once: int) -> Host:
        with self._lock:
            return self._hosts.setdefault(authority.lower(), Host(at_once))


HOSTS = Hosts()
