"""Who comes first for the CPU: a web process, then quick queries, then those that take long.

Every caller waits for what a web process does, which is little: it asks for short slices, and so
runs as soon as it wakes up (Linux 6.12, `sched(7)`). Query processes are niced behind it. A quick
query has a short slice too; one that takes long gets less of the CPU, in long slices.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import resource
from pathlib import Path

# Steps of nice: of a query process behind its web process, and of one that gave way behind others.
_BEHIND, _FURTHER_BEHIND = 2, 8
_FIRST_NS, _QUICK_NS, _LONG_NS = 100_000, 300_000, 10_000_000
# RLIMIT_NICE counts down from 20.
_LIMIT_OF_ZERO = 20
# The C library has no name for it.
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}.get(platform.machine())
_libc = ctypes.CDLL(None, use_errno=True)


class _Attributes(ctypes.Structure):
    """`struct sched_attr` in its first version."""

    _fields_ = [
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime_ns", ctypes.c_uint64),
        ("deadline_ns", ctypes.c_uint64),
        ("period_ns", ctypes.c_uint64),
    ]


def come_first() -> None:
    """Have this process run as soon as it wakes up. For web processes."""
    _schedule(own_nice(), _FIRST_NS)


def stay_behind() -> bool:
    """Have this process, and those it forks, come after the one that started it; and let them
    `take_turn` after they gave way. Whether they may."""
    nice = own_nice() + _BEHIND
    _schedule(nice, _QUICK_NS)
    with contextlib.suppress(OSError, ValueError):
        most = _LIMIT_OF_ZERO - nice
        resource.setrlimit(resource.RLIMIT_NICE, (most, most))
    return may_take_turn()


def may_take_turn() -> bool:
    """Whether what `give_way` does can be undone. Asked before."""
    return resource.getrlimit(resource.RLIMIT_NICE)[0] >= _LIMIT_OF_ZERO - own_nice()


def give_way(usual: int) -> None:
    """Have all threads of this process, whose nice is usually that, wait for others."""
    _schedule(usual + _FURTHER_BEHIND, _LONG_NS)


def take_turn(usual: int) -> bool:
    """Be like any other query process again. Whether that was allowed."""
    try:
        _schedule(usual, _QUICK_NS)
    except PermissionError:
        return False
    return True


def hurry(usual: int) -> None:
    """Be over soon: whoever ends needs the CPU for that."""
    if not take_turn(usual):
        _schedule(own_nice(), _QUICK_NS)


def own_nice() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)


def gave_way(process: int) -> bool:
    """Whether a query process of this web process gave way."""
    try:
        return os.getpriority(os.PRIO_PROCESS, process) > own_nice() + _BEHIND
    except ProcessLookupError:
        return False


def _schedule(nice: int, slice_ns: int) -> None:
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(ProcessLookupError):
            _schedule_thread(int(thread.name), min(nice, 19), slice_ns)


def _schedule_thread(thread: int, nice: int, slice_ns: int) -> None:
    if _SCHED_SETATTR is not None:
        asked = _Attributes(
            ctypes.sizeof(_Attributes), os.SCHED_OTHER, 0, nice, 0, slice_ns, 0, 0
        )  # fmt: skip
        if _libc.syscall(_SCHED_SETATTR, thread, ctypes.byref(asked), 0) == 0:
            return
        if ctypes.get_errno() == errno.ESRCH:
            raise ProcessLookupError
    # Where the call is unknown or refused, nice alone, if that is allowed.
    os.setpriority(os.PRIO_PROCESS, thread, nice)
