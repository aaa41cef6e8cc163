"""Web Feature Service 2.0 and 1.1: every feature type of a server is a dataset with one table.

capabilities → feature types → features, page by page: as GeoJSON where the server has it, else GML
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from harvesters import decode as decoding
from harvesters import pages
from harvesters.connectors import json, wfs_gml, wfs_words
from harvesters.connectors.base import Connector, File, Offer
from harvesters.connectors.wfs_words import Capabilities, FeatureType
from harvesters.errors import ApiRefused, PagesBroken, PartNotFound, SourceInterrupted
from harvesters.fetch import Client, Fetched
from harvesters.incoming import Incoming
from harvesters.pages import Pages, line, with_query
from harvesters.source import Source
from lake import names

PAGE_ROWS = 1_000
MOST_TYPES = 1_000
MOST_FEATURES = 5_000_000
NAME_LENGTH = 100
_SHOWN = 20
_XML = "application/gml+xml, text/xml, application/xml;q=0.9"
# What is asked for here; everything else of the officer's address goes with every question.
_OURS = (
    *("service", "request", "version", "acceptversions", "typename", "typenames", "outputformat"),
    *("count", "maxfeatures", "startindex", "resulttype", "srsname"),
)
# GeoServer makes them up for layers without a key, and anew for every answer.
_MADE_UP_ID = re.compile(r"(?:.*\.)?fid-[-0-9a-f_]{8,}")


def discover(source: Source, client: Client) -> Iterable[Offer]:
    """The feature types of the server: those that the address names, or the option `parts` fits.

    Raises ApiRefused, PartNotFound, and the errors of `Pages.get`.
    """
    with Incoming(client.raw_dir, client.limits) as clock:
        asked = _Asked(source.url)
        said = asked.version or "2.0.0,1.1.0"
        key = "version" if asked.version else "acceptVersions"
        url = asked.url(request="GetCapabilities", **{key: said})
        found = wfs_words.capabilities(Pages(source, client, clock).get(url, _XML))
    taken: set[str] = set()
    for kind in _wanted(found, asked, source):
        yield _offer(kind, found, asked, source, taken)


def _wanted(found: Capabilities, asked: _Asked, source: Source) -> list[FeatureType]:
    pattern = source.options.parts or "*"
    wanted = [
        kind
        for name, kind in found.types.items()
        if fnmatch(name, pattern) and (not asked.names or name in asked.names)
    ]
    gone = [name for name in asked.names if name not in found.types]
    if gone or len(wanted) > MOST_TYPES or (found.types and not wanted):
        raise PartNotFound(
            f"{len(wanted)} feature types of the server fit {pattern!r}, from 1 to {MOST_TYPES} "
            f"may; it has {len(found.types)}: {', '.join(list(found.types)[:_SHOWN])}.",
            found=len(found.types),
        )
    return wanted


class _Asked:
    """The officer's address: the server, what its own words ask for, and what goes with all."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        query = parse_qsl(parts.query, keep_blank_values=True)
        said = {name.lower(): value for name, value in query}
        self.version = said.get("version", "")
        named = said.get("typenames") or said.get("typename") or ""
        self.names = tuple(name.strip() for name in named.split(",") if name.strip())
        self._base = parts._replace(query="", fragment="").geturl()
        self._kept = {name: value for name, value in query if name.lower() not in _OURS}

    def url(self, **parameters: str | int) -> str:
        # The filters of an address are for its features; servers look past what they don't know.
        return with_query(self._base, **{**self._kept, "service": "WFS", **parameters})


def _offer(
    kind: FeatureType, found: Capabilities, asked: _Asked, source: Source, taken: set[str]
) -> Offer:
    local = kind.name.rpartition(":")[2]
    table = names.table_name(source.table, local)
    if table in taken:
        table = names.table_name(source.table, kind.name)
    taken.add(table)
    question = Question(asked, found, kind)
    defaults = {key: value for key, value in source.dataset.items() if key not in ("table", "name")}
    described = {"title": kind.title or local, "notes": kind.abstract, "tags": list(kind.keywords)}
    slug = names.from_vietnamese(kind.name).replace("_", "-")
    return Offer(
        identifier=kind.name,
        name=f"{source.name}-{slug}"[:NAME_LENGTH].rstrip("-_"),
        fields={**defaults, **{key: value for key, value in described.items() if value}},
        files=[
            File(
                *(question.page(0), "geojson", table, kind.title or local),
                collect=partial(_collect, source, question),
            )
        ],
    )


@dataclass(frozen=True)
class Question:
    """How the features of one type are asked for."""

    asked: _Asked
    server: Capabilities
    kind: FeatureType

    @property
    def rows_at_once(self) -> int | None:
        """Of servers that don't say that they have pages, all are asked for at once."""
        return PAGE_ROWS if self.server.has_pages else None

    def page(self, start: int) -> str:
        """The address of the features from `start` on."""
        is_new = self.server.version.startswith("2.")
        parameters: dict[str, str | int] = {}
        if self.rows_at_once:
            parameters["count" if is_new else "maxFeatures"] = self.rows_at_once
        if start or self.rows_at_once:
            parameters["startIndex"] = start
        if self.kind.json:
            # So written, servers of all ages give longitude first.
            parameters |= {"outputFormat": self.kind.json, "srsName": "EPSG:4326"}
        return self._url(**parameters)

    def hits(self) -> str:
        """The address of the number of all features."""
        return self._url(resultType="hits")

    def _url(self, **parameters: str | int) -> str:
        is_new = self.server.version.startswith("2.")
        return self.asked.url(
            request="GetFeature",
            version=self.server.version,
            **{"typeNames" if is_new else "typeName": self.kind.name},
            **parameters,
        )


