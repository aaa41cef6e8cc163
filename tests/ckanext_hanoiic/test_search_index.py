"""The index as CKAN's own code uses it: documents in, Solr's answers out."""

from __future__ import annotations

import datetime

import pysolr
import pytest
from ckan.lib.search import make_connection
from ckanext.hanoiic.search import ranked_page
from ckanext.hanoiic.search.client import PostgresSolr

CKAN = {"q.op": "AND", "df": "text"}
BOX = {
    **CKAN,
    "defType": "dismax",
    "qf": "name^4 title^4 tags^2 groups^2 text",
    "mm": "2<-1 5<80%",
    "tie": "0.1",
}

DATE = datetime.datetime(2020, 1, 1, 12)  # noqa: DTZ001 (CKAN's decoder makes naive ones)

TITLES = {
    "bus-stops": "Giao thông: điểm dừng xe buýt quận Đống Đa",
    "duong": "Mạng lưới đường bộ",
    "duong-family": "Dòng họ Dương ở Hà Nội",
    "pm25": "Hourly PM2.5 of the city",
    "clinics": "Cơ sở y tế công cộng",
    "tax": "Thuế và y bạ, mức tế",
    "floods": "Flooding of streets",
}


def document(name, **fields):
    return {
        "index_id": name,
        "id": f"id-{name}",
        "site_id": "here",
        "entity_type": "package",
        "state": "active",
        "capacity": "public",
        "permission_labels": ["public"],
        "name": name,
        "title": TITLES.get(name, name),
        "title_string": TITLES.get(name, name),
        **fields,
    }


@pytest.fixture
def index():
    connection = make_connection()
    connection.delete(q="*:*")
    return connection


@pytest.fixture
def names(index):
    def search(q, **parameters):
        found = index.search(q, **{"rows": 50, "fl": "name", "sort": "name asc", **parameters})
        return [row["name"] for row in found.docs]

    return search


@pytest.fixture
def titles(index):
    index.add(docs=[document(name) for name in TITLES], commit=True)


def test_a_postgresql_url_chooses_this_index(index):
    assert isinstance(index, PostgresSolr)


def test_any_other_url_is_real_solr():
    real = pysolr.Solr("http://127.0.0.1:1/solr/ckan", timeout=1)
    assert real.url == "http://127.0.0.1:1/solr/ckan"
    assert type(real).__module__ == "pysolr"


@pytest.mark.usefixtures("titles")
class TestVietnamese:
    @pytest.mark.parametrize(
        ("typed", "found"),
        [
            ("giao thong", ["bus-stops"]),
            ("GIAO THÔNG", ["bus-stops"]),
            ("Dong Da", ["bus-stops"]),
            ("Đống Đa", ["bus-stops"]),
            ("do\u0302\u0301ng dja", []),
            ("do\u0302\u0301ng da", ["bus-stops"]),
            ("duong", ["duong", "duong-family"]),
            ("đường", ["duong", "duong-family"]),
            ("flood", ["floods"]),
            ("floods", ["floods"]),
            ("PM2.5", ["pm25"]),
            ("pm25", ["pm25"]),
            ("pm 2.5", ["pm25"]),
            ("xe tăng", []),
        ],
    )
    def test_with_and_without_diacritics(self, names, typed, found):
        assert names(typed, **BOX) == found

    def test_the_tone_typed_ranks_first(self, names):
        by_score = {**BOX, "sort": "score desc, name desc"}
        assert names("đường", **by_score) == ["duong", "duong-family"]
        assert names("dương", **by_score) == ["duong-family", "duong"]

    def test_syllables_side_by_side_rank_first(self, names):
        assert names("y tế", **{**BOX, "sort": "score desc, name desc"}) == ["clinics", "tax"]

    def test_titles_sort_in_vietnamese_order(self, names, index):
        letters = ["An", "Ăn", "Ân", "Ba", "Dân", "Đào", "Em", "Oanh", "Ô tô", "Ơn", "Thu", "Thư"]
        index.add(docs=[document(f"z{i:02}", title_string=t) for i, t in enumerate(letters)])
        assert names("name:z*", sort="title_string asc", **CKAN) == [f"z{i:02}" for i in range(12)]
        assert names("name:z*", sort="title_string desc", rows=1, **CKAN) == ["z11"]


