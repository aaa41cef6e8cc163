"""Text typed with Telex while its program was off."""

from __future__ import annotations

import pytest
from ckanext.hanoiic.search import synonyms
from ckanext.hanoiic.search.telex import as_meant, telex


@pytest.mark.parametrize(
    ("keys", "word"),
    [
        ("benhj", "bẹnh"), ("beenhj", "bệnh"), ("vieenj", "viện"), ("dduwowngf", "đường"),
        ("thoong", "thông"), ("nuwowcs", "nước"), ("hoaf", "hòa"), ("quys", "quý"),
        ("truowngf", "trường"), ("data", None), ("đường", None), ("bus2", None),
    ],
)  # fmt: skip
def test_telex_keys_become_letters(keys, word):
    assert telex(keys) == word


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("beenhj vieenj", "bệnh viện"),
        ("Beenhj vieenj xe bus", "bệnh viện xe bus"),
        ("bệnh vieenj", "bệnh viện"),
        ("vieenj -beenhj", "viện -beenhj"),  # a sign makes it no plain word
        ("list of gas OR hospitals", "list of gas OR hospitals"),
        ("bus stops", "bus stops"),  # words of the portal's synonyms and of the index
        ("nowhere vieenx", "nowhere viễn"),
        ("zaazj", "zaazj"),  # the index has no such word
        ("", ""),
    ],
)
def test_only_what_the_index_lacks_and_telex_explains_is_read_anew(typed, meant):
    words = {"benh", "vien", "stops", "stop", "o", "ga", "hospital"}
    assert as_meant(typed, synonyms.current(), words.intersection) == meant
