"""Versions: which one an `AS OF` means, and which ones vacuum keeps."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from hypothesis import given
from hypothesis import strategies as st

from lake.errors import (
    InvalidName,
    TableNotFound,
    TimeWithoutZone,
    VersionExpired,
    VersionNotFound,
)
from lake.history import History, Provenance, publish_metadata, vacuum_metadata
from lake.store import Lake

START = datetime(2026, 1, 1, tzinfo=UTC)
HANOI = timezone(timedelta(hours=7))


def commits(hours: list[int], gone: list[int] | None = None) -> list[dict]:
    """Delta's history (newest first): version 1, 2, … published so many hours after START."""
    made = [{"version": 0}]
    for number, hour in enumerate(hours, start=1):
        facts = publish_metadata(
            Provenance(),
            published_at=START + timedelta(hours=hour),
            row_count=1,
            byte_count=1,
            content_hash=str(number),
            publish_id=str(number),
        )
        made.append({"version": number, **facts})
    if gone is not None:
        made.append({"version": len(made), **vacuum_metadata(gone)})
    return made[::-1]


def table_of(lake: Lake, versions: int):
    table = lake.table("t")
    for number in range(1, versions + 1):
        table.publish(pa.table({"x": [number]}), Provenance())
    return table


@given(
    st.lists(st.integers(0, 1000), min_size=1, max_size=12, unique=True).map(sorted),
    st.integers(-5, 1005),
)
def test_as_of_a_time_is_the_version_current_then(hours, asked):
    history = History(commits(hours))
    moment = (START + timedelta(hours=asked)).astimezone(HANOI)
    current = sum(hour <= asked for hour in hours)
    if current:
        assert history.resolve(moment).number == current
    else:
        with pytest.raises(VersionNotFound):
            history.resolve(moment)


@given(
    st.lists(st.integers(0, 1000), min_size=1, max_size=12, unique=True).map(sorted),
    st.integers(-5, 1005),
    st.frozensets(st.integers(1, 12)),
)
def test_kept_are_the_versions_current_since_then_and_the_pinned(hours, cutoff, pinned):
    kept = History(commits(hours)).kept(START + timedelta(hours=cutoff), pinned)
    for number in range(1, len(hours) + 1):
        latest = number == len(hours)
        current_since = latest or hours[number] >= cutoff
        assert (number in kept) == (current_since or number in pinned)


def test_a_version_that_is_gone_is_not_replaced_by_an_older_one():
    history = History(commits([0, 10, 20], gone=[2]))
    assert [v.number for v in history.versions] == [3, 1]
    for as_of in (2, START + timedelta(hours=15)):
        with pytest.raises(VersionExpired) as refused:
            history.resolve(as_of)
        assert refused.value.facts["kept"] == [3, 1]
    assert history.resolve(START + timedelta(hours=5)).number == 1


def test_a_clock_that_went_back_does_not_reorder_versions():
    history = History(commits([10]))
    earlier = START
    assert history.instant_after(earlier) > START + timedelta(hours=10)
    assert history.instant_after(START + timedelta(hours=11)) == START + timedelta(hours=11)


def test_as_of_answers_from_the_table(tmp_path):
    table = table_of(Lake(tmp_path), 3)
    assert table.resolve().number == table.resolve(None).number == 3
    for version in table.versions():
        assert table.resolve(version.number) == version
        assert table.resolve(version.published_at.astimezone(HANOI)) == version
        assert [b.to_pylist() for b in table.batches(version.number)] == [[{"x": version.number}]]
    with pytest.raises(VersionNotFound):
        table.resolve(table.versions()[-1].published_at - timedelta(microseconds=1))
    for number in (0, 4, -1):
        with pytest.raises(VersionNotFound):
            table.files(number)
    with pytest.raises(TimeWithoutZone):
        table.resolve(datetime(2026, 1, 1))  # noqa: DTZ001


def test_vacuum_keeps_the_latest_and_the_pinned_versions(tmp_path):
    table = table_of(Lake(tmp_path), 5)
    removed = table.vacuum(keep_days=0, pinned=frozenset({2}))
    assert len(removed) == 3
    assert [v.number for v in table.versions()] == [5, 2]
    for number in (2, 5):
        assert [b.to_pylist() for b in table.batches(number)] == [[{"x": number}]]
    with pytest.raises(VersionExpired):
        table.batches(3).__next__()
    # With nothing to remove it commits nothing: the next version's number follows.
    assert table.vacuum(keep_days=0, pinned=frozenset({2})) == []
    assert table.publish(pa.table({"x": [6]}), Provenance()).version == 5 + 2 + 1
    # A pin that ended lets the version go; publishing goes on.
    assert len(table.vacuum(keep_days=0)) == 2
    done = table.publish(pa.table({"x": [7]}), Provenance())
    assert [v.number for v in table.versions()] == [done.version, 8]


