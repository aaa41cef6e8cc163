"""What a reader types into the search box."""

from __future__ import annotations

import pytest
from ckanext.hanoiic.search import dismax
from ckanext.hanoiic.search.errors import QueryTooComplex, SyntaxRefused, ValueRefused
from ckanext.hanoiic.search.fields import Fields
from ckanext.hanoiic.search.lucene import Reading
from ckanext.hanoiic.search.minimum import minimum_match
from ckanext.hanoiic.search.tree import Best, Boost, Nothing, Pattern, Phrase, Term, Wild, leaves
from hypothesis import given
from hypothesis import strategies as st

FIELDS = Fields.of("title^4 text", "0.1", "2<-1 5<80%")


def written(nodes):
    return [next(leaves(node)) for node in nodes]


@pytest.mark.parametrize(
    ("rule", "counts"),
    [
        ("2<-1 5<80%", {1: 1, 2: 2, 3: 2, 4: 3, 5: 4, 6: 4, 10: 8}),
        ("3", {1: 1, 5: 3}),
        ("-1", {1: 0, 3: 2}),
        ("75%", {4: 3, 5: 3}),
        ("-25%", {4: 3, 5: 4}),
        ("100%", {7: 7}),
        ("3 < 90%", {3: 3, 10: 9}),
    ],
)
def test_minimum_match_as_solr_counts_it(rule, counts):
    assert {count: minimum_match(rule, count) for count in counts} == counts


def test_each_word_is_looked_for_in_every_field():
    found = dismax.parse("giao", FIELDS)
    best = Best((Boost(Term("title", "giao"), 4.0), Boost(Term("text", "giao"), 1.0)), 0.1)
    assert found.should == (best,)
    assert found.required_should == 1


def test_signs_quotes_and_operators():
    found = dismax.parse('+giao "xe buýt" -tàu thông*', FIELDS)
    assert written(found.must) == [Term("title", "giao")]
    assert written(found.must_not) == [Term("title", "tàu")]
    assert written(found.should) == [
        Phrase("title", "xe buýt"),
        Pattern("title", ("thông", Wild.ANY)),
    ]
    both = dismax.parse("giao AND thông", FIELDS)
    assert written(both.must) == [Term("title", "giao"), Term("title", "thông")]
    assert written(dismax.parse("giao NOT tàu", FIELDS).must_not) == [Term("title", "tàu")]


def test_neighbours_raise_the_rank_only():
    found = dismax.parse("y tế công cộng", FIELDS)
    assert written(found.nearness) == [
        Phrase("title", "y tế"),
        Phrase("title", "tế công"),
        Phrase("title", "công cộng"),
    ]


@pytest.mark.parametrize("query", ["", "   ", "???", "-", '"', "+ -", '""', "* ~ ^"])
def test_without_words_nothing_is_found(query):
    assert dismax.parse(query, FIELDS) == Nothing()


def test_two_operators_at_the_start_are_a_mistake_as_in_solr():
    with pytest.raises(SyntaxRefused):
        dismax.parse("--included", FIELDS)


def test_too_many_words_are_refused():
    with pytest.raises(QueryTooComplex):
        dismax.parse("a " * 100, FIELDS)


@pytest.mark.parametrize("settings", [("title^x", 0), ("title", "y"), ("title^-1", 0)])
def test_wrong_weights_are_refused(settings):
    with pytest.raises(ValueRefused):
        Fields.of(*settings)


def test_edismax_reads_fields_and_falls_back_to_plain_words():
    found = dismax.parse_extended("tags:bus giao", FIELDS, Reading())
    assert written(found.should) == [Term("tags", "bus"), Term("title", "giao")]
    assert written(dismax.parse_extended("giao (thông", FIELDS, Reading()).should) == [
        Term("title", "giao"),
        Term("title", "(thông"),
    ]


@given(st.text(max_size=60))
def test_the_search_box_takes_any_text(query):
    if query[:1] in ("+", "-") and query[1:2] in ("+", "-"):
        query = query.lstrip("+-")
    dismax.parse(query, FIELDS)
