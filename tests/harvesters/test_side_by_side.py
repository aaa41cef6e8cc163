"""Work that goes on side by side: its order, its failures, and what a run keeps meanwhile."""

from __future__ import annotations

import threading

import psycopg
import pytest

from harvesters import ahead, database
from harvesters.pipeline import DATASETS_AT_ONCE
from harvesters.portal import Portal
from harvesters.receipts import Receipt, Receipts
from harvesters.registered import Registered
from harvesters.report import Report
from harvesters.source import Source
from harvesters.workbenches import Workbenches
from tests.harvesters.fake_portal import TOKEN


def test_results_come_in_order_whichever_is_ready_first():
    ready = {number: threading.Event() for number in range(6)}
    ready[0].set()

    def work(number: int) -> int:
        assert ready[number].wait(5)
        # The one before this one may only go on now.
        if number > 1:
            ready[number - 1].set()
        return number

    for last in (2, 5):
        ready[last].set()
    ready[4].set()
    assert list(ahead.each(work, range(6), threads=3)) == list(range(6))


def test_a_failure_is_raised_where_its_result_would_be():
    done: list[int] = []

    def work(number: int) -> int:
        if number == 3:
            raise ValueError(number)
        return number

    with pytest.raises(ValueError, match="3"):
        done.extend(ahead.each(work, range(100)))
    assert done == [0, 1, 2]


def test_a_report_is_in_the_order_of_the_source():
    report = Report()
    for name in ("b", "a"):
        with report.dataset(f"id-{name}", name):
            report.add_table(
                name, dataset=name, version=1, changed=True, row_count=1, rejected_count=0
            )
    report.arrange({"id-a": ("uuid-a", "a"), "gone": None, "id-b": ("uuid-b", "b")})
    assert [part["identifier"] for part in report.datasets()] == ["id-a", "id-b"]
    assert [row["table"] for row in report.tables] == ["a", "b"]


def test_a_catalogues_datasets_are_worked_on_together_and_fetched_one_by_one(
    run, portal, httpserver
):
    from tests.harvesters.test_departures import Catalogue

    catalogue = Catalogue(httpserver)
    catalogue.there = [f"d{number}" for number in range(8)]
    catalogue.with_files = set(catalogue.there)
    source = portal.add_source(
        name="cat",
        kind="ckan",
        url=httpserver.url_for("/"),
        dataset={"table": "cat", "access_tier": "open"},
    )
    together = threading.Barrier(2)
    waited = []

    def meet(_: object) -> None:
        # The first one has the run to itself.
        if len(waited) == 0:
            waited.append(False)
            return
        if len(waited) == 1 or len(waited) == 2:
            waited.append(True)
            together.wait(10)

    assert DATASETS_AT_ONCE > 1
    portal.before["hanoiic_tables_reserve"] = meet
    ran = run(source)
    assert ran.error is None
    assert waited == [False, True, True]
    assert [part["identifier"] for part in ran.report.datasets()] == catalogue.there
    assert [row["dataset"] for row in ran.report.tables] == [f"cat-d{n}" for n in range(8)]
    assert portal.calls.count("package_search") == 1
    again = run(source)
    assert again.state == "unchanged"
    assert portal.calls.count("package_search") == 2
    assert len(portal.datasets) == 8


def test_only_what_is_not_as_listed_is_asked_for_by_itself(run, portal, httpserver):
    from tests.harvesters.test_departures import Catalogue

    catalogue = Catalogue(httpserver)
    catalogue.there = [f"d{number}" for number in range(8)]
    source = portal.add_source(
        name="cat", kind="ckan", url=httpserver.url_for("/"), dataset={"access_tier": "open"}
    )
    assert run(source).error is None
    portal.calls.clear()
    assert run(source).error is None
    assert set(portal.calls) & {"package_show", "package_create", "package_update"} == set()
    edited = portal.datasets[next(iter(portal.datasets))]
    kept, edited["title"] = edited["title"], "Edited by hand"
    assert run(source).error is None
    assert portal.calls.count("package_update") == 1
    assert portal.datasets[edited["id"]]["title"] == kept
    assert len(portal.datasets) == 8


def test_what_the_search_does_not_list_is_asked_for(portal):
    source = Source.of(portal.add_source(name="cat", kind="ckan", url="http://so.example/"))
    remote = Portal(portal.url, TOKEN)
    portal.datasets["hidden"] = {"id": "hidden", "name": "hidden", "state": "active"}
    registered = Registered(source, remote, many=True)
    assert registered.none()
    assert registered.has("hidden")
    assert not registered.has("nothing")


def test_kept_receipts_survive_a_lost_connection(database_url, monkeypatch):
    monkeypatch.setattr("harvesters.receipts.ASKED_AFTER_S", -1.0)
    receipts = Receipts(database.address(database_url))
    receipt = Receipt("s", "http://so.example/a", None, None, "0" * 64, "asked", "d", [])
    with receipts.open():
        receipts.settle(receipt)
        with psycopg.connect(database_url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE usename = current_user AND pid <> pg_backend_pid()"
            )
        assert receipts.find("s", "http://so.example/a") == receipt
    assert receipts.find("s", "http://so.example/a") == receipt


def test_a_workbench_is_clear_for_the_next_file():
    import pyarrow as pa

    from harvesters.census import Census

    schema = pa.schema([("row", pa.int64()), ("c0", pa.string())])
    batches = [pa.record_batch([[number], ["x"]], schema=schema) for number in range(9)]
    with Workbenches() as benches:
        with benches.one() as first:
            kept = first.keep(schema, iter(batches), Census(["c0"]))
            owned = first.load(schema, iter(batches))
            assert first.row(f"SELECT count(*) FROM {kept}") == (9,)
            first.own(kept)
            assert first.row(f"SELECT count(*) FROM {kept}") == first.row(
                f"SELECT count(*) FROM {owned}"
            )
        with benches.one() as second:
            assert second is first
            assert second.rows("SELECT table_name FROM duckdb_tables()") == []
            assert not list(second.folder.glob("*.arrow"))
        with pytest.raises(ValueError, match="broken"), benches.one() as third:
            raise ValueError("broken")
        with benches.one() as fourth:
            assert fourth is not third
