"""Trees become SQL whose text never depends on what a reader typed."""

from __future__ import annotations

import re
import time

import pytest
from ckanext.hanoiic.search import synonyms
from ckanext.hanoiic.search.asking import Asking
from ckanext.hanoiic.search.at_least import at_least
from ckanext.hanoiic.search.document import row_of
from ckanext.hanoiic.search.errors import SearchFailed
from ckanext.hanoiic.search.facets import facets_of
from ckanext.hanoiic.search.layout import packed
from ckanext.hanoiic.search.match import Matcher
from ckanext.hanoiic.search.parsers import local_parameters
from ckanext.hanoiic.search.request import request_of
from ckanext.hanoiic.search.solr_schema import ckan_schema
from ckanext.hanoiic.search.some_words import Steps, weaker
from ckanext.hanoiic.search.sorting import order_by
from ckanext.hanoiic.search.sql import Sql, Words, any_of, sql_of
from ckanext.hanoiic.search.values import Values
from hypothesis import given
from hypothesis import strategies as st

MARK = "zzqzz"
# Everything that SQL texts are made of; a value would show as another word.
KEYWORDS = (
    "AND OR NOT TRUE FALSE CASE WHEN THEN ELSE END EXISTS SELECT FROM WHERE LIKE COLLATE C NULLS"
    " FIRST LAST LIMIT OFFSET GROUP ORDER BY ASC DESC asc desc LEFT JOIN ON AS IN IS NULL WITH"
    " CROSS MATERIALIZED UNION ALL ARRAY ANY"
)
FUNCTIONS = (
    "count coalesce sum chr split_part unnest json_agg json_build_array jsonb_array_elements"
    " jsonb_array_elements_text substr starts_with string_agg array_agg"
    " tsquery tsvector text numeric int bigint float8 bytea"
)
NAMES = (
    "hanoiic_search entry matched sets worth lexemes headline in_row"
    r" lexeme exact sorts infix score number counted_\w+ [fk]\d+ [aceflmnprstuvw] 10"
)
CONSTANT = re.compile(
    r"(?:[\s(),.*|:?+=<>~'\"@\[\]{}#-]|%s|\b(?:"
    + "|".join([*KEYWORDS.split(), *FUNCTIONS.split(), *NAMES.split()])
    + r")\b|\b[\d.]+)*\Z"
)
synonyms.current()  # read once, outside of what hypothesis measures
DISMAX = {"defType": "dismax", "qf": "name^4 title^4 tags^2 text", "mm": "2<-1 5<80%"}


class NoWords:
    """A vocabulary that knows three words."""

    def like(self, field, pattern):
        return ["one", "two", "three"]

    def matching(self, field, expression):
        return ["one"]

    def between(self, field, low, high, lowest, highest):
        return ["one", "two"]

    def near(self, field, word, edits):
        return ["one"]

    values_near = near


class AllCommon:
    def learn(self, tsqueries):
        list(tsqueries)

    def of(self, tsquery):
        return 1.0


class Database:
    """Notes what it is asked; each answer is that very many rows match and none is read."""

    def __init__(self):
        self.asked = []

    def exec_driver_sql(self, text, parameters):
        self.asked.append(Sql(text, parameters))
        return self

    def one(self):
        return 10_000, [], *[None] * 9

    def tuples(self):
        return self

    def all(self):
        return []

    def scalar(self):
        return None


def statements(q, steps=None, **parameters):
    """All that a search of these parameters asks."""
    schema = ckan_schema()
    request = request_of(q, parameters)
    database = Database()
    asking = Asking(database, Matcher(schema, NoWords()), AllCommon(), Values())
    order = order_by(parameters.get("sort"), schema)
    asking.page(asking.found(request, order, facets_of(parameters, schema), steps))
    return database.asked


def check(asked: list[Sql]):
    for statement in asked:
        assert MARK not in statement.text
        assert CONSTANT.match(statement.text), statement.text
        assert statement.text.count("%s") == len(statement.parameters)


@pytest.mark.parametrize(
    "q",
    [
        f"{MARK}:{MARK}",
        f'title:"{MARK} {MARK}"~2',
        f"tags:{MARK}*",
        f"{MARK}:*{MARK}?",
        f"{MARK}~ tags:{MARK}~1",
        f"{MARK}:[{MARK} TO *}}",
        f"title_ngram:{MARK}",
        f"title:/{MARK}.*/ {MARK}:/{MARK}/",
        f"title:[{MARK} TO {MARK}x}}",
        f"-{MARK} OR {MARK}:*",
    ],
)
def test_values_and_field_names_are_bound(q):
    settings = {
        "fq": [q],
        "sort": f"score desc, {MARK} asc",
        "facet": "true",
        "facet.field": [MARK],
        "facet.prefix": MARK,
    }
    for asked in (settings, {**settings, "facet.mincount": 1}, {"start": 500}, {}):
        check(statements(q, **asked))


def test_the_steps_of_fewer_words_and_facets_of_words_are_bound():
    q = f"{MARK} {MARK}a {MARK}b"
    settings = {**DISMAX, "mm": "100% | 60% | 1"}
    fewer = weaker(request_of(q, settings).query)
    assert len(fewer) == 1
    of_words = {"facet": "true", "facet.field": [f"extras_{MARK}"]}
    assert facets_of(of_words, ckan_schema())[0].of_words
    check(statements(q, Steps(fewer[0], ((7,),)), **settings, **of_words))


def test_a_page_of_words_is_ranked_by_kinds_of_rows_and_twice():
    asked = statements(f"{MARK} {MARK}a", **DISMAX, start=500)
    check(asked)
    assert len(asked) > 5