def test_vacuum_keeps_thirty_days_by_default(tmp_path):
    table = table_of(Lake(tmp_path), 3)
    assert table.vacuum() == []
    assert [v.number for v in table.versions()] == [3, 2, 1]


def test_vacuum_removes_what_a_killed_publisher_left(tmp_path):
    table = table_of(Lake(tmp_path), 1)
    left = Path(table.uri) / "part-00000-left.parquet"
    left.write_bytes(b"PAR1 cut short")
    assert table.vacuum() == []
    assert table.vacuum(keep_days=0) == [left.name]
    assert not left.exists()
    assert table.resolve(1).number == 1


def test_versions_survive_many_commits_and_their_checkpoints(tmp_path):
    table = table_of(Lake(tmp_path), 110)
    assert list((Path(table.uri) / "_delta_log").glob("*.checkpoint.parquet"))
    assert [v.number for v in table.versions()] == list(range(110, 0, -1))
    assert [b.to_pylist() for b in table.batches(1)] == [[{"x": 1}]]


def test_a_version_that_another_process_published_or_removed_is_seen(tmp_path):
    """Histories are remembered; what happens in the log behind that memory must show."""
    reader, writer = Lake(tmp_path).table("t"), Lake(tmp_path)
    table_of(writer, 1)
    assert [v.number for v in reader.versions()] == [1]
    writer.table("t").publish(pa.table({"x": [2]}), Provenance())
    assert [v.number for v in reader.versions()] == [2, 1]
    writer.table("t").vacuum(keep_days=0)
    assert [v.number for v in reader.versions()] == [2]
    shutil.rmtree(Path(writer.table("t").uri))
    with pytest.raises(TableNotFound):
        reader.versions()
    table_of(Lake(tmp_path), 5)
    assert [v.number for v in reader.versions()] == [5, 4, 3, 2, 1]


@pytest.mark.parametrize("known_before", [True, False])
def test_a_version_published_while_the_history_is_read_is_not_taken_for_another(
    tmp_path, monkeypatch, known_before
):
    reader, writer = Lake(tmp_path).table("t"), table_of(Lake(tmp_path), 2)
    if known_before:
        assert reader.resolve().row_count == 1
    writer.publish(pa.table({"x": [3] * 3}), Provenance())
    read, counts = DeltaTable.history, iter([4, 5])

    def history(delta, limit=None):
        with monkeypatch.context() as patched:
            patched.setattr(DeltaTable, "history", read)
            if count := next(counts, 0):
                writer.publish(pa.table({"x": [0] * count}), Provenance())
            return read(delta, limit)

    monkeypatch.setattr(DeltaTable, "history", history)
    told = [(version.number, version.row_count) for version in reader.versions()]
    assert told == [(5, 5), (4, 4), (3, 3), (2, 1), (1, 1)]
    assert [sum(map(len, reader.batches(number))) for number, _ in told] == [5, 4, 3, 1, 1]


def test_a_log_that_did_not_change_is_not_read_again(tmp_path, monkeypatch):
    lake, writer = Lake(tmp_path), Lake(tmp_path)
    table_of(writer, 2)
    for commit in Path(lake.table("t").uri, "_delta_log").iterdir():
        os.utime(commit, (1_700_000_000, 1_700_000_000))
    assert lake.table("t").resolve().number == 2
    with monkeypatch.context() as patched:
        patched.setattr("lake.table.DeltaTable", None)
        assert lake.table("t").resolve().number == 2
        assert lake.table("t").resolve(1).number == 1
    writer.table("t").publish(pa.table({"x": [7]}), Provenance())
    assert lake.table("t").resolve().number == 3
    shutil.rmtree(writer.table("t").uri)
    with pytest.raises(TableNotFound):
        lake.table("t").resolve()
    table_of(Lake(tmp_path), 3)
    assert (
        lake.table("t").resolve().content_hash == Lake(tmp_path).table("t").resolve().content_hash
    )


def test_the_lake_lists_tables_with_a_version(tmp_path):
    lake = Lake(tmp_path)
    assert lake.tables() == []
    table_of(lake, 1)
    Path(tmp_path, "tables", "started").mkdir()
    assert lake.tables() == ["t"]
    with pytest.raises(TableNotFound):
        lake.table("started").resolve()
    assert lake.table("started").vacuum() == []
    with pytest.raises(InvalidName):
        lake.table("../t")
