"""DCAT catalogues from a real server: every way of writing them, their pages, and their tricks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from harvesters import connectors
from harvesters.connectors import Offer, dcat_words
from harvesters.connectors.dcat_offer import slug
from harvesters.errors import CatalogueBroken, HarvestError
from harvesters.fetch import Client
from harvesters.rawtable import RawTable
from harvesters.readers import dcat as reader
from harvesters.source import Source
from harvesters.workbench import Workbench
from tests.harvesters.conftest import rows

PREFIXES = """
@prefix dcat: <http://www.w3.org/ns/dcat#> .
@prefix dct: <http://purl.org/dc/terms/> .
@prefix foaf: <http://xmlns.com/foaf/0.1/> .
@prefix hydra: <http://www.w3.org/ns/hydra/core#> .
@prefix vcard: <http://www.w3.org/2006/vcard/ns#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
"""
TURTLE = (
    PREFIXES
    + """
<https://so.example/> a dcat:Catalog ; dcat:dataset <https://so.example/d/tram-quan-trac> .
<https://so.example/d/tram-quan-trac> a dcat:Dataset ;
  dct:identifier "tram-quan-trac" ;
  dct:title "Air stations"@en, "Trạm quan trắc"@vi ;
  dct:description "Mô tả"@vi, "About"@en ;
  dcat:keyword "không khí"@vi, "bụi, PM2.5"@vi, "air"@en ;
  dct:publisher [ a foaf:Agent ; foaf:name "Sở Nông nghiệp và Môi trường" ] ;
  dcat:contactPoint [ a vcard:Individual ; vcard:fn "Nguyễn Văn A" ;
    vcard:hasEmail <mailto:a@so.example> ] ;
  dct:license <https://creativecommons.org/licenses/by/4.0/deed.vi> ;
  dct:accrualPeriodicity <http://publications.europa.eu/resource/authority/frequency/HOURLY> ;
  dct:temporal [ a dct:PeriodOfTime ; dcat:startDate "2024-01-01"^^xsd:date ;
    dcat:endDate "2025"^^xsd:gYear ] ;
  dcat:distribution [ dct:title "Trạm"@vi ; dcat:downloadURL <tram.csv> ; dct:format "CSV" ],
    [ dct:title "Hướng dẫn"@vi ; dcat:downloadURL <guide.pdf> ; dcat:mediaType "application/pdf" ],
    [ dct:title "API" ; dcat:accessURL <https://so.example/api> ; dct:format "JSON" ] .
"""
)
XML = """<?xml version="1.0" encoding="UTF-8"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
  xmlns:dcat="http://www.w3.org/ns/dcat#" xmlns:dct="http://purl.org/dc/terms/">
<dcat:Dataset rdf:about="https://so.example/d/1"><dct:identifier>một</dct:identifier>
<dct:title xml:lang="vi">Trạm quan trắc</dct:title><dcat:distribution><dcat:Distribution>
<dcat:downloadURL rdf:resource="/tram.csv"/><dcat:mediaType>text/csv</dcat:mediaType>
</dcat:Distribution></dcat:distribution></dcat:Dataset></rdf:RDF>"""
JSON_LD = {
    "@context": {
        "dcat": "http://www.w3.org/ns/dcat#",
        "dct": "http://purl.org/dc/terms/",
        "title": {"@id": "dct:title", "@language": "vi"},
        "file": {"@id": "dcat:downloadURL", "@type": "@id"},
    },
    "@graph": [
        {
            "@id": "https://so.example/d/1",
            "@type": "dcat:Dataset",
            "title": "Trạm quan trắc",
            "dcat:distribution": {"file": "/tram.csv", "dct:format": "CSV"},
        }
    ],
}
DATA_JSON = {
    "@context": "https://project-open-data.cio.gov/v1.1/schema/catalog.jsonld",
    "conformsTo": "https://project-open-data.cio.gov/v1.1/schema",
    "dataset": [
        {
            "identifier": "P-1",
            "title": "Trạm quan trắc",
            "accessLevel": "public",
            "contactPoint": {"@type": "vcard:Contact", "fn": "A", "hasEmail": "mailto:a@x.vn"},
            "publisher": {"name": "Sở"},
            "accrualPeriodicity": "R/P1D",
            "temporal": "2024-01-01/2024-12-31",
            "distribution": [{"downloadURL": "/tram.csv", "mediaType": "text/csv"}],
        }
    ],
}


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are read in this process: to start another for each takes longer than to read it."""

    def tables(
        _reader: str, path: Path, arguments: Mapping[str, Any], bench: Workbench
    ) -> list[RawTable]:
        return [
            RawTable(bench.load(table.schema, table.batches), table.columns)
            for table in reader.read(path, arguments)
        ]

    monkeypatch.setattr("harvesters.connectors.dcat.apart.tables", tables)


@pytest.fixture
def offers(client: Client, httpserver: HTTPServer, here: None):
    """What a catalogue's page offers: its content at a path, with a media type and options."""

    def offers(
        content: Any, path: str = "/catalogue", said: str = "text/turtle", **options: Any
    ) -> list[Offer]:
        text = content if isinstance(content, str | bytes) else json.dumps(content)
        httpserver.expect_request(path).respond_with_data(text, content_type=said)
        return discovered(client, httpserver.url_for(path), **options)

    return offers


def discovered(client: Client, url: str, **options: Any) -> list[Offer]:
    row = {"id": "s", "name": "so", "kind": "dcat", "url": url, "options": options}
    source = Source.of({**row, "dataset": {"table": "so", "access_tier": "open"}})
    return list(connectors.of("dcat").discover(source, client))


def test_a_dataset_comes_with_all_it_says(offers, httpserver):
    (offer,) = offers(TURTLE)
    assert (offer.identifier, offer.name) == ("tram-quan-trac", "so-tram-quan-trac")
    assert offer.fields == {
        "access_tier": "open",
        "title": "Trạm quan trắc",
        "title_en": "Air stations",
        "notes": "Mô tả",
        "notes_en": "About",
        "tags": ["bụi PM2.5", "không khí"],
        "license_id": "CC-BY-4.0",
        "update_frequency": "HOURLY",
        "contact_name": "Sở Nông nghiệp và Môi trường",
        "temporal_start": "2024-01-01",
        "temporal_end": "2025-12-31",
    }
    (file,) = offer.files
    assert (file.url, file.kind) == (httpserver.url_for("/tram.csv"), "csv")
    assert (file.table, file.name) == ("so_tram_quan_trac_tram", "Trạm")
    assert [(link.name, link.format) for link in offer.links] == [
        ("API", "JSON"),
        ("Hướng dẫn", "PDF"),
    ]


def test_what_people_are_called_stays_where_it_is(offers):
    told = repr(offers(TURTLE))
    assert "Nguyễn Văn A" not in told
    assert "a@so.example" not in told
    office = TURTLE.replace("vcard:Individual", "vcard:Organization")
    (offer,) = offers(office, "/office")
    assert offer.fields["contact_email"] == "a@so.example"


@pytest.mark.parametrize(
    ("content", "path", "said"),
    [
        (TURTLE, "/c", "text/turtle"),
        (TURTLE, "/c.ttl", "application/octet-stream"),
        (TURTLE, "/c", "text/plain"),
        (XML, "/c", "application/rdf+xml"),
        (XML, "/c.rdf", "text/plain"),
        (XML, "/c", "application/xml; charset=utf-8"),
        (JSON_LD, "/c", "application/ld+json"),
        (JSON_LD, "/c", "application/json"),
        (JSON_LD, "/c.jsonld", "text/plain"),
        (DATA_JSON, "/data.json", "application/json"),
        (DATA_JSON, "/data.json", "text/html"),
    ],
)
def test_every_writing_is_told_apart(offers, httpserver, content, path, said):
    (offer,) = offers(content, path, said)
    assert offer.fields["title"] == "Trạm quan trắc"
    assert [(file.kind, file.url) for file in offer.files] == [
        ("csv", httpserver.url_for("/tram.csv"))
    ]


def test_n_triples_and_the_pinned_writing(offers):
    line = (
        "<https://so.example/1> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> "
        "<http://www.w3.org/ns/dcat#Dataset> .\n"
    )
    assert offers(line, "/a", "application/n-triples")[0].identifier == "https://so.example/1"
    assert offers(line, "/b", "application/xml", rdf_format="n-triples")
    with pytest.raises(HarvestError, match="rdf_format"):
        offers(line, "/c", rdf_format="word")


def test_a_data_json_is_read_by_its_names(offers):
    (offer,) = offers(DATA_JSON, said="application/json")
    assert offer.identifier == "P-1"
    assert offer.fields["update_frequency"] == "DAILY"
    assert offer.fields["temporal_end"] == "2024-12-31"
    assert offer.fields["contact_name"] == "Sở"
    closed = json.loads(json.dumps(DATA_JSON))
    closed["dataset"][0]["accessLevel"] = "restricted public"
    (offer,) = offers(closed, "/closed", "application/json")
    assert offer.fields["access_tier"] == "request"


# --- who is who ----------------------------------------------------------------------------------


def turtle(*datasets: str) -> str:
    return PREFIXES + "\n".join(datasets)


def test_a_dataset_without_a_name_has_an_identifier(offers):
    found = offers(
        turtle(
            '[] a dcat:Dataset ; dct:identifier "x" ; dct:title "Một" .',
            '[] a dcat:Dataset ; dct:title "Hai" ; dcat:landingPage <https://so.example/hai> .',
            '[] a dcat:Dataset ; dct:title "Ba" .',
            "[] a dcat:Dataset .",
        )
    )
    assert sorted(offer.identifier for offer in found) == ["Ba", "https://so.example/hai", "x"]


def test_an_identifier_that_several_have_tells_none_of_them(offers):
    found = offers(
        turtle(
            '<https://so.example/1> a dcat:Dataset ; dct:identifier "x" ; dct:title "Một" .',
            '<https://so.example/2> a dcat:Dataset ; dct:identifier "x" ; dct:title "Hai" .',
        )
    )
    names = {offer.identifier: offer.fields["title"] for offer in found}
    assert names == {"https://so.example/1": "Một", "https://so.example/2": "Hai"}


@pytest.mark.parametrize(
    ("known_by", "name"),
    [
        ("https://so.example/dataset/tram-1", "dataset-tram-1"),
        ("https://so.example/?id=4", "id-4"),
    ],
)
def test_short_identifiers_are_names(known_by, name):
    assert slug(known_by) == name


def test_names_that_lost_something_stay_apart():
    alike = ["Trạm", "trâm", "https://a.example/" + "x" * 90, "https://a.example/" + "x" * 91]
    assert len({slug(known_by) for known_by in alike}) == 4
    assert all(len(slug(known_by)) <= 60 for known_by in alike)


def test_relisting_in_another_order_changes_nothing(offers):
    parts = [f'<https://so.example/{n}> a dcat:Dataset ; dct:title "{n}" .' for n in range(9)]
    first = offers(turtle(*parts), "/a")
    assert offers(turtle(*reversed(parts)), "/b") == first


# --- pages ---------------------------------------------------------------------------------------


def page(number: int, following: str | None) -> str:
    view = f"<> hydra:next <{following}> ." if following else ""
    return turtle(
        "<https://so.example/c> a dcat:Catalog .",
        f'<https://so.example/{number}> a dcat:Dataset ; dct:title "{number}" .',
        view,
    )


def served_pages(server: HTTPServer, *pages: tuple[str, str]) -> None:
    for path, content in pages:
        server.expect_request(path).respond_with_data(content, content_type="text/turtle")


def test_pages_are_followed_to_the_last(client, httpserver, here):
    served_pages(httpserver, ("/1", page(1, "/2")), ("/2", page(2, "/3")), ("/3", page(3, "/3")))
    found = discovered(client, httpserver.url_for("/1"))
    assert [offer.fields["title"] for offer in found] == ["1", "2", "3"]


def test_pages_that_end_before_all_datasets_came_are_refused(client, httpserver, here):
    def counted(total: int) -> str:
        return f"{page(1, '/2')}\n<> hydra:totalItems {total} ."

    served_pages(httpserver, ("/1", counted(2)), ("/few", counted(3)), ("/2", page(2, None)))
    assert len(discovered(client, httpserver.url_for("/1"))) == 2
    with pytest.raises(CatalogueBroken, match="has 3 datasets and gave 2"):
        discovered(client, httpserver.url_for("/few"))


def test_the_older_words_for_paging_are_known(client, httpserver, here):
    first = turtle(
        "<> a hydra:PagedCollection ; hydra:nextPage <2> .",
        '<https://so.example/1> a dcat:Dataset ; dct:title "1" .',
    )
    served_pages(httpserver, ("/1", first), ("/2", page(2, None)))
    assert len(discovered(client, httpserver.url_for("/1"))) == 2


def test_a_page_that_is_known_is_not_read_again(client, httpserver, here, monkeypatch):
    served_pages(httpserver, ("/1", page(1, None)))
    first = discovered(client, httpserver.url_for("/1"))
    monkeypatch.setattr("harvesters.connectors.dcat.apart.tables", None)
    assert discovered(client, httpserver.url_for("/1")) == first


def test_a_dataset_on_two_pages_is_one(client, httpserver, here):
    served_pages(httpserver, ("/1", page(1, "/2")), ("/2", page(1, None)))
    assert len(discovered(client, httpserver.url_for("/1"))) == 1


def endless(server: HTTPServer) -> str:
    served_pages(server, ("/1", page(1, "/2")), ("/2", page(2, "/1")))
    return server.url_for("/1")


def test_a_catalogue_that_leads_in_a_circle_is_refused(run, portal, httpserver, lake):
    source = portal.add_source(
        name="so", kind="dcat", url=endless(httpserver), dataset={"table": "so"}
    )
    ran = run(source)
    assert ran.error.code == "catalogue_broken"
    assert "circle" in ran.error.detail
    assert portal.datasets == {}


def test_the_same_page_under_ever_new_addresses_ends(client, httpserver, here):
    def more(request):
        number = int(request.args.get("page", "0")) + 1
        text = turtle("<https://so.example/c> a dcat:Catalog .")
        text += f"<https://so.example/v> hydra:next </c?page={number}> ." if number < 2 else ""
        return Response(text or "", content_type="text/turtle")

    httpserver.expect_request("/c").respond_with_handler(more)
    assert discovered(client, httpserver.url_for("/c")) == []
    same = turtle(
        "<https://so.example/v> hydra:next </b> . <https://so.example/1> a dcat:Dataset ."
    )
    served_pages(httpserver, ("/a", same), ("/b", same))
    with pytest.raises(HarvestError, match="same page"):
        discovered(client, httpserver.url_for("/a"))


def test_pages_without_end_are_capped(client, httpserver, here, monkeypatch):
    monkeypatch.setattr("harvesters.connectors.dcat.MOST_PAGES", 3)

    def more(request):
        number = int(request.args.get("page", "0"))
        return Response(page(number, f"/c?page={number + 1}"), content_type="text/turtle")

    httpserver.expect_request("/c").respond_with_handler(more)
    with pytest.raises(HarvestError, match="3 pages"):
        discovered(client, httpserver.url_for("/c"))
    assert len(httpserver.log) == 3


def test_a_page_that_fails_keeps_the_catalogue_out(run, portal, httpserver):
    served_pages(httpserver, ("/1", page(1, "/2")))
    httpserver.expect_request("/2").respond_with_data("", status=404)
    source = portal.add_source(
        name="so", kind="dcat", url=httpserver.url_for("/1"), dataset={"table": "so"}
    )
    assert run(source).error.code == "source_answered_error"
    assert portal.datasets == {}


# --- what is broken or meant to harm -------------------------------------------------------------

ENTITY = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
REFUSED = {
    "turtle": (PREFIXES + "<a> a dcat:Dataset ;\n dct:title Một .", "text/turtle",
               "catalogue_broken", "line 9"),
    "xml": (XML.replace("</dcat:Dataset>", ""), "application/rdf+xml", "xml_broken", "line"),
    "rdf": (XML.replace("rdf:about=", 'rdf:ID="a" rdf:about='), "application/rdf+xml",
            "catalogue_broken", "RDF|xml"),
    "entity": (XML.replace("?>", "?>" + ENTITY, 1).replace("một", "&e;"), "application/rdf+xml",
               "xml_unsafe", "entit"),
    "json": ('{"@graph": [\n', "application/ld+json", "catalogue_broken", "line 2"),
    "no data.json": ('{"dataset": 4}', "application/json", "catalogue_broken", "dcat:Catalog"),
    "no catalogue": ('<https://x.example/> <https://x.example/b> "c" .', "text/turtle",
                     "catalogue_broken", "dcat:Catalog"),
    "context": ({"@context": "http://127.0.0.1:1/c"}, "application/ld+json",
                "catalogue_unsafe", "@context"),
    "contexts": ({"@context": [{}, "http://127.0.0.1:1/c"]}, "application/ld+json",
                 "catalogue_unsafe", "@context"),
    "import": ({"@context": {"@import": "http://127.0.0.1:1/c"}}, "application/ld+json",
               "catalogue_unsafe", "import"),
    "scoped": ({"@context": {"a": {"@id": "x:a", "@context": "file:///etc/passwd"}}},
               "application/ld+json", "catalogue_unsafe", "@context"),
    "inner": ({"@graph": [{"a": {"@context": "//x.example/c"}}]}, "application/ld+json",
              "catalogue_unsafe", "@context"),
    "page": ("<!doctype html><p>404", "text/html", "html_instead_of_data", "page"),
    "depth": ("[" * 3000 + "]" * 3000, "application/ld+json", "nested_too_deep", "deep"),
    "blank depth": (PREFIXES + "[ dct:a " * 5000 + "1" + "]" * 5000 + " .", "text/turtle",
                    "nested_too_deep", "deep"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_broken_or_unsafe_is_refused_by_name(offers, what):
    content, said, code, told = REFUSED[what]
    with pytest.raises(HarvestError, match=told) as refused:
        offers(content, said=said)
    assert refused.value.code == code


def test_the_context_that_everyone_names_is_at_hand(offers):
    document = {
        "@context": "https://www.w3.org/ns/dcat.jsonld",
        "@id": "https://so.example/1",
        "@type": "Dataset",
        "title": "Một",
    }
    assert offers(document, said="application/ld+json")[0].fields["title"] == "Một"


# --- a run ---------------------------------------------------------------------------------------


@pytest.fixture
def catalogue(portal, httpserver):
    """A catalogue that answers 304 to who knows it."""
    state = {"turtle": TURTLE, "sent": 0}

    def answer(request):
        etag = f'"{hash(state["turtle"])}"'
        if request.headers.get("If-None-Match") == etag:
            return Response(status=304)
        state["sent"] += 1
        return Response(state["turtle"], content_type="text/turtle", headers={"ETag": etag})

    httpserver.expect_request("/c").respond_with_handler(answer)
    httpserver.expect_request("/tram.csv").respond_with_data("mã,tên\n1,Hàng Bông\n")
    state["source"] = portal.add_source(
        name="so",
        kind="dcat",
        url=httpserver.url_for("/c"),
        dataset={"table": "so", "access_tier": "open"},
    )
    return state


def test_a_catalogue_is_published_once(run, catalogue, portal, lake):
    first, again = run(catalogue["source"]), run(catalogue["source"])
    assert (first.error, first.state, again.state) == (None, "published", "unchanged")
    assert catalogue["sent"] == 1
    assert rows(lake, "so_tram_quan_trac_tram") == [{"mã": 1, "tên": "Hàng Bông"}]
    (dataset,) = portal.datasets.values()
    assert dataset["title_en"] == "Air stations"
    assert [one["format"] for one in dataset["resources"]] == ["CSV", "JSON", "PDF"]


def test_an_empty_catalogue_asks_before_it_takes_away(run, catalogue, portal):
    run(catalogue["source"])
    catalogue["turtle"] = PREFIXES + "<https://so.example/> a dcat:Catalog ."
    ran = run(catalogue["source"])
    assert ran.state == "held"
    assert [hold["kind"] for hold in ran.report.as_dict()["holds"]] == ["deletes"]


@pytest.mark.parametrize(
    ("formats", "address", "is_file", "kind"),
    [
        (["CSV"], "https://a/x", True, "csv"),
        (["http://publications.europa.eu/resource/authority/file-type/GEOJSON"], "/x", True,
         "geojson"),
        (["https://www.iana.org/assignments/media-types/text/csv"], "/x", True, "csv"),
        (["http://server/c/CSV"], "/x.csv", True, "csv"),
        (["text/csv; charset=utf-8"], "/x", True, "csv"),
        (["JSON"], "https://a/api", False, None),
        (["JSON"], "https://a/x.json", False, "json"),
        (["application/json"], "https://a/x.geojson", True, "geojson"),
        (["ZIP"], "https://a/x.zip", True, "archive"),
        (["HTML"], "https://a/x.csv", True, None),
        ([], "https://a/x.xlsx", False, "excel"),
        ([], "https://a/x", True, None),
    ],
)  # fmt: skip
def test_formats_are_understood(formats, address, is_file, kind):
    assert dcat_words.kind_of(formats, address, is_file=is_file) == kind


@pytest.mark.parametrize(
    ("written", "term"),
    [
        ("http://purl.org/cld/freq/daily", "DAILY"),
        ("http://publications.europa.eu/resource/authority/frequency/ANNUAL_2", "ANNUAL"),
        ("R/PT1H", "HOURLY"),
        ("annual", "ANNUAL"),
        ("whenever", None),
    ],
)
def test_frequencies_are_understood(written, term):
    assert dcat_words.frequency(written) == term


# --- real catalogues -----------------------------------------------------------------------------

REAL = {
    "dcat-foggia-catalog.rdf": (7, 7, 0),
    "dcat-catalog-list.rdf": (2, 1, 4),
    "dcat-catalog-pod.jsonld": (1, 3, 1),
    "datajson-usda.gov.data.json": (3, 1, 5),
}


@pytest.mark.realdata
@pytest.mark.parametrize("name", REAL)
def test_real_catalogues(client, httpserver, data, name):
    content = (data / "catalogues" / name).read_bytes()
    httpserver.expect_request(f"/{name}").respond_with_data(content, content_type="text/plain")
    found = discovered(client, httpserver.url_for(f"/{name}"))
    files = [file for offer in found for file in offer.files]
    links = [link for offer in found for link in offer.links]
    assert (len(found), len(files), len(links)) == REAL[name]
    assert len({offer.name for offer in found}) == len(found)
    assert len({file.table for file in files}) == len(files)
    assert all(offer.fields["title"] for offer in found)
