"""Publishing: whole or not at all, once for the same content, never lost among others."""

from __future__ import annotations

import itertools
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lake.errors import TableNotFound, ValueDoesNotFit
from lake.schema import Column, to_arrow
from lake.store import Lake
from lake.table import Provenance
from tests.lake import publishers
from tests.lake.publishers import content, context, number_of


@pytest.fixture
def table(tmp_path):
    return Lake(tmp_path).table("t")


@pytest.fixture(params=["folder", "object store"])
def any_table(request, tmp_path):
    """A lake in a folder, and one reached as an object store is: by URI."""
    return Lake(tmp_path if request.param == "folder" else tmp_path.as_uri()).table("t")


def files_on_disk(table) -> set[str]:
    return {str(path) for path in Path(table.uri).glob("*.parquet")}


def test_a_publish_is_a_version_with_its_provenance(any_table):
    provenance = Provenance("run-1", "https://planning.example/wards.csv", "sha256:ab")
    done = any_table.publish(content(1), provenance)
    (version,) = any_table.versions()
    assert (done.version, done.changed) == (version.number, True) == (1, True)
    assert version.row_count == done.row_count == publishers.BATCHES * publishers.ROWS_PER_BATCH
    assert version.content_hash == done.content_hash
    assert (version.run_id, version.source_url, version.source_hash) == (
        "run-1",
        "https://planning.example/wards.csv",
        "sha256:ab",
    )
    assert number_of(any_table, 1) == 1


def test_same_content_twice_publishes_one_version_and_leaves_no_file(any_table, tmp_path):
    first = any_table.publish(content(1), Provenance())
    again = any_table.publish(pa.Table.from_batches(content(1)), Provenance())
    assert (again.version, again.changed) == (1, False)
    assert again.content_hash == first.content_hash
    assert len(list(tmp_path.rglob("*.parquet"))) == len(any_table.versions()) == 1


def test_a_lake_may_lie_in_a_folder_with_blanks_and_vietnamese_letters(tmp_path):
    table = Lake(tmp_path / "Cổng dữ liệu 100%").table("t")
    table.publish(content(1), Provenance())
    assert files_on_disk(table) == set(table.files(1))
    assert number_of(table, 1) == 1


def test_old_content_again_is_a_new_version(any_table):
    for number in (1, 2, 1):
        any_table.publish(content(number), Provenance())
    assert [number_of(any_table, v.number) for v in any_table.versions()] == [1, 2, 1]


def test_a_version_may_change_the_columns(any_table):
    any_table.publish(pa.table({"a": [1]}), Provenance())
    wards = to_arrow([Column("Diện tích (km²)", "float64", unit="km²"), Column("a", "string")])
    any_table.publish(pa.Table.from_pylist([{"a": "x"}], schema=wards), Provenance())
    assert [c.type for c in any_table.columns(1)] == ["int64"]
    assert [(c.name, c.ascii, c.unit) for c in any_table.columns(2)] == [
        ("Diện tích (km²)", "dien_tich_km2", "km²"),
        ("a", "a", ""),
    ]


def test_a_table_without_rows_is_a_version(table):
    done = table.publish([], Provenance(), schema=publishers.SCHEMA)
    assert (done.version, done.row_count) == (1, 0)
    assert [batch.num_rows for batch in table.batches(1)] == [0]
    assert len(table.columns(1)) == 2


def test_batches_that_fail_midway_publish_nothing(table):
    def failing():
        yield from itertools.islice(content(1), 5)
        raise ConnectionError("the source hung up")

    with pytest.raises(ConnectionError):
        table.publish(failing(), Provenance())
    assert not table.exists()
    assert files_on_disk(table) == set()
    with pytest.raises(TableNotFound):
        table.versions()


def test_a_value_that_does_not_fit_publishes_nothing(table):
    table.publish(pa.table({"x": pa.array([1], pa.uint64())}), Provenance())
    with pytest.raises(ValueDoesNotFit):
        table.publish(pa.table({"x": pa.array([1, 2**64 - 1], pa.uint64())}), Provenance())
    assert [v.number for v in table.versions()] == [1]
    assert files_on_disk(table) == set(table.files(1))


