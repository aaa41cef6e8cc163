"""How words are cut, folded, stemmed and ordered."""

from __future__ import annotations

import unicodedata

import pytest
from ckanext.hanoiic.search import vietnamese
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Đống Đa", "dong da"),
        ("Giao thông", "giao thong"),
        ("đường", "duong"),
        ("Quận Cầu Giấy", "quan cau giay"),
        ("µg/m³", "μg/m3"),
        ("Ｈà Nội", "ha noi"),
        ("STRASSE straße", "strasse strasse"),
        ("ガス", "ガス"),
    ],
)
def test_folding_drops_latin_diacritics_only(text, folded):
    assert vietnamese.fold(text) == folded
    assert vietnamese.fold(unicodedata.normalize("NFD", text)) == folded


@given(st.text())
def test_folding_twice_changes_nothing(text):
    once = vietnamese.fold(text)
    assert vietnamese.fold(once) == once


@given(st.text())
def test_every_text_becomes_storable(text):
    stored = vietnamese.storable(text)
    stored.encode("utf-8")
    assert "\x00" not in stored


@given(st.text())
def test_words_are_folded_not_empty_and_stand_in_order(text):
    found = vietnamese.words(text)
    assert all(word.folded == vietnamese.fold(word.folded) and word.folded for word in found)
    assert [word.place for word in found] == list(range(1, len(found) + 1))


@pytest.mark.parametrize(
    ("text", "words", "joined"),
    [
        ("PM2.5", ["pm", "2", "5"], "pm25"),
        ("OpenData", ["open", "data"], "opendata"),
        ("HANOI", ["hanoi"], None),
        ("Hanoi's", ["hanoi"], None),
        ("country-sweden", ["country", "sweden"], "countrysweden"),
        ("Q.1", ["q", "1"], "q1"),
        ("...", [], None),
        ("http://a.b.c/d/e", ["http", "a", "b", "c", "d", "e"], None),
    ],
)
def test_a_chunk_is_cut_into_words_and_joined(text, words, joined):
    chunks = list(vietnamese.chunks(text))
    assert [word.folded for chunk in chunks for word in chunk.words] == words
    assert [chunk.joined for chunk in chunks] == ([joined] if words else [])


def test_a_tone_mark_may_stand_on_either_vowel():
    assert vietnamese.spelling("hòa") == vietnamese.spelling("hoà")
    assert vietnamese.spelling("Thủy") == vietnamese.spelling("thuỷ")
    assert vietnamese.spelling("hòa") != vietnamese.spelling("hoa")
    assert vietnamese.spelling("đường") != vietnamese.spelling("dương")


@pytest.mark.parametrize(
    ("word", "stem"), [("floods", "flood"), ("flooding", "flood"), ("thuy", "thuy"), ("bus", "bus")]
)
def test_english_endings_are_stemmed(word, stem):
    assert vietnamese.stem(word) == stem


def test_titles_sort_in_vietnamese_alphabetical_order():
    ordered = ["An", "Ăn", "Ân", "Ba", "Dân", "Đào", "Em", "Êm", "Oanh", "Ô tô", "Ơn", "Thu", "Thư"]
    shuffled = ordered[::-1]
    assert sorted(shuffled, key=vietnamese.sort_key) == ordered


def test_tones_decide_only_between_equal_letters():
    ordered = ["ma", "mà", "mả", "mã", "má", "mạ", "mà ra", "me"]
    assert sorted(["me", "mà ra", *ordered[:6][::-1]], key=vietnamese.sort_key) == ordered
