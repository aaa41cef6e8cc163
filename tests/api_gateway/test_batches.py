"""Batches: as many rows as pay, fewer of rows that are long, in their order, each of them once."""

from __future__ import annotations

import time

import duckdb
import pyarrow as pa
import pytest

from api_gateway import batches
from api_gateway.batches import FEW_ROWS, sized

MOST = 10 * FEW_ROWS


class Asked:
    """`count` rows with a text of so many bytes each; notes how many rows it was asked for."""

    def __init__(self, count: int, bytes_each: int, waits_s: float = 0.0) -> None:
        self.sql = f"SELECT i, repeat('x', {bytes_each}) AS t FROM range({count}) r(i)"
        self.waits_s, self.times = waits_s, []

    def __call__(self, rows: int) -> pa.RecordBatchReader:
        self.times.append(rows)
        time.sleep(self.waits_s)
        # Threads may hand out rows of a range in another order.
        connection = duckdb.connect(config={"threads": 1})
        return connection.sql(self.sql).to_arrow_reader(rows)


def numbers(made) -> list[int]:
    return [number for batch in made for number in batch.column(0).to_pylist()]


@pytest.mark.parametrize("repeats", [True, False])
@pytest.mark.parametrize("count", [0, 1, FEW_ROWS - 1, FEW_ROWS, FEW_ROWS + 1, MOST, 3 * MOST + 7])
@pytest.mark.parametrize("bytes_each", [1, 3000, 30_000])
def test_each_row_comes_once_and_in_its_place(count, bytes_each, repeats):
    if count * bytes_each > 300_000_000:
        pytest.skip("more than a test should hold")
    schema, made = sized(Asked(count, bytes_each), MOST, repeats=repeats)
    assert schema.names == ["i", "t"]
    assert numbers(made) == list(range(count))


@pytest.mark.parametrize("repeats", [True, False])
def test_short_rows_come_many_at_once(repeats, monkeypatch):
    monkeypatch.setattr(batches, "_SOON_S", 60)
    asked = Asked(3 * MOST, 10)
    sizes = [batch.num_rows for batch in sized(asked, MOST, repeats=repeats)[1]]
    assert sizes == [MOST] * 3
    assert asked.times == ([FEW_ROWS, MOST] if repeats else [FEW_ROWS])


def test_what_took_long_is_not_asked_for_again():
    asked = Asked(2 * MOST, 10, waits_s=batches._SOON_S)
    assert numbers(sized(asked, MOST, repeats=True)[1]) == list(range(2 * MOST))
    assert asked.times == [FEW_ROWS]


@pytest.mark.parametrize("repeats", [True, False])
@pytest.mark.parametrize("bytes_each", [5000, 50_000])
def test_long_rows_come_few_at_once(bytes_each, repeats):
    made = sized(Asked(3 * FEW_ROWS, bytes_each), MOST, repeats=repeats)[1]
    assert max(batch.nbytes for batch in made) <= batches._FULL_BYTES


def test_rows_that_grow_long_later_are_parted():
    rows = pa.table({"i": range(3000), "t": ["x"] * FEW_ROWS + ["x" * 100_000] * (3000 - FEW_ROWS)})

    def ask(count: int) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches(count))

    made = list(sized(ask, MOST, repeats=True)[1])
    assert numbers(made) == list(range(3000))
    assert max(batch.nbytes for batch in made) <= batches._FULL_BYTES
