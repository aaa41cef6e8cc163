"""What a hostile input may take of a worker: memory and time, measured around a case."""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

MEMORY_KIB = 1 << 20
WORKER_KIB = 200 << 10
# Of all attempts together, on a machine that does other things as well.
LONGEST_S = 300 if os.environ.get("HANOIIC_TEST_VAST") else 60
LOOK_EVERY_S = 0.02


@contextmanager
def within_caps() -> Iterator[None]:
    """Fail when what is inside takes longer than `LONGEST_S`, or more memory than `MEMORY_KIB`.

    Memory is all that is resident: of this process at its peak, of its largest child at its peak,
    and of both together whenever they are looked at, what they share counted once. What other tests
    left in this process is taken off it, and what a worker has before its first run put on.
    """
    # Begins to count this process's peak anew; of children only the largest of all is known.
    Path("/proc/self/clear_refs").write_text("5")
    started, largest_before = monotonic(), _largest_child_kib()
    left_over = _held_kib(os.getpid()) - WORKER_KIB
    with _watched() as together:
        yield
    took_s = monotonic() - started
    largest = _largest_child_kib()
    peaks = {
        "of the process": _own_peak_kib() - left_over,
        "of a child": largest if largest > largest_before else 0,
        "together": max(together) - left_over,
    }
    assert took_s < LONGEST_S, f"{took_s:.0f} s"
    assert max(peaks.values()) <= MEMORY_KIB, peaks


@contextmanager
def _watched() -> Iterator[list[int]]:
    """What this process and its children have together, KiB, from look to look."""
    seen, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(LOOK_EVERY_S):
            seen.append(sum(map(_held_kib, [os.getpid(), *_children()])))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def _children() -> Iterator[int]:
    """The processes that a thread of this one has started."""
    for task in Path("/proc/self/task").glob("*/children"):
        try:
            yield from map(int, task.read_text().split())
        except FileNotFoundError:
            # A thread that ended meanwhile.
            continue


def _held_kib(process: int) -> int:
    """Its share of all pages that it has: a page of two processes is half of each."""
    try:
        told = Path(f"/proc/{process}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(next(line for line in told.splitlines() if line.startswith("Pss:")).split()[1])


def _largest_child_kib() -> int:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


def _own_peak_kib() -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
