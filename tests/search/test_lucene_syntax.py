"""Lucene's classic syntax as a tree."""

from __future__ import annotations

import pytest
from ckanext.hanoiic.search import lucene
from ckanext.hanoiic.search.errors import (
    FeatureUnsupported,
    QueryTooComplex,
    SearchFailed,
    SyntaxRefused,
)
from ckanext.hanoiic.search.lucene import Reading
from ckanext.hanoiic.search.tree import (
    Bool,
    Boost,
    Everything,
    Exists,
    Fuzzy,
    Nothing,
    Pattern,
    Phrase,
    Range,
    Regex,
    Term,
    Wild,
)
from hypothesis import given
from hypothesis import strategies as st

AND, OR = Reading(default_and=True), Reading()
A, B, C = (Term("text", letter) for letter in "abc")


@pytest.mark.parametrize(
    ("query", "tree"),
    [
        ("a", A),
        ("*:*", Everything()),
        ("", Nothing()),
        ("title:a", Term("title", "a")),
        ("title: a", Term("title", "a")),
        ('title:"a b"', Phrase("title", "a b")),
        ('"a b"~2', Phrase("text", "a b", 2)),
        ("title:*", Exists("title")),
        ("title:[* TO *]", Exists("title")),
        ("tra*", Pattern("text", ("tra", Wild.ANY))),
        ("t?a*m", Pattern("text", ("t", Wild.ONE, "a", Wild.ANY, "m"))),
        (r"t\*", Term("text", "t*")),
        (r"t\*x*", Pattern("text", ("t*x", Wild.ANY))),
        ("roam~", Fuzzy("text", "roam", 2)),
        ("roam~1", Fuzzy("text", "roam", 1)),
        ("roam~0.8", Fuzzy("text", "roam", 0)),
        ("a^2.5", Boost(A, 2.5)),
        ("n:[1 TO 5}", Range("n", "1", "5", True, False)),
        ("n:{-5 TO *]", Range("n", "-5", None, False, True)),
        (
            "d:[2024-01-01T00:00:00Z TO NOW/DAY-1YEAR]",
            Range("d", "2024-01-01T00:00:00Z", "NOW/DAY-1YEAR", True, True),
        ),
        (r"tags:xe\ buýt", Term("tags", "xe buýt")),
        (r"url:http\://a", Term("url", "http://a")),
        ("'a'", Term("text", "'a'")),
        ("a<b", Term("text", "a<b")),
        (r"extras\ x:a", Term("extras x", "a")),
        ("/a.*b/", Regex("text", "a.*b")),
        (r"title:/a\/[bc]/^2", Boost(Regex("title", r"a\/[bc]"), 2.0)),
        ("a/b/c", Term("text", "a/b/c")),
        ('/a"&&b/', Regex("text", 'a"&&b')),
        ('x"a b"', Bool(should=(Term("text", "x"), Phrase("text", "a b")), at_least=1)),
    ],
)
def test_one_clause(query, tree):
    assert lucene.parse(query, OR) == tree


@pytest.mark.parametrize(
    ("query", "with_or", "with_and"),
    [
        ("a b", Bool(should=(A, B), at_least=1), Bool(must=(A, B))),
        ("a AND b", Bool(must=(A, B)), Bool(must=(A, B))),
        ("a && b", Bool(must=(A, B)), Bool(must=(A, B))),
        ("a OR b", Bool(should=(A, B), at_least=1), Bool(should=(A, B), at_least=1)),
        ("a || b", Bool(should=(A, B), at_least=1), Bool(should=(A, B), at_least=1)),
        ("+a b", Bool(must=(A,), should=(B,)), Bool(must=(A, B))),
        ("a -b", Bool(should=(A,), must_not=(B,), at_least=1), Bool(must=(A,), must_not=(B,))),
        ("a NOT b", Bool(should=(A,), must_not=(B,), at_least=1), Bool(must=(A,), must_not=(B,))),
        ("a !b", Bool(should=(A,), must_not=(B,), at_least=1), Bool(must=(A,), must_not=(B,))),
        ("-a", Bool(must_not=(A,)), Bool(must_not=(A,))),
        # An operator changes the clause before it: precedence is not what a reader expects,
        # but it is Lucene's.
        ("a OR b AND c", Bool(must=(B, C), should=(A,)), Bool(must=(B, C), should=(A,))),
        ("a AND b OR c", Bool(must=(A, B), should=(C,)), Bool(must=(A,), should=(B, C))),
        (
            "a (b OR c)",
            Bool(should=(A, Bool(should=(B, C), at_least=1)), at_least=1),
            Bool(must=(A, Bool(should=(B, C), at_least=1))),
        ),
    ],
)
def test_lucene_rules_of_operators(query, with_or, with_and):
    assert lucene.parse(query, OR) == with_or
    assert lucene.parse(query, AND) == with_and


def test_a_group_keeps_its_field():
    assert lucene.parse("tags:(a b) c", AND) == Bool(
        must=(Bool(must=(Term("tags", "a"), Term("tags", "b"))), C)
    )


@pytest.mark.parametrize(
    "query",
    [
        "(",
        "a)",
        '"a',
        "a AND",
        "a -",
        "+",
        "title:",
        "a:b:c",
        "a^x",
        "[a TO b",
        "\\",
        "*:a",
        "^2",
        "title:-a",
        "a OR OR b",
        "/a",
    ],
)
def test_a_mistake_is_a_syntax_error(query):
    with pytest.raises(SyntaxRefused):
        lucene.parse(query, AND)


@pytest.mark.parametrize("query", [r"_query\_:a", "_val_:a"])
def test_what_the_index_cannot_do_is_said(query):
    with pytest.raises(FeatureUnsupported):
        lucene.parse(query, AND)


@pytest.mark.parametrize("query", ["a" * 20_000, "a " * 1500, "(" * 500 + "a" + ")" * 500])
def test_a_huge_query_is_refused_early(query):
    with pytest.raises(QueryTooComplex):
        lucene.parse(query, AND)


SCRAPS = st.sampled_from(
    [
        "a",
        "đường",
        '"',
        '"a b"',
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "*",
        "?",
        ":",
        "title:",
        "+",
        "-",
        "!",
        "&&",
        "||",
        "AND",
        "OR",
        "NOT",
        "TO",
        " ",
        "~",
        "~2",
        "^",
        "^2",
        "\\",
        "/",
        "'",
        "<",
        "[1 TO 2]",
    ]
)


@given(st.one_of(st.text(max_size=40), st.lists(SCRAPS, max_size=12).map("".join)), st.booleans())
def test_any_text_gives_a_tree_or_a_search_error(query, default_and):
    try:
        lucene.parse(query, Reading(default_and=default_and))
    except SearchFailed:
        return


@given(st.text(st.characters(exclude_characters="\n"), min_size=1, max_size=30))
def test_an_escaped_text_is_one_term(text):
    escaped = "".join(f"\\{character}" for character in text)
    assert lucene.parse(escaped, AND) == Term("text", text)
