"""Solr's syntax over the index: regular expressions, functions, other parsers, ranges of words."""

from __future__ import annotations

import functools

import pysolr
import pytest
from ckan.lib.search import SearchError, SearchQueryError, make_connection
from ckan.tests.helpers import call_action

CKAN = {"q.op": "AND", "df": "text"}
BOX = {**CKAN, "defType": "dismax", "qf": "title^4 text", "mm": "2<-1 5<80%"}
DATASETS = {
    "bus": {"title": "Bus stops of Hanoi", "tags": ["xe-buyt", "bus2024"], "views_total": 5},
    "air": {
        "title": "Air quality, hourly",
        "tags": ["air"],
        "views_total": 400,
        "ckan_date": "2024-05-01T10:30:00Z",
        "extras_theme": "air weather",
    },
    "water": {"title": "Water quality of Hồ Tây", "tags": ["water"], "views_total": 0},
    "road": {"title": "Đường bộ", "notes": "The quality of roads", "tags": [], "views_total": 40},
}
ALL = sorted(DATASETS)


@pytest.fixture(scope="module")
def index():
    connection = make_connection()
    connection.delete(q="*:*")
    connection.add(
        docs=[
            {
                "index_id": name,
                "id": name,
                "site_id": "here",
                "name": name,
                "metadata_modified": f"20{10 + place}-01-01T00:00:00Z",
                **fields,
            }
            for place, (name, fields) in enumerate(DATASETS.items())
        ]
    )
    yield connection
    connection.delete(q="*:*")


