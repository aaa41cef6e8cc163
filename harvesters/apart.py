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
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from harvesters import errors
from harvesters.errors import ReaderDied
from harvesters.rawtable import ROW, RawColumn, RawTable, cleaned
from harvesters.readers.process import ABOUT, MEMORY_BYTES, REJECTED, TIME_S
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
    request = {
        "reader": reader,
        "path": str(path),
        "beside": str(beside or path),
        "arguments": dict(arguments),
    }
    with _process(request) as process:
        assert process.stdout is not None  # noqa: S101  (it is a pipe)
        found: list[RawTable] = []
        try:
            while _has_more(process.stdout):
                stream = pa.ipc.open_stream(process.stdout)
                found.append(_table(stream, bench, are_bytes))
        except (pa.ArrowException, OSError) as error:
            process.stdout.close()
            _check(process)
            raise ReaderDied("The file's reader gave no table.") from error
        _check(process)
    return found


@contextlib.contextmanager
def _process(request: Mapping[str, Any]) -> Iterator[subprocess.Popen[bytes]]:
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
        deadline = threading.Timer(TIME_S, process.kill)
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


def _table(reader: pa.RecordBatchStreamReader, bench: Workbench, are_bytes: bool) -> RawTable:
    about = json.loads(reader.schema.metadata[ABOUT])
    schema = reader.schema.remove_metadata()
    kept = pa.schema([each for each in schema if each.name != REJECTED])
    rejected: list[Rejected] = []
    accepted = (_accepted(batch, kept, rejected) for batch in reader)
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
