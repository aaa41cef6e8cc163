"""The process that `harvesters.apart` starts: it gives up what a reader has no need of, and sends
the reader's tables, each an Arrow stream, through its standard output."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import importlib
import json
import os
import resource
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

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

from harvesters.errors import ArchiveTooLarge, HarvestError, ReaderDied
from harvesters.rawtable import RawColumn

MEMORY_BYTES = 700 << 20
TIME_S = 600
MOST_BYTES = 4 << 30
# A column of a table's stream that says why a row is rejected; NULL for the others.
REJECTED = "rejected"
ABOUT = b"table"
_REFUSED_CALLS = (
    "accept", "accept4", "bind", "bpf", "connect", "execve", "execveat", "fork", "io_uring_setup",
    "kill", "listen", "mount", "open_by_handle_at", "pidfd_open", "ptrace", "socket", "socketpair",
    "tkill", "unshare", "vfork",
)  # fmt: skip
_NETWORK_CALLS = ("connect", "socket")


@dataclass(frozen=True)
class Table:
    """One table as a reader gives it: the schema has `row`, the columns' keys, and `rejected`."""

    schema: pa.Schema
    batches: Iterable[pa.RecordBatch]
    columns: list[RawColumn]
    part: str = ""
    messages: list[str] = field(default_factory=list)


def main() -> int:
    """Read the request, give up what the reader has no need of, and send its tables."""
    request = json.load(sys.stdin)
    reader = importlib.import_module(request["reader"])
    path = Path(request["path"])
    limit()
    lock(path, Path(request["beside"]), has_network=request["has_network"])
    try:
        with os.fdopen(os.dup(1), "wb") as pipe:
            _send(reader.read(path, request["arguments"]), pipe)
    except HarvestError as error:
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
        schema = table.schema.with_metadata({ABOUT: json.dumps(about)})
        with pa.ipc.new_stream(pipe, schema) as stream:
            for batch in table.batches:
                sent += batch.nbytes
                if sent > MOST_BYTES:
                    raise ArchiveTooLarge(f"The file unpacks to over {MOST_BYTES >> 20} MiB.")
                stream.write_batch(batch)


def _refuse(error: HarvestError) -> int:
    refusal = {"error": type(error).__name__, "detail": error.detail, "facts": error.facts}
    print(json.dumps(refusal), file=sys.stderr, flush=True)
    return 3


def limit() -> None:
    """Bound memory, time, and what is written."""
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


def lock(*given: Path, has_network: bool = False) -> None:
    """No files but the given ones and the libraries' own, no network unless it is needed, no
    programs: as far as this machine's kernel can."""
    if landlock is not None:
        with contextlib.suppress(landlock.LandlockError, OSError):
            access = landlock.FSAccess
            rules = landlock.Ruleset()
            for readable in (*given, Path(sys.prefix), Path(sys.base_prefix) / "lib"):
                folder = access.READ_DIR if readable.is_dir() else access(0)
                rules.allow(str(readable), rules=access.READ_FILE | folder)
            rules.apply()
    if pyseccomp is not None:
        with contextlib.suppress(OSError, ValueError):
            calls = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
            for name in set(_REFUSED_CALLS) - set(_NETWORK_CALLS if has_network else ()):
                calls.add_rule(pyseccomp.ERRNO(errno.EPERM), name)
            calls.load()


if __name__ == "__main__":
    sys.exit(main())
