"""What Linux knows of processes: which live, and which belong to one session."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

KILL_TIMEOUT_S = 10.0
STARTED_AT = 19  # the place of `starttime` in what `process_facts` tells


def process_facts(pid: int) -> list[str]:
    """State, parent, group, session and so on: what follows the name in ``/proc/PID/stat``."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ["X"]


def process_lives(pid: int) -> bool:
    """Whether the process exists and is more than an entry that waits for its parent."""
    return process_facts(pid)[0] not in {"Z", "X"}


def session_members(leader: int) -> list[int]:
    """The living processes of a session."""
    pids = [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]
    return [pid for pid in pids if process_lives(pid) and process_facts(pid)[3:4] == [str(leader)]]


def kill(pids: list[int]) -> None:
    """Kill processes, and return when they are gone: until then they hold ports and files."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    gone(pids, KILL_TIMEOUT_S)


def gone(pids: list[int], timeout_s: float) -> bool:
    """Whether the processes have ended, at the latest after a time."""
    deadline = time.monotonic() + timeout_s
    while any(map(process_lives, pids)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def first_process_began() -> float:
    """When this machine or container started, in seconds since 1970: no process is older."""
    facts = Path("/proc/stat").read_text(encoding="utf-8")
    machine = next(int(line.split()[1]) for line in facts.splitlines() if line[:6] == "btime ")
    return machine + int(process_facts(1)[STARTED_AT]) / os.sysconf("SC_CLK_TCK")
