"""Another CKAN catalogue: its datasets one by one, their tabular files by the other connectors."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from requests.utils import requote_uri

from harvesters.addresses import check_url
from harvesters.connectors import dcat_words
from harvesters.connectors.base import Connector, File, Link, Offer
from harvesters.errors import (
    ApiRefused,
    CatalogueBroken,
    SourceChanging,
    SourceTooSlow,
    UrlRefused,
)
from harvesters.fetch import Client, Fetched
from harvesters.pages import document, with_query
from harvesters.source import Source
from lake import names

PAGE_ROWS = 100
MOST_DATASETS = 200_000
LONGEST_WALK_S = 3_600
# How often datasets may go while the pages are read.
MOST_FALLS = 50
DATASET_NAME_LENGTH = 100

# Of these formats, what lies at an address is often an API or a page about the data.
_NEED_A_FILE = ("json", "xml", "archive")
# Licence ids of older catalogues, as CKAN's register and SPDX name them now.
LICENCES = {
    "cc-by": "CC-BY-4.0",
    "cc-by-4.0": "CC-BY-4.0",
    "cc-by-sa": "CC-BY-SA-4.0",
    "cc-by-sa-4.0": "CC-BY-SA-4.0",
    "cc-zero": "CC0-1.0",
    "cc0": "CC0-1.0",
    "cc0-1.0": "CC0-1.0",
    "odc-by": "ODC-BY-1.0",
    "odc-odbl": "ODbL-1.0",
    "odbl-1.0": "ODbL-1.0",
    "odc-pddl": "PDDL-1.0",
    "uk-ogl": "OGL-UK-3.0",
    "ogl-uk": "OGL-UK-3.0",
}


def discover(source: Source, client: Client) -> Iterator[Offer]:
    """The catalogue's datasets. All pages are read before the first one is offered: a catalogue
    that breaks off, or that gives fewer datasets than it says it has, changes nothing.

    Raises CatalogueBroken, SourceTooSlow, and the errors of `Client.fetch_again`.
    """
    seen: set[str] = set()
    for page in list(_pages(source, client)):
        for package in _found(page)["results"]:
            # One that came or went while the pages were read moved others to the next page.
            if package["id"] not in seen:
                seen.add(package["id"])
                yield _described(package, source)


def _pages(source: Source, client: Client) -> Iterator[Fetched]:
    """The pages of the whole catalogue, whatever a server's own limit of a page is."""
    root, query = _address(source.url)
    seen: set[str] = set()
    deadline = time.monotonic() + LONGEST_WALK_S
    start, count, falls = 0, 0, 0
    while True:
        url = with_query(
            f"{root}/api/3/action/package_search", **query, start=start, rows=PAGE_ROWS
        )
        page = client.fetch_again(url, source.id, "application/json")
        found = _found(page)
        yield page
        seen.update(package["id"] for package in found["results"])
        went, count = max(0, count - found["count"]), found["count"]
        falls += went > 0
        # Those that went moved as many of the others before this page.
        start = max(0, start - went) if went else start + len(found["results"])
        if not went and (start >= count or not found["results"]):
            break
        if len(seen) > MOST_DATASETS:
            raise CatalogueBroken(f"The catalogue has more than {MOST_DATASETS} datasets.")
        if falls > MOST_FALLS:
            raise SourceChanging("The catalogue's datasets come and go while its pages are read.")
        if time.monotonic() > deadline:
            raise SourceTooSlow(f"The catalogue took longer than {LONGEST_WALK_S} s.")
    if len(seen) < count:
        raise CatalogueBroken(
            f"The catalogue says that it has {count} datasets and gave {len(seen)}."
        )


def _address(url: str) -> tuple[str, dict[str, str]]:
    """The catalogue's root, and the officer's own `q` and `fq` when the address is a search."""
    parts = urlsplit(url)
    path = parts.path.partition("/api/")[0].removesuffix("/").removesuffix("/dataset")
    query = dict(parse_qsl(parts.query))
    search = {key: value for key, value in query.items() if key in ("q", "fq")}
    return f"{parts.scheme}://{parts.netloc}{path}", {"sort": "metadata_created asc", **search}


