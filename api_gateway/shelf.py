"""What the gateway reads of the lake: versions, files and columns. What can't change is kept."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from api_gateway.asked import Version as AsOfVersion
from api_gateway.engine import Source
from api_gateway.errors import EditionMissing, TableNotFound, VersionNotFound
from api_gateway.introspection import TableDecision
from api_gateway.lake_reads import of_the_lake
from api_gateway.settings import Settings
from api_gateway.stage import Stage
from lake import Column, Lake, Version, edition, schema
from lake import errors as lake_errors

# For a lake on S3: by its own settings delta-rs would let every caller wait minutes for a store
# that does not answer.
_IMPATIENT = {
    "connect_timeout": "3s",
    "timeout": "10s",
    "max_retries": "3",
    "retry_timeout": "5s",
}


@dataclass(frozen=True)
class Shelved:
    """One table as one caller reads it: a version, its files, and the decision that allows it."""

    table: str
    version: Version
    decision: TableDecision
    source: Source

    @property
    def attribution(self) -> dict[str, object]:
        """What goes with every answer made of it."""
        licence = self.decision.licence
        return {
            "name": self.table,
            "version": self.version.number,
            "published_at": instant(self.version),
            "licence": dict(licence) or None,
            "dataset": self.decision.dataset.get("url"),
        }


class Shelf:
    """Tables of the lake for callers who may read them. Each method that reads may raise
    LakeUnavailable and TableUnreadable."""

    def __init__(self, settings: Settings) -> None:
        self._lake = Lake(settings.lake_root, _IMPATIENT if settings.lake_is_remote else None)
        self._stage = None
        if settings.lake_is_remote:
            most_bytes = settings.gateway_cache_mb * 2**20
            self._stage = Stage(self._lake.fs, settings.gateway_cache_dir.absolute(), most_bytes)
        self._files = lru_cache(maxsize=4096)(self._read_files)
        self._columns = lru_cache(maxsize=4096)(self._read_columns)
        self._rows = lru_cache(maxsize=4096)(self._count_rows)

    @of_the_lake()
    def take(self, table: str, decision: TableDecision, as_of: AsOfVersion | None) -> Shelved:
        """A permitted table at a version; without `as_of`, at the newest that the caller's edition
        is written for. Raises TableNotFound, VersionNotFound, EditionMissing."""
        version = self.version(table, as_of)
        if decision.edition:
            version = self._written(table, version, decision.edition, exact=isinstance(as_of, int))
        files = self._told(self._files, table, version, decision.edition)
        if self._stage:
            files = self._staged(self._stage, files, version)
        columns = self.columns(table, version, decision.edition)
        times = tuple(column.name for column in columns if column.type == "time")
        return Shelved(table, version, decision, Source(table, files, times))

    def _staged(self, stage: Stage, uris: tuple[str, ...], version: Version) -> tuple[str, ...]:
        root = f"{self._lake.root}/"
        return tuple(str(stage.local(uri.removeprefix(root), version.content_hash)) for uri in uris)

    @of_the_lake()
    def version(self, table: str, as_of: AsOfVersion | None = None) -> Version:
        """The version at a number or an instant, or the latest.

        Raises TableNotFound, VersionNotFound.
        """
        try:
            return self._lake.table(table).resolve(as_of)
        except (lake_errors.TableNotFound, lake_errors.InvalidName) as error:
            raise TableNotFound(table=table) from error
        except lake_errors.VersionNotFound as error:
            raise VersionNotFound(error.detail, table=table, **error.facts) from error

    @of_the_lake()
    def versions(self, table: str) -> list[Version]:
        """Newest first. Raises TableNotFound."""
        try:
            return self._lake.table(table).versions()
        except (lake_errors.TableNotFound, lake_errors.InvalidName) as error:
            raise TableNotFound(table=table) from error

    @of_the_lake()
    def read(self, table: str, edition_id: str | None) -> list[Version]:
        """The versions that a caller with this edition can read, newest first; each with the rows
        that the caller gets. Raises TableNotFound."""
        versions = self.kept(table, edition_id)
        if edition_id is None:
            return versions
        return [
            replace(version, row_count=self._rows(table, version, edition_id))
            for version in versions
        ]

    @of_the_lake()
    def kept(self, table: str, edition_id: str | None) -> list[Version]:
        """As `read`, with the rows that the table has. Raises TableNotFound."""
        versions = self.versions(table)
        if edition_id is None:
            return versions
        written = set(edition.versions(self._lake, table, edition_id))
        return [version for version in versions if version.number in written]

    @of_the_lake()
    def columns(self, table: str, version: Version, edition_id: str | None = None) -> list[Column]:
        """The columns of a version, or of its edition, in order. Raises EditionMissing."""
        return list(self._told(self._columns, table, version, edition_id))

    def _written(self, table: str, asked: Version, edition_id: str, *, exact: bool) -> Version:
        """The version asked for, if the edition is written for it, as nearly always. Else the
        newest one before it that has the edition, unless it is to be `exact`."""
        with suppress(EditionMissing):
            self._told(self._files, table, asked, edition_id)
            return asked
        written = self.kept(table, edition_id)
        for version in () if exact else written:
            if version.number <= asked.number:
                return version
        if written and asked.number < written[0].number:
            # Editions are only written for versions that come: never again for this one.
            first = written[-1].number
            raise VersionNotFound(
                f"version {asked.number} is not among those you may read; the first is {first}",
                table=table, first=first,
            )  # fmt: skip
        raise _missing(table)

    def _told(self, read: Callable[..., Any], table: str, version: Version, *of: Any) -> Any:
        try:
            return read(table, version, *of)
        except lake_errors.EditionNotFound as error:
            raise _missing(table) from error

    @of_the_lake()
    def arrow_schema(self, shelved: Shelved) -> pa.Schema:
        """The stored Arrow schema of what a caller reads of a version: names and types alone."""
        if shelved.decision.edition is None:
            held = self._lake.table(shelved.table).arrow_schema(shelved.version.number)
        else:
            held = pq.read_schema(shelved.source.files[0])
        return pa.schema([field.remove_metadata() for field in held])

    def answer_schema(self, shelved: Shelved) -> pa.Schema:
        """As `arrow_schema`, of what a query answers: a time of day, stored as text, is one."""
        times = shelved.source.times
        return pa.schema(
            field.with_type(pa.time64("us")) if field.name in times else field
            for field in self.arrow_schema(shelved)
        )

    def delta_schema(self, shelved: Shelved) -> str:
        """As `arrow_schema`, in the JSON of Delta's `schemaString`."""
        return schema.delta_json(self.arrow_schema(shelved))

    # These are remembered by the whole version, not by its number: a table that was deleted and
    # made again counts from 1 again.
    def _read_files(self, table: str, version: Version, edition_id: str | None) -> tuple[str, ...]:
        return tuple(edition.files(self._lake, table, version.number, edition_id))

    def _read_columns(
        self, table: str, version: Version, edition_id: str | None
    ) -> tuple[Column, ...]:
        if edition_id is not None:
            return tuple(edition.columns(self._lake, table, version.number, edition_id))
        return tuple(self._lake.table(table).columns(version.number))

    def _count_rows(self, table: str, version: Version, edition_id: str) -> int:
        return edition.row_count(self._lake, table, version.number, edition_id)


def _missing(table: str) -> EditionMissing:
    # Editions are written within seconds of their offer or version.
    return EditionMissing(table=table, headers={"Retry-After": "5"})


def instant(version: Version) -> str:
    """When a version was published, ISO 8601 in UTC."""
    return version.published_at.isoformat().replace("+00:00", "Z")
