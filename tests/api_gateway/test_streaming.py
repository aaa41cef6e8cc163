"""A long answer passes through the gateway; it never lies in it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from lake import Provenance

ROWS = 5_000_000
_BATCH = 500_000


@pytest.fixture(scope="module")
def big(lake):
    schema = pa.schema([("id", pa.int64()), ("giá trị", pa.float64()), ("trạm", pa.string())])

    def batches():
        names = pa.array([f"Trạm {number}" for number in range(100)])
        for start in range(0, ROWS, _BATCH):
            ids = np.arange(start, start + _BATCH)
            columns = [pa.array(ids), pa.array(ids / 7), names.take(pa.array(ids % 100))]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    lake.table("big").publish(batches(), Provenance(), schema=schema)


def resident_mb(process: int) -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.parametrize("format_name", ["csv", "arrow"])
def test_five_million_rows_take_no_memory_in_the_gateway(gateway, big, format_name):
    gateway.sql("SELECT 1", format=format_name)
    before = most = resident_mb(gateway.web)
    answer = gateway.sql("FROM big", format=format_name, stream=True)
    received, lines, reader = 0, 0, answer.iter_content(1024 * 1024)
    for chunk in reader:
        received += len(chunk)
        lines += chunk.count(b"\n")
        most = max(most, resident_mb(gateway.web))
    assert received > 100 * 2**20
    assert most - before <= 64
    if format_name == "csv":
        assert lines == ROWS + 1


@pytest.mark.parametrize(
    ("format_name", "ids"),
    [
        ("ndjson", lambda text: [json.loads(line)["id"] for line in text.splitlines()]),
        ("csv", lambda text: [int(line.partition(",")[0]) for line in text.splitlines()[1:]]),
        ("json", lambda text: [row["id"] for row in json.loads(text)["rows"]]),
    ],
)
def test_texts_of_many_rows_hold_each_row_once_and_in_order(gateway, big, format_name, ids):
    sql = "SELECT id FROM big WHERE id % 7 = 3 AND id < 100000"
    answer = gateway.sql(sql, format=format_name)
    assert ids(answer.text) == list(range(3, 100_000, 7))


def test_rows_by_chance_are_not_asked_for_twice(gateway, big):
    sql = "SELECT id, random() AS chance FROM big WHERE random() < 0.5 AND id < 100000"
    rows = [json.loads(line)["id"] for line in gateway.sql(sql, format="ndjson").text.splitlines()]
    assert len(rows) == len(set(rows))
    assert 45_000 < len(rows) < 55_000


def test_arrow_stream_holds_every_row(gateway, big):
    answer = gateway.sql("FROM big", format="arrow", stream=True)
    answer.raw.decode_content = True
    reader = pa.ipc.open_stream(answer.raw)
    count = total = 0
    for batch in reader:
        count += batch.num_rows
        total += int(np.sum(batch.column(0).to_numpy()))
    assert (count, total) == (ROWS, ROWS * (ROWS - 1) // 2)