def test_rare_words_and_complete_answers_rank_first(index, names):
    index.add(
        docs=[
            *(document(f"other{i}", title="Doanh nghiệp", notes="tỷ lệ") for i in range(5)),
            document("jobs", title="Lao động", notes="Tỷ lệ thất nghiệp"),
        ]
    )
    by_score = {**BOX, "sort": "score desc, name asc"}
    assert names("tỷ lệ thất nghiệp", **by_score)[0] == "jobs"


def test_abbreviations_and_former_names_find_todays(index, names):
    index.add(
        docs=[
            document("office", title="Trụ sở ủy ban nhân dân"),
            document("school", title="Trường học phường Hoàn Kiếm"),
        ]
    )
    assert names("UBND", **BOX) == ["office"]
    assert names("tru so ubnd", **BOX) == ["office"]
    assert names("trường P. Hàng Bạc", **BOX) == ["school"]
    assert names("-UBND", **BOX) == ["office", "school"]


@pytest.fixture
def catalogue(index):
    index.add(
        docs=[
            document("one", title="Open data", tags=["bus", "xe buýt"], groups=["transport"],
                     views_total=5, metadata_modified="2024-01-01T00:00:00Z",
                     res_format=["CSV", "CSV"]),
            document("two", title="Open street data", tags=["bus"], groups=["transport"],
                     views_total=40, metadata_modified="2024-06-01T10:00:00.250Z", private=False),
            document("three", title="Data, quite open", tags=["air"], groups=["health"],
                     views_total=300, metadata_modified="2025-01-01T00:00:00Z", organization="doh",
                     extras_theme="Fresh air", ckan_date=DATE),
            document("hidden", title="Secret data", capacity="private",
                     permission_labels=["member-1"], tags=["it's 100%_\\"]),
        ]
    )  # fmt: skip


