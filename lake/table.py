"""One table of the lake: publish whole or not at all, read any version that is kept."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.dataset
import pyarrow.fs
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.transaction import AddAction
from pyarrow.fs import FileSelector

from lake import names, staging
from lake import schema as schemas
from lake.errors import PublishContended, TableNotFound
from lake.history import Histories, History, Provenance, Version, publish_metadata, vacuum_metadata
from lake.schema import Column
from lake.staging import Batches, Staged

KEEP_DAYS = 30
# Every lost race means that somebody else's version was published.
_TRIES = 60
_LONGEST_PAUSE_S = 0.5
# The log is the record of versions: vacuum removes files, never log entries.
_CONFIGURATION = {"delta.enableExpiredLogCleanup": "false"}


@dataclass(frozen=True)
class Published:
    """What a publish did: `changed` is false when the latest version already had this content."""

    version: int
    changed: bool
    row_count: int
    content_hash: str


class Table:
    """A Delta table at `uri`, `tables/<name>` of the lake; made by `Lake.table`."""

    def __init__(
        self,
        name: str,
        root: str,
        fs: pyarrow.fs.FileSystem,
        storage_options: Mapping[str, str],
        histories: Histories,
    ) -> None:
        self.name = name
        self._folder = f"tables/{names.check(name)}"
        self.uri = f"{root}/{self._folder}"
        self._fs = fs
        self._options = dict(storage_options)
        self._histories = histories

    def publish(
        self, batches: Batches, provenance: Provenance, *, schema: pa.Schema | None = None
    ) -> Published:
        """Make `batches` the next version, whole or not at all; the same content makes none.

        `batches` is read once, in constant memory. `schema` is needed for an iterable that may be
        empty. Raises InvalidSchema, ValueDoesNotFit, PublishContended, and what the batches raise.
        """
        staged = staging.stage(self._fs, self._folder, staging.reader(batches, schema))
        for attempt in range(_TRIES):
            delta = self._open() or self._create(staged.stored)
            history = self._histories.of(delta)
            if mine := history.published_as(staged.publish_id):
                return _published(mine, changed=True)
            if history.latest and history.latest.content_hash == staged.content_hash:
                staging.discard(self._fs, self._folder, staged)
                return _published(history.latest, changed=False)
            number = delta.version() + 1
            if self._commit(delta, staged, provenance, history):
                return Published(number, True, staged.row_count, staged.content_hash)
            # Pauses are random, so that the losers of one race do not all meet in the next.
            time.sleep(random.uniform(0, min(_LONGEST_PAUSE_S, 0.01 * 2**attempt)))  # noqa: S311
        staging.discard(self._fs, self._folder, staged)
        raise PublishContended(f"other publishers of {self.name} kept winning", table=self.name)

    def exists(self) -> bool:
        """Whether at least one version can be read."""
        delta = self._open()
        return delta is not None and bool(self._histories.of(delta).versions)

    def versions(self) -> list[Version]:
        """The versions that can be read, newest first. Raises TableNotFound."""
        return self._history().versions

    def resolve(self, as_of: int | datetime | None = None) -> Version:
        """The latest version, that of a number, or the one current at an instant.

        Raises TableNotFound, VersionNotFound, VersionExpired, TimeWithoutZone.
        """
        return self._history().resolve(as_of)

    def files(self, number: int) -> list[str]:
        """Absolute paths or URIs of the Parquet files of a version."""
        return [f"{self.uri}/{path}" for path in _paths(self._at(number))]

    def columns(self, number: int) -> list[Column]:
        """The columns of a version, in order."""
        return schemas.from_arrow(self.arrow_schema(number))

    def arrow_schema(self, number: int) -> pa.Schema:
        """The stored Arrow schema of a version, with its field metadata."""
        return pa.schema(self._at(number).schema().to_arrow())

    def batches(self, number: int) -> Iterator[pa.RecordBatch]:
        """The rows of a version in published order, `time` columns as Arrow times."""
        yield from map(schemas.restore, self.stored_batches(number))

    def stored_batches(self, number: int) -> Iterator[pa.RecordBatch]:
        """The rows of a version as they are stored."""
        delta = self._at(number)
        stored = pa.schema(delta.schema().to_arrow())
        for path in _paths(delta):
            file = f"{self._folder}/{path}"
            rows = pyarrow.dataset.dataset(file, stored, format="parquet", filesystem=self._fs)
            yield from rows.to_batches()

    def vacuum(self, keep_days: int = KEEP_DAYS, pinned: frozenset[int] = frozenset()) -> list[str]:
        """Remove the files of versions superseded before the last `keep_days`, but not of `pinned`
        ones, and the files that killed publishers left; returns their names.

        A publish that takes longer than `keep_days` would lose its staged file.
        """
        delta = self._open()
        if delta is None:
            return []
        history = self._histories.of(delta)
        kept = history.kept(datetime.now(UTC) - timedelta(days=keep_days), pinned)
        gone = {version.number for version in history.versions} - kept
        how: dict[str, Any] = {
            "retention_hours": keep_days * 24,
            "enforce_retention_duration": False,
            "full": True,
            "keep_versions": sorted(kept),
            "commit_properties": CommitProperties(custom_metadata=vacuum_metadata(gone)),
        }
        # Delta names removed files again each time: without this look every vacuum would commit.
        here = {info.base_name for info in self._fs.get_file_info(FileSelector(self._folder))}
        removed = [PurePosixPath(path).name for path in delta.vacuum(dry_run=True, **how)]
        removed = sorted(here.intersection(removed))
        if removed:
            delta.vacuum(dry_run=False, **how)
        return removed

    def _open(self, version: int | None = None) -> DeltaTable | None:
        try:
            return DeltaTable(self.uri, version=version, storage_options=self._options)
        except TableNotFoundError:
            return None

    def _at(self, number: int) -> DeltaTable:
        return DeltaTable(
            self.uri, version=self.resolve(number).number, storage_options=self._options
        )

    def _history(self) -> History:
        history = self._histories.unchanged(self.uri, self._fs, self._folder)
        if history is None:
            opened_at = time.time()
            if delta := self._open():
                history = self._histories.of(delta)
                self._histories.note(
                    self.uri, history, delta.version(), self._fs, self._folder, opened_at
                )
        if history is None or history.latest is None:
            raise TableNotFound(f"table {self.name} was never published", table=self.name)
        return history

    def _create(self, stored: pa.Schema) -> DeltaTable:
        """Commit version 0, the table without rows; or open what another publisher created."""
        try:
            return DeltaTable.create(
                self.uri,
                schema=Schema.from_arrow(stored),
                configuration=_CONFIGURATION,
                storage_options=self._options,
            )
        except DeltaError:
            if delta := self._open():
                return delta
            raise

    def _commit(
        self, delta: DeltaTable, staged: Staged, provenance: Provenance, history: History
    ) -> bool:
        """Commit the staged file as the whole table; false when another commit came between."""
        seen = delta.version()
        now = datetime.now(UTC)
        add = AddAction(
            path=staged.file_name,
            size=staged.byte_count,
            partition_values={},
            modification_time=int(now.timestamp() * 1000),
            data_change=True,
            stats=json.dumps({"numRecords": staged.row_count}),
        )
        metadata = publish_metadata(
            provenance,
            published_at=history.instant_after(now),
            row_count=staged.row_count,
            byte_count=staged.byte_count,
            content_hash=staged.content_hash,
            publish_id=staged.publish_id,
        )
        try:
            delta.create_write_transaction(
                [add],
                mode="overwrite",
                schema=Schema.from_arrow(staged.stored),
                partition_by=[],
                # Delta's own retry would merge two overwrites; ours looks at the new state first.
                commit_properties=CommitProperties(custom_metadata=metadata, max_commit_retries=0),
            )
        except DeltaError:
            delta.update_incremental()
            if delta.version() == seen:
                raise
            return False
        return True


def _published(version: Version, *, changed: bool) -> Published:
    return Published(version.number, changed, version.row_count, version.content_hash)


def _paths(delta: DeltaTable) -> list[str]:
    """The files of a version, below the table: as they are named, where a URI of them would be
    percent-encoded."""
    return [str(path) for path in pa.table(delta.get_add_actions()).column("path").to_pylist()]
