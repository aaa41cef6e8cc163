"""Who comes first for the CPU: a query that takes long gives way to all others, by its nice value.

Linux may share the CPU among sessions first (`sched(7)`, autogroup), and weighs nice only within
one: so query processes stay in the session of their web process. `SCHED_IDLE` is not used: it
served the others no better, and on a CPU that is never idle it starves the query.
"""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

# How many steps of nice a process gives way: it gets a thirtieth of a CPU that others want too.
BEHIND = 15
# RLIMIT_NICE counts down from 20.
_LIMIT_OF_ZERO = 20


def allow_turns() -> bool:
    """Let this process, and those it forks, `take_turn` after they gave way. Returns whether they
    may."""
    with contextlib.suppress(OSError, ValueError):
        most = _LIMIT_OF_ZERO - own_nice()
        resource.setrlimit(resource.RLIMIT_NICE, (most, most))
    return may_take_turn()


def may_take_turn() -> bool:
    """Whether `take_turn` would be allowed after `give_way`; to be asked before that."""
    return resource.getrlimit(resource.RLIMIT_NICE)[0] >= _LIMIT_OF_ZERO - own_nice()


def give_way(usual: int, watch: int | None = None) -> None:
    """Have all threads of this process wait for others, except `watch`, the one that watches over
    their time. `usual`: the nice value that they usually have."""

    def behind(thread: int) -> None:
        if thread != watch:
            os.setpriority(os.PRIO_PROCESS, thread, min(usual + BEHIND, 19))

    _each_thread(behind)


def take_turn(usual: int) -> bool:
    """Be like any other query process again. Returns whether that was allowed."""
    try:
        _each_thread(lambda thread: os.setpriority(os.PRIO_PROCESS, thread, usual))
    except PermissionError:
        return False
    return True


def own_nice() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)


def cpu_s(process: int) -> float:
    """The CPU time that a process used, all its threads, in seconds; 0 when it is no more."""
    try:
        # The number of its clock, as clock_getcpuclockid(3) makes it.
        return time.clock_gettime((~process << 3) | 2)
    except OSError:
        return 0.0


def _each_thread(change: Callable[[int], None]) -> None:
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(ProcessLookupError):
            change(int(thread.name))
