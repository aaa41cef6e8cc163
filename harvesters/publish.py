"""Accepted rows to one new version of a lake table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit, urlunsplit

import pyarrow as pa
import pyarrow.compute as pc

from harvesters.errors import LakeFailed
from harvesters.signs import Signs
from harvesters.validate import Checked
from lake import rejected as rejected_rows
from lake import schema as schemas
from lake.errors import LakeError, PublishContended
from lake.history import Provenance
from lake.schema import Column
from lake.store import Lake

# Local times without a zone are Hanoi's.
LOCAL_ZONE = "Asia/Ho_Chi_Minh"
# Since this moment their distance from UTC is always the same: then it is only taken off.
_SINCE = datetime(1976, 1, 1)  # noqa: DTZ001  (a local time, as the column's)
_OFFSET = pa.scalar(timedelta(hours=7), pa.duration("us"))
# Longer tables are not compared row by row.
COMPARED_ROWS = 1_000_000


@dataclass(frozen=True)
class Published:
    """A table in the lake after a run; `changed` is false when its content was already there.

    A version that the same run made before its worker was lost is the run's change too.
    """

    table: str
    version: int
    changed: bool
    row_count: int
    rejected_count: int
    completeness: float
    validity: float
    uniqueness: float | None
    columns: list[Column]
    signs: Signs
    content_hash: str


def publish(
    checked: Checked, lake: Lake, table: str, *, run_id: str, source_url: str, source_hash: str
) -> Published:
    """Make the accepted rows the table's next version, and keep the rejected ones beside it.

    Raises LakeFailed.
    """
    columns = [typed.column for typed in checked.typed.columns]
    provenance = Provenance(
        run_id=run_id, source_url=without_query(source_url), source_hash=source_hash
    )
    cells = _Cells()
    try:
        schema = schemas.to_arrow(columns)
        done = lake.table(table).publish(_stored(checked, schema, cells), provenance, schema=schema)
        if checked.rejected_count:
            rejected_rows.write(lake, table, run_id, checked.rejected())
    except LakeError as error:
        failed = LakeFailed(f"The lake refused {table}: {error.detail}", lake_code=error.code)
        failed.passing = isinstance(error, PublishContended)
        raise failed from error
    return Published(
        table=table,
        version=done.version,
        changed=done.changed or made_by(lake, table, done.version, run_id),
        row_count=done.row_count,
        rejected_count=checked.rejected_count,
        completeness=cells.completeness,
        validity=checked.validity,
        uniqueness=uniqueness(checked),
        columns=columns,
        signs=checked.typed.signs,
        content_hash=done.content_hash,
    )


def uniqueness(checked: Checked) -> float | None:
    """The share of rows that repeat no other one; None for an empty or a very long table."""
    if not 0 < checked.accepted_count <= COMPARED_ROWS:
        return None
    sql = f"SELECT count(DISTINCT hash(one)) FROM ({checked.accepted_sql()}) AS one"  # noqa: S608
    (distinct,) = checked.bench.row(sql)
    return min(1.0, int(distinct) / checked.accepted_count)


def made_by(lake: Lake, table: str, version: int, run_id: str) -> bool:
    """Whether this version of a table was made by this run. Raises LakeError."""
    return lake.table(table).resolve(version).run_id == run_id


def without_query(url: str) -> str:
    """An address without what may be a key in it."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))


class _Cells:
    """Counts cells while they stream past, for the share that is filled."""

    def __init__(self) -> None:
        self._all = 0
        self._empty = 0

    def count(self, batch: pa.RecordBatch) -> None:
        self._all += batch.num_rows * batch.num_columns
        self._empty += sum(column.null_count for column in batch.columns)

    @property
    def completeness(self) -> float:
        return 1.0 - self._empty / self._all if self._all else 0.0


def _stored(checked: Checked, schema: pa.Schema, cells: _Cells) -> Iterator[pa.RecordBatch]:
    for batch in checked.accepted():
        arrays = [_in_utc(column) for column in batch.columns]
        named = pa.RecordBatch.from_arrays(arrays, names=schema.names)
        cells.count(named)
        yield schemas.store(named, schema)


def _in_utc(column: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(column.type) and column.type.tz is None:
        if _is_since(column, _SINCE):
            instants = pc.subtract(column.cast(pa.timestamp("us")), _OFFSET)
            return instants.cast(pa.timestamp("us", "UTC"))
        local = pc.assume_timezone(column, LOCAL_ZONE, ambiguous="earliest", nonexistent="earliest")
        return local.cast(pa.timestamp("us", "UTC"))
    return column


def _is_since(column: pa.Array, moment: datetime) -> bool:
    first = pc.min(column).as_py()
    return first is None or first >= moment