def test_rows_lie_in_even_row_groups_however_they_came(table):
    batches = list(content(1)) * 4
    rows = pa.RecordBatchReader.from_batches(publishers.SCHEMA, batches)
    done = table.publish(rows, Provenance())
    (path,) = table.files(done.version)
    groups = pq.read_metadata(path)
    assert [groups.row_group(i).num_rows for i in range(groups.num_row_groups)] == [
        122_880,
        122_880,
        done.row_count - 2 * 122_880,
    ]


def test_a_large_table_is_published_in_constant_memory(table):
    """Two million rows go through while Arrow holds less than a tenth of them."""
    held = []

    def watched():
        for batch in itertools.chain.from_iterable(content(i) for i in range(25)):
            held.append(pa.total_allocated_bytes())
            yield batch

    before = pa.total_allocated_bytes()
    done = table.publish(watched(), Provenance())
    assert done.row_count == 2_000_000
    whole = done.row_count * 24  # an integer, an offset and about twelve letters a row
    assert max(held) - before < whole / 4


def check_that_killing_lost_nothing(table, before: int | None, number: int) -> None:
    """The killed publisher's version is wholly there or not at all, and the next publish works."""
    published = [number_of(table, v.number) for v in table.versions()] if table.exists() else []
    old = [] if before is None else [before]
    assert published in (old, [number, *old])
    done = table.publish(content(number), Provenance())
    assert done.changed == (published == old)
    assert number_of(table, table.resolve(None).number) == number


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(delay_s=st.floats(0, 0.08), first=st.booleans())
def test_a_publisher_killed_at_any_time_leaves_a_whole_version(tmp_path_factory, delay_s, first):
    root = tmp_path_factory.mktemp("lake")
    table = Lake(root).table("t")
    if not first:
        table.publish(content(1), Provenance())
    started, child_end = context.Pipe()
    child = context.Process(target=publishers.publish_when_started, args=(str(root), 2, child_end))
    child.start()
    started.recv()
    child.join(delay_s)
    child.kill()
    child.join()
    check_that_killing_lost_nothing(table, None if first else 1, 2)


PLACES = st.one_of(
    st.tuples(st.just(("staging", "content", "schema")), st.integers(1, 3_000)),
    st.tuples(st.just(("table", "history")), st.integers(1, 80)),
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(place=PLACES, first=st.booleans())
def test_a_publisher_killed_at_any_line_leaves_a_whole_version(tmp_path_factory, place, first):
    root = tmp_path_factory.mktemp("lake")
    table = Lake(root).table("t")
    if not first:
        table.publish(content(1), Provenance())
    child = context.Process(target=publishers.publish_and_die_at_line, args=(str(root), 2, *place))
    child.start()
    child.join()
    check_that_killing_lost_nothing(table, None if first else 1, 2)


@pytest.mark.parametrize(("line", "committed"), [(3, False), (10_000, True)])
def test_the_line_of_death_is_met(tmp_path, line, committed):
    """The two tests above would prove nothing if the publisher were never killed on its way."""
    child = context.Process(
        target=publishers.publish_and_die_at_line,
        args=(str(tmp_path), 2, ("table",), line),
    )
    child.start()
    child.join()
    assert (child.exitcode == 0) == committed == Lake(tmp_path).table("t").exists()


def race(root, contents: list[list[int]]) -> None:
    barrier = context.Barrier(len(contents))
    racers = [
        context.Process(target=publishers.publish_all, args=(str(root), numbers, barrier))
        for numbers in contents
    ]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert [racer.exitcode for racer in racers] == [0] * len(racers)


def test_concurrent_publishers_never_lose_a_version(tmp_path, table):
    numbers = [list(range(start, start + 4)) for start in (0, 10, 20, 30)]
    race(tmp_path, numbers)
    published = [number_of(table, v.number) for v in table.versions()]
    assert sorted(published) == sorted(itertools.chain.from_iterable(numbers))
    for own in numbers:
        assert [n for n in reversed(published) if n in own] == own
    times = [v.published_at for v in table.versions()]
    assert times == sorted(set(times), reverse=True)


def test_concurrent_publishers_of_the_same_content_make_one_version(tmp_path, table):
    race(tmp_path, [[7]] * 4)
    (version,) = table.versions()
    assert files_on_disk(table) == set(table.files(version.number))
