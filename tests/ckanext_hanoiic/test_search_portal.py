"""Search through CKAN's actions, API, pages and commands."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from ckan.cli.cli import ckan
from ckan.lib.helpers import url_for
from ckan.lib.search import SearchError, SearchQueryError
from ckan.tests import factories
from ckan.tests.helpers import call_action

pytestmark = pytest.mark.usefixtures("portal")


@pytest.fixture
def dataset():
    organization = factories.Organization()
    topic = factories.Group(name="giao-thong")
    return factories.Dataset(
        title="Giao thông quận Đống Đa",
        notes="Điểm dừng xe buýt",
        title_en="Traffic of the district",
        owner_org=organization["id"],
        groups=[{"name": topic["name"]}],
        tag_string="xe buýt,bus",
    )


def found(**query):
    return [row["name"] for row in call_action("package_search", **query)["results"]]


@pytest.mark.parametrize(
    "query",
    [
        {"q": "giao thong"},
        {"q": "Dong Da"},
        {"q": "xe buyt"},
        {"q": "district traffic"},
        {"q": "title:dong"},
        {"q": "  "},
        {"fq": 'tags:"xe buýt"'},
        {"fq_list": ["groups:giao-thong", "+tags:bus"]},
        {"fq": "num_tags:2", "fq_list": ["num_tags:2"]},
        {"q": "thông", "sort": "title_string asc"},
        {"q": "giao", "sort": "score desc, metadata_modified desc", "start": 0, "rows": 1},
    ],
)
def test_package_search_finds(dataset, query):
    assert found(**query) == [dataset["name"]]


def test_a_filter_that_is_a_number_is_text(dataset):
    assert found(q="*:*", fq_list=[5]) == []


def test_facets_have_their_titles(dataset):
    answer = call_action(
        "package_search", q="giao thong", **{"facet.field": ["organization", "groups", "tags"]}
    )
    facets = answer["search_facets"]
    assert facets["organization"]["items"][0]["display_name"] == dataset["organization"]["title"]
    assert facets["groups"]["items"][0]["count"] == 1
    assert {item["name"] for item in facets["tags"]["items"]} == {"xe buýt", "bus"}


def test_autocomplete_folds_and_finds_parts(dataset):
    for typed in ("thông", "dong d", "GIAO", dataset["name"][:5]):
        names = [row["name"] for row in call_action("package_autocomplete", q=typed)]
        assert names == [dataset["name"]]


def test_a_private_dataset_is_for_its_members(dataset):
    member, stranger = factories.User(), factories.User()
    organization = factories.Organization(users=[{"name": member["name"], "capacity": "member"}])
    secret = factories.Dataset(title="Mật", owner_org=organization["id"], private=True)

    def sees(user):
        answer = call_action(
            "package_search",
            {"user": user["name"], "ignore_auth": False},
            include_private=True,
            **{"facet.field": ["organization"]},
        )
        facets = answer["search_facets"]["organization"]["items"]
        assert sum(item["count"] for item in facets) == answer["count"]
        return {row["name"] for row in answer["results"]}

    assert sees(member) == {dataset["name"], secret["name"]}
    assert sees(stranger) == {dataset["name"]}


def test_a_bad_query_is_an_error_that_ckan_knows():
    with pytest.raises(SearchQueryError):
        call_action("package_search", sort="nothing at all")
    with pytest.raises(SearchError):
        call_action("package_search", q="title:(")
    with pytest.raises(SearchError):
        call_action("package_search", sort=",".join(["name asc"] * 2000))


@pytest.mark.parametrize(
    ("query", "status"),
    [("q=title:(", 409), ("sort=foo", 400), ("weird=1", 400), ("q=giao", 200), ("q=%00", 400)],
)
def test_api_statuses(stage, query, status):
    answer = stage.get(f"/api/3/action/package_search?{query}", status=status)
    assert answer.json["success"] == (status == 200)


def test_pages_answer_whatever_is_typed(stage, dataset):
    organization = dataset["organization"]["name"]
    for address in (
        url_for("home.index"),
        url_for("dataset.search"),
        url_for("dataset.search", q="giao thong"),
        url_for("dataset.search", q="title:("),
        url_for("dataset.search", q='tags:"x'),
        url_for("dataset.search", tags="bus", sort="title_string desc", page=2),
        url_for("organization.read", id=organization, q="dong da"),
        url_for("group.read", id="giao-thong", q="(("),
        url_for("feeds.general"),
        url_for("feeds.organization", id=organization),
        url_for("feeds.custom", q="giao"),
    ):
        stage.get(address, status=200)
    found_page = stage.get(url_for("dataset.search", q="giao thong")).body
    assert dataset["title"] in BeautifulSoup(found_page, "html.parser").get_text()
    stage.get(url_for("dataset.search", sort="nonsense"), status=400)


def test_a_query_that_can_not_be_read_is_offered_as_words(stage, dataset):
    body = stage.get(url_for("dataset.search", q='(Đống AND title:"Đa')).body
    link = BeautifulSoup(body, "html.parser").select_one(".hic-as-words a")
    assert link.text == "Đống and title Đa"
    page = BeautifulSoup(stage.get(link["href"]).body, "html.parser")
    assert dataset["title"] in page.text


def test_commands_rebuild_check_show_and_clear(cli, dataset):
    assert "0 out of 1" in cli.invoke(ckan, ["search-index", "check"]).output
    assert dataset["title"] in cli.invoke(ckan, ["search-index", "show", dataset["name"]]).output
    cli.invoke(ckan, ["search-index", "clear", dataset["name"]])
    assert "1 out of 1" in cli.invoke(ckan, ["search-index", "check"]).output
    assert cli.invoke(ckan, ["search-index", "rebuild"]).exit_code == 0
    assert found(q="giao thong") == [dataset["name"]]
    cli.invoke(ckan, ["search-index", "clear"])
    assert found() == []


def test_changes_are_found_at_once(dataset):
    call_action("package_patch", id=dataset["id"], title="Đổi tên")
    assert found(q="doi ten") == [dataset["name"]]
    assert found(q="title:giao") == []
    call_action("package_delete", id=dataset["id"])
    assert found(q="doi ten") == []
