"""Sitemaps (sitemaps.org, protocol 0.9): the public pages that search engines should know.

``/sitemap.xml`` is an index of a file with the portal's fixed pages, and of files with a thousand
datasets each. Every page stands there in each language, with its sisters as alternates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree import ElementTree

import flask
from ckan.plugins import toolkit as tk

DATASETS_A_FILE = 1000  # CKAN answers no longer search; sitemaps may have 50,000 addresses
FIXED = ("home.index", "dataset.search", "organization.index", "group.index", "home.about")
LISTS = {"organization": "organization_list", "group": "group_list"}
SITEMAP, XHTML = "http://www.sitemaps.org/schemas/sitemap/0.9", "http://www.w3.org/1999/xhtml"
ElementTree.register_namespace("", SITEMAP)
ElementTree.register_namespace("xhtml", XHTML)

sitemap = flask.Blueprint("hanoiic_sitemap", __name__)


def languages() -> dict[str, str]:
    """The languages of the pages, and what CKAN's ``url_for`` calls each of them."""
    default = tk.config["ckan.locale_default"]
    return {language: "default" if language == default else language for language in ("vi", "en")}


@sitemap.route("/sitemap.xml")
def index() -> flask.Response:
    """The files there are."""
    files = -(-_datasets(rows=0)["count"] // DATASETS_A_FILE)
    root = ElementTree.Element(f"{{{SITEMAP}}}sitemapindex")
    addresses = [_address("hanoiic_sitemap.fixed", {})]
    addresses += [_address("hanoiic_sitemap.datasets", {"number": n + 1}) for n in range(files)]
    for address in addresses:
        entry = ElementTree.SubElement(root, f"{{{SITEMAP}}}sitemap")
        ElementTree.SubElement(entry, f"{{{SITEMAP}}}loc").text = address
    return _xml(root)


@sitemap.route("/sitemap-pages.xml")
def fixed() -> flask.Response:
    """The fixed pages, departments and topics."""
    pages: list[tuple[str, Mapping[str, str], str | None]] = [(page, {}, None) for page in FIXED]
    for kind, action in LISTS.items():
        names = tk.get_action(action)({"user": ""}, {})
        pages += [(f"{kind}.read", {"id": name}, None) for name in names]
    return _xml(_pages(pages))


@sitemap.route("/sitemap-<int:number>.xml")
def datasets(number: int) -> flask.Response:
    """The ``number``-th thousand of the public datasets, the oldest first; from 1. 404: none."""
    start = (number - 1) * DATASETS_A_FILE
    found = _datasets(rows=DATASETS_A_FILE, start=start)["results"] if start >= 0 else []
    if not found:
        tk.abort(404)
    return _xml(
        _pages(
            ("dataset.read", {"id": dataset["name"]}, dataset["metadata_modified"])
            for dataset in found
        )
    )


def _datasets(**asked: int) -> dict[str, Any]:
    """What a stranger finds, whoever asks."""
    query = {"fl": "name,metadata_modified", "sort": "metadata_created asc", **asked}
    found: dict[str, Any] = tk.get_action("package_search")({"user": ""}, query)
    return found


def _pages(pages: Iterable[tuple[str, Mapping[str, str], str | None]]) -> ElementTree.Element:
    """Pages by endpoint, values of its address and time of change (ISO 8601)."""
    root = ElementTree.Element(f"{{{SITEMAP}}}urlset")
    called = languages()
    for endpoint, values, changed in pages:
        in_language = {
            language: _address(endpoint, {**values, "locale": name})
            for language, name in called.items()
        }
        for address in in_language.values():
            entry = ElementTree.SubElement(root, f"{{{SITEMAP}}}url")
            ElementTree.SubElement(entry, f"{{{SITEMAP}}}loc").text = address
            if changed:
                ElementTree.SubElement(entry, f"{{{SITEMAP}}}lastmod").text = changed
            for language, alternate in in_language.items():
                attributes = {"rel": "alternate", "hreflang": language, "href": alternate}
                ElementTree.SubElement(entry, f"{{{XHTML}}}link", attributes)
    return root


def _address(endpoint: str, values: Mapping[str, Any]) -> str:
    address: str = tk.url_for(endpoint, **{"locale": "default", **values}, _external=True)
    return address


def _xml(root: ElementTree.Element) -> flask.Response:
    text = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return flask.Response(text, mimetype="application/xml")