@given(st.text(max_size=40), st.sampled_from([{}, DISMAX, {**DISMAX, "defType": "edismax"}]))
def test_sql_is_constant_whatever_is_typed(q, settings):
    try:
        found = statements(q, **settings)
    except SearchFailed:
        return
    check(found)


@given(st.lists(st.text(max_size=12), min_size=1, max_size=4))
def test_a_lexeme_never_leaves_its_quotes(texts):
    """What PostgreSQL reads as one quoted word is one in the tsquery, whatever it holds."""
    escaped = " OR ".join("tags:" + "".join(f"\\{c}" for c in text) for text in texts if text)
    try:
        found = statements(escaped, sort="name asc", rows=0)[0]
    except SearchFailed:
        return
    for parameter in found.parameters:
        if not isinstance(parameter, str) or parameter == "name":
            continue
        assert re.fullmatch(r"(?:'(?:[^'\\]|''|\\\\)*'|[\s()&|!])*", parameter, re.DOTALL)


@pytest.mark.parametrize("words", range(1, 8))
def test_at_least_some_of_the_words_is_one_condition(words):
    names = [f"w{i}" for i in range(words)]
    for least in range(1, words + 1):
        found = at_least(least, [Words(f"'{name}'") for name in names])
        condition = found.tsquery.replace("&", " and ").replace("|", " or ")
        for chosen in range(2**words):
            values = {name: bool(chosen >> i & 1) for i, name in enumerate(names)}
            written = re.sub(
                r"'(w\d)'", lambda name, values=values: str(values[name[1]]), condition
            )
            assert eval(written) is (sum(values.values()) >= least)  # noqa: S307


@given(
    st.lists(st.sets(st.sampled_from("abcdefg"), min_size=1), min_size=1, max_size=6),
    st.integers(1, 6),
)
def test_ways_that_several_words_share_are_counted_for_each(clauses, least):
    asked = [any_of([Words(f"'{way}'") for way in sorted(ways)]) for ways in clauses]
    found = at_least(least, asked)
    if least > len(clauses):
        assert found is False
        return
    condition = found.tsquery.replace("&", " and ").replace("|", " or ")
    for chosen in range(2**7):
        true = {way for i, way in enumerate("abcdefg") if chosen >> i & 1}
        written = re.sub(r"'(\w)'", lambda way, true=true: str(way[1] in true), condition)
        assert eval(written) is (sum(bool(ways & true) for ways in clauses) >= least)  # noqa: S307


def test_a_name_that_stands_for_every_word_is_written_once():
    name = Words("'short name'")
    asked = [any_of([Words(f"'w{i}'"), name]) for i in range(6)]
    assert at_least(5, asked).tsquery.count("'short name'") == 1


def test_many_wildcards_that_stand_for_the_same_words_are_written_at_once():
    letters = "abcdefghijklmnopqrstuvwxyz"
    known = [Words(f"'{one}{other}'") for one in letters for other in letters]
    asked = [any_of([word for word in known if one in word.tsquery]) for one in letters * 4]

    began_s = time.process_time()
    assert isinstance(at_least(len(asked), asked), Words)

    assert time.process_time() - began_s < 1


def test_at_least_none_all_or_too_many_of_the_words():
    words = [Words(f"'w{i}'") for i in range(40)]
    assert at_least(0, words[:3]) is True
    assert at_least(4, words[:3]) is False
    assert sql_of(at_least(40, words)).text == "e.lexemes @@ %s::tsquery"
    counted = sql_of(at_least(20, words))
    assert counted.text.count("::int") == 40
    assert counted.parameters[-1] == 20


@pytest.mark.parametrize(
    ("text", "parameters", "rest"),
    [
        ("{!bool must=bees}", {"type": "bool", "must": "bees"}, ""),
        ("{!lucene q.op=OR}a b", {"type": "lucene", "q.op": "OR"}, "a b"),
        ("{!type=dismax qf=title v='a } b'}", {"type": "dismax", "qf": "title", "v": "a } b"}, ""),
        ("a b", {}, "a b"),
    ],
)
def test_local_parameters(text, parameters, rest):
    assert local_parameters(text) == (parameters, rest)


def test_a_document_becomes_one_row():
    row = row_of(
        {
            "index_id": "1",
            "name": "bus",
            "title": "Xe buýt",
            "tags": ["Xe", "Xe", None, ""],
            "data_dict": "{}",
            "permission_labels": ["public"],
            "start_date": "2024-05-01T07:00:00+07:00",
        },
        ckan_schema(),
    )
    assert row.exact["tags"] == ["Xe"]
    assert row.exact["start_date"] == ["2024-05-01T00:00:00.000Z"]
    assert row.large == {"data_dict": "{}"}
    assert row.stored["start_date"] == "2024-05-01T00:00:00Z"
    assert "permission_labels" not in row.stored
    assert row.lexemes["title:buyt"] == [2]
    assert row.lexemes["title!buyt4"] == [2]
    assert "tags=Xe" in row.lexemes
    assert "title?" in row.lexemes
    assert {"text:bus", "text:buyt", "text:xe"} <= row.lexemes.keys()
    assert "text&xe buyt" in row.lexemes
    assert row.infix_lines() == "bus\nxe buyt"
    assert row.headline().split() == [
        "'permission_labels=public'",
        "'name=bus'",
        "'title:xe':1",
        "'title:buyt':2",
        "'title!buyt4':2",
        "'tags=Xe'",
    ]
    assert row.sorts() == {"name": "bus"}
    assert row.counted() == {"tags": packed(["Xe"])}


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.one_of(st.text(), st.lists(st.text()))))
def test_any_document_becomes_a_row_or_is_refused(fields):
    try:
        row = row_of({**fields, "index_id": "1"}, ckan_schema())
    except SearchFailed:
        return
    row.tsvector().encode("utf-8")
