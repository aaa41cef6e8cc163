"""The tables make themselves, and the index is mended after a crash."""

from __future__ import annotations

import os
import signal
import threading

import pytest
from ckan import logic
from ckan.cli.cli import ckan
from ckan.common import config
from ckan.lib.search import clear, make_connection
from ckan.tests import factories
from ckan.tests.helpers import call_action
from ckanext.hanoiic.search import gathering, reindex
from ckanext.hanoiic.search.errors import (
    IndexUnreachable,
    LayoutTooNew,
    QueryTooComplex,
    QueryTooSlow,
)
from ckanext.hanoiic.search.index import SearchIndex
from ckanext.hanoiic.search.layout import LAYOUT
from ckanext.hanoiic.search.store import Store


@pytest.fixture
def store():
    made = Store(config["solr_url"], 60)
    yield made
    made.engine.dispose()


def layout(store):
    with store.engine.connect() as connection:
        return connection.exec_driver_sql("SELECT version FROM hanoiic_search.layout").all()


def run(store, statement):
    with store.engine.begin() as connection:
        connection.exec_driver_sql(statement)


def test_many_workers_make_the_tables_once(store):
    run(store, "DROP SCHEMA IF EXISTS hanoiic_search CASCADE")
    stores = [Store(config["solr_url"], 60) for _ in range(6)]
    failures = []

    def first_use(one):
        try:
            SearchIndex(one).search("*:*", {})
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=first_use, args=(one,)) for one in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in stores:
        one.engine.dispose()
    assert failures == []
    assert layout(store) == [(LAYOUT,)]


def test_an_older_layout_starts_anew_and_a_newer_one_is_left_alone(store):
    SearchIndex(store).add([{"index_id": "1", "name": "old"}])
    run(store, f"UPDATE hanoiic_search.layout SET version = {LAYOUT - 1}")
    fresh = Store(config["solr_url"], 60)
    assert SearchIndex(fresh).search("*:*", {})["response"]["numFound"] == 0
    assert layout(fresh) == [(LAYOUT,)]
    run(store, f"UPDATE hanoiic_search.layout SET version = {LAYOUT + 1}")
    with pytest.raises(LayoutTooNew):
        SearchIndex(Store(config["solr_url"], 60)).search("*:*", {})
    run(store, f"UPDATE hanoiic_search.layout SET version = {LAYOUT}")
    fresh.engine.dispose()


def test_the_database_stops_a_slow_statement():
    hurried = Store(config["solr_url"], 0.2)
    with pytest.raises(QueryTooSlow), hurried.transaction() as connection:
        connection.exec_driver_sql("SELECT pg_sleep(20)")
    hurried.engine.dispose()


def test_a_database_that_is_away_is_told_apart():
    away = Store("postgresql://nobody:secret@127.0.0.1:1/none", 1)
    with pytest.raises(IndexUnreachable) as told:
        SearchIndex(away).search("*:*", {})
    assert "secret" not in str(told.value)


def test_a_pattern_for_too_many_words_is_refused():
    connection = make_connection()
    connection.delete(q="*:*")
    connection.add(
        docs=[
            {"index_id": str(i), "notes": " ".join(f"w{i}x{j}" for j in range(60))}
            for i in range(50)
        ]
    )
    with pytest.raises(QueryTooComplex):
        connection.search("notes:*x*")
    connection.delete(q="*:*")


@pytest.mark.usefixtures("portal")
def test_mend_finds_what_the_index_misses(cli):
    owner = factories.Organization()["id"]
    lost, changed, kept = (factories.Dataset(owner_org=owner) for _ in range(3))
    connection = make_connection()
    clear(lost["id"])
    old = connection.search(f"id:{changed['id']}", fl="*").docs[0]
    connection.add(docs=[{**old, "title": "Cũ", "metadata_modified": "2001-01-01T00:00:00Z"}])
    orphan = {**old, "index_id": "orphan", "id": "orphan", "name": "orphan"}
    connection.add(docs=[orphan])

    found = cli.invoke(ckan, ["hanoiic-search", "mend", "--check"])
    assert "1 missing, 1 outdated, 1 left over" in found.output
    assert found.exit_code == 1
    mended = cli.invoke(ckan, ["hanoiic-search", "mend"])
    assert "now 0 missing, 0 outdated, 0 left over" in mended.output
    assert mended.exit_code == 0
    names = {row["name"] for row in call_action("package_search")["results"]}
    assert names == {lost["name"], changed["name"], kept["name"]}
    assert cli.invoke(ckan, ["hanoiic-search", "mend", "--check"]).exit_code == 0


@pytest.fixture
def five(portal, monkeypatch):
    """Five datasets, gone from the index; each is a portion of its own when many are indexed."""
    owner = factories.Organization()["id"]
    datasets = sorted(factories.Dataset(owner_org=owner)["id"] for _ in range(5))
    make_connection().delete(q="*:*")
    monkeypatch.setattr(reindex, "AT_ONCE", 1)
    return datasets


def test_rebuild_indexes_everything_in_several_processes(cli, five):
    left_over = {"index_id": "gone", "id": "gone", "site_id": config["ckan.site_id"]}
    make_connection().add(docs=[{**left_over, "entity_type": "package", "state": "active"}])
    done = cli.invoke(ckan, ["hanoiic-search", "rebuild", "--jobs", "2"])
    assert "5 datasets indexed, 0 failed" in done.output
    assert done.exit_code == 0
    assert sorted(row["id"] for row in make_connection().search("*:*", fl="id").docs) == five


def test_a_dataset_that_cannot_be_indexed_is_told_and_the_others_go_on(cli, five, monkeypatch):
    indexing = logic.index_update_package_dicts

    def fails_for_one(both, defer_commit=False):
        if both[0]["id"] == five[1]:
            raise ValueError("a hook of another extension")
        indexing(both, defer_commit)

    monkeypatch.setattr(logic, "index_update_package_dicts", fails_for_one)
    done = cli.invoke(ckan, ["hanoiic-search", "rebuild", "--jobs", "2"])
    assert "4 datasets indexed, 1 failed" in done.output
    assert f"{five[1]}: ValueError: a hook of another extension" in done.output
    assert done.exit_code == 1


def test_a_process_killed_within_a_write_leaves_nothing_half_and_mend_finds_the_rest(
    cli, five, monkeypatch
):
    writing = gathering.write

    def dies_before_the_commit(connection, rows):
        writing(connection, rows)
        if f"id={five[2]}" in rows[0].lexemes:
            os.kill(os.getpid(), signal.SIGKILL)

    with monkeypatch.context() as patched:
        patched.setattr(gathering, "write", dies_before_the_commit)
        killed = cli.invoke(ckan, ["hanoiic-search", "rebuild", "--jobs", "2"])
    assert killed.exit_code == 1
    assert "Stopped" in killed.output
    indexed = {row["id"] for row in make_connection().search("*:*", fl="id").docs}
    assert five[2] not in indexed
    found = cli.invoke(ckan, ["hanoiic-search", "mend", "--check"])
    assert f"{5 - len(indexed)} missing, 0 outdated, 0 left over" in found.output
    assert cli.invoke(ckan, ["hanoiic-search", "mend"]).exit_code == 0
    assert sorted(row["id"] for row in make_connection().search("*:*", fl="id").docs) == five
