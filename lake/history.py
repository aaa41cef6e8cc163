"""A table's versions, read from the metadata of its Delta commits.

Version 0 is the commit that creates the table; every publish is one commit after it. Vacuum commits
too, so numbers may skip. `hanoiic.` keys of the commit metadata carry what Delta does not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow.fs
from deltalake import DeltaTable

from lake.errors import TimeWithoutZone, VersionExpired, VersionNotFound


@dataclass(frozen=True)
class Provenance:
    """Where a version came from: the harvest run, the source's address, the hash of its bytes."""

    run_id: str = ""
    source_url: str = ""
    source_hash: str = ""


@dataclass(frozen=True)
class Version:
    """One published version: `published_at` an instant (UTC), `byte_count` that of its Parquet."""

    number: int
    published_at: datetime
    row_count: int
    byte_count: int
    run_id: str
    source_url: str
    source_hash: str
    content_hash: str
    publish_id: str


_TEXTS = ("run_id", "source_url", "source_hash", "content_hash", "publish_id")
_GONE = "hanoiic.gone_versions"
# Clocks of a file system and of this machine differ by less.
_YOUNG_S = 2.0


def publish_metadata(
    provenance: Provenance,
    *,
    published_at: datetime,
    row_count: int,
    byte_count: int,
    content_hash: str,
    publish_id: str,
) -> dict[str, str]:
    """The metadata of a publishing commit; `History` reads it back."""
    facts = {
        **vars(provenance),
        "published_at": published_at.isoformat(timespec="microseconds"),
        "row_count": str(row_count),
        "byte_count": str(byte_count),
        "content_hash": content_hash,
        "publish_id": publish_id,
    }
    return {f"hanoiic.{key}": value for key, value in facts.items()}


def vacuum_metadata(gone: Iterable[int]) -> dict[str, str]:
    """The metadata of a vacuum's commits: the versions whose files it removes."""
    return {_GONE: json.dumps(sorted(gone))}


class History:
    """The versions of one table as its Delta log tells them: `commits`, newest first, and what
    was known `before` them."""

    def __init__(self, commits: Iterable[Mapping[str, Any]], before: History | None = None) -> None:
        self._all: list[Version] = []
        self._gone: set[int] = set()
        for commit in commits:
            if "hanoiic.publish_id" in commit:
                self._all.append(_version(commit))
            self._gone.update(json.loads(commit.get(_GONE, "[]")))
        if before is not None:
            self._all += before._all
            self._gone |= before._gone

    @property
    def versions(self) -> list[Version]:
        """Those that can be read, newest first."""
        return [version for version in self._all if version.number not in self._gone]

    @property
    def latest(self) -> Version | None:
        return self._all[0] if self._all else None

    def published_as(self, publish_id: str) -> Version | None:
        """The version that the publish of this id made, if it committed."""
        return next((v for v in self._all if v.publish_id == publish_id), None)

    def resolve(self, as_of: int | datetime | None) -> Version:
        """The version of that number, or current at that instant, or the latest.

        Raises VersionNotFound, VersionExpired, TimeWithoutZone.
        """
        if isinstance(as_of, datetime) and as_of.utcoffset() is None:
            raise TimeWithoutZone("the time of a version needs a zone", as_of=as_of.isoformat())
        match = next((v for v in self._all if _is_of(v, as_of)), None)
        if match is None:
            raise VersionNotFound(f"no version as of {_shown(as_of)}", as_of=_shown(as_of))
        if match.number in self._gone:
            raise VersionExpired(
                f"version {match.number} is no longer kept",
                as_of=_shown(as_of),
                kept=[version.number for version in self.versions],
            )
        return match

    def kept(self, cutoff: datetime, pinned: frozenset[int]) -> set[int]:
        """The versions that were current at any time since `cutoff`, and the pinned ones."""
        superseded_at = [None, *(newer.published_at for newer in self._all[:-1])]
        return {
            version.number
            for version, until in zip(self._all, superseded_at, strict=True)
            if version.number not in self._gone
            and (until is None or until >= cutoff or version.number in pinned)
        }

    def instant_after(self, now: datetime) -> datetime:
        """`now`, but later than every version: `AS OF` a time follows the order of the numbers."""
        if self.latest is None:
            return now
        return max(now, self.latest.published_at + timedelta(microseconds=1))


class Histories:
    """The histories of a lake's tables as far as they were read: of a log only new commits are.

    Whether there are any is asked of the file system: commits are numbered without gaps, so the log
    is as it was while its last commit is the same file and the next number has none.
    """

    def __init__(self) -> None:
        self._read: dict[str, tuple[str, int, History]] = {}
        self._ends: dict[str, tuple[_LogEnd, History]] = {}

    def of(self, delta: DeltaTable) -> History:
        """The history of a table up to the version that `delta` has loaded. If it must be read,
        that becomes the newest one."""
        while True:
            table_id, version = str(delta.metadata().id), delta.version()
            known_id, known_version, known = self._read.get(delta.table_uri, ("", -1, None))
            if known and (known_id, known_version) == (table_id, version):
                return known
            # Another id: the table was removed and made again. A lower version: `delta` is older.
            if known_id != table_id or known_version > version:
                known_version, known = -1, None
            commits = delta.history(version - known_version)
            # delta-rs reads the log to its end, and numbers what it finds from the version that it
            # has loaded: a commit that came between gives each of them another's number.
            delta.update_incremental()
            if delta.version() == version:
                known = History(commits, known)
                self._read[delta.table_uri] = table_id, version, known
                return known

    def unchanged(self, uri: str, fs: pyarrow.fs.FileSystem, folder: str) -> History | None:
        """The history of the table if its log is as it was when it was last noted."""
        end, history = self._ends.get(uri, (None, None))
        return history if end and end == _log_end(fs, folder, end.version) else None

    def note(
        self,
        uri: str,
        history: History,
        version: int,
        fs: pyarrow.fs.FileSystem,
        folder: str,
        opened_at: float,
    ) -> None:
        """Remember that the log ended with `version`, as read after `opened_at` (seconds since
        1970)."""
        end = _log_end(fs, folder, version)
        # A file that is as young as the reading may have taken the place of the one that was read.
        if end and end.written_at_ns < (opened_at - _YOUNG_S) * 1e9:
            self._ends[uri] = (end, history)


@dataclass(frozen=True)
class _LogEnd:
    """The last commit of a log, as a file."""

    version: int
    written_at_ns: int
    byte_count: int


def _log_end(fs: pyarrow.fs.FileSystem, folder: str, version: int) -> _LogEnd | None:
    """The commit `version`, if it is the last one."""
    last, following = fs.get_file_info(
        [f"{folder}/_delta_log/{number:020}.json" for number in (version, version + 1)]
    )
    if not last.is_file or following.is_file:
        return None
    return _LogEnd(version, last.mtime_ns, last.size)


def _is_of(version: Version, as_of: int | datetime | None) -> bool:
    if as_of is None:
        return True
    if isinstance(as_of, datetime):
        return version.published_at <= as_of
    return version.number == as_of


def _shown(as_of: int | datetime | None) -> str:
    return as_of.isoformat() if isinstance(as_of, datetime) else str(as_of)


def _version(commit: Mapping[str, Any]) -> Version:
    return Version(
        number=int(commit["version"]),
        published_at=datetime.fromisoformat(commit["hanoiic.published_at"]),
        row_count=int(commit["hanoiic.row_count"]),
        byte_count=int(commit["hanoiic.byte_count"]),
        **{key: str(commit[f"hanoiic.{key}"]) for key in _TEXTS},
    )
