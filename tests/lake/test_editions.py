"""Editions and rejected rows: files of their own beside the tables."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lake import edition, rejected
from lake.errors import EditionNotFound, EditionSpecInvalid, InvalidName, VersionNotFound
from lake.rejected import Rejected
from lake.schema import Column, to_arrow
from lake.store import Lake
from lake.table import Provenance

COLUMNS = [
    Column("Mã phường", "string"),
    Column("PM2.5", "float64", unit="µg/m³"),
    Column("Số điện thoại", "string"),
]
ROWS = [
    {"Mã phường": "00070", "PM2.5": 35.5, "Số điện thoại": "0900000001"},
    {"Mã phường": "00070", "PM2.5": None, "Số điện thoại": "0900000002"},
    {"Mã phường": "00256", "PM2.5": 71.0, "Số điện thoại": "0900000003"},
]
PUBLIC = {
    "columns": ["PM2.5", "Mã phường"],
    "where": [{"column": "PM2.5", "op": "gt", "value": 50}],
}
REFUSED = [
    {"columns": ["Tên"]},
    {"columns": []},
    {"columns": ["PM2.5", "PM2.5"]},
    {"rows": 5},
    {"columns": ["PM2.5"], "where": [{"column": "Tên", "op": "eq", "value": "x"}]},
    {"where": [{"column": "PM2.5", "op": "like", "value": "x"}]},
    {"where": [{"column": "PM2.5", "op": "gt", "value": "50 OR 1=1"}]},
    {"where": [{"column": "PM2.5", "op": "gt", "value": None}]},
    {"where": [{"column": "PM2.5", "op": "in", "value": []}]},
    {"where": [{"column": "PM2.5", "op": "eq", "value": True}]},
    {"masks": {"PM2.5": {"kind": "forget"}}},
    {"masks": {"PM2.5": {"kind": "truncate", "length": 3}}},
    {"masks": {"Mã phường": {"kind": "bucket", "width": 3}}},
    {"masks": {"PM2.5": {"kind": "bucket", "width": -3}}},
    {"masks": {"PM2.5": {"kind": "bucket", "width": "month"}}},
    {"masks": {"Mã phường": {"kind": "round_geo"}}},
    {"masks": {"Mã phường": {"kind": "hash"}}},
    {"masks": {"Tên": {"kind": "truncate", "length": 1}}},
    {"sample": {"rows": 0}},
    {"sample": {"rows": 2, "by": "Tên"}},
]


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path)
    lake.table("air").publish(pa.Table.from_pylist(ROWS, schema=to_arrow(COLUMNS)), Provenance())
    return lake


def test_an_edition_holds_only_its_columns_and_rows(lake):
    path = edition.write(lake, "air", 1, "public", PUBLIC)
    assert edition.files(lake, "air", 1, "public") == [path]
    shown = pq.read_table(path)
    assert shown.to_pylist() == [{"PM2.5": 71.0, "Mã phường": "00256"}]
    assert shown.schema.field("PM2.5").metadata[b"hanoiic:unit"] == "µg/m³".encode()
    assert b"0900000003" not in Path(path).read_bytes()


def test_a_filter_may_use_a_column_that_is_not_shown(lake):
    shown = {
        "columns": ["Mã phường"],
        "where": [{"column": "Số điện thoại", "op": "eq", "value": "0900000001"}],
    }
    path = edition.write(lake, "air", 1, "one", shown)
    assert pq.read_table(path).to_pylist() == [{"Mã phường": "00070"}]


def test_no_edition_is_the_table_itself(lake):
    assert edition.files(lake, "air", 1, None) == lake.table("air").files(1)


def test_an_edition_is_written_once_a_version(lake):
    path = Path(edition.write(lake, "air", 1, "public", PUBLIC))
    written = path.stat().st_mtime_ns
    assert edition.write(lake, "air", 1, "public", PUBLIC) == str(path)
    assert path.stat().st_mtime_ns == written
    assert [p.name for p in path.parent.iterdir()] == ["1.parquet"]


def test_an_edition_that_fails_leaves_nothing(lake):
    for spec in REFUSED:
        with pytest.raises(EditionSpecInvalid):
            edition.write(lake, "air", 1, "public", spec)
    with pytest.raises(VersionNotFound):
        edition.write(lake, "air", 2, "public", PUBLIC)
    with pytest.raises(EditionNotFound):
        edition.files(lake, "air", 1, "public")
    assert not list(Path(lake.root).glob("editions/**/*.*"))


@pytest.mark.parametrize("name", ["../public", "a/b", ""])
def test_an_edition_stays_in_its_folder(lake, name):
    with pytest.raises(InvalidName):
        edition.files(lake, "air", 1, name)


def test_vacuum_removes_editions_of_versions_that_are_gone_and_abandoned_files(lake):
    table = lake.table("air")
    old = Path(edition.write(lake, "air", 1, "public", PUBLIC))
    table.publish(pa.Table.from_pylist(ROWS[:2], schema=to_arrow(COLUMNS)), Provenance())
    kept = Path(edition.write(lake, "air", 2, "public", PUBLIC))
    abandoned = old.with_name("2.parquet.0.unfinished")
    being_written = old.with_name("2.parquet.1.unfinished")
    abandoned.touch()
    being_written.touch()
    two_days_ago = time.time() - 2 * 86_400
    os.utime(abandoned, (two_days_ago, two_days_ago))
    table.vacuum(keep_days=0)
    removed = edition.vacuum(lake, "air")
    assert {Path(path).name for path in removed} == {old.name, abandoned.name}
    assert set(kept.parent.iterdir()) == {kept, being_written}


def test_rejected_rows_come_back_in_order(lake):
    rows = [
        Rejected(row, "PM2.5", None if row % 2 else "−5", "below_minimum", "nhỏ hơn 0")
        for row in range(1, 20_002)
    ]
    path = rejected.write(lake, "air", "0f9e-run", iter(rows))
    assert path == f"{lake.root}/rejected/air/0f9e-run.parquet"
    assert rejected.read(lake, "air", "0f9e-run") == rows
    assert rejected.read(lake, "air", "0f9e-run", limit=100) == rows[:100]
    assert rejected.read(lake, "air", "another") == []


def test_a_retried_run_replaces_what_it_rejected(lake):
    first, second = (Rejected(n, "x", "y", "bad", "…") for n in (1, 2))
    rejected.write(lake, "air", "run", [first])
    rejected.write(lake, "air", "run", [second])
    assert rejected.read(lake, "air", "run") == [second]
    with pytest.raises(InvalidName):
        rejected.write(lake, "air", "../run", [first])
