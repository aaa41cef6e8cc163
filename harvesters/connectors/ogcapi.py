"""OGC API – Features (OGC 17-069): the collections of a server, each a table.

landing page → collections → items, page by page along their `next` links, in CRS84
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from fnmatch import fnmatch
from functools import partial
from typing import Any
from urllib.parse import quote, urlsplit

from harvesters import decode as decoding
from harvesters import pages
from harvesters.connectors import geojson, json
from harvesters.connectors.base import Connector, File, Offer, one_file
from harvesters.errors import ApiRefused, PagesBroken, PartNotFound
from harvesters.fetch import Client, Fetched
from harvesters.incoming import Incoming
from harvesters.pages import Pages, joined, line, query_of, with_query
from harvesters.source import Source
from lake import names

PAGE_ROWS = 1_000
MOST_COLLECTIONS = 200
_ACCEPT = "application/geo+json, application/json;q=0.9"
_COLLECTION = re.compile(r"(?P<root>.*)/collections/(?P<name>[^/]+)(?:/items)?/?")
_JSON = ("application/json", "application/geo+json", "application/vnd.oai.openapi+json")
_SHOWN = 20


def discover(source: Source, client: Client) -> Iterable[Offer]:
    """One dataset with a file for each collection: that of the address, or those of the server
    that the option `parts` fits.

    Raises ApiRefused, PartNotFound, and the errors of `Pages.get`.
    """
    for offer in one_file(source, client):
        yield replace(offer, files=list(_files(source, client, offer.files[0])))


def _files(source: Source, client: Client, plain: File) -> Iterator[File]:
    if _COLLECTION.fullmatch(urlsplit(source.url).path):
        url = _items_address(source.url)
        yield replace(plain, collect=partial(_collect, source, url))
        return
    found = _wanted(_collections(source, client), source)
    for name, about in found.items():
        table = plain.table if len(found) == 1 else names.table_name(plain.table, name)
        title = str(about.get("title") or name)
        url = _address_of(about, source.url)
        yield replace(
            plain,
            url=url,
            table=table,
            name=title,
            description=str(about.get("description") or ""),
            collect=partial(_collect, source, url),
        )


def _wanted(found: dict[str, dict[str, Any]], source: Source) -> dict[str, dict[str, Any]]:
    pattern = source.options.parts or "*"
    fitting = {name: about for name, about in found.items() if fnmatch(name, pattern)}
    if not fitting or len(fitting) > MOST_COLLECTIONS:
        raise PartNotFound(
            f"{len(fitting)} collections of the server fit {pattern!r}, from 1 to "
            f"{MOST_COLLECTIONS} may; it has {len(found)}: {', '.join(list(found)[:_SHOWN])}.",
            found=len(found),
        )
    return fitting


def _collections(source: Source, client: Client) -> dict[str, dict[str, Any]]:
    """The server's collections of features by their ids."""
    with Incoming(client.raw_dir, client.limits) as clock:
        walk = Pages(source, client, clock)
        about = walk.about(with_query(source.url, f="json"))
        if "collections" not in about:
            place = _link(about, ("data", "http://www.opengis.net/def/rel/ogc/1.0/data"))
            if place is None:
                raise ApiRefused("The address is no landing page of an OGC API with collections.")
            about = walk.about(with_query(joined(source.url, place), f="json"))
        found: dict[str, dict[str, Any]] = {}
        while True:
            for each in _objects(about.get("collections")):
                if each.get("itemType", "feature") == "feature" and "id" in each:
                    found[str(each["id"])] = each
            following = _link(about, ("next",))
            if following is None:
                return found
            about = walk.about(joined(source.url, following))


def _objects(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise ApiRefused("The server's collections are no list, as those of an OGC API are.")
    return [each for each in value if isinstance(each, dict)]


def _link(about: dict[str, Any], relations: Collection[str]) -> str | None:
    """The address of a link of these relations: of one that says it is JSON, or of the first."""
    links = [
        each
        for each in about.get("links") or []
        if isinstance(each, dict) and each.get("rel") in relations and each.get("href")
    ]
    said = [each for each in links if str(each.get("type", "")).partition(";")[0] in _JSON]
    chosen = next(iter([*said, *links]), None)
    return None if chosen is None else str(chosen["href"])


def _address_of(about: dict[str, Any], base: str) -> str:
    if (href := _link(about, ("items",))) is not None:
        return _items_address(joined(base, href))
    root = base.partition("?")[0].rstrip("/").removesuffix("/collections")
    return _items_address(f"{root}/collections/{quote(str(about['id']), safe='')}")


def _items_address(url: str) -> str:
    """A collection's items with a page's size, if the address has none of its own."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/").removesuffix("/items") + "/items"
    asked: dict[str, str | int] = {"limit": PAGE_ROWS, **query_of(url), "f": "json"}
    return with_query(parts._replace(path=path, query="").geturl(), **asked)


def _collect(source: Source, url: str, client: Client) -> Fetched:
    """All items of a collection as one GeoJSON file. Raises ApiRefused, PagesBroken, and the errors
    of `Pages.get`."""
    fetched = pages.gathered(source, client, lambda walk: _file(url, walk))
    return replace(fetched, url=url)


def _file(url: str, walk: Pages) -> Iterator[bytes]:
    yield from pages.collection(b"", _features(url, walk))


def _features(first: str, walk: Pages) -> Iterator[bytes]:
    url: str | None = first
    count, matched = 0, None
    while url is not None:
        fetched = walk.get(url, _ACCEPT)
        text = decoding.text(fetched.path)
        if not json.has_list(text, "features"):
            _refuse(fetched)
        for feature in walk.rows(map(line, pages.items(fetched.path, "features.item"))):
            count += 1
            yield feature
        said = pages.scalars(fetched.path, ["numberMatched"]).get("numberMatched")
        matched = said if isinstance(said, int) else matched
        url = _next(fetched, url)
    # What came meanwhile may make them more, but a page that is missing makes them fewer.
    if matched is not None and count < matched:
        raise PagesBroken(
            f"The server says that the collection has {matched} features and gave {count}.",
            total=matched,
        )


def _next(fetched: Fetched, url: str) -> str | None:
    links = list(pages.items(fetched.path, "links.item"))
    following = _link({"links": links}, ("next",)) or pages.next_link(fetched.link)
    return joined(url, following) if following else None


def _refuse(fetched: Fetched) -> None:
    """Raise what an answer without features says (RFC 7807, or OGC's own exceptions)."""
    places = ("detail", "description", "title", "code")
    said = pages.scalars(fetched.path, places)
    words = next((str(said[place])[:200] for place in places if said.get(place)), "it is none")
    raise ApiRefused(f"The server's answer is no collection of features: {words}.")


CONNECTOR = Connector(
    kind="ogcapi",
    title="OGC API – Features",
    help="The collections of a server (address of its landing page) or one of them "
    "(.../collections/name, with its own filters such as ?bbox=...): a feature is a row, in "
    "longitude and latitude. Several collections are tables named <table>_<collection>. Options: "
    "parts (a pattern of collections), secret, columns.",
    decode=geojson.decode,
    discover=discover,
)
