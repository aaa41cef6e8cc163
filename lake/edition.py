"""Editions: what one class of callers may read of a table.

Edition `None` is the table itself. Any other is a projection that is written down, at
`editions/<table>/<edition>/<version>.parquet`: what a caller may not see is not in the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs

from lake import names, staging
from lake.errors import EditionNotFound, InvalidSchema
from lake.store import Lake


@dataclass(frozen=True)
class Projection:
    """The columns an edition shows, in its order, and the rows for which `where` is true.

    `where` may use columns that are not shown. As in SQL, a row for which it is null is left out.
    """

    columns: tuple[str, ...]
    where: pc.Expression | None = None


def write(lake: Lake, table: str, version: int, edition: str, projection: Projection) -> str:
    """Write one version's edition, whole or not at all, and return its path or URI.

    The same edition of the same version is written once: what it shows is fixed by its id.
    """
    path = _path(table, version, edition)
    source = lake.table(table)
    whole = source.arrow_schema(version)
    missing = [name for name in projection.columns if name not in whole.names]
    if missing or not projection.columns:
        raise InvalidSchema(f"no columns {missing} in {table}", table=table, missing=missing)
    if not _exists(lake, path):
        shown = pa.schema([whole.field(name) for name in projection.columns])
        rows = _projected(source.stored_batches(version), projection)
        staging.replace(lake.fs, path, shown, rows)
    return f"{lake.root}/{path}"


def files(lake: Lake, table: str, version: int, edition: str | None) -> list[str]:
    """Paths or URIs of the Parquet files of an edition. Raises EditionNotFound."""
    if edition is None:
        return lake.table(table).files(version)
    path = _path(table, version, edition)
    if not _exists(lake, path):
        raise EditionNotFound(
            f"edition {edition} of {table} version {version} was not written",
            table=table,
            version=version,
            edition=edition,
        )
    return [f"{lake.root}/{path}"]


def _path(table: str, version: int, edition: str) -> str:
    return f"editions/{names.check(table)}/{names.check_key(edition)}/{int(version)}.parquet"


def _exists(lake: Lake, path: str) -> bool:
    return bool(lake.fs.get_file_info(path).type == pyarrow.fs.FileType.File)


def _projected(
    batches: Iterator[pa.RecordBatch], projection: Projection
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        shown = batch if projection.where is None else batch.filter(projection.where)
        yield shown.select(list(projection.columns))


def vacuum(lake: Lake, table: str) -> list[str]:
    """Remove the editions of versions that are no longer kept, and what killed writers left.

    Returns the removed paths. To be called after `Table.vacuum`.
    """
    kept = {f"{version.number}.parquet" for version in lake.table(table).versions()}
    selector = pyarrow.fs.FileSelector(
        f"editions/{names.check(table)}", allow_not_found=True, recursive=True
    )
    removed = []
    for info in lake.fs.get_file_info(selector):
        unfinished = info.base_name.endswith(staging.UNFINISHED)
        outlived = not unfinished and info.base_name not in kept
        if info.type == pyarrow.fs.FileType.File and (
            outlived or (unfinished and staging.is_abandoned(info))
        ):
            lake.fs.delete_file(info.path)
            removed.append(info.path)
    return removed
