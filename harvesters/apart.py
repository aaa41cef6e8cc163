"""Files whose readers are large libraries are read in a process of their own.

It has bounded memory and time, no network, no other files than the ones it is given, and nothing to
write to but the pipe its tables come through. What breaks in it breaks one file.

    worker ── request: JSON ──► process ── each table: an Arrow stream ──► workbench
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import importlib
import json
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

try:
    import landlock
except (ImportError, OSError):  # pragma: no cover - a platform without the wheel
    landlock = None
try:
    # On import it looks for libseccomp.so.2, which not every system has.
    import pyseccomp
except (ImportError, OSError, RuntimeError):
    pyseccomp = None

from harvesters import errors
from harvesters.errors import ArchiveTooLarge, DataRefused, ReaderDied
from harvesters.rawtable import ROW, RawColumn, RawTable, cleaned
from harvesters.workbench import Workbench
from lake.rejected import Rejected

MEMORY_BYTES = 700 << 20
TIME_S = 600
MOST_BYTES = 4 << 30
# A column of a table's stream that says why a row is rejected; NULL for the others.
REJECTED = "rejected"
_ABOUT = b"table"
_REFUSED_CALLS = (
    "accept", "accept4", "bind", "bpf", "connect", "execve", "execveat", "fork", "io_uring_setup",
    "kill", "listen", "mount", "open_by_handle_at", "pidfd_open", "ptrace", "socket", "socketpair",
    "tkill", "unshare", "vfork",
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """One table as a reader gives it: the schema has `row`, the columns' keys, and `rejected`."""

    schema: pa.Schema
    batches: Iterable[pa.RecordBatch]
    columns: list[RawColumn]
    part: str = ""
    messages: list[str] = field(default_factory=list)


def tables(
    reader: str, path: Path, arguments: Mapping[str, Any], bench: Workbench
) -> list[RawTable]:
    """The tables that `reader` (a module with `read(path, arguments)`) finds in a file or folder.

    Raises what `read` raises of DataRefused, ReaderDied, and ArchiveTooLarge.
    """
    request = {"reader": reader, "path": str(path), "arguments": dict(arguments)}
    with _process(request) as process:
        assert process.stdout is not None  # noqa: S101  (it is a pipe)
        found: list[RawTable] = []
        try:
            while _has_more(process.stdout):
                found.append(_table(pa.ipc.open_stream(process.stdout), bench))
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
        [sys.executable, "-I", "-m", "harvesters.apart"],
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


def _table(reader: pa.RecordBatchStreamReader, bench: Workbench) -> RawTable:
    about = json.loads(reader.schema.metadata[_ABOUT])
    schema = reader.schema.remove_metadata()
    kept = pa.schema([each for each in schema if each.name != REJECTED])
    rejected: list[Rejected] = []
    name = bench.load(kept, (_accepted(batch, kept, rejected) for batch in reader))
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
    return cleaned(batch.select(kept.names))


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


# --- in the process ------------------------------------------------------------------------------


def main() -> int:
    """Read the request, give up what the reader has no need of, and send its tables."""
    request = json.load(sys.stdin)
    reader = importlib.import_module(request["reader"])
    path = Path(request["path"])
    _limit()
    _lock(path)
    try:
        with os.fdopen(os.dup(1), "wb") as pipe:
            _send(reader.read(path, request["arguments"]), pipe)
    except DataRefused as error:
        return _refuse(error)
    except MemoryError:
        return _refuse(
            ReaderDied(f"Reading the file took over {MEMORY_BYTES >> 20} MiB of memory.")
        )
    return 0


def _send(found: Iterable[Table], pipe: IO[bytes]) -> None:
    sent = 0
    for table in found:
        about = {
            "columns": [dataclasses.asdict(column) for column in table.columns],
            "part": table.part,
            "messages": table.messages,
        }
        schema = table.schema.with_metadata({_ABOUT: json.dumps(about)})
        with pa.ipc.new_stream(pipe, schema) as stream:
            for batch in table.batches:
                sent += batch.nbytes
                if sent > MOST_BYTES:
                    raise ArchiveTooLarge(f"The file unpacks to over {MOST_BYTES >> 20} MiB.")
                stream.write_batch(batch)


def _refuse(error: DataRefused) -> int:
    refusal = {"error": type(error).__name__, "detail": error.detail, "facts": error.facts}
    print(json.dumps(refusal), file=sys.stderr, flush=True)
    return 3


def _limit() -> None:
    # Beyond what the libraries took when they were loaded.
    data = sum(
        int(line.split()[1]) << 10
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmData")
    )
    for kind, most in (
        (resource.RLIMIT_DATA, data + MEMORY_BYTES),
        (resource.RLIMIT_CPU, TIME_S),
        (resource.RLIMIT_FSIZE, 1 << 20),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (limit, limit))


def _lock(path: Path) -> None:
    """No files but the given ones and the libraries' own, no network, no programs: as far as this
    machine's kernel can."""
    if landlock is not None:
        with contextlib.suppress(landlock.LandlockError, OSError):
            access = landlock.FSAccess
            rules = landlock.Ruleset()
            for readable in (path, Path(sys.prefix), Path(sys.base_prefix) / "lib"):
                folder = access.READ_DIR if readable.is_dir() else access(0)
                rules.allow(str(readable), rules=access.READ_FILE | folder)
            rules.apply()
    if pyseccomp is not None:
        with contextlib.suppress(OSError, ValueError):
            calls = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
            for name in _REFUSED_CALLS:
                calls.add_rule(pyseccomp.ERRNO(errno.EPERM), name)
            calls.load()


if __name__ == "__main__":
    sys.exit(main())
