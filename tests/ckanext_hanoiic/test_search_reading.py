"""Help and marks on the portal's own pages and in its API."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from ckan.lib.search.common import make_connection
from ckan.plugins import toolkit as tk
from ckan.tests import factories
from ckan.tests.helpers import call_action
from ckanext.hanoiic.search import reading
from ckanext.hanoiic.search.errors import QueryTooComplex
from ckanext.hanoiic.search.store import LONGEST_STATEMENT_S

COLUMNS = [
    {"name": "PM2.5", "ascii": "pm2_5", "type": "float64", "unit": "µg/m3", "title": "Bụi mịn"},
    {"name": "Mã phường", "ascii": "ma_phuong", "type": "string", "title": "Mã phường, xã"},
]


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """A page does without help that comes late: here it may take all the time there is, so that
    a busy machine fails no test."""
    monkeypatch.setattr(reading, "SPELLING_TIMEOUT_S", LONGEST_STATEMENT_S)


@pytest.fixture
def air(bare):
    # Words of other tests' datasets stay known, and some are as near as those that are meant.
    with make_connection().index.store.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM hanoiic_search.vocabulary")
    owner = factories.Organization(title="Sở Nông nghiệp và Môi trường")
    return factories.Dataset(
        title="Chất lượng không khí <theo giờ>",
        notes="Số đo **từng giờ** tại các trạm quan trắc",
        owner_org=owner["id"],
        resources=[
            {
                "name": "air",
                "url": "http://gateway.test/air.csv",
                "lake_table": "environment_air_hourly",
                "columns": COLUMNS,
            }
        ],
    )


def names(q):
    return [row["name"] for row in call_action("package_search", q=q)["results"]]


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    "q", ["PM2.5", "ma phuong", "µg/m3", "environment_air_hourly", "environment_air", "bụi mịn"]
)
def test_tables_columns_and_units_are_found(air, q):
    assert names(q) == [air["name"]]


def page(app, **asked):
    return BeautifulSoup(app.get("/dataset/", query_string=asked, status=200).body, "html.parser")


def test_the_page_marks_where_it_hit(bare, air):
    card = page(bare, q="khong khi tung gio").select_one(".hic-card")
    assert [mark.text for mark in card.select(".hic-card-title mark")] == ["không khí", "giờ"]
    assert card.select_one(".hic-card-notes mark").text == "từng giờ"
    assert "<theo" in card.select_one(".hic-card-title").text
    hits = page(bare, q="mã phường").select_one(".hic-column-hits")
    assert "Tìm thấy trong các cột" in hits.text
    assert hits.select_one("code mark").text == "Mã phường"
    assert not page(bare).select("mark")


def test_help_where_nothing_is_found(bare, air):
    assert not page(bare, q="zzz qqq").select(".hic-did-you-mean, .hic-fewer-words")
    found = page(bare, q="khonng khii").select_one(".hic-did-you-mean a")
    assert found.text == "khong khi"


def test_keys_of_telex_find_and_mark_what_was_meant(bare, air):
    card = page(bare, q="khoong khis").select_one(".hic-card")
    assert card.select_one(".hic-card-title mark").text == "không khí"


@pytest.mark.ckan_config("hanoiic.search.relax", False)
def test_help_with_fewer_words(bare, air):
    fewer = page(bare, q="không khí zzzzzzz qqqqqqq wwwwwww").select_one(".hic-fewer-words a")
    assert (fewer.text, fewer["href"]) == ("không khí", "/dataset/?q=kh%C3%B4ng+kh%C3%AD")


def test_help_shows_nothing_hidden(bare):
    member = factories.User()
    owner = factories.Organization(users=[{"name": member["name"], "capacity": "member"}])
    secret = factories.Dataset(title="Bí mật quốc phòng", owner_org=owner["id"], private=True)

    def meant():
        context = {"user": "", "ignore_auth": False}
        return call_action("hanoiic_search_help", context, q="quocc phongg")["did_you_mean"]

    assert meant() == []
    call_action("package_patch", id=secret["id"], private=False)
    assert meant() == [{"q": "quoc phong", "count": 1}]


def test_help_tells_no_word_of_hidden_datasets_beside_words_that_are_known(bare, air):
    """Of three words two suffice, so that the suggestion finds something without the hidden one."""
    factories.Dataset(title="Quốcphòng", owner_org=factories.Organization()["id"], private=True)
    context = {"user": "", "ignore_auth": False}
    found = call_action("hanoiic_search_help", context, q="khong khii quocphongg")
    assert "quocphong" not in {word for one in found["did_you_mean"] for word in one["q"].split()}


def test_no_help_where_the_index_cannot_answer(bare, monkeypatch):
    def too_much(*_):
        raise QueryTooComplex("too many words")

    monkeypatch.setattr(reading.advice, "advice", too_much)
    bare.get("/api/3/action/hanoiic_search_help?q=zzz", status=409)
    assert "hic-empty" in bare.get("/dataset/?q=zzz", status=200).body


def test_the_action_wants_a_text(bare):
    with pytest.raises(tk.ValidationError):
        call_action("hanoiic_search_help")
    with pytest.raises(tk.ValidationError):
        call_action("hanoiic_search_help", q=["a"])
    answer = bare.get("/api/3/action/hanoiic_search_help?q=zzz", status=200).json["result"]
    assert answer == {"count": 0, "did_you_mean": [], "fewer_words": []}


def test_a_card_shows_the_beginning_of_a_long_text_alone(bare):
    notes = "Đầu trang. " + "chữ " * 5000 + "cuốitrang"
    factories.Dataset(title="Sách", notes=notes, owner_org=factories.Organization()["id"])
    card = page(bare, q="cuốitrang").select_one(".hic-card-notes")
    assert card.text.startswith("Đầu trang")
    assert not card.select("mark")
