"""Lucene's regular expressions for PostgreSQL, and the functions of ``bf`` and ``boost``."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from ckanext.hanoiic.search import functions, regular, vietnamese
from ckanext.hanoiic.search.errors import QueryTooComplex, SearchFailed
from ckanext.hanoiic.search.functions import Function
from ckanext.hanoiic.search.solr_schema import ckan_schema
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("written", "expression"),
    [
        ("abc", "abc"),
        ("Đường", "duong"),
        ("a.*b+?", "a(?:.)*(?:(?:b)+)?"),
        ("a|(b|c)", "a|(?:b|c)"),
        ("[a-c_]", "[a-c_]"),
        ("[^À-Ỹ-]", r"[^a-y\u002D]"),
        (r"\d{2,3}", r"(?:\d){2,3}"),
        (r"a\.b", r"a\u002Eb"),
        ('"a.b"', r"(?:a\u002Eb)"),
        ("@x", ".*x"),
        ("^a$", r"\u005Ea\u0024"),
        ("***=a", None),
        ("(?i)a", None),
        ("", ""),
        ("🚌", r"\U0001F68C"),
    ],
)
def test_each_letter_is_written_anew(written, expression):
    if expression is None:
        with pytest.raises(SearchFailed):
            regular.expression(written, vietnamese.fold)
    else:
        assert regular.expression(written, vietnamese.fold) == f"^(?:{expression})$"


@pytest.mark.parametrize(
    "written", ["a" * 201, "a{256}", "(a{100}){6}", "((a{9}){9}){9}", "(" * 30 + "a" + ")" * 30]
)
def test_what_would_compile_for_long_is_refused(written):
    with pytest.raises(QueryTooComplex):
        regular.expression(written, str)


@given(st.text(max_size=40))
def test_a_quoted_text_matches_itself_alone(text):
    text = text.replace('"', "")
    found = regular.expression(f'"{text}"', str)
    assert re.fullmatch(found, text)
    assert not re.fullmatch(found, f"{text}x")


@given(st.text(st.sampled_from('ab|()[]{}*+?.\\"^$-,019dw&~@#<> '), max_size=30))
def test_any_expression_is_written_or_refused(text):
    try:
        found = regular.expression(text, str)
    except SearchFailed:
        return
    assert re.compile(found)


def sql(text):
    return functions.value(
        Function(text), ckan_schema().field, lambda: datetime(2024, 5, 1, tzinfo=UTC)
    )


def test_fields_numbers_and_dates_of_functions_are_parameters():
    found = sql("recip(ms(NOW/DAY,metadata_modified),3.16e-11,1,1)")
    assert found.parameters == (
        *(1.0, 1.0, 3.16e-11),
        *("2024-05-01T00:00:00.000Z", "metadata_modified", 1.0),
    )
    assert "metadata_modified" not in found.text


@given(st.text(st.sampled_from("sumlog(),1.5- viewstota_NOW/DAY+^e"), max_size=40))
def test_any_function_is_written_or_refused(text):
    try:
        found = [sql(function.text) for function in functions.functions_of(text)]
    except SearchFailed:
        return
    for statement in found:
        assert statement.text.count("%s") == len(statement.parameters)
