"""Places and years of a query: one word each, the first to be left out."""

from __future__ import annotations

import pytest
from ckanext.hanoiic.search import synonyms
from ckanext.hanoiic.search.dismax import parse
from ckanext.hanoiic.search.fields import Fields
from ckanext.hanoiic.search.some_words import weaker
from ckanext.hanoiic.search.tree import Bool, Qualifier, Term, leaves

MM = "2<-1 5<80% | 60% | 40% | 1"


def read(q, mm=MM):
    return parse(q, Fields.of("text", 0.1, mm, synonyms.current()))


def words(node):
    return [leaf.text for leaf in leaves(node) if isinstance(leaf, Term)]


def qualifiers(q):
    return [words(node) for node in read(q).should if isinstance(node, Qualifier)]


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("giá đất Gia Lâm 2024", [["Gia", "Lâm"], ["2024"]]),
        ("gia dat gia lam", [["gia", "lam"]]),
        ("dân số Hà Nội", [["Hà", "Nội"]]),
        ("trường học Dịch Vọng Hậu", [["Dịch", "Vọng", "Hậu"]]),
        ("cây xanh hoàn kiềm", []),  # another tone
        ("số 12024", []),
        ("dân số 1789", []),
        ("giá +Gia Lâm", []),
        ('giá "Gia Lâm"', []),
    ],
)
def test_names_and_years_are_one_word(q, found):
    assert qualifiers(q) == found


@pytest.mark.parametrize("q", ["UBND phường Tây Hồ", "UBND P. Tây Hồ", "UBND thị xã Tây Hồ"])
def test_the_kind_of_a_place_need_not_be_found(q):
    assert [words(node) for node in read(q).should] == [["UBND"], ["Tây", "Hồ"]]
    assert read(q).at_least == 2


def test_the_place_is_left_out_before_a_word_of_the_subject():
    asked = read("bảng giá đất Gia Lâm 2024")
    without, *fewer = weaker(asked)
    assert (asked.at_least, len(asked.should)) == (4, 5)
    assert words(without.must[0]) == ["bảng", "giá", "đất"]
    assert (without.must[0].at_least, without.at_least) == (2, 0)
    assert [node.at_least for node in fewer] == [3, 2, 1]


@pytest.mark.parametrize(
    ("q", "steps"),
    [
        ("giá", []),
        ("giá đất", [1]),
        ("giá thuê mặt bằng", [2, 1]),
        ('"giá đất" thuê', []),
        ("giá thuê -đất", []),
        ("giá OR đất", []),
        ("giá AND đất", []),
        ("giá đấ*", []),
    ],
)
def test_steps_ask_for_fewer_words(q, steps):
    assert [node.at_least for node in weaker(read(q))] == steps


def test_no_steps_without_other_rules():
    assert weaker(read("giá đất Gia Lâm", "2<-1 5<80%")) == []
    assert weaker(Bool()) == []
