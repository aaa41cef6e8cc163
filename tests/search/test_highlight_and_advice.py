"""Marks say where a query was found; advice offers queries that find something."""

from __future__ import annotations

import unicodedata

import pytest
from ckanext.hanoiic.search import synonyms
from ckanext.hanoiic.search.advice import advice, other_spellings
from ckanext.hanoiic.search.columns import column_fields
from ckanext.hanoiic.search.highlight import EXTRACT_LENGTH, Wanted, columns, extract, marked
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

DATASET = {
    "resources": [
        {
            "lake_table": "environment_air_hourly",
            "columns": [
                {"name": "PM2.5", "ascii": "pm2_5", "title": "Nồng độ bụi mịn", "unit": "µg/m3"},
                {"name": "Mã phường", "ascii": "ma_phuong", "title": "Mã phường, xã"},
                {"name": "Giờ", "ascii": "gio", "title": "Thời gian đo"},
            ],
        },
        {"name": "No table", "columns": None},
    ]
}


SYNONYMS = synonyms.read(synonyms.SHIPPED)


def wanted(q):
    return Wanted.of(q, SYNONYMS)


@pytest.mark.parametrize(
    ("q", "text", "found"),
    [
        ("xe buyt", "Điểm dừng xe buýt Hà Nội", "Điểm dừng <mark>xe buýt</mark> Hà Nội"),
        ("đường", "Đường phố và dòng họ Dương", "<mark>Đường</mark> phố và dòng họ Dương"),
        ("duong", "Đường, Dương", "<mark>Đường</mark>, <mark>Dương</mark>"),
        ("floods", "Flood <b>maps</b>", "<mark>Flood</mark> &lt;b&gt;maps&lt;/b&gt;"),
        ("PM2.5", "Bụi PM2.5", "<mark>Bụi PM2.5</mark>"),
        ("UBND", "Trụ sở Ủy ban nhân dân", "Trụ sở <mark>Ủy ban nhân dân</mark>"),
        ("các trường của", "Danh sách của các trường", "Danh sách của các <mark>trường</mark>"),
        ("bệnh viện", "Chợ", None),
    ],
)
def test_found_words_are_marked(q, text, found):
    assert marked(text, wanted(q)) == found


@given(st.text(max_size=60), st.text(max_size=20))
def test_marks_change_nothing_but_add_marks(text, q):
    shown = marked(text, wanted(q))
    if shown is not None:
        plain = shown.replace("<mark>", "").replace("</mark>", "")
        assert plain == escape(unicodedata.normalize("NFC", text))


def test_an_extract_is_short_and_holds_the_first_hit():
    text = "Mở đầu dài dòng. " * 40 + "Số liệu về rừng trồng. " + "Kết thúc. " * 40
    shown = extract(text, wanted("rừng trồng"))
    assert "<mark>rừng trồng</mark>" in shown
    assert shown.startswith("… ")
    assert shown.endswith(" …")
    assert len(shown) < EXTRACT_LENGTH + 60
    assert extract("Chợ", wanted("rừng")) is None


def test_columns_say_which_one_was_found():
    first = columns(DATASET, wanted("mã phường"))[0]
    assert first["table"] == "environment_air_hourly"
    assert first["column"] == "<mark>Mã phường</mark>"
    assert columns(DATASET, wanted("PM2.5"))[0]["column"] == "<mark>PM2.5</mark>"
    assert columns(DATASET, wanted("environment air"))[0]["column"] is None
    assert columns(DATASET, wanted("giờ làm việc của công viên")) == []
    assert columns(DATASET, wanted("giờ"))[0]["column"] == "<mark>Giờ</mark>"


def test_keys_of_telex_mark_the_word_that_was_meant():
    assert marked("Bệnh viện Bạch Mai", wanted("beenhj vieenj")) == (
        "<mark>Bệnh viện</mark> Bạch Mai"
    )


def test_tables_columns_and_units_are_indexed():
    fields = column_fields(DATASET)
    assert fields["extras_tables"] == "environment_air_hourly"
    assert "PM2.5 pm2_5 Nồng độ bụi mịn µg/m3" in fields["extras_columns"]
    assert column_fields({"resources": []}) == {}


class Known:
    words = frozenset({"giao", "thong", "duong", "benh", "vien", "buyt", "xe"})

    def known(self, words):
        return self.words & set(words)

    def near(self, field, word, edits):
        return [known for known in sorted(self.words) if abs(len(known) - len(word)) <= edits
                and sum(a != b for a, b in zip(known, word, strict=False)) <= edits]  # fmt: skip


@pytest.mark.parametrize(
    ("q", "meant"),
    [("giao thong buyy", "giao thong buyt"), ("beenhj vieenj", "bệnh viện")],
)
def test_other_spellings_are_offered_where_they_find_something(q, meant):
    seen = {meant, *Known.words, *meant.split()}
    assert advice(q, Known(), lambda text: 3 if text in seen else 0) == {
        "did_you_mean": [{"q": meant, "count": 3}],
        "fewer_words": [],
    }
    assert advice(q, Known(), lambda _: 0) == {"did_you_mean": [], "fewer_words": []}


def test_words_that_this_reader_finds_nowhere_are_neither_offered_nor_kept():
    def count(text):
        return (
            0 if "thong" in text.split() and " " not in text else 1 if text != "giao thonh" else 0
        )

    assert advice("giao thonh", Known(), count)["did_you_mean"] == []
    assert list(other_spellings("giau thong", Known(), count)) == ["giao duong"]
    assert list(other_spellings("giau thong", Known(), lambda _: 0)) == []


def test_fewer_words_are_offered_where_all_are_known():
    counts = {"xe buyt": 2, "giao buyt": 0, "giao xe": 5, **dict.fromkeys(Known.words, 9)}
    found = advice("giao xe buyt", Known(), lambda text: counts[text])
    assert found["fewer_words"] == [{"q": "giao xe", "count": 5}, {"q": "xe buyt", "count": 2}]
    pairs = advice("giao xe buyt duong", Known(), lambda text: len(text))["fewer_words"]
    assert [one["q"] for one in pairs] == ["buyt duong", "giao xe", "xe buyt"]


@pytest.mark.parametrize("q", ["", "title:(", '"xe buyt"', "x" * 300, "a " * 9])
def test_no_advice_for_syntax_or_nothing(q):
    assert advice(q, Known(), lambda _: 1) == {"did_you_mean": [], "fewer_words": []}
