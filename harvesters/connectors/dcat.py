"""A DCAT catalogue, on one page or on many (Hydra): its datasets one by one.

All pages are read before the first dataset is offered: a catalogue that breaks off, or that leads
in a circle, changes nothing.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from urllib.parse import urldefrag, urlsplit

from harvesters import apart, webpage
from harvesters.connectors import dcat_offer
from harvesters.connectors.base import Connector, Offer
from harvesters.errors import CatalogueBroken, SourceTooSlow
from harvesters.fetch import REMEMBERED, Client, Fetched
from harvesters.source import Source
from harvesters.workbench import Workbench

READER = "harvesters.readers.dcat"
# Counted up when a page is read in another way, so that kept ones are read anew.
READER_VERSION = 2
ACCEPT = (
    "text/turtle, application/ld+json, application/rdf+xml;q=0.9, application/n-triples;q=0.8, "
    "application/json;q=0.7, */*;q=0.1"
)
MOST_PAGES = 2_000
MOST_DATASETS = 100_000
LONGEST_WALK_S = 3_600

_MEDIA_TYPES = {
    **dict.fromkeys(("text/turtle", "application/x-turtle", "text/n3"), "turtle"),
    **dict.fromkeys(("application/rdf+xml", "application/xml", "text/xml"), "xml"),
    **dict.fromkeys(("application/ld+json", "application/json"), "json-ld"),
    "application/n-triples": "n-triples",
}
_ENDINGS = {
    **dict.fromkeys((".ttl", ".turtle", ".n3"), "turtle"),
    **dict.fromkeys((".rdf", ".xml", ".owl"), "xml"),
    **dict.fromkeys((".jsonld", ".json"), "json-ld"),
    ".nt": "n-triples",
}
# An element's name, where Turtle has an IRI.
_XML = re.compile(rb"<(?:\?xml|!|[A-Za-z_][\w.-]*(?::[\w.-]+)?[\s/>])")


@dataclass(frozen=True)
class Page:
    """A page that was read: its address, its hash, and the file of its rows, one a line."""

    url: str
    sha256: str
    path: Path


def discover(source: Source, client: Client) -> Iterator[Offer]:
    """The catalogue's datasets. Raises CatalogueBroken, CatalogueUnsafe, XmlUnsafe and the like for
    what can't be read, and the errors of `Client.fetch`."""
    pages = list(_pages(source, client))
    shared = _shared(pages)
    seen: set[str] = set()
    for page in pages:
        for row in _rows(page):
            known_by = dcat_offer.identifier(row, shared)
            # A dataset that two pages show is one.
            if known_by and known_by not in seen:
                seen.add(known_by)
                yield dcat_offer.offer(row, known_by, page.url, source)


def _pages(source: Source, client: Client) -> Iterator[Page]:
    url, seen, contents = source.url, set[str](), set[str]()
    deadline, dataset_count, total = time.monotonic() + LONGEST_WALK_S, 0, 0
    while True:
        page = _page(url, source, client)
        seen.add(_plain(url))
        if page.sha256 in contents:
            raise CatalogueBroken("The catalogue gives the same page under two addresses.")
        contents.add(page.sha256)
        about = next(_lines(page))
        dataset_count += about["dataset_count"]
        total = about["total"] or total
        yield page
        following = [each for each in map(_plain, about["next"]) if each != _plain(url)]
        if not following:
            if dataset_count < total:
                raise CatalogueBroken(
                    f"The catalogue says that it has {total} datasets and gave {dataset_count}."
                )
            return
        if len(following) > 1:
            raise CatalogueBroken("A page of the catalogue names several next pages.")
        (url,) = following
        if url in seen:
            raise CatalogueBroken("The pages of the catalogue lead in a circle.")
        if len(seen) >= MOST_PAGES or dataset_count > MOST_DATASETS:
            raise CatalogueBroken(
                f"The catalogue has more than {MOST_PAGES} pages or {MOST_DATASETS} datasets."
            )
        if time.monotonic() > deadline:
            raise SourceTooSlow(f"The catalogue took longer than {LONGEST_WALK_S} s.")


def _page(url: str, source: Source, client: Client) -> Page:
    """A page, fetched if it has changed, and read if it was not read before."""
    fetched = client.fetch_again(url, source.id, ACCEPT)
    serialisation = _serialisation(source, fetched)
    made_of = json.dumps([READER_VERSION, fetched.sha256, serialisation, url])
    name = hashlib.sha256(made_of.encode()).hexdigest()
    page = Page(url, fetched.sha256, client.raw_dir / REMEMBERED / name)
    try:
        # It is needed still: upkeep removes only what is old.
        os.utime(page.path)
    except FileNotFoundError:
        arguments = {"serialisation": serialisation, "base": url}
        written = page.path.with_suffix(f".{os.getpid()}-{time.monotonic_ns()}")
        with Workbench() as bench:
            (read,) = apart.tables(READER, fetched.path, arguments, bench)
            with written.open("w", encoding="utf-8") as file:
                for (text,) in bench.rows(f'SELECT c0 FROM "{read.name}" ORDER BY row'):  # noqa: S608
                    file.write(f"{text}\n")
        written.replace(page.path)
    return page


def _shared(pages: list[Page]) -> set[str]:
    """Identifiers that several datasets have, which therefore tell none of them."""
    owners = {
        (row["identifier"], row["iri"])
        for page in pages
        for row in _rows(page)
        if row["identifier"] and row["iri"]
    }
    counts = Counter(identifier for identifier, _ in owners)
    return {identifier for identifier, count in counts.items() if count > 1}


def _rows(page: Page) -> Iterator[dcat_offer.Row]:
    # The first line is the page itself.
    return islice(_lines(page), 1, None)


def _lines(page: Page) -> Iterator[dcat_offer.Row]:
    with page.path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def _plain(url: str) -> str:
    return urldefrag(url).url


def _serialisation(source: Source, fetched: Fetched) -> str:
    """What the page is written in: as pinned, as its server, its address or its first byte says.

    Raises HtmlInsteadOfData.
    """
    if source.options.rdf_format:
        return source.options.rdf_format
    head = _head(fetched.path)
    webpage.refuse(head)
    said = (fetched.content_type or "").partition(";")[0].strip().lower()
    ending = PurePosixPath(urlsplit(fetched.url).path).suffix.lower()
    found = _MEDIA_TYPES.get(said) or _ENDINGS.get(ending)
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    # Servers call JSON and RDF/XML many things, and both tell what they are.
    if text[:1] in (b"{", b"[") and found != "turtle":
        return "json-ld"
    if _XML.match(text) and found != "n-triples":
        return "xml"
    return found if found == "n-triples" else "turtle"


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4096)


CONNECTOR = Connector(
    kind="dcat",
    title="DCAT catalogue",
    help="Every dataset of a catalogue in RDF/XML, Turtle, N-Triples, JSON-LD or data.json "
    "(Project Open Data), page by page where it has Hydra's next pages. Distributions of a kind "
    "that can be read become tables, the others links. Pin the writing in the option rdf_format.",
    decode=None,
    discover=discover,
)