class Progress:
    """How far the features of one type have come, and whether they are all there."""

    def __init__(self, question: Question, walk: Pages) -> None:
        self._question, self._walk = question, walk
        self._ids: set[int] = set()
        self._with_id = 0
        self._matched: int | None = None
        self._has_asked = False
        self.count = 0

    def add(self, count: int, identifiers: Iterable[str]) -> None:
        """So many more came, with these ids. Raises PagesBroken when there are too many."""
        self.count += count
        if self.count > MOST_FEATURES:
            raise PagesBroken(f"The feature type has over {MOST_FEATURES} features.")
        for identifier in identifiers:
            self._with_id += 1
            self._ids.add(hash(identifier))

    def goes_on(self, row_count: int, matched: int | None) -> bool:
        """Whether there is another page after one with `row_count` features, which says how many
        features match.

        Raises SourceInterrupted, PagesBroken, and the errors of `Pages.get`.
        """
        before = self._matched
        if matched is None and not self._has_asked:
            matched = _hits(self._question, self._walk)
        self._has_asked = True
        self._matched = matched if matched is not None else before
        if before is not None and self._matched != before:
            # A feature that came or went moved all pages behind it.
            raise SourceInterrupted("The features changed while their pages were read.")
        if row_count and self._matched is None and self._question.rows_at_once:
            return True
        if row_count and self._matched is not None and self.count < self._matched:
            return True
        self._check()
        return False

    def _check(self) -> None:
        if self._matched is not None and self.count < self._matched:
            raise PagesBroken(
                f"The server says that the layer has {self._matched} features and gave "
                f"{self.count}.",
                total=self._matched,
            )
        if len(self._ids) < self._with_id:
            raise PagesBroken(
                f"{self._with_id - len(self._ids)} features came twice: the server's pages have no "
                "fixed order. Add `sortBy=` with a key of the layer to the address."
            )


def _hits(question: Question, walk: Pages) -> int | None:
    """How many features match; None where the server does not tell."""
    try:
        return wfs_gml.scan(walk.get(question.hits(), _XML).path).matched
    except ApiRefused:
        return None


def _collect(source: Source, question: Question, client: Client) -> Fetched:
    """All features of a type as one GeoJSON file. Raises ApiRefused, PagesBroken, the errors of
    `Pages.get`, and those of a GML reader."""
    features = _from_json if question.kind.json else _from_gml

    def file(walk: Pages) -> Iterator[bytes]:
        yield from pages.collection(b"", features(question, walk))

    return replace(pages.gathered(source, client, file), url=question.page(0))


def _from_json(question: Question, walk: Pages) -> Iterator[bytes]:
    progress = Progress(question, walk)
    while True:
        fetched = walk.get(question.page(progress.count), "application/json, */*;q=0.1")
        _refuse_report(fetched)
        if not json.has_list(decoding.text(fetched.path), "features"):
            raise ApiRefused("The server's answer is no collection of features.")
        before = progress.count
        yield from walk.rows(_noted(pages.items(fetched.path, "features.item"), progress))
        if not progress.goes_on(progress.count - before, _matched(fetched)):
            return


def _noted(features: Iterator[Any], progress: Progress) -> Iterator[bytes]:
    for feature in features:
        identifier = feature.get("id") if isinstance(feature, dict) else None
        if isinstance(identifier, str) and _MADE_UP_ID.fullmatch(identifier):
            del feature["id"]
            identifier = None
        progress.add(1, () if identifier is None else (str(identifier),))
        yield line(feature)


def _matched(fetched: Fetched) -> int | None:
    places = ("numberMatched", "totalFeatures")
    said = pages.scalars(fetched.path, places)
    return next((said[place] for place in places if type(said.get(place)) is int), None)


def _refuse_report(fetched: Fetched) -> None:
    """Raise what an exception's report says: it is XML, whatever was asked for."""
    with fetched.path.open("rb") as file:
        head = file.read(4096)
    decoding.refuse_other_formats(head)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        wfs_gml.scan(fetched.path)
        raise ApiRefused("The server gave XML where GeoJSON was asked for.")


def _from_gml(question: Question, walk: Pages) -> Iterator[bytes]:
    """The features of GML: read only when all pages are there, since a property that the first
    one lacks may be in the last."""
    progress, found, seen = Progress(question, walk), list[wfs_gml.Scan](), set[str]()
    while True:
        scan = wfs_gml.scan(walk.get(question.page(progress.count), _XML).path)
        if scan.feature_count and scan.digest in seen:
            raise PagesBroken("The source gave the same features again for the next page.")
        seen.add(scan.digest)
        found.append(scan)
        progress.add(
            scan.feature_count, (each for each in scan.ids if not _MADE_UP_ID.fullmatch(each))
        )
        if not progress.goes_on(scan.feature_count, scan.matched):
            break
    for feature in wfs_gml.features(found):
        if _MADE_UP_ID.fullmatch(feature.get("id", "")):
            del feature["id"]
        yield line(feature)


CONNECTOR = Connector(
    kind="wfs",
    title="Web Feature Service (WFS)",
    help="Every feature type of a WFS 2.0 or 1.1 becomes a dataset; an address with typeNames=… "
    "takes only those, and its filters (cql_filter, bbox, sortBy) go with every question. A "
    "feature is a row, in longitude and latitude; GeoJSON is asked for where the server has it, "
    "else GML. Options: parts (a pattern of feature types), secret, columns.",
    decode=None,
    discover=discover,
)
