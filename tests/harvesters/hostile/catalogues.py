"""Hostile DCAT catalogues: what their pages are, and the error each must end in."""

from __future__ import annotations

import json
from collections.abc import Callable

from pytest_httpserver import HTTPServer

from tests.harvesters.hostile.case import Case
from tests.harvesters.hostile.files import LAUGHING, READING

PREFIXES = (
    "@prefix dcat: <http://www.w3.org/ns/dcat#> .\n"
    "@prefix hydra: <http://www.w3.org/ns/hydra/core#> .\n"
)
RDF = (
    '<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    'xmlns:d="http://www.w3.org/ns/dcat#"><d:Dataset r:about="x:1"><d:keyword>{}</d:keyword>'
    "</d:Dataset></r:RDF>"
)
TURTLE, XML, JSON_LD = "text/turtle", "application/rdf+xml", "application/ld+json"


def pages(said: str, *contents: str) -> Callable[[HTTPServer], str]:
    """Pages at /page/1, /page/2 … of one media type."""

    def served(server: HTTPServer) -> str:
        for number, content in enumerate(contents, start=1):
            page = server.expect_request(f"/page/{number}")
            page.respond_with_data(content, content_type=said)
        return server.url_for("/page/1")

    return served


def leading_to(number: int, *following: int) -> str:
    links = "".join(f"<> hydra:next </page/{each}> .\n" for each in following)
    return f"{PREFIXES}<x:{number}> a dcat:Dataset .\n{links}"


CATALOGUES = [
    Case("turtle_malformed", "dcat", "catalogue_broken",
         served=pages(TURTLE, PREFIXES + "<x:1> a dcat:Dataset ; dcat:keyword Hà Nội .")),
    Case("turtle_that_nests", "dcat", "nested_too_deep",
         served=pages(TURTLE, PREFIXES + "[ dcat:a " * 20_000)),
    Case("turtle_of_20_mib", "dcat", "catalogue_broken",
         served=pages(TURTLE, PREFIXES + "<x:1> a dcat:Dataset .\n" * 900_000)),
    Case("pages_in_a_circle", "dcat", "catalogue_broken",
         served=pages(TURTLE, leading_to(1, 2), leading_to(2, 3), leading_to(3, 1))),
    Case("pages_in_two_directions", "dcat", "catalogue_broken",
         served=pages(TURTLE, leading_to(1, 2, 3), leading_to(2), leading_to(3))),
    Case("page_to_the_private_network", "dcat", "address_forbidden",
         served=pages(TURTLE, PREFIXES + "<> hydra:next <http://169.254.169.254/latest> .")),
    Case("page_to_a_file", "dcat", "url_refused",
         served=pages(TURTLE, PREFIXES + "<> hydra:next <file:///etc/passwd> .")),
    Case("rdf_that_reads_files", "dcat", "xml_unsafe",
         served=pages(XML, READING + RDF.format("&e;"))),
    Case("rdf_that_laughs", "dcat", "xml_unsafe", served=pages(XML, LAUGHING + RDF.format("&i;"))),
    Case("context_from_elsewhere", "dcat", "catalogue_unsafe",
         served=pages(JSON_LD, json.dumps({"@context": "http://169.254.169.254/c", "a": 1}))),
    Case("context_of_a_file", "dcat", "catalogue_unsafe",
         served=pages(JSON_LD, json.dumps({"@context": ["file:///etc/passwd"], "a": 1}))),
    Case("data_json_of_nothing", "dcat", "catalogue_broken",
         served=pages("application/json", '{"dataset": null}')),
]  # fmt: skip
