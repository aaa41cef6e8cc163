"""The third lock: what the operating system lets a query process do.

Landlock (files), seccomp (no network, no other programs or processes), rlimits, and an unprivileged
user where the gateway runs as root and the lake stays readable. `probe` says which of them this
machine has; a process applies all it has before the first byte of a caller's SQL.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import os
import resource
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

try:
    import landlock
except (ImportError, OSError):  # pragma: no cover - a platform without the wheel
    landlock = None
try:
    # On import it looks for libseccomp.so.2, which not every system has.
    import pyseccomp
except (ImportError, OSError, RuntimeError):
    pyseccomp = None

NOBODY = 65534
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CAPABILITY_VERSION_3 = 0x20080522
_CLONE_THREAD = 0x00010000
_SLACK_MB = 384
# Read at any time: time zones, and what DuckDB asks about its memory and threads.
_SYSTEM_FILES = ("/usr/share/zoneinfo", "/proc/self/cgroup", "/proc/self/task", "/sys/fs/cgroup")
# Refused with EPERM. Data already open (the socket to the gateway, logs) stays usable.
_REFUSED_CALLS = (
    "accept", "accept4", "add_key", "bind", "bpf", "chroot", "connect", "delete_module", "execve",
    "execveat", "fanotify_init", "finit_module", "fork", "init_module", "io_uring_enter",
    "io_uring_register", "io_uring_setup", "ioperm", "iopl", "kexec_file_load", "kexec_load",
    "keyctl", "kill", "listen", "memfd_create", "mount", "move_mount", "mq_open", "msgget",
    "name_to_handle_at", "open_by_handle_at", "open_tree", "perf_event_open", "pidfd_getfd",
    "pidfd_open", "pidfd_send_signal", "pivot_root", "process_madvise", "process_vm_readv",
    "process_vm_writev", "ptrace", "reboot", "request_key", "semget", "setgid", "setgroups",
    "setns", "setresgid", "setresuid", "setuid", "shmat", "shmget", "socket", "socketpair",
    "swapoff", "swapon", "tkill", "umount2", "unshare", "userfaultfd", "vfork",
)  # fmt: skip


@dataclass(frozen=True)
class Locks:
    """Which locks of the operating system hold here."""

    landlock: bool
    seccomp: bool
    unprivileged: bool

    @property
    def missing(self) -> list[str]:
        """The locks that licensed data needs and this machine lacks."""
        return [name for name in ("landlock", "seccomp") if not getattr(self, name)]


def die_with_parent(parent: int) -> None:
    """End this process as soon as the thread that forked it is gone."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def drop_privileges() -> bool:
    """Become an unprivileged user for good, as every user but root is; whether that held."""
    if os.geteuid() != 0:
        return True
    try:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    except OSError:
        return False
    return True


def drop_capabilities() -> None:
    """Keep no right of the superuser but the ownership of its files. Nothing for other users."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.capset(header, none) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def limit_resources(memory_mb: int, spill_mb: int) -> None:
    """Bound memory beyond what the process has now (DuckDB's own limit does not count every
    allocation), the size of a file, open files, and core dumps."""
    data = _data_bytes() + (memory_mb + _SLACK_MB) * 1024 * 1024
    for kind, most in (
        (resource.RLIMIT_DATA, data),
        (resource.RLIMIT_FSIZE, spill_mb * 1024 * 1024),
        (resource.RLIMIT_NOFILE, 1024),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def take_memory(mb: int) -> None:
    """Leave the process so much less than `limit_resources` gave it; for good."""
    most = resource.getrlimit(resource.RLIMIT_DATA)[1] - mb * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def restrict_files(readable: Iterable[str | Path], writable: Path) -> bool:
    """From now on this thread, and those it starts, read only `readable` (files or folders) and
    write only below `writable`. May be called again with less. Whether it holds."""
    if landlock is None:
        return False
    access = landlock.FSAccess
    try:
        rules = landlock.Ruleset()
        for path in (*_SYSTEM_FILES, *readable):
            if (found := Path(path)).exists():
                read = access.READ_FILE | (access.READ_DIR if found.is_dir() else access(0))
                rules.allow(str(path), rules=read)
        rules.allow(str(writable), rules=access.all() & ~access.EXECUTE)
        rules.apply()
    except (landlock.LandlockError, OSError):
        return False
    return True


def restrict_calls() -> bool:
    """Refuse the calls that open networks, programs and other processes. Whether it holds."""
    if pyseccomp is None:
        return False
    try:
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        calls = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
        for name in _REFUSED_CALLS:
            _refuse(calls, name, errno.EPERM)
        # The C library falls back to clone, whose flags tell a thread from a process.
        _refuse(calls, "clone3", errno.ENOSYS)
        _refuse(
            calls, "clone", errno.EPERM, pyseccomp.Arg(0, pyseccomp.MASKED_EQ, _CLONE_THREAD, 0)
        )
        # abort() signals its own process; nobody else's.
        _refuse(calls, "tgkill", errno.EPERM, pyseccomp.Arg(0, pyseccomp.NE, os.getpid()))
        calls.load()
    except (OSError, ValueError):
        return False
    return True


def probe(readable: Path, writable: Path) -> Locks:
    """Try every lock in a process of its own, and that each one truly refuses."""
    unprivileged = _in_child(lambda: _reaches_as_nobody(readable, writable))
    return Locks(
        landlock=_in_child(lambda: _files_hold(readable, writable)),
        seccomp=_in_child(_calls_hold),
        unprivileged=unprivileged,
    )


def _in_child(attempt: Callable[[], bool]) -> bool:
    if (child := os.fork()) == 0:
        held = False
        try:
            held = attempt()
        finally:
            os._exit(0 if held else 1)
    return os.waitpid(child, 0)[1] == 0


def _reaches_as_nobody(readable: Path, writable: Path) -> bool:
    return (
        drop_privileges()
        and os.access(readable, os.R_OK | os.X_OK)
        and os.access(writable, os.X_OK)
    )


def _files_hold(readable: Path, writable: Path) -> bool:
    return restrict_files([readable], writable) and not _works(lambda: list(Path("/").iterdir()))


def _calls_hold() -> bool:
    return restrict_calls() and not _works(lambda: os.fork() or os._exit(0))


def _works(attempt: Any) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True


def _refuse(calls: Any, name: str, code: int, *arguments: Any) -> None:
    try:
        calls.add_rule(pyseccomp.ERRNO(code), name, *arguments)
    except (OSError, ValueError):
        # A call this kernel or architecture does not have needs no refusal.
        if pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name) > 0:
            raise


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def _data_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0
