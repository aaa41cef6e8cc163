"""What Linux knows of processes: which live, and which belong to one session."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path


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
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
