"""Delta Sharing's answers as lines, from what a caller may read (protocol version 1, Parquet).

https://github.com/delta-io/delta-sharing/blob/main/PROTOCOL.md, "Table Metadata Format". The lines
are ASCII, as old clients guess another encoding.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pyarrow.parquet as pq

from api_gateway.lake_reads import of_the_lake
from api_gateway.shelf import Shelved

MEDIA_TYPE = "application/x-ndjson; charset=utf-8"
CAPABILITIES = "responseformat=parquet"


@dataclass(frozen=True)
class SharedFile:
    """One Parquet file of a version: its place among the version's files, and what it holds."""

    number: int
    path: str
    byte_count: int
    row_count: int


# Makes the address of a file, and says when it ends (milliseconds since 1970).
Address = Callable[[Shelved, SharedFile], tuple[str, int]]


def files(shelved: Shelved) -> list[SharedFile]:
    """The files of a version, in order."""
    return [
        SharedFile(number, path, *_measures(path))
        for number, path in enumerate(shelved.source.files)
    ]


def enough(of: Iterable[SharedFile], limit_rows: int | None) -> list[SharedFile]:
    """The first files that hold `limit_rows` rows together; all of them without a limit."""
    taken: list[SharedFile] = []
    left = limit_rows
    for file in of:
        if left is not None and left <= 0:
            break
        taken.append(file)
        left = None if left is None else left - file.row_count
    return taken


def head(shelved: Shelved, schema: str) -> list[dict[str, Any]]:
    """The lines `protocol` and `metaData`; `schema` in the JSON of Delta's `schemaString`."""
    of = files(shelved)
    metadata: dict[str, Any] = {
        "id": str(uuid5(NAMESPACE_URL, f"urn:hanoiic:{shelved.table}:{shelved.decision.edition}")),
        "name": shelved.table,
        "description": shelved.decision.dataset.get("title") or "",
        "format": {"provider": "parquet"},
        "schemaString": schema,
        "partitionColumns": [],
        "configuration": {"enableChangeDataFeed": "true"},
        "version": shelved.version.number,
        "size": sum(file.byte_count for file in of),
        "numFiles": len(of),
    }
    return [{"protocol": {"minReaderVersion": 1}}, {"metaData": metadata}]


def snapshot(
    shelved: Shelved, of: Iterable[SharedFile], address: Address
) -> Iterator[dict[str, Any]]:
    """A line `file` for each file of one version."""
    for file in of:
        yield {"file": _file(shelved, file, address)}


@dataclass(frozen=True)
class Step:
    """From one version to the next: the version before, if there is one, and the file of the rows
    that changed, if they are known."""

    before: Shelved | None
    after: Shelved
    changed: SharedFile | None = None

    @property
    def files(self) -> list[SharedFile]:
        """What a caller reads of it."""
        if self.changed:
            return [self.changed] if self.changed.row_count else []
        return [file for each in (self.before, self.after) if each for file in files(each)]


def changed_file(path: Path) -> SharedFile:
    """A file of changes; it has no place among the files of a version."""
    return SharedFile(0, str(path), *_measures(str(path)))


def changes(
    steps: Iterable[Step], address: Address, changed_address: Callable[[Step], tuple[str, int]]
) -> Iterator[Any]:
    """Lines `cdf` where the changed rows are known; else `remove` and `add`, as a version replaces
    the one before it whole."""
    for step in steps:
        after = step.after
        moment = {"version": after.version.number, "timestamp": _milliseconds(after)}
        if step.changed:
            for file in step.files:
                yield {"cdf": _told(file, *changed_address(step)) | moment}
            continue
        if step.before:
            for file in files(step.before):
                yield {"remove": _file(step.before, file, address) | moment}
        for file in files(after):
            yield {"add": _file(after, file, address) | moment}


def written(lines: Iterable[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(line) + "\n" for line in lines).encode("ascii")


def _file(shelved: Shelved, file: SharedFile, address: Address) -> dict[str, Any]:
    return _told(file, *address(shelved, file)) | {
        "stats": json.dumps({"numRecords": file.row_count}),
        "version": shelved.version.number,
        "timestamp": _milliseconds(shelved),
    }


def _told(file: SharedFile, url: str, expires_at_ms: int) -> dict[str, Any]:
    return {
        "url": url,
        "id": hashlib.sha256(file.path.encode()).hexdigest()[:32],
        "partitionValues": {},
        "size": file.byte_count,
        "expirationTimestamp": expires_at_ms,
    }


def _milliseconds(shelved: Shelved) -> int:
    return int(shelved.version.published_at.timestamp() * 1000)


# A file of the lake is never changed.
@lru_cache(maxsize=4096)
@of_the_lake()
def _measures(path: str) -> tuple[int, int]:
    return Path(path).stat().st_size, pq.read_metadata(path).num_rows
