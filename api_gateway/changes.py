"""What changed between two versions of a table, row by row, as Parquet files that are kept a while.

The rows of both versions, as the caller's edition has them, are compared as multisets: a row that
was there twice and is there once was deleted once. A query process does it, within its memory and
its spill folder; where that takes too long, or the columns changed, there are no row changes.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
import uuid
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from api_gateway import frames
from api_gateway.engine import Source
from api_gateway.errors import GatewayError
from api_gateway.pool import Lease, Pool
from api_gateway.settings import GRACE_S, Settings
from api_gateway.shelf import Shelved
from lake import logs

log = logging.getLogger(__name__)

KIND = "_change_type"
# Longer than a link to a file lives; for who comes later it is made again.
_KEPT_S = 3600.0
_SQL = f"""
SELECT *, 'delete' AS "{KIND}" FROM (FROM "before" EXCEPT ALL FROM "after")
UNION ALL
SELECT *, 'insert' AS "{KIND}" FROM (FROM "after" EXCEPT ALL FROM "before")
"""  # noqa: S608


class Changes:
    """Files of changes in the gateway's cache folder, shared by its processes."""

    def __init__(self, pool: Pool, settings: Settings) -> None:
        self._pool = pool
        self._folder = settings.gateway_cache_dir.absolute() / "changes"
        self._most_bytes = settings.gateway_cache_mb * 2**20

    def file(self, before: Shelved, after: Shelved, party: str, timeout_s: float) -> Path | None:
        """The rows of `before` and of `after` that the other one lacks, with their `_change_type`.

        None when they cannot be told within `timeout_s` seconds.
        """
        of = json.dumps([before.source.files, after.source.files])
        kept = self._folder / f"{hashlib.sha256(of.encode()).hexdigest()[:40]}.parquet"
        try:
            os.utime(kept)
        except FileNotFoundError:
            if timeout_s <= 0 or not _comparable(before, after) or not self._has_room():
                return None
            sources = [Source("before", before.source.files), Source("after", after.source.files)]
            unfinished = kept.with_name(f"{uuid.uuid4().hex}.part")
            try:
                with self._pool.process(frozenset(sources), sources, party) as lease:
                    _write(lease, unfinished, timeout_s)
                unfinished.replace(kept)
            except (GatewayError, OSError) as error:  # a full disk too: versions are told whole
                log.warning("changes_not_told", extra=logs.facts(error=type(error).__qualname__))
                return None
            finally:
                unfinished.unlink(missing_ok=True)
        return kept

    def _has_room(self) -> bool:
        """Whether there is room for another file, once those are gone that nobody used lately."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = 0
        for file in self._folder.iterdir():
            try:
                stat = file.stat()
            except FileNotFoundError:
                continue
            if time.time() - stat.st_mtime > _KEPT_S:
                file.unlink(missing_ok=True)
            else:
                held += stat.st_size
        return held < self._most_bytes


def _comparable(before: Shelved, after: Shelved) -> bool:
    if not before.source.files or not after.source.files:
        return False
    first, second = (pq.read_schema(each.source.files[0]) for each in (before, after))
    return KIND not in first.names and bool(first.equals(second, check_metadata=False))


def _write(lease: Lease, target: Path, timeout_s: float) -> None:
    """Raises TimeoutError, WorkerDied, GatewayError for what the query process reports."""
    job: dict[str, Any] = {
        "kind": "query", "sql": _SQL, "params": [], "format": "parquet",
        "limit": None, "most_rows": None, "flows": False, "reach": None, "repeatable": True,
        "csv_safe": False, "count": None, "timeout_s": timeout_s, "described": {},
        "encoding": None, "digest": False,
        "request_id": logs.request_id(),
        "envelope": {"request_id": logs.request_id(), "tables": [], "attribution": ""},
    }  # fmt: skip
    lease.process.ask(job)
    with target.open("wb") as file:
        while True:
            kind, payload = lease.process.receive(timeout_s + GRACE_S)
            if kind == frames.DATA:
                file.write(payload)
            elif kind == frames.WHOLE:
                file.write(frames.parts(payload)[1])
                lease.finish()
                return
            elif kind == frames.FAILED:
                lease.fail(json.loads(payload)["code"])
                raise GatewayError(json.loads(payload)["code"])
            elif kind == frames.END:
                lease.finish()
                return
