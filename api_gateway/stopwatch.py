"""The time that a query may take inside its process: giving way, interruption, and the end."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from api_gateway import urgency
from api_gateway.settings import KILL_S, QUICK_S, SLOW_S


class Stopwatch:
    """Counts the engine's time, not that of a slow reader. A query that takes long gives way to
    others; one whose time is over is interrupted, and killed by the kernel if it still goes on."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._interrupt: Callable[[], None] = lambda: None
        self._deadline = self._slow_at = self._wakes_at = math.inf
        self._left_s = self._cpu_at_start = 0.0
        self._quick_s = QUICK_S if urgency.may_take_turn() else SLOW_S
        self._usual_nice, self._gave_way = urgency.own_nice(), False
        self.fired = False
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def start(self, seconds: float, interrupt: Callable[[], None], *, slow: bool = False) -> None:
        """Begin a new job that has `seconds`. It runs like any other, unless it is known to be
        `slow`: then it gives way from its beginning."""
        self._left_s, self._cpu_at_start = seconds, time.process_time()
        self._interrupt, self.fired = interrupt, False
        if slow:
            self._give_way()
        elif self._gave_way and not slow:
            self._gave_way = not urgency.take_turn(self._usual_nice)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Inside, the time is counted."""
        begun = time.monotonic()
        # Also checked here: a long answer is made in many pieces, each of them quick.
        if not self._gave_way and self._used_s >= self._quick_s:
            self._give_way()
        # The kernel's own timer: not everything in the engine notices an interruption.
        signal.setitimer(signal.ITIMER_REAL, max(0.0, self._left_s) + KILL_S)
        self._arm(begun + self._left_s, begun + self._quick_s)
        try:
            yield
        finally:
            self._arm(math.inf, math.inf)
            signal.setitimer(signal.ITIMER_REAL, 0)
            self._left_s -= time.monotonic() - begun

    @property
    def _used_s(self) -> float:
        return time.process_time() - self._cpu_at_start

    def _give_way(self) -> None:
        urgency.give_way(self._usual_nice, self._watcher.native_id)
        self._gave_way = True

    def _arm(self, deadline: float, slow_at: float) -> None:
        with self._changed:
            self._deadline = deadline
            self._slow_at = math.inf if self._gave_way else slow_at
            # Wake the watcher only if it would look too late: most queries end before that.
            if self._next < self._wakes_at:
                self._changed.notify()

    @property
    def _next(self) -> float:
        return min(self._deadline, self._slow_at)

    def _watch(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                if self._deadline <= now:
                    self.fired, self._deadline = True, math.inf
                    # Ending takes CPU time too, so it should not wait for others.
                    if self._gave_way:
                        self._gave_way = not urgency.take_turn(self._usual_nice)
                    self._interrupt()
                elif self._slow_at <= now:
                    # A query that only waited for the CPU keeps its turn.
                    if (used_s := self._used_s) < self._quick_s:
                        self._slow_at = now + self._quick_s - used_s
                    else:
                        self._slow_at = math.inf
                        self._give_way()
                else:
                    self._wakes_at = self._next
                    left = self._wakes_at - now
                    self._changed.wait(None if left == math.inf else left)
