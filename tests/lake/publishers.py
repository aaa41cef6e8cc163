"""Publishers that run as processes of their own, so that they can race and be killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

import lake
from lake.store import Lake
from lake.table import Provenance

# Forked from a server that has the lake imported: a process starts in milliseconds.
context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["tests.lake.publishers"])

BATCHES = 40
ROWS_PER_BATCH = 2_000
SCHEMA = pa.schema([("mã", pa.int64()), ("tên", pa.string())])


def content(number: int) -> Iterator[pa.RecordBatch]:
    """A table all of whose rows say `number`: a mixture of two versions would show."""
    for _ in range(BATCHES):
        yield pa.RecordBatch.from_pydict(
            {"mã": [number] * ROWS_PER_BATCH, "tên": [f"Phường {number}"] * ROWS_PER_BATCH},
            schema=SCHEMA,
        )


def number_of(table, version: int) -> int:
    """The number that all rows of a version say; fails when it is not whole."""
    numbers, row_count = set(), 0
    for batch in table.batches(version):
        numbers |= set(batch.column("mã").unique().to_pylist())
        assert batch.column("tên").unique().to_pylist() == [f"Phường {min(numbers)}"]
        row_count += batch.num_rows
    assert len(numbers) == 1
    assert row_count == BATCHES * ROWS_PER_BATCH
    return numbers.pop()


def publish(root: str, number: int) -> None:
    Lake(root).table("t").publish(content(number), Provenance(run_id=str(number)))


def publish_when_started(root: str, number: int, started) -> None:
    started.send("start")
    publish(root, number)


def publish_and_die_at_line(root: str, number: int, modules: tuple[str, ...], line: int) -> None:
    """Publish, and kill this very process before the `line`-th line of these modules runs."""
    places = {str(Path(lake.__file__).with_name(f"{module}.py")) for module in modules}
    lines = 0

    def trace(frame, event, _):
        nonlocal lines
        if frame.f_code.co_filename not in places:
            return None
        if event == "line":
            lines += 1
            if lines == line:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)
    threading.settrace(trace)
    publish(root, number)


def publish_all(root: str, numbers: list[int], barrier) -> None:
    barrier.wait()
    for number in numbers:
        publish(root, number)
