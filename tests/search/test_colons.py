"""A pasted title with a colon is words; a field's name before a colon is syntax."""

from __future__ import annotations

import time

import pytest
from ckanext.hanoiic.search.colons import as_words
from ckanext.hanoiic.search.solr_schema import ckan_schema


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("Xe buýt Hà Nội: tuyến, điểm dừng", "Xe buýt Hà Nội  tuyến, điểm dừng"),
        ("Nội:tuyến", "Nội tuyến"),
        ("Giao thong: xe buyt", "Giao thong  xe buyt"),
        ("hop luc 12:30", "hop luc 12 30"),
        ("https://data.example/x", "https //data.example/x"),
        ("không khí:", "không khí "),
        ("xe buýt", "xe buýt"),
        ("*:*", "*:*"),
        ("title:xe", "title:xe"),
        ("title: xe", "title: xe"),
        ('title:"Hà Nội: tuyến"', 'title:"Hà Nội: tuyến"'),
        ("+tags:bus -name:Hà", "+tags:bus -name:Hà"),
        ("(title:xe OR Nội: tuyến)", "(title:xe OR Nội: tuyến)"),
        ("my_field:value", "my_field:value"),
        ("extras_theme: xe", "extras_theme: xe"),
        ("some_date: [NOW TO *]", "some_date: [NOW TO *]"),
        ("freshness:overdue", "freshness:overdue"),
        (r"Nội\: tuyến", r"Nội\: tuyến"),
        ("{!term f=name}a:b", "{!term f=name}a:b"),
    ],
)
def test_only_a_fields_name_makes_a_colon_syntax(typed, asked):
    assert as_words(typed, ckan_schema()) == asked


def test_a_long_text_without_colons_takes_no_time():
    began = time.monotonic()
    assert as_words("a" * 40_000, ckan_schema()) == "a" * 40_000
    assert time.monotonic() - began < 3
