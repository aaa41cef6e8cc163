"""`python without.py landlock|seccomp COMMAND…`: a command on a kernel that lacks a lock.

As in containers that forbid it: a filter of system calls answers that the lock is not there.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys

import pyseccomp

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP = 38, 22


def forbid(lock: str) -> None:
    calls = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    if lock == "landlock":
        calls.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "landlock_create_ruleset")
    else:
        by_prctl = pyseccomp.Arg(0, pyseccomp.EQ, _PR_SET_SECCOMP)
        calls.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "seccomp")
        calls.add_rule(pyseccomp.ERRNO(errno.EINVAL), "prctl", by_prctl)
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    calls.load()


if __name__ == "__main__":
    forbid(sys.argv[1])
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606