def _found(page: Fetched) -> dict[str, Any]:
    """What a page has: `results`, and the `count` of all."""
    try:
        answer = document(page)
        found = answer["result"]
        if not (answer["success"] and isinstance(found["results"], list)):
            raise ValueError
        for package in found["results"]:
            package["id"], package["name"] = str(package["id"]), str(package["name"])
        return {"results": found["results"], "count": int(found["count"])}
    except (ApiRefused, ValueError, KeyError, TypeError) as error:
        raise CatalogueBroken(
            "The catalogue does not answer as CKAN's package_search does."
        ) from error


def _described(package: Mapping[str, Any], source: Source) -> Offer:
    try:
        return _offer(package, source)
    except (ValueError, KeyError, TypeError, AttributeError):
        broken = CatalogueBroken("The catalogue does not describe its datasets as CKAN does.")
        return Offer(package["id"], _name(package, source), {}, [], broken=broken)


def _offer(package: Mapping[str, Any], source: Source) -> Offer:
    defaults = {key: value for key, value in source.dataset.items() if key not in ("table", "name")}
    fields = {**defaults, **_fields(package)}
    files: list[File] = []
    links: list[Link] = []
    taken: set[str] = set()
    for resource in package.get("resources") or []:
        url = str(resource.get("url") or "").strip()
        if not url:
            continue
        name = str(resource.get("name") or "").strip() or PurePosixPath(urlsplit(url).path).name
        description = str(resource.get("description") or "")
        kind = kind_of(resource)
        if kind is None:
            format_text = str(resource.get("format") or "").strip()
            if address := _web_address(url):
                links.append(Link(address, name, format_text, description))
            continue
        table = names.table_name(source.table, str(package["name"]), name)
        if table in taken:
            table = names.table_name(table, str(resource.get("id", ""))[:8])
        taken.add(table)
        files.append(File(url, kind, table, name, description, keeps_table=True))
    return Offer(
        identifier=str(package["id"]),
        name=_name(package, source),
        fields=fields,
        files=files,
        links=links,
    )


def _name(package: Mapping[str, Any], source: Source) -> str:
    return f"{source.name}-{package['name']}"[:DATASET_NAME_LENGTH].rstrip("-_")


def _web_address(url: str) -> str | None:
    """An address as the portal may show it as a link, or None: no script, nothing broken."""
    try:
        check_url(url)
        return requote_uri(url)
    except (UrlRefused, requests.RequestException):
        return None


def kind_of(resource: Mapping[str, Any]) -> str | None:
    """The kind that decodes a resource, by its format, its media type, or its address's ending."""
    url = str(resource.get("url") or "")
    written = (str(resource.get(key) or "").strip() for key in ("format", "mimetype"))
    said = [text for text in written if text][:1]
    found = dcat_words.kind_of(said, url, is_file=True)
    if found in _NEED_A_FILE and resource.get("url_type") != "upload":
        return dcat_words.kind_of(said, url, is_file=False)
    return found


def _fields(package: Mapping[str, Any]) -> dict[str, Any]:
    """What the portal takes over. Names and addresses of the other catalogue's staff stay there."""
    license_id = str(package.get("license_id") or "").strip()
    fields = {
        "title": package.get("title") or package["name"],
        "notes": package.get("notes"),
        "license_id": LICENCES.get(license_id.lower(), license_id),
        "tags": [tag["name"] for tag in package.get("tags") or [] if tag.get("name")],
    }
    return {key: value for key, value in fields.items() if value}


CONNECTOR = Connector(
    kind="ckan",
    title="CKAN catalogue",
    help="Every dataset of another CKAN (address of its start page, or of a package_search with q "
    "and fq). Resources of the formats of the other kinds become tables, the others links.",
    decode=None,
    discover=discover,
)
