"""The catalogue as linked data: read back with rdflib."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
from ckan.plugins import toolkit as tk
from ckan.tests.helpers import call_action
from ckanext.dcat.processors import RDFSerializer
from portal_scene import page
from rdflib import BNode, Graph, Literal, URIRef
from rdflib.namespace import DCAT, DCTERMS, FOAF, RDF, SKOS, XSD

pytest_plugins = ("portal_scene",)

EU = "http://publications.europa.eu/resource/authority/"
FORMATS = {"ttl": "turtle", "jsonld": "json-ld", "rdf": "xml"}


def graph(site, path, suffix):
    return Graph().parse(data=site.get(f"{path}.{suffix}").body, format=FORMATS[suffix])


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_dataset_carries_its_fields(site, scene, suffix):
    g = graph(site, "/dataset/diem-dung", suffix)
    (dataset,) = g.subjects(RDF.type, DCAT.Dataset)
    assert set(g.objects(dataset, DCTERMS.title)) == {
        Literal("Điểm dừng xe buýt", lang="vi"),
        Literal("Bus stops", lang="en"),
    }
    assert set(g.objects(dataset, DCTERMS.description)) == {
        Literal("Mọi điểm dừng của thành phố.", lang="vi"),
        Literal("Every stop of the city.", lang="en"),
    }
    assert g.value(dataset, DCTERMS.accrualPeriodicity) == URIRef(EU + "frequency/MONTHLY")
    assert g.value(dataset, DCTERMS.accessRights) == URIRef(EU + "access-right/PUBLIC")

    place = g.value(dataset, DCTERMS.spatial)
    assert g.value(place, DCTERMS.identifier) == Literal("00004")
    assert g.value(place, SKOS.prefLabel) == Literal("Phường Ba Đình", lang="vi")

    theme = g.value(dataset, DCAT.theme)
    assert Literal("Transport", lang="en") in g.objects(theme, SKOS.prefLabel)

    publisher = g.value(dataset, DCTERMS.publisher)
    assert set(g.objects(publisher, FOAF.name)) == {
        Literal("Sở Xây dựng", lang="vi"),
        Literal("Department of Construction", lang="en"),
    }

    days = {str(value)[:10] for _, _, value in g if "-" in str(value)[4:5]}
    assert {"2025-01-01", "2025-12-31"} <= days


def test_a_distribution_names_table_version_licence_and_size(site, scene):
    g = graph(site, "/dataset/diem-dung", "ttl")
    (distribution,) = g.subjects(RDF.type, DCAT.Distribution)
    url = URIRef("http://gateway.test:8000/v1/tables/transport_stops/download.csv")
    assert g.value(distribution, DCAT.downloadURL) == url
    assert g.value(distribution, DCTERMS.identifier) == Literal("transport_stops")
    assert g.value(distribution, DCAT.version) == Literal("2")
    size = Literal(90210, datatype=XSD.nonNegativeInteger)
    assert g.value(distribution, DCAT.byteSize) == size
    licence = URIRef("https://creativecommons.org/licenses/by/4.0/")
    assert g.value(distribution, DCTERMS.license) == licence


def test_topics_have_one_address_in_all_languages(site, scene):
    topics = [
        set(graph(site, f"{prefix}/dataset/diem-dung", "ttl").objects(None, DCAT.theme))
        for prefix in ("", "/en")
    ]
    assert topics[0] == topics[1]


def test_a_dataset_with_terms_is_restricted(site, scene):
    g = graph(site, "/dataset/khong-khi", "ttl")
    (dataset,) = g.subjects(RDF.type, DCAT.Dataset)
    assert g.value(dataset, DCTERMS.accessRights) == URIRef(EU + "access-right/RESTRICTED")


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_catalogue_lists_every_dataset(site, scene, suffix):
    g = graph(site, "/catalog", suffix)
    (catalogue,) = g.subjects(RDF.type, DCAT.Catalog)
    assert len(set(g.objects(catalogue, DCAT.dataset))) == 2
    assert len(set(g.objects(catalogue, DCTERMS.language))) == 2


def described(site, path):
    return page(site, path).select_one('script[type="application/ld+json"]').text


def said(g):
    """What a graph says, whatever its nodes without a name are called."""
    return {
        ("_" if isinstance(s, BNode) else s, p, "_" if isinstance(o, BNode) else o)
        for s, p, o in g
        if o != Literal("")
    }


def test_the_dataset_page_says_to_search_engines_what_ckanext_dcat_would(site, scene):
    dataset = call_action("package_show", id="diem-dung")
    for moment in ("metadata_created", "metadata_modified"):
        dataset[moment] += "+00:00"  # which CKAN leaves out
    serializer = RDFSerializer(["schemaorg"])
    serializer.graph_from_dataset(dataset)
    ours = said(Graph().parse(data=described(site, "/dataset/diem-dung"), format="json-ld"))
    assert said(serializer.g) <= ours
    assert len(said(serializer.g)) > 30


def test_the_dataset_page_describes_itself_to_search_engines(site, scene):
    dataset = json.loads(described(site, "/dataset/diem-dung"))
    assert dataset["@type"] == "schema:Dataset"
    assert dataset["schema:name"] == "Điểm dừng xe buýt"
    assert dataset["schema:alternateName"]["@value"] == "Bus stops"
    assert dataset["schema:isAccessibleForFree"] is True
    assert len(dataset["schema:variableMeasured"]) == 3
    assert dataset["schema:url"] == tk.url_for("dataset.read", id="diem-dung", _external=True)


def test_one_odd_dataset_does_not_break_the_catalogue(site, scene):
    odd = "<b>x</b> \"'\\"
    resource = {"name": odd, "description": odd, "url": "https://example.org/x", "format": odd}
    texts = dict.fromkeys(("title", "notes", "contact_name", "data_quality"), odd)
    owner = scene.department["id"]
    made = call_action("package_create", name="la", owner_org=owner, resources=[resource], **texts)
    try:
        for suffix in FORMATS:
            for path in ("/dataset/la", "/catalog"):
                found = graph(site, path, suffix)
                assert odd in {str(title) for title in found.objects(None, DCTERMS.title)}
        text = described(site, "/dataset/la")
        assert "<b>" not in text
        assert json.loads(text)["schema:description"] == odd
    finally:
        call_action("package_delete", id=made["id"])


@pytest.mark.parametrize("suffix", ["ttl", "n3"])
def test_texts_say_that_they_are_utf_8(site, scene, suffix):
    answer = site.get(f"/dataset/diem-dung.{suffix}")
    assert answer.headers["Content-Type"].endswith("; charset=utf-8")


def test_a_licence_of_the_portal_is_named_by_its_page(site, own_scene):
    own = {"name": "rieng", "license_id": "hanoi-open-data"}
    resource = {"name": "Tệp", "url": "http://example.org/a.csv"}
    owner = own_scene.department["id"]
    call_action("package_create", **own, title="Riêng", owner_org=owner, resources=[resource])
    for prefix in ("", "/en"):
        g = graph(site, f"{prefix}/dataset/rieng", "ttl")
        (licence,) = g.objects(None, DCTERMS.license)
        assert licence == URIRef("http://test.ckan.net/hanoiic/licences/hanoi-open-data")


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_catalogue_says_what_dcat_ap_asks_of_one(site, scene, suffix):
    g = graph(site, "/catalog", suffix)
    (catalogue,) = g.subjects(RDF.type, DCAT.Catalog)
    for predicate in (DCTERMS.title, DCTERMS.description, DCAT.dataset):
        assert g.value(catalogue, predicate) is not None, predicate
    (publisher,) = g.objects(catalogue, DCTERMS.publisher)
    assert (publisher, RDF.type, FOAF.Agent) in g
    assert {name.language for name in g.objects(publisher, FOAF.name)} == {"vi", "en"}


def test_times_say_that_they_are_utc(site, scene):
    g = graph(site, "/catalog", "ttl")
    moments = [*g.objects(None, DCTERMS.issued), *g.objects(None, DCTERMS.modified)]
    assert len(moments) > 4
    assert all(moment.toPython().utcoffset() == timedelta(0) for moment in moments)
    told = json.loads(described(site, "/dataset/diem-dung"))
    for name in ("datePublished", "dateModified"):
        assert datetime.fromisoformat(told[f"schema:{name}"]).utcoffset() == timedelta(0)
