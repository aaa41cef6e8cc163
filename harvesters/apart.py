"""Files whose readers are large libraries are read in a process of their own.

It has bounded memory and time, no network, no other files than the ones it is given, and nothing to
write to but the pipe its tables come through. What breaks in it breaks one file.

    worker ── request: JSON ──► process ── each table: an Arrow stream ──► workbench
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from harvesters import errors
from harvesters.errors import ReaderDied
from harvesters.rawtable import ROW, RawColumn, RawTable, cleaned
from harvesters.readers.process import ABOUT, MEMORY_BYTES, REJECTED, TIME_S
from harvesters.unreadable import Unreadable
from harvesters.workbench import Workbench
from lake.rejected import Rejected


def tables(
    reader: str,
    path: Path,
    arguments: Mapping[str, Any],
    bench: Workbench,
    *,
    beside: Path | None = None,
    are_bytes: bool = False,
) -> list[RawTable]:
    """The tables that `reader` (a module with `read(path, arguments)`) finds in a file. It may read
    that file, and what is `beside` it (a folder, or the file behind a link). With `are_bytes` the
    characters of texts are bytes still, which nobody may trim.

    Raises what `read` raises of DataRefused, ReaderDied, and ArchiveTooLarge.
    """
    arrived = streams(reader, path, arguments, beside=beside)
    return [_table(each, bench, are_bytes) for each in arrived]


@dataclass(frozen=True)
class Arriving:
    """A table on its way: what its reader says of it (`columns`, `part`, `messages`), and its
    batches, with the reason of a row's rejection as their column `REJECTED`."""

    about: Mapping[str, Any]
    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


def streams(
    reader: str,
    path: Path,
    arguments: Mapping[str, Any],
    *,
    beside: Path | None = None,
    has_network: bool = False,
    time_s: float = TIME_S,
) -> Iterator[Arriving]:
    """What `reader` gives, one table after the other, each read to its end before the next.
    `has_network`: it may connect to other hosts.

    Raises as `tables`, also while the batches are read.
    """
    request = {
        "reader": reader,
        "path": str(path),
        "beside": str(beside or path),
        "has_network": has_network,
        "arguments": dict(arguments),
    }
    with _process(request, time_s) as process:
        assert process.stdout is not None  # noqa: S101  (it is a pipe)
        while _has_more(process.stdout):
            with _reading(process):
                stream = pa.ipc.open_stream(process.stdout)
                about = json.loads(stream.schema.metadata[ABOUT])
            yield Arriving(about, stream.schema.remove_metadata(), _batches(stream, process))
        _check(process)


def _batches(
    stream: pa.RecordBatchStreamReader, process: subprocess.Popen[bytes]
) -> Iterator[pa.RecordBatch]:
    while True:
        with _reading(process):
            batch = next(iter(stream), None)
        if batch is None:
            return
        yield batch


@contextlib.contextmanager
def _reading(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Raises what ended the process when what it sends ends too early."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        assert process.stdout is not None  # noqa: S101
        process.stdout.close()
        _check(process)
        raise ReaderDied("The file's reader gave no table.") from error


@contextlib.contextmanager
def _process(request: Mapping[str, Any], time_s: float) -> Iterator[subprocess.Popen[bytes]]:
    kept = ("PATH", "LANG", "LC_ALL")
    environ = {name: os.environ[name] for name in kept if name in os.environ}
    # Arrow's own allocators reserve far more than they use.
    environ |= {"ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-I", "-m", "harvesters.readers.process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ,
        close_fds=True,
    ) as process:
        deadline = threading.Timer(time_s, process.kill)
        deadline.daemon = True
        deadline.start()
        try:
            assert process.stdin is not None  # noqa: S101
            with contextlib.suppress(BrokenPipeError), process.stdin:
                process.stdin.write(json.dumps(request).encode())
            yield process
        finally:
            deadline.cancel()
            process.kill()


def _has_more(pipe: IO[bytes]) -> bool:
    return bool(pipe.peek(1))  # type: ignore[attr-defined]


def _table(arriving: Arriving, bench: Workbench, are_bytes: bool) -> RawTable:
    about = arriving.about
    kept = pa.schema([each for each in arriving.schema if each.name != REJECTED])
    rejected = Unreadable()
    accepted = (_accepted(batch, kept, rejected) for batch in arriving.batches)
    name = bench.load(kept, accepted if are_bytes else map(cleaned, accepted))
    return RawTable(
        name,
        [RawColumn(**column) for column in about["columns"]],
        part=about["part"],
        rejected=rejected,
        messages=about["messages"],
    )


def _accepted(batch: pa.RecordBatch, kept: pa.Schema, rejected: list[Rejected]) -> pa.RecordBatch:
    reasons = batch.column(batch.schema.get_field_index(REJECTED))
    if reasons.null_count < len(reasons):
        for number, reason in zip(batch.column(ROW).to_pylist(), reasons.to_pylist(), strict=True):
            if reason is not None:
                rejected.append(Rejected(number, "geometry", None, "geometry_invalid", reason))
        batch = batch.filter(reasons.is_null())
    return batch.select(kept.names)


def _check(process: subprocess.Popen[bytes]) -> None:
    """Raise what ended the process, if it did not end well."""
    assert process.stderr is not None  # noqa: S101
    said = process.stderr.read(1 << 16).decode("utf-8", errors="replace").strip()
    code = process.wait()
    if code == 0:
        return
    last = said.splitlines()[-1] if said else ""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        refusal = json.loads(last)
        kind = getattr(errors, refusal["error"])
        raise kind(refusal["detail"], **refusal["facts"])
    raise ReaderDied(
        f"Reading the file took more than {MEMORY_BYTES >> 20} MiB of memory or {TIME_S} s, or the "
        "file is damaged in a way that breaks its reader.",
        exit_code=code,
        said=last[:200],
    )
