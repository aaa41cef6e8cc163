"""An RDF graph's datasets (DCAT 1 to 3, DCAT-AP) in the words that `readers.dcat` explains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import rdflib
from rdflib import BNode, Literal, Namespace, URIRef
from rdflib.namespace import DCAT, DCTERMS, FOAF, RDF, SKOS, TIME

# What data.json says when it is read as linked data; DCAT itself has no such word.
POD_IDENTIFIER = URIRef(f"{DCAT}identifier")
HYDRA = Namespace("http://www.w3.org/ns/hydra/core#")
SCHEMA = (Namespace("http://schema.org/"), Namespace("https://schema.org/"))
VCARD = Namespace("http://www.w3.org/2006/vcard/ns#")

# What catalogues mean by the context "dcat.jsonld", which the W3C does not publish.
_WORDS = {
    "dct": ("title", "description", "identifier", "publisher", "license", "accessRights", "format",
            "accrualPeriodicity", "temporal", "spatial", "issued", "modified", "language"),
    "dcat": ("dataset", "distribution", "keyword", "theme", "contactPoint", "landingPage",
             "downloadURL", "accessURL", "mediaType", "startDate", "endDate", "Catalog", "Dataset",
             "Distribution"),
}  # fmt: skip
_PLACES = ("license", "accessRights", "accrualPeriodicity", "landingPage", "downloadURL",
           "accessURL")  # fmt: skip
CONTEXT: dict[str, Any] = {
    "dcat": str(DCAT),
    "dct": str(DCTERMS),
    "dcterms": str(DCTERMS),
    "foaf": str(FOAF),
    "vcard": str(VCARD),
    "hydra": str(HYDRA),
    "name": str(FOAF.name),
    "fn": str(VCARD.fn),
    "hasEmail": {"@id": str(VCARD.hasEmail), "@type": "@id"},
    **{
        word: {"@id": f"{prefix}:{word}", **({"@type": "@id"} if word in _PLACES else {})}
        for prefix, words in _WORDS.items()
        for word in words
    },
}

_STARTS = (DCAT.startDate, *(schema.startDate for schema in SCHEMA))
_ENDS = (DCAT.endDate, *(schema.endDate for schema in SCHEMA))
_INSTANTS = (TIME.inXSDDate, TIME.inXSDDateTime, TIME.inXSDDateTimeStamp)
_ORGANISATIONS = (VCARD.Organization, VCARD.Group, FOAF.Organization)
_NAMES = (FOAF.name, VCARD.fn, SKOS.prefLabel, rdflib.RDFS.label, DCTERMS.title)
_FORMATS = (DCTERMS["format"], DCAT.mediaType, DCAT.packageFormat, DCAT.compressFormat)

Node = rdflib.term.Node


def is_catalogue(graph: rdflib.Graph) -> bool:
    """Whether the document is a catalogue at all; it may have no dataset."""
    return (None, RDF.type, DCAT.Catalog) in graph or (None, RDF.type, HYDRA.Collection) in graph


def next_pages(graph: rdflib.Graph, base: str) -> list[str]:
    """Addresses of the next page: of this page's own view where several are described."""
    found: dict[str, set[str]] = {}
    for predicate in (HYDRA.next, HYDRA.nextPage):
        for subject, following in graph.subject_objects(predicate):
            found.setdefault(str(subject), set()).add(urljoin(base, str(following)))
    return sorted(found[base] if base in found else set().union(*found.values()))


def total(graph: rdflib.Graph) -> int | None:
    """How many datasets the catalogue says that it has on all of its pages."""
    said = [str(count) for count in graph.objects(None, HYDRA.totalItems)]
    return max((int(count) for count in said if count.isdecimal()), default=None)


def datasets(graph: rdflib.Graph) -> Iterator[dict[str, Any]]:
    """Everything that is a dcat:Dataset or that a catalogue lists as one, in a lasting order."""
    typed = set(graph.subjects(RDF.type, DCAT.Dataset))
    listed = {
        node
        for node in graph.objects(None, DCAT.dataset)
        # A mere mention of what is described on another page.
        if not isinstance(node, Literal) and (node, None, None) in graph
    }
    rows = [_dataset(graph, node) for node in typed | listed]
    return iter(sorted(rows, key=lambda row: (row["iri"], row["identifier"], str(row["titles"]))))


