"""What another extension hooks into a search, and the commands of CKAN's search index."""

from __future__ import annotations

import json
import subprocess
import sys

import psycopg
import pysolr
import pytest
from ckan import plugins
from ckan.cli.cli import ckan
from ckan.common import config
from ckan.lib.search import make_connection
from ckan.tests import factories
from ckan.tests.helpers import call_action
from ckanext.hanoiic.search.client import PostgresSolr
from ckanext.hanoiic.search.errors import SearchFailed
from ckanext.hanoiic.search.index import SearchIndex
from ckanext.hanoiic.search.store import Store


class OtherExtension(plugins.SingletonPlugin):
    """Changes a search at every place where CKAN asks for it."""

    plugins.implements(plugins.IPackageController, inherit=True)

    def before_dataset_index(self, pkg_dict):
        pkg_dict["vocab_shelf"] = [f"shelf {letter}" for letter in pkg_dict["name"][:1]]
        pkg_dict["shelf_date"] = "2024-05-01T00:00:00Z"
        pkg_dict["extras_librarian"] = "Nguyễn Thị Sách"
        return pkg_dict

    def before_dataset_search(self, search_params):
        extras = search_params.get("extras", {})
        if extras.get("ext_shelf"):
            shelf = extras["ext_shelf"]
            search_params["fq_list"] = [f'vocab_shelf:"{shelf}"']
        if extras.get("ext_none"):
            search_params["abort_search"] = True
        return search_params

    def after_dataset_search(self, search_results, search_params):
        search_results["asked"] = search_params["q"]
        for row in search_results["results"]:
            row["found"] = True
        return search_results

    def before_dataset_view(self, pkg_dict):
        pkg_dict["title"] = pkg_dict["title"].upper()
        return pkg_dict


@pytest.fixture
def shelves(clean_db, clean_index, clean_redis):
    owner = factories.Organization()["id"]
    return [
        factories.Dataset(name=name, title=name, owner_org=owner) for name in ("atlas", "bible")
    ]


def names(answer):
    return sorted(row["name"] for row in answer["results"])


@pytest.mark.usefixtures("others", "shelves")
class TestHooksOfOtherExtensions:
    @pytest.fixture
    def others(self, provide_plugin, with_plugins):
        provide_plugin("other_extension", OtherExtension)
        plugins.load("other_extension")
        yield
        plugins.unload("other_extension")

    def test_what_before_index_adds_is_searched_counted_and_sorted_by(self):
        assert names(call_action("package_search", q="extras_librarian:sach")) == ["atlas", "bible"]
        found = call_action(
            "package_search",
            q='vocab_shelf:"shelf a"',
            fq="shelf_date:[2024-01-01T00:00:00Z TO *]",
            sort="shelf_date desc, name asc",
            **{"facet.field": ["vocab_shelf"]},
        )
        assert names(found) == ["atlas"]
        assert found["facets"] == {"vocab_shelf": {"shelf a": 1}}

    def test_before_search_narrows_or_aborts(self):
        assert names(call_action("package_search", q="", extras={"ext_shelf": "shelf b"})) == [
            "bible"
        ]
        aborted = call_action("package_search", q="atlas", extras={"ext_none": "1"})
        assert (aborted["count"], aborted["results"]) == (0, [])

    def test_after_search_and_before_view_change_what_is_shown(self):
        found = call_action("package_search", {"for_view": True}, q="atlas")
        assert found["asked"] == "atlas"
        assert [(row["title"], row["found"]) for row in found["results"]] == [("ATLAS", True)]


@pytest.mark.usefixtures("with_plugins", "shelves")
class TestCommands:
    @pytest.fixture
    def run(self, cli):
        def invoke(*arguments):
            answer = cli.invoke(ckan, ["search-index", *arguments])
            assert answer.exit_code == 0, answer.output
            return answer.output

        return invoke

    def test_orphans_are_listed_and_cleared_also_by_a_rebuild(self, run):
        connection = make_connection()
        row = connection.search("name:atlas", fl="*").docs[0]
        orphan = {**row, "index_id": "o", "id": "orphan", "name": "orphan"}
        connection.add(docs=[orphan])
        assert "orphan" in run("list-orphans")
        run("rebuild", "--quiet")
        assert connection.search("name:orphan").hits == 0
        connection.add(docs=[orphan])
        run("clear-orphans", "--verbose")
        assert names(call_action("package_search")) == ["atlas", "bible"]

    def test_what_is_missing_is_listed_and_rebuilt(self, run):
        run("clear", "atlas")
        assert "Found 1 unindexed" in run("list-unindexed")
        run("rebuild", "--only-missing", "--keep-orphans")
        assert names(call_action("package_search")) == ["atlas", "bible"]

    def test_rebuild_fast_uses_several_processes(self, run, pytestconfig):
        make_connection().delete(q="*:*")
        # A process of its own: it forks, and the children must not inherit our open connections.
        portal = [sys.executable, "-m", "ckanext.hanoiic", "-c", pytestconfig.getoption("ckan_ini")]
        subprocess.check_call([*portal, "search-index", "rebuild-fast"])
        assert names(call_action("package_search")) == ["atlas", "bible"]


def test_an_http_url_is_pysolr_itself(monkeypatch):
    for url in ("http://127.0.0.1:1/solr/ckan", "https://user:pass@127.0.0.1:1/solr/ckan"):
        monkeypatch.setitem(config, "solr_url", url)
        connection = make_connection(decode_dates=False)
        assert type(connection) is pysolr.SolrCloud.__base__  # the class, whatever its name is now
        assert connection.url == url
        with pytest.raises(pysolr.SolrError, match="Failed to connect to server"):
            connection.search("*:*")


def test_a_role_without_any_right_but_its_own_database_keeps_an_index():
    """As hosted databases give it out."""
    with psycopg.connect(config["sqlalchemy.url"]) as connection:
        row = connection.execute(
            "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    assert row == (False, False, False)
    store = Store(config["solr_url"], 15)
    index = SearchIndex(store)
    index.add([{"index_id": "owner", "name": "owner", "title": "Owner"}])
    try:
        assert index.search("title:own*", {})["response"]["numFound"] == 1
        with pytest.raises(SearchFailed):
            index.search("title:(", {})
    finally:
        index.delete("name:owner")
        store.engine.dispose()


def test_this_session_searches_postgresql():
    assert isinstance(make_connection(), PostgresSolr)
    assert json.loads(make_connection().ping())["status"] == "OK"
