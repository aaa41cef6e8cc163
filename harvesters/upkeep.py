"""Upkeep: what nobody can ask for any more is removed, once a day.

Removes superseded versions of tables and their editions, old rejected rows, and fetched bytes that
no receipt mentions. A run in progress loses nothing: what it fetched is young, and only old things
are removed.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.fs

from harvesters.receipts import Receipts
from lake import edition, logs
from lake.errors import LakeError
from lake.store import Lake

log = logging.getLogger(__name__)

DAY_S = 86_400
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Keep:
    """How many days things are kept after they were last of use."""

    version_days: int = 30
    raw_days: int = 30
    rejected_days: int = 90


@dataclass(frozen=True)
class Removed:
    """How many files one upkeep removed, and how many tables could not be tended."""

    version_files: int
    edition_files: int
    rejected_files: int
    raw_files: int
    failed_tables: int


def tend(
    lake: Lake,
    receipts: Receipts,
    raw_dir: Path,
    keep: Keep,
    pinned: Mapping[str, Collection[int]] | None = None,
    editions_wanted: Collection[str] | None = None,
) -> Removed:
    """Remove what is kept no longer; the counts are logged as well.

    `pinned`: table → versions that agreements keep. Editions that are not `editions_wanted` go at
    once, whatever their version (None: all are wanted).
    """
    versions = editions = failed = 0
    for table in lake.tables():
        try:
            kept = frozenset((pinned or {}).get(table, ()))
            versions += len(lake.table(table).vacuum(keep.version_days, kept))
            editions += len(edition.vacuum(lake, table, editions_wanted))
        except (LakeError, OSError) as error:
            failed += 1
            code = getattr(error, "code", type(error).__name__)
            log.warning("table_not_tended", extra=logs.facts(table=table, code=code))
    removed = Removed(
        version_files=versions,
        edition_files=editions,
        rejected_files=_remove_rejected(lake, keep.rejected_days),
        raw_files=remove_raw(raw_dir, receipts.hashes(), keep.raw_days),
        failed_tables=failed,
    )
    log.info("upkeep_done", extra=logs.facts(**asdict(removed)))
    return removed


def _remove_rejected(lake: Lake, days: int) -> int:
    oldest = datetime.now(UTC) - timedelta(days=days)
    selector = pyarrow.fs.FileSelector("rejected", allow_not_found=True, recursive=True)
    old = [
        info.path
        for info in lake.fs.get_file_info(selector)
        if info.type == pyarrow.fs.FileType.File and info.mtime is not None and info.mtime < oldest
    ]
    for path in old:
        lake.fs.delete_file(path)
    return len(old)


def remove_raw(raw_dir: Path, needed: set[str], days: int) -> int:
    """Remove fetched files that were not `needed` (by their SHA-256) for so many days.

    A file's time of change says when it was last needed: each upkeep, and each fetch that meets
    the same bytes again, sets it. What a killed fetch left half-written goes after a day.
    """
    now = time.time()
    removed = 0
    for path in raw_dir.rglob("*"):
        kept_s = (days if _SHA256.fullmatch(path.name) else 1) * DAY_S
        try:
            if not path.is_file():
                continue
            if path.name in needed:
                os.utime(path)
            elif path.stat().st_mtime < now - kept_s:
                removed += _remove_if_still_old(path, now - kept_s)
        except FileNotFoundError:
            # A fetch has finished with its half-written file, or another upkeep was here.
            continue
    return removed


def _remove_if_still_old(path: Path, oldest: float) -> int:
    """Set a file aside before it is removed: a fetch may have met its bytes in this moment."""
    aside = path.with_name(f".old-{path.name}")
    path.rename(aside)
    if aside.stat().st_mtime >= oldest:
        aside.rename(path)
        return 0
    aside.unlink()
    return 1
