"""Editions: what one class of callers may read of a table.

Edition `None` is the table itself. Any other is written down from its spec, at
`editions/<table>/<edition>/<version>.parquet`: what a caller may not see is not in the file. The
file is made of the shown rows alone, so its statistics, dictionaries and metadata know no others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

from lake import edition_spec, masks, names, row_filter, sample, staging
from lake import schema as schemas
from lake.edition_spec import Spec
from lake.errors import EditionNotFound, EditionSpecInvalid
from lake.schema import Column
from lake.store import Lake
from lake.table import Table

_VERSION_FILE = re.compile(r"(\d+)\.parquet")


@dataclass(frozen=True)
class Look:
    """The beginning of what an edition would show: its columns and some rows."""

    columns: list[Column]
    rows: list[dict[str, Any]]


def write(
    lake: Lake,
    table: str,
    version: int,
    edition: str,
    spec: Mapping[str, Any],
    salt: bytes | None = None,
) -> str:
    """Write one version's edition, whole or not at all, and return its path or URI.

    The same edition of the same version is written once: what it shows is fixed by its id. `salt`
    is the key of hashed columns. Raises EditionSpecInvalid.
    """
    path = _path(table, version, edition)
    source = lake.table(table)
    shown = _Shown(edition_spec.parse(spec), source.arrow_schema(version), salt)
    if not _exists(lake, path):
        staging.replace(lake.fs, path, shown.schema, shown.rows(source, version))
    return f"{lake.root}/{path}"


def look(
    lake: Lake,
    table: str,
    version: int,
    spec: Mapping[str, Any],
    salt: bytes | None = None,
    rows: int = 20,
) -> Look:
    """The first rows of what `write` would write; nothing is written. Raises EditionSpecInvalid."""
    source = lake.table(table)
    shown = _Shown(edition_spec.parse(spec), source.arrow_schema(version), salt)
    first: list[dict[str, Any]] = []
    for batch in shown.rows(source, version):
        first += batch.slice(0, rows - len(first)).to_pylist()
        if len(first) >= rows:
            break
    return Look(schemas.from_arrow(shown.schema), first)


def files(lake: Lake, table: str, version: int, edition: str | None) -> list[str]:
    """Paths or URIs of the Parquet files of an edition. Raises EditionNotFound."""
    if edition is None:
        return lake.table(table).files(version)
    return [f"{lake.root}/{_found(lake, table, version, edition)}"]


def columns(lake: Lake, table: str, version: int, edition: str) -> list[Column]:
    """The columns that an edition shows, in order. Raises EditionNotFound."""
    return schemas.from_arrow(_parquet(lake, table, version, edition).schema_arrow)


def row_count(lake: Lake, table: str, version: int, edition: str) -> int:
    """How many rows an edition shows. Raises EditionNotFound."""
    return int(_parquet(lake, table, version, edition).metadata.num_rows)


def versions(lake: Lake, table: str, edition: str) -> list[int]:
    """The versions that an edition is written for, newest first."""
    folder = f"editions/{names.check(table)}/{names.check_key(edition)}"
    found = lake.fs.get_file_info(pyarrow.fs.FileSelector(folder, allow_not_found=True))
    numbers = (_VERSION_FILE.fullmatch(info.base_name) for info in found)
    return sorted((int(number[1]) for number in numbers if number), reverse=True)


def vacuum(lake: Lake, table: str, wanted: Collection[str] | None = None) -> list[str]:
    """Remove the editions of versions that are no longer kept, those that are not `wanted` any
    more (None: all are), and what killed writers left.

    Returns the removed paths. To be called after `Table.vacuum`.
    """
    kept = {f"{version.number}.parquet" for version in lake.table(table).versions()}
    selector = pyarrow.fs.FileSelector(
        f"editions/{names.check(table)}", allow_not_found=True, recursive=True
    )
    removed = []
    for info in lake.fs.get_file_info(selector):
        if info.type != pyarrow.fs.FileType.File:
            continue
        if info.base_name.endswith(staging.UNFINISHED):
            outlived = staging.is_abandoned(info)
        else:
            unwanted = wanted is not None and info.path.split("/")[-2] not in wanted
            outlived = unwanted or info.base_name not in kept
        if outlived:
            lake.fs.delete_file(info.path)
            removed.append(info.path)
    return removed


class _Shown:
    """A spec applied to a table's schema: what the file has, and how its rows are made."""

    def __init__(self, spec: Spec, whole: pa.Schema, salt: bytes | None) -> None:
        listed = list(spec.columns) if spec.columns is not None else whole.names
        used = [*listed, *(spec.masks or {})]
        missing = sorted(set(used) - set(whole.names))
        if missing:
            raise EditionSpecInvalid(f"the table has no columns {missing}", missing=missing)
        self._sample = spec.sample
        self._where = row_filter.expression(spec.where, whole)
        self._columns: list[tuple[str, Callable[[pa.Array], pa.Array]]] = []
        fields = []
        for name in listed:
            field: pa.Field = whole.field(name)
            apply: Callable[[pa.Array], pa.Array] = _as_it_is
            if mask := (spec.masks or {}).get(name):
                field, apply = masks.masked(field, mask, salt)
            fields.append(field)
            self._columns.append((name, apply))
        self.schema = pa.schema(fields)

    def rows(self, source: Table, version: int) -> Iterator[pa.RecordBatch]:
        """The shown rows of a version, in published order and constant memory."""
        rows = self._filtered(source, version)
        if self._sample is not None:
            wanted = sample.positions(rows, self._sample)
            rows = sample.taken(self._filtered(source, version), self._sample, wanted)
        for batch in rows:
            arrays = [apply(batch.column(name)) for name, apply in self._columns]
            yield pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _filtered(self, source: Table, version: int) -> Iterator[pa.RecordBatch]:
        for batch in source.stored_batches(version):
            yield batch if self._where is None else batch.filter(self._where)


def _as_it_is(array: pa.Array) -> pa.Array:
    return array


def _path(table: str, version: int, edition: str) -> str:
    return f"editions/{names.check(table)}/{names.check_key(edition)}/{int(version)}.parquet"


def _found(lake: Lake, table: str, version: int, edition: str) -> str:
    path = _path(table, version, edition)
    if not _exists(lake, path):
        raise EditionNotFound(
            f"edition {edition} of {table} version {version} was not written",
            table=table,
            version=version,
            edition=edition,
        )
    return path


def _parquet(lake: Lake, table: str, version: int, edition: str) -> pq.ParquetFile:
    return pq.ParquetFile(lake.fs.open_input_file(_found(lake, table, version, edition)))


def _exists(lake: Lake, path: str) -> bool:
    return bool(lake.fs.get_file_info(path).type == pyarrow.fs.FileType.File)