@pytest.fixture
def names(index):
    def search(q, **parameters):
        found = index.search(q, **{"rows": 50, "fl": "name", "sort": "name asc", **parameters})
        return [row["name"] for row in found.docs]

    return search


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("title:/hour.*/", "air"),
        ("title:/HOUR.+/", "air"),
        ("title:/hour/", ""),
        ("title:/(bus|air)/", "air bus"),
        ("title:/[a-b].*/", "air bus road"),
        ("title:/đường/", "road"),
        (r"title:/\D{4,5}/", "bus road water"),
        ("tags:/bus[0-9]{4}/", "bus"),
        ("tags:/BUS.*/", ""),
        ("tags:/xe-buyt/ OR name:/wat@/", "bus water"),
        ('tags:/"xe-b".*/', "bus"),
        ("tags:/[^a-v].*/", "bus water"),
        ("title:(/bus/ OR /wat.*/)", "bus water"),
        ("/quality/", "air road water"),
        ("title:[a TO b]", "air"),
        ("title:[air TO bus]", "air bus road"),
        ("title:{air TO bus}", "road"),
        ("title:[TAY TO *]", "water"),
        ("title:[* TO 1]", ""),
        ("extras_theme:weather", "air"),
        ("name:[bus TO road}", "bus"),
        ("ckan_date:[2024-05-01T10:00:00Z/HOUR TO 2024-05-01T00:00:00Z+1DAY-1HOUR}", "air"),
        ("ckan_date:[2024-01-01T00:00:00Z/YEAR+4MONTHS TO NOW/DAY-1MONTH+2HOURS]", "air"),
        ("views_total:{5 TO 400]", "air road"),
        ("views_total:[* TO 0]", "water"),
        ("*:* -views_total:[1 TO *]", "water"),
        ("title:(quality -air)", "water"),
        ("title:qualty~1 AND -title:hourly", "water"),
        ("title:qualty~0.8", "air water"),
        ('"stops hanoi"~1', "bus"),
        ('"stops hanoi"', ""),
        ('"hanoi stops"~2', ""),
        ('"hanoi stops"~3', "bus"),
        ('"quality air"', ""),
        ('"quality air"~', ""),
        ('"quality air"~1', ""),
        ('"quality air"~2', "air"),
        ('"quality quality"~9', ""),
        ('"stops hanoi bus of"~9', "bus"),
        ('"stops bus bus of"~9', ""),
        ("title:air - title:hourly", "air"),
        ("title:air , title:hourly", "air"),
        ("title:(air & hourly)", "air"),
        ('title:"," OR title:bus', "bus"),
        ('title:","', ""),
        ('-","', ""),
        ("title:air && title:hourly", "air"),
        ("title:air&&quality", "air"),
        ("filter(title:air) AND quality", "air"),
        ("title:air /* the fresh one */", "air"),
        (r"title:\u0061ir", "air"),
        ("title:qulty~", "air water"),
        ("title:qualty~0", ""),
        ("((bus) OR ((road)))", "bus road"),
        ("{!term f=tags}xe-buyt", "bus"),
        ("{!terms f=name}bus, air", "air bus"),
        ("{!prefix f=name}wa", "water"),
        ("{!field f=title}air quality", "air"),
        ("{!lucene q.op=OR}bus air", "air bus"),
        ("{!dismax qf=tags}air", "air"),
        ("{!bool must=quality must_not=title:air}", "road water"),
    ],
)
def test_what_lucene_and_solr_read(names, q, found):
    assert names(q, **CKAN) == found.split()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"q": "title:/a&b/"}, "an intersection"),
        ({"q": "title:/(a/"}, "a bracket is not closed"),
        ({"q": "title:/a"}, "not closed"),
        ({"q": "title:air~1.5"}, "whole number"),
        ({"q": "title:/a{2,1}/"}, "end is before its start"),
        ({"q": "title:/(a{1,99}){1,99}/"}, "too complex"),
        ({"q": "views_total:/1.*/"}, "Not supported"),
        ({"q": "title_ngram:[a TO b]"}, "Not supported"),
        ({"q": "*:*", "rows": -1}, "below 0"),
        ({"q": "*:*", "start": -1}, "below 0"),
        ({"q": "*:*", "fl": "sum(views_total,1)"}, "Not supported"),
        ({"q": "*:*", "fl": "x:name"}, "Not supported"),
        ({"q": "*:*", "bq": "a"}, "Not supported"),
        ({"q": "{!term}a"}, "needs a field"),
        ({"q": "{!func}views_total"}, "Not supported"),
        ({"q": "{!dismax qf=title bq=a}b"}, "Not supported"),
        ({"q": "{!dismax v=$q}b"}, "Not supported"),
        ({"q": "a", "bf": "rord(views_total)", **BOX}, "Not supported"),
        ({"q": "a", "bf": "log(title)", **BOX}, "no number or date"),
        ({"q": "a", "bf": "log(", **BOX}, "Cannot parse"),
        ({"q": "a", "bf": "sum(1,2)^x", **BOX}, "Cannot parse"),
        ({"q": "a", "boost": "views_total)", **BOX, "defType": "edismax"}, "Cannot parse"),
        ({"q": "a", **BOX, "mm": "most"}, "no whole number"),
        ({"q": "a b", **BOX, "mm": "<".join("1" * 3000)}, "no whole number"),
        ({"q": "a", **BOX, "pf": "title^high"}, "no number"),
    ],
)
def test_what_cannot_be_done_is_said(index, parameters, message):
    with pytest.raises(pysolr.SolrError, match=message):
        index.search(**parameters)


class TestFunctions:
    """``bf`` is added to the score, ``boost`` multiplies it; neither finds or hides a dataset."""

    @pytest.mark.parametrize(
        ("function", "first"),
        [
            ("views_total", "air road water"),
            ("sub(1000,views_total)", "water road air"),
            ("recip(views_total,1,1000,1)", "water road air"),
            ("log(sum(views_total,1))^50", "air road water"),
            ("product(1e-9,ms(metadata_modified))", "road water air"),
            ("recip(ms(NOW,metadata_modified),3.16e-11,1000,1)^99", "road water air"),
            ("map(views_total,0,0,1000)", "water air road"),
            ("max(views_total,100)", "air road water"),
            ("def(resources_accessed_total,views_total)", "air road water"),
            ("sqrt(views_total) pow(views_total,2)^0.1", "air road water"),
            ("div(1000,views_total)", "road air water"),
        ],
    )
    def test_a_function_decides_among_equals(self, index, function, first):
        asked = {**BOX, "qf": "text", "bf": function, "sort": "score desc, name asc"}
        found = index.search("quality", fl="name score", **asked).docs
        assert [row["name"] for row in found] == first.split()

    def test_what_has_no_value_adds_nothing(self, index):
        plain = index.search("water", fl="score", **BOX).docs
        for function in ("ln(0)", "log(-1)", "div(1,0)", "sqrt(-4)", "-5", "pow(-8,0.5)"):
            assert index.search("water", fl="score", bf=function, **BOX).docs == plain

    def test_boost_multiplies_in_edismax_and_is_not_read_by_dismax(self, index):
        def score(**more):
            return index.search("water", fl="score", **{**BOX, **more}).docs[0]["score"]

        extended = {"defType": "edismax"}
        assert score(boost="product(2,5)", **extended) == pytest.approx(10 * score(**extended))
        assert score(boost="product(2,5)") == score()

    def test_lucene_reads_no_functions_as_in_solr(self, names):
        assert names("title:air", bf="no(such", **CKAN) == ["air"]