def _dataset(graph: rdflib.Graph, node: Node) -> dict[str, Any]:
    start, end = _period(graph, node)
    identifiers = [*_texts(graph, node, DCTERMS.identifier), *_texts(graph, node, POD_IDENTIFIER)]
    return {
        "iri": "" if isinstance(node, BNode) else str(node),
        "identifier": min(identifiers, default=""),
        "titles": _by_language(graph, node, DCTERMS.title),
        "descriptions": _by_language(graph, node, DCTERMS.description),
        "keywords": sorted(
            [one.language or "", str(one)]
            for one in graph.objects(node, DCAT.keyword)
            if isinstance(one, Literal)
        ),
        "publisher": _names(graph, node, DCTERMS.publisher),
        "contact": _contact(graph, node),
        "licences": _texts(graph, node, DCTERMS.license),
        "rights": _texts(graph, node, DCTERMS.accessRights),
        "frequency": min(_texts(graph, node, DCTERMS.accrualPeriodicity), default=""),
        "start": start,
        "end": end,
        "pages": _texts(graph, node, DCAT.landingPage),
        "distributions": sorted(
            (
                _distribution(graph, one)
                for one in graph.objects(node, DCAT.distribution)
                if not isinstance(one, Literal)
            ),
            key=lambda row: (row["download"], row["access"], str(row["titles"])),
        ),
    }


def _distribution(graph: rdflib.Graph, node: Node) -> dict[str, Any]:
    return {
        "titles": _by_language(graph, node, DCTERMS.title),
        "descriptions": _by_language(graph, node, DCTERMS.description),
        "download": min(_texts(graph, node, DCAT.downloadURL), default=""),
        "access": min(_texts(graph, node, DCAT.accessURL), default=""),
        "formats": [text for predicate in _FORMATS for text in _texts(graph, node, predicate)],
        "licences": _texts(graph, node, DCTERMS.license),
    }


def _texts(graph: rdflib.Graph, node: Node, predicate: URIRef) -> list[str]:
    """Literals and IRIs as they are; of a nameless node its value or its name."""
    found: set[str] = set()
    for one in graph.objects(node, predicate):
        if isinstance(one, BNode):
            inner = (*_NAMES, RDF.value)
            found |= {str(text) for each in inner for text in graph.objects(one, each)}
        else:
            found.add(str(one).strip())
    return sorted(text for text in found if text)


def _by_language(graph: rdflib.Graph, node: Node, predicate: URIRef) -> dict[str, str]:
    texts = sorted(
        ((one.language or "").partition("-")[0].lower(), str(one).strip())
        for one in graph.objects(node, predicate)
        if isinstance(one, Literal)
    )
    # The first of several in one language, whatever order they came in.
    return {language: text for language, text in reversed(texts) if text}


def _names(graph: rdflib.Graph, node: Node, predicate: URIRef) -> str:
    for one in graph.objects(node, predicate):
        if isinstance(one, Literal):
            return str(one)
        names = sorted(str(name) for each in _NAMES for name in graph.objects(one, each))
        if names:
            return names[0]
    return ""


def _contact(graph: rdflib.Graph, node: Node) -> dict[str, str]:
    """Only an organisation's: a person's name and address are their own."""
    for one in graph.objects(node, DCAT.contactPoint):
        if set(graph.objects(one, RDF.type)) & set(_ORGANISATIONS):
            email = min(_texts(graph, one, VCARD.hasEmail), default="")
            name = min((str(name) for name in graph.objects(one, VCARD.fn)), default="")
            return {"name": name, "email": email.removeprefix("mailto:")}
    return {}


def _period(graph: rdflib.Graph, node: Node) -> tuple[str, str]:
    for period in sorted(graph.objects(node, DCTERMS.temporal), key=str):
        ends = [
            min((str(text) for each in said for text in graph.objects(period, each)), default="")
            or _instant(graph, period, linked)
            for said, linked in ((_STARTS, TIME.hasBeginning), (_ENDS, TIME.hasEnd))
        ]
        if any(ends):
            return ends[0], ends[1]
        if isinstance(period, Literal):
            start, _, end = str(period).partition("/")
            return start, end
    return "", ""


def _instant(graph: rdflib.Graph, period: Node, linked: URIRef) -> str:
    said = (
        str(text)
        for instant in graph.objects(period, linked)
        for each in _INSTANTS
        for text in graph.objects(instant, each)
    )
    return min(said, default="")
