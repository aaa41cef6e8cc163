"""A stratified sample: the same rows of a version each time, from every ward or month.

The rows of a stratum are shared out by its size (largest remainders; every stratum gets one while
there are rows), and are taken at even distances in published order. Two passes over the table, in
memory of the number of strata.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from lake.edition_spec import Sample
from lake.errors import EditionSpecInvalid

MOST_STRATA = 1000
# What strata beyond the limit, and rows without a value, belong to.
_REST = None
Key = object


def positions(batches: Iterable[pa.RecordBatch], sample: Sample) -> dict[Key, list[int]]:
    """First pass: stratum → the numbers of the rows to take, counted in the stratum from 0."""
    sizes: dict[Key, int] = {}
    for batch in batches:
        for counted in pc.value_counts(_keys(batch, sample)).to_pylist():
            key = counted["values"]
            if key not in sizes and len(sizes) >= MOST_STRATA:
                key = _REST
            sizes[key] = sizes.get(key, 0) + counted["counts"]
    return {
        key: [int((2 * number + 1) * sizes[key] // (2 * count)) for number in range(count)]
        for key, count in _shares(sizes, sample.rows).items()
    }


def taken(
    batches: Iterable[pa.RecordBatch], sample: Sample, wanted: dict[Key, list[int]]
) -> Iterator[pa.RecordBatch]:
    """Second pass over the same batches: the rows at `wanted`."""
    seen = dict.fromkeys(wanted, 0)
    waiting = {key: list(reversed(numbers)) for key, numbers in wanted.items()}
    for batch in batches:
        keys = _keys(batch, sample)
        rows: list[int] = []
        known = {key for key in pc.unique(keys).to_pylist() if key in wanted and key is not _REST}
        for key in known:
            rows += _due(pc.indices_nonzero(_is(keys, key)), key, seen, waiting)
        if _REST in wanted:
            others = pa.array([key not in known for key in keys.to_pylist()])
            rows += _due(pc.indices_nonzero(others), _REST, seen, waiting)
        if rows:
            yield batch.take(pa.array(sorted(rows), pa.int64()))


def _due(
    indices: pa.Array, key: Key, seen: dict[Key, int], waiting: dict[Key, list[int]]
) -> list[int]:
    """Of a stratum's rows in a batch, those that are wanted."""
    first, seen[key] = seen[key], seen[key] + len(indices)
    rows = []
    while waiting[key] and waiting[key][-1] < seen[key]:
        rows.append(indices[waiting[key].pop() - first].as_py())
    return rows


def _is(keys: pa.Array, key: Key) -> pa.Array:
    return pc.fill_null(pc.equal(keys, pa.scalar(key, keys.type)), False)


def _keys(batch: pa.RecordBatch, sample: Sample) -> pa.Array:
    if sample.by is None:
        return pa.nulls(batch.num_rows, pa.string())
    if sample.by not in batch.schema.names:
        raise EditionSpecInvalid(f"the sample's column {sample.by} is not there", column=sample.by)
    column = batch.column(sample.by)
    if pa.types.is_date(column.type) or pa.types.is_timestamp(column.type):
        column = pc.floor_temporal(column, unit="month")
    elif pa.types.is_nested(column.type):
        raise EditionSpecInvalid(f"a sample is not shared out by {sample.by}", column=sample.by)
    return column.cast(pa.string()) if not pa.types.is_binary(column.type) else column


def _shares(sizes: dict[Key, int], rows: int) -> dict[Key, int]:
    total = sum(sizes.values())
    if total <= rows:
        return dict(sizes)
    # Large strata first; names settle what is equal, so that every run shares out alike.
    ordered = sorted(sizes, key=lambda key: (-sizes[key], str(key)))
    shares = dict.fromkeys(ordered[:rows], 1)
    left = rows - len(shares)
    exact = {key: left * sizes[key] / total for key in shares}
    for key in shares:
        shares[key] = min(sizes[key], shares[key] + int(exact[key]))
    for key in sorted(shares, key=lambda key: (int(exact[key]) - exact[key], str(key))):
        if sum(shares.values()) < rows and shares[key] < sizes[key]:
            shares[key] += 1
    return shares