def test_a_phrase_field_raises_what_has_all_words_side_by_side(index):
    index.add(
        docs=[
            {"index_id": "t1", "name": "t1", "id": "t1", "notes": "green town map of parks"},
            {"index_id": "t2", "name": "t2", "id": "t2", "notes": "green town parks and a map"},
        ]
    )

    def scores(settings):
        query = f"{{!dismax qf=text mm=100% {settings}}}green town parks"
        found = index.search(query, fl="name score", **CKAN).docs
        return {row["name"]: row["score"] for row in found}

    plain, beside, apart = scores(""), scores("pf=notes^20"), scores("pf=notes^20 ps=2")
    assert beside["t1"] == plain["t1"]
    assert beside["t2"] > plain["t2"]
    assert apart["t1"] > plain["t1"]
    assert apart["t2"] == beside["t2"]
    index.delete(q="name:(t1 OR t2)")


def test_rows_and_start_have_no_upper_bound_but_their_type(index):
    assert index.search("*:*", rows=0).hits == len(DATASETS)
    assert index.search("*:*", rows=0).docs == []
    assert index.search("*:*", start=2**31 - 1).docs == []
    assert len(index.search("*:*", rows=2**31 - 1).docs) == len(DATASETS)
    with pytest.raises(pysolr.SolrError, match="out of range"):
        index.search("*:*", start=2**40)


@pytest.fixture(scope="module")
def asked(stage, index):
    """CKAN's action, within a request of nobody."""
    with stage.flask_app.test_request_context():
        yield functools.partial(call_action, "package_search")


class TestWhatCkanLetsThrough:
    @pytest.mark.parametrize(
        "query",
        [
            {"q": "{!dismax qf=title}a"},
            {"q": "a", "fq": "{!term f=name}b"},
            {"q": "_query_:a"},
            {"fq_list": ['_val_:"recip(views_total,1,1,1)"']},
            {"q": "a {!term f=name}b"},
            {"q": "title:/a&b/"},
            {"q": "title:[a TO"},
            {"q": "a", "bf": "nothing(1)"},
            {"q": "views_total:many"},
        ],
    )
    def test_what_is_refused_is_a_search_error(self, asked, query):
        with pytest.raises(SearchError):
            asked(**query)

    @pytest.mark.parametrize(
        "query",
        [
            {"sort": "name"},
            {"sort": "name up"},
            {"sort": "name asc, "},
            {"sort": "sum(views_total,1) desc"},
            {"pf": "title"},
            {"facet.prefix": "a"},
            {"facet.offset": "1"},
            {"facet.sort": "index"},
            {"f.tags.facet.limit": "1"},
            {"q.op": "OR"},
            {"group": "true"},
        ],
    )
    def test_unknown_parameters_and_bad_sorts_are_query_errors(self, asked, query):
        with pytest.raises(SearchQueryError):
            asked(**query)

    @pytest.mark.parametrize(
        "query",
        [
            {"q": "a", "qf": "title", "mm": "1", "tie": "0.2", "defType": "edismax"},
            {"q": "a", "bf": "log(sum(views_total,1))"},
            {"q": "a", "boost": "views_total", "defType": "edismax"},
            {"q": "a", "sort": "views_total desc, title_string asc,score desc"},
            {"q": "a\x00b \ud800", "fq": "tags:\x00", "fq_list": ["name:a", "-name:b"]},
            {"facet.field": ["tags"], "facet.limit": -1, "facet.mincount": 0},
            {"facet.field": '["tags"]', "facet": "false"},
            {"rows": 0, "start": 10**6},
            {"fl": ["name", "score"]},
        ],
    )
    def test_what_is_documented_is_answered(self, asked, query):
        assert asked(**query)["count"] == 0