@pytest.mark.usefixtures("catalogue")
class TestSyntax:
    @pytest.mark.parametrize(
        ("q", "found"),
        [
            ("*:*", "hidden one three two"),
            ("title:open", "one three two"),
            ("title:open -title:street", "one three"),
            ("open AND NOT street", "one three"),
            ("street OR quite", "three two"),
            ("tags:(air OR bus)", "one three two"),
            ('tags:"xe buýt"', "one"),
            ("tags:xe\\ buýt", "one"),
            ("tags:Bus", ""),
            ("tags:bu*", "one two"),
            ("tags:*us", "one two"),
            ("tags:b?s", "one two"),
            ("tags:buz~1", "one two"),
            ('tags:"it\'s 100%_\\\\"', "hidden"),
            ("tags:*%_*", "hidden"),
            ('title:"open data"', "one"),
            ('title:"open data"~1', "one two"),
            ("title:op*", "one three two"),
            ("title:?pen", "one three two"),
            ("title:*uit*", "three"),
            ("title:/str.*t/", "two"),
            ("title:[quarter TO quiz]", "three"),
            ("title:strete~", "two"),
            ("title:street^3", "two"),
            ("title_ngram:\"pen da\"", "one"),
            ("title_ngram:ECRE", "hidden"),
            ("metadata_modified:[2024-01-01T00:00:00Z TO 2024-12-31T00:00:00Z]", "one two"),
            ("metadata_modified:{2024-01-01T00:00:00Z TO *]", "three two"),
            ('metadata_modified:"2024-06-01T10:00:00.250Z"', "two"),
            ("metadata_modified:[* TO NOW-1000YEARS]", ""),
            ("ckan_date:[* TO NOW]", "three"),
            ("views_total:[5 TO 40]", "one two"),
            ("views_total:{5 TO 40}", ""),
            ("views_total:300", "three"),
            ("name:[o TO three]", "one three"),
            ("organization:*", "three"),
            ("-organization:[* TO *]", "hidden one two"),
            ("*:* -groups:*", "hidden"),
            ("private:false", "two"),
            ("extras_theme:fresh", "three"),
            ("fresh", "three"),
            ('+site_id:"here" +permission_labels:("public" OR "member-2") +state:active',
             "one three two"),
            ("res_format:CSV", "one"),
        ],
    )  # fmt: skip
    def test_what_ckan_documents(self, names, q, found):
        assert names(q, **CKAN) == found.split()

    def test_filters_narrow_and_do_not_rank(self, index):
        plain = index.search("open", fl="name score", **BOX).docs
        narrowed = index.search("open", fq=["+tags:bus", "-title:street"], fl="name score", **BOX)
        score = {row["name"]: row["score"] for row in plain}
        assert narrowed.docs == [{"name": "one", "score": score["one"]}]

    @pytest.mark.parametrize(
        ("sort", "found"),
        [
            ("views_total desc", "three two one hidden"),
            ("views_total asc", "hidden one two three"),
            ("metadata_modified desc, name asc", "three two one hidden"),
            ("organization asc, name desc", "three two one hidden"),
            ("title asc", "three one two hidden"),
        ],
    )
    def test_sorting(self, names, sort, found):
        assert names("*:*", sort=sort, **CKAN) == found.split()

    def test_paging_is_stable_and_counts_all(self, index):
        pages = [index.search("*:*", sort="score desc", start=i, rows=1) for i in range(5)]
        assert [page.hits for page in pages] == [4] * 5
        assert len({page.docs[0]["name"] for page in pages[:4]}) == 4
        assert pages[4].docs == []

    def test_facets(self, index):
        def facets(**more):
            found = index.search("*:*", rows=0, facet="true", **{"facet.field": ["tags"], **more})
            values = found.facets["facet_fields"]["tags"]
            return list(zip(values[::2], values[1::2], strict=True))

        assert facets(**{"facet.mincount": 1})[0] == ("bus", 2)
        assert facets(**{"facet.limit": 1}) == [("bus", 2)]
        assert facets(**{"facet.mincount": 2}) == [("bus", 2)]
        assert facets(**{"facet.prefix": "a"}) == [("air", 1)]
        assert [value for value, _ in facets(**{"facet.limit": -1})] == [
            "air", "bus", "it's 100%_\\", "xe buýt",
        ]  # fmt: skip
        assert ("air", 0) in facets(fq="tags:bus", **{"facet.mincount": 0})
        assert facets(fq="res_format:CSV", **{"facet.field": "tags", "facet.mincount": 1}) == [
            ("bus", 1), ("xe buýt", 1),
        ]  # fmt: skip

    def test_facets_of_words(self, index):
        def counted(q, field, **more):
            asked = {"facet.field": field, "facet.mincount": 1, **more}
            values = index.search(q, rows=0, facet="true", **asked).facets["facet_fields"][field]
            return dict(zip(values[::2], values[1::2], strict=True))

        index.add(
            docs=[
                document("w1", title="Đường phố, đường sắt PM2.5", entity_type="words"),
                document("w2", title="Đường bộ", entity_type="words"),
            ]
        )
        found = counted("entity_type:words", "title")
        assert found["duong"] == 2
        assert found["bo"] == found["pm25"] == 1
        assert counted("name:w2", "title") == {"duong": 1, "bo": 1}
        assert counted("name:w2", "title", **{"facet.mincount": 0, "facet.prefix": "du"}) == {
            "duong": 1
        }
        assert counted("name:w2", "title", **{"facet.mincount": 0})["sat"] == 0
        with pytest.raises(pysolr.SolrError, match="Not supported"):
            counted("*:*", "title_ngram")

    def test_named_fields_and_globs(self, index):
        index.add(docs=[document("globs", extras_theme="a", extras_level="b")])

        def kept(fl):
            return set(index.search("name:globs", fl=fl).docs[0])

        assert kept("extras_*") == {"extras_theme", "extras_level"}
        assert kept("id extras_l* score") == {"id", "extras_level", "score"}
        assert kept(["i?"]) == {"id"}
        assert kept("nothing_*") == set()
        assert {"id", "extras_theme", "title"} <= kept("*")

    def test_facets_of_fields_with_one_value(self, index):
        def facets(**more):
            asked = {"facet.field": "organization", "facet.mincount": 1, **more}
            found = index.search("*:*", rows=0, facet="true", **asked)
            return found.facets["facet_fields"]["organization"]

        index.add(docs=[document("four", organization="doh"), document("five", organization="x")])
        assert facets() == ["doh", 2, "x", 1]
        assert facets(**{"facet.prefix": "d"}) == ["doh", 2]
        assert facets(fq="name:five") == ["x", 1]

    def test_a_value_twice_in_a_document_counts_once(self, index):
        found = index.search("*:*", facet="true", **{"facet.field": "res_format"})
        assert found.facets["facet_fields"]["res_format"] == ["CSV", 1]

    def test_fields_and_dates_come_back_as_solr_gives_them(self, index):
        row = index.search("name:three", fl="*").docs[0]
        assert row["tags"] == ["air"]
        assert row["organization"] == "doh"
        assert row["metadata_modified"] == datetime.datetime(2025, 1, 1)  # noqa: DTZ001
        assert row["ckan_date"] == DATE
        assert "permission_labels" not in row
        raw = make_connection(decode_dates=False).search("name:two", fl="metadata_modified,id")
        assert raw.docs == [{"id": "id-two", "metadata_modified": "2024-06-01T10:00:00.250Z"}]

    @pytest.mark.parametrize(
        ("q", "found"),
        [
            ("open", "one three two"),
            ("open street", "two"),
            ("open street quite", "three two"),
            ("open -street", "one three"),
            ('"open data"', "one"),
            ("stre*", "two"),
            ("street OR air", "three two"),
            ("street AND air", ""),
            ("bus", "one two"),
            ("???", ""),
            ("title open", ""),
            ("*", "hidden one three two"),
        ],
    )
    def test_the_search_box(self, names, q, found):
        assert names(q, **BOX) == found.split()

    def test_a_page_behind_those_ranked_again_repeats_and_leaves_out_nothing(
        self, index, monkeypatch
    ):
        monkeypatch.setattr(ranked_page, "RANKED_AGAIN", 2)
        whole = {**BOX, "fl": "name", "sort": "score desc, name asc"}
        everything = index.search("open", rows=50, **whole)
        assert everything.hits == 3
        pages = [index.search("open", start=i, rows=2, **whole) for i in range(4)]
        assert [page.hits for page in pages] == [3] * 4
        names = [row["name"] for row in everything.docs]
        assert sorted(names) == ["one", "three", "two"]
        assert [[row["name"] for row in page.docs] for page in pages] == [
            names[i : i + 2] for i in range(4)
        ]

    def test_where_many_match_those_with_all_words_in_the_title_come_first(
        self, index, monkeypatch
    ):
        index.delete(q="*:*")
        filler = {f"text-{n}": {"title": "Trạm", "notes": "trạm y tế"} for n in range(4)}
        titled = {f"title-{n}": {"title": f"Trạm y tế {n}", "notes": "x"} for n in range(2)}
        some = {f"some-{n}": {"title": "Trạm y", "notes": "x"} for n in range(2)}
        whole = {**filler, **titled, **some}
        index.add(docs=[document(name, **fields) for name, fields in whole.items()])
        asked = {**BOX, "fl": "name score", "sort": "score desc, name asc"}
        exact = index.search("trạm y tế", rows=50, **asked)
        assert exact.hits == len(whole)
        monkeypatch.setattr(ranked_page, "WORTH_CHOOSING", 1)
        for ranked_again in (1, 2, 3, 6):
            monkeypatch.setattr(ranked_page, "RANKED_AGAIN", ranked_again)
            pages = [index.search("trạm y tế", start=i, rows=1, **asked) for i in range(8)]
            names = [page.docs[0]["name"] for page in pages]
            assert sorted(names) == sorted(whole)
            assert names[:ranked_again] == [row["name"] for row in exact.docs][:ranked_again]
            assert pages[0].docs == exact.docs[:1]

    def test_edismax_mixes_words_and_fields(self, names):
        assert names("tags:bus street", **{**BOX, "defType": "edismax"}) == ["two"]

    def test_adding_again_replaces(self, index, names):
        index.add(docs=[document("one", title="Changed")])
        assert names("title:changed") == ["one"]
        assert names('title:"open data"') == []

    def test_deleting_by_query(self, index, names):
        index.delete(q='+entity_type:package AND +(id:"x" OR name:"one") AND +site_id:"here"')
        assert names("*:*") == ["hidden", "three", "two"]
        index.delete(id="three")
        index.delete(q='+site_id:"here"')
        assert names("*:*") == []


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"q": "title:("}, "Cannot parse the query"),
        ({"q": "*:*", "fq": 'tags:"a'}, "Cannot parse the query"),
        ({"q": "*:*", "sort": "name"}, "Can't determine a Sort Order"),
        ({"q": "*:*", "sort": "name asc; DROP TABLE x"}, "Can't determine a Sort Order"),
        ({"q": "*:*", "sort": "tags asc"}, "Not supported"),
        ({"q": "metadata_modified:/a.b/"}, "Not supported"),
        ({"q": "title_ngram:[a TO b]"}, "Not supported"),
        ({"q": "metadata_modified:[2024 TO *]"}, "Invalid Date String"),
        ({"q": "views_total:many"}, "no number"),
        ({"q": "{!child of=a}b"}, "Not supported"),
        ({"q": "*:*", "group": "true"}, "Not supported"),
        ({"q": "*:*", "rows": "many"}, "no whole number"),
        ({"q": f'"{"a " * 300}"'}, "too complex"),
    ],
)
def test_what_cannot_be_done_is_said(index, parameters, message):
    with pytest.raises(pysolr.SolrError, match=message):
        index.search(**parameters)


