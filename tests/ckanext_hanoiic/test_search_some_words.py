"""Where too few datasets have all the words of a search, those with some of them come below."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from bs4 import BeautifulSoup
from ckan.tests import factories
from ckan.tests.helpers import call_action

ASKED = "giá thuê mặt bằng"
TITLES = {
    "all-words": "Bảng giá thuê mặt bằng",
    "three-words": "Giá thuê đất",
    "one-word": "Giá vàng",
    "two-words": "Mặt bằng giáo dục",
    "no-word": "Cây xanh đường phố",
}


@pytest.fixture
def owner(bare):
    return factories.Organization()


@pytest.fixture
def datasets(owner):
    return {
        name: factories.Dataset(name=name, title=title, owner_org=owner["id"], tag_string=name)
        for name, title in TITLES.items()
    }


def search(q=ASKED, **query):
    return call_action("package_search", q=q, **query)


def names(**query):
    return [row["name"] for row in search(**query)["results"]]


@pytest.mark.usefixtures("datasets")
class TestSomeWords:
    def test_stand_below_all_words_and_no_more_of_them_than_it_takes(self):
        answer = search()
        found = [row["name"] for row in answer["results"]]
        assert found[0] == "all-words"
        assert set(found[1:]) == {"three-words", "two-words"}
        assert answer["count"] == 3
        assert answer["facets"]["found_words"] == {"all": 1, "some": 2}

    def test_the_last_step_is_one_word(self):
        answer = search("vàng bạc đá")
        assert [row["name"] for row in answer["results"]] == ["one-word"]
        assert answer["facets"]["found_words"] == {"all": 0, "some": 1}

    @pytest.mark.parametrize("sort", ["title_string desc", "metadata_modified desc", None])
    def test_whatever_the_order(self, sort):
        assert names(sort=sort)[0] == "all-words"

    def test_facets_and_pages_are_of_one_answer(self):
        whole = search(**{"facet.field": ["tags"]})
        assert whole["facets"]["tags"] == {"all-words": 1, "three-words": 1, "two-words": 1}
        paged = [search(start=start, rows=1, **{"facet.field": ["tags"]}) for start in range(4)]
        assert [row["name"] for answer in paged for row in answer["results"]] == [
            row["name"] for row in whole["results"]
        ]
        assert [answer["count"] for answer in paged] == [3] * 4
        assert all(answer["facets"] == whole["facets"] for answer in paged)
        assert search(rows=0)["count"] == 3

    def test_filters_hold_and_decide(self):
        assert names(fq="tags:one-word") == ["one-word"]
        assert names(fq="tags:no-word") == []
        assert "found_words" not in search(fq="tags:all-words")["facets"]

    @pytest.mark.parametrize(
        "q",
        [
            f'"{ASKED}"',
            f"+{ASKED}",
            "giá thuê mặt -vàng",
            "giá AND thuê AND mặt AND bằng",
            "giá thuê mặt bằn*",
            "title:(giá AND thuê AND mặt AND bằng)",
        ],
    )
    def test_not_where_the_reader_chose(self, q):
        assert "found_words" not in search(q)["facets"]
        assert "one-word" not in names(q=q)

    def test_not_where_a_program_says_how_many(self):
        assert names(mm="100%") == ["all-words"]
        assert names(mm="2<-1 5<80%") == ["all-words"]
        assert len(names(mm="100% | 1")) == 4

    @pytest.mark.ckan_config("hanoiic.search.relax", False)
    def test_not_where_it_is_turned_off(self):
        assert names() == ["all-words"]
        assert "found_words" not in search()["facets"]

    def test_enough_with_all_words_are_alone(self, owner):
        for number in range(3):
            factories.Dataset(title=f"{TITLES['all-words']} {number}", owner_org=owner["id"])
        answer = search()
        assert answer["count"] == 4
        assert "found_words" not in answer["facets"]

    def test_what_a_reader_may_not_see_decides_nothing(self, owner):
        for number in range(3):
            factories.Dataset(
                title=f"{TITLES['all-words']} {number}", owner_org=owner["id"], private=True
            )
        anonymous = {"user": "", "ignore_auth": False}
        answer = call_action("package_search", anonymous, q=ASKED)
        assert answer["facets"]["found_words"] == {"all": 1, "some": 2}

    def test_takes_one_statement_more(self):
        statements = []

        def note(_connection, _cursor, statement, *_):
            if "matched AS" in statement:
                statements.append(statement)

        sa.event.listen(sa.engine.Engine, "before_cursor_execute", note)
        try:
            search("giá")
            few = len(statements)
            search()
        finally:
            sa.event.remove(sa.engine.Engine, "before_cursor_execute", note)
        assert few == 1
        assert len(statements) == 3

    def test_the_page_says_so(self, bare):
        def said(q):
            body = bare.get("/dataset/", query_string={"q": q}, status=200).body
            found = BeautifulSoup(body, "html.parser").select_one(".hic-found-words")
            return " ".join(found.text.split()) if found else None

        assert said(ASKED) == (
            "1 bộ dữ liệu chứa đủ hoặc gần đủ các từ; những bộ xếp sau chứa một số từ."
        )
        assert said("vàng bạc đá") == (
            "Không có bộ dữ liệu nào chứa đủ các từ; những bộ dưới đây chứa một số từ."
        )
        assert "Có phải bạn muốn tìm: giá vang" in said("giá vangg")
        assert said("giá vangf") == said("giá vàng")  # Telex, read as it was meant
        assert said("giá") is None
        assert said(f'"{ASKED}"') is None
