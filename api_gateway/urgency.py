"""Who comes first for the CPU: a query that takes long runs while nobody else would (`SCHED_IDLE`,
`sched(7)`), and behind all others by its nice where the machine refuses that.

Of all that Linux has, only this lets whoever wakes up run at once: others, however nice, first use
up their slice. A machine that is never idle would starve it; so it waits for a while only, and has
the small share of its nice then, where its process may undo what it did (`allow_turns`).

Linux may share the CPU among sessions first (autogroup), and looks at this within one only: query
processes stay in the session of their web process.
"""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

# Steps of nice of a process that gave way.
_BEHIND = 10
# RLIMIT_NICE counts down from 20.
_LIMIT_OF_ZERO = 20


def allow_turns() -> bool:
    """Let this process, and those it forks, `take_turn` after they gave way. Whether they may."""
    with contextlib.suppress(OSError, ValueError):
        most = _LIMIT_OF_ZERO - own_nice()
        resource.setrlimit(resource.RLIMIT_NICE, (most, most))
    return may_take_turn()


def may_take_turn() -> bool:
    """Whether what `give_way` does can be undone. Asked before."""
    return resource.getrlimit(resource.RLIMIT_NICE)[0] >= _LIMIT_OF_ZERO - own_nice()


def give_way(usual: int, watch: int | None = None) -> None:
    """Have all threads of this process, whose nice is usually that, wait for others; all but the
    one that watches over their time."""

    def behind(thread: int) -> None:
        if thread == watch:
            return
        os.setpriority(os.PRIO_PROCESS, thread, min(usual + _BEHIND, 19))
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))

    _each_thread(behind)


def wait_less() -> bool:
    """After `give_way`, have a share of the CPU even where others want all of it. Whether that was
    allowed."""
    return _may(lambda thread: os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0)))


def take_turn(usual: int) -> bool:
    """Be like any other query process again. Whether that was allowed."""

    def beside(thread: int) -> None:
        os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))
        os.setpriority(os.PRIO_PROCESS, thread, usual)

    return _may(beside)


def own_nice() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)


def cpu_s(process: int) -> float:
    """The CPU time that a process used, all its threads, in seconds; 0 when it is no more."""
    try:
        # The number of its clock, as clock_getcpuclockid(3) makes it.
        return time.clock_gettime((~process << 3) | 2)
    except OSError:
        return 0.0


def _may(change: Callable[[int], None]) -> bool:
    try:
        _each_thread(change)
    except PermissionError:
        return False
    return True


def _each_thread(change: Callable[[int], None]) -> None:
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(ProcessLookupError):
            change(int(thread.name))