def test_hostile_texts_are_values_like_any_other(index, names):
    texts = [
        "'; DROP SCHEMA hanoiic_search; --",
        "%s %(a)s {0}",
        "\\'\"",
        "a\x00b",
        "🚌 \ud800",
        "'::",
    ]
    index.add(docs=[document(f"h{i}", tags=[text]) for i, text in enumerate(texts)])
    for place, text in enumerate(texts):
        escaped = "".join(f"\\{character}" for character in text)
        assert names(f"tags:{escaped}") == [f"h{place}"]
    assert names("*:*", **{"fl": "name"}) == [f"h{i}" for i in range(len(texts))]


def test_a_long_value_and_a_long_text_are_found(index, names):
    words = " ".join(f"word{i}" for i in range(10_000))
    index.add(docs=[document("long", url="http://x/" + "y" * 9000, notes=words)])
    assert names("url:" + "http\\://x/" + "y" * 9000) == ["long"]
    assert names("notes:word4321") == ["long"]


@pytest.mark.parametrize("reference", ["it's", "id-it's", "xã", "elsewhere", "both", "none", 'a"b'])
def test_one_dataset_is_found_as_any_search_finds_it(index, reference):
    """CKAN's question of every ``package_show`` is answered by a shorter way."""
    index.add(
        [
            document("it's", data_dict="{}", validated_data_dict='{"a": 1}'),
            document("xa\u0303"),
            document("elsewhere", site_id="there"),
            document("both", index_id="1"),
            document("other", id="both", index_id="2", title="both both"),
        ]
    )
    reference_in_query = reference.replace('"', '\\"')
    question = f'name:"{reference_in_query}" OR id:"{reference_in_query}"'
    asked = {"rows": 1, "wt": "json", "fq": '+site_id:"here" +entity_type:package'}
    short, long = index.search(question, **asked), index.search(f"({question})", **asked)
    assert (short.hits, short.docs) == (long.hits, long.docs)
    assert short.hits == {"elsewhere": 0, "none": 0, 'a"b': 0, "both": 2}.get(reference, 1)
