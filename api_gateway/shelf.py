"""What the gateway reads of the lake: versions, files and columns, remembered where fixed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pyarrow.parquet as pq

from api_gateway.asked import Version as AsOfVersion
from api_gateway.decisions import TableDecision
from api_gateway.engine import Source
from api_gateway.errors import EditionMissing, TableNotFound, VersionNotFound
from lake import Column, Lake, Version, edition, schema
from lake import errors as lake_errors


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
    """Tables of the lake for callers who may read them."""

    def __init__(self, root: Path) -> None:
        self._lake = Lake(root)
        self._files = lru_cache(maxsize=4096)(self._read_files)
        self._columns = lru_cache(maxsize=4096)(self._read_columns)

    def take(self, table: str, decision: TableDecision, as_of: AsOfVersion | None) -> Shelved:
        """A permitted table at a version. Raises TableNotFound, VersionNotFound, EditionMissing."""
        version = self.version(table, as_of)
        try:
            files = self._files(table, version, decision.edition)
        except lake_errors.EditionNotFound as error:
            raise EditionMissing(table=table, headers={"Retry-After": "30"}) from error
        times = tuple(
            column.name for column in self.columns(table, version) if column.type == "time"
        )
        return Shelved(table, version, decision, Source(table, files, times))

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

    def versions(self, table: str) -> list[Version]:
        """Newest first. Raises TableNotFound."""
        try:
            return self._lake.table(table).versions()
        except (lake_errors.TableNotFound, lake_errors.InvalidName) as error:
            raise TableNotFound(table=table) from error

    def columns(self, table: str, version: Version) -> list[Column]:
        """The columns of a version, in order."""
        return list(self._columns(table, version))

    def delta_schema(self, shelved: Shelved) -> str:
        """What a caller reads of a version, in the JSON of Delta's `schemaString`."""
        if shelved.decision.edition is None:
            whole = self._lake.table(shelved.table).arrow_schema(shelved.version.number)
            return schema.delta_json(whole)
        return schema.delta_json(pq.read_schema(shelved.source.files[0]))

    # Remembered by the whole version: a table that was made anew counts from 1 again.
    def _read_files(self, table: str, version: Version, edition_id: str | None) -> tuple[str, ...]:
        return tuple(edition.files(self._lake, table, version.number, edition_id))

    def _read_columns(self, table: str, version: Version) -> tuple[Column, ...]:
        return tuple(self._lake.table(table).columns(version.number))


def instant(version: Version) -> str:
    """When a version was published, ISO 8601 in UTC."""
    return version.published_at.isoformat().replace("+00:00", "Z")
