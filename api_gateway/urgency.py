"""Who comes first for the CPU: a query that takes long gives way to all others, by its nice.

Linux may share the CPU among sessions first (`sched(7)`, autogroup), and weighs nice within one
only: query processes stay in the session of their web process.
"""

from __future__ import annotations

import contextlib
import os
import resource
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


def give_way(usual: int) -> None:
    """Have all threads of this process, whose nice is usually that, wait for others."""
    _prioritise(usual + _BEHIND)


def take_turn(usual: int) -> bool:
    """Be like any other query process again. Whether that was allowed."""
    try:
        _prioritise(usual)
    except PermissionError:
        return False
    return True


def own_nice() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)


def gave_way(process: int) -> bool:
    """Whether a query process of this web process gave way."""
    try:
        return os.getpriority(os.PRIO_PROCESS, process) > own_nice()
    except ProcessLookupError:
        return False


def _prioritise(nice: int) -> None:
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, int(thread.name), min(nice, 19))
