"""A layer or table of an ArcGIS FeatureServer or MapServer (ArcGIS REST API, `query`).

Its rows are asked for by windows of their object ids, so that rows that come and go meanwhile move
no page. A window that comes short is asked for by halves: a server's own limit hides no row. A
layer that says that it was not edited is asked for its rows once a week: edits that go past the
server, straight into its database, are not said.

https://developers.arcgis.com/rest/services-reference/enterprise/query-feature-service-layer/
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harvesters import decode as decoding
from harvesters import kept, pages
from harvesters.connectors import geojson, json
from harvesters.connectors.arcgis_layer import Layer
from harvesters.connectors.base import Connector, one_collection
from harvesters.errors import ApiRefused, PagesBroken, SourceInvalid
from harvesters.fetch import Client, Fetched
from harvesters.kept import Kept, Notes
from harvesters.pages import Pages, line, query_of, with_query
from harvesters.rawtable import RawColumn, RawTable
from harvesters.readers import places
from harvesters.source import Options, Source
from harvesters.workbench import Workbench

PAGE_ROWS = 1_000
MOST_IDS = 3_000_000
_SERVICE = re.compile(r"(?P<service>.*/(?:Feature|Map)Server)(?:/(?P<layer>\d+))?(?:/query)?/?")
_ABOUT = "columns"
ALL_AFTER_S = 7 * 86_400
# Counted up when rows are made in another way.
VERSION = 1


def collect(source: Source, client: Client) -> Fetched:
    """The layer as one GeoJSON file that also says what its columns are.

    Raises ApiRefused, PagesBroken, SourceInvalid, and the errors of `Pages.get`.
    """

    def gather(walk: Pages, before: Kept | None, notes: Notes) -> Iterator[bytes] | None:
        url, asked = _layer_address(source.url, walk)
        layer = Layer.of(_answer(with_query(url, f="json", **_kept(asked)), walk))
        known = {"edited": layer.edited, "layer": repr(layer)}
        # What is asked for may change with the time that it is asked at.
        is_lasting = "CURRENT_" not in asked.get("where", "").upper()
        if before and layer.edited is not None and is_lasting:
            is_recent = time.time() - before.notes["all_at"] < ALL_AFTER_S
            if is_recent and {key: before.notes[key] for key in known} == known:
                return None
        notes.update(known, all_at=time.time())
        return _file(url, asked, layer, walk)

    return kept.gathered(source, client, str(VERSION), gather)


def decode(path: Path, options: Options, bench: Workbench) -> list[RawTable]:
    """The gathered layer's table, typed as the server says. Raises as GeoJSON's decode."""
    (table,) = geojson.decode(path, options, bench)
    about = {each["name"]: each for each in pages.items(path, f"{_ABOUT}.item")}
    is_map = next(pages.items(path, "has_places"), True)
    columns = [_described(column, about.get(column.header, {})) for column in table.columns]
    gone = () if is_map else {column.key for column in places.COLUMNS}
    return [replace(table, columns=[column for column in columns if column.key not in gone])]


def _described(column: RawColumn, about: dict[str, Any]) -> RawColumn:
    if not about:
        return column
    return replace(column, type=about["type"], description=about["alias"])


def _file(url: str, asked: dict[str, str], layer: Layer, walk: Pages) -> Iterator[bytes]:
    head = b'"has_places":' + (b"true" if layer.has_places else b"false")
    head += b',"' + _ABOUT.encode() + b'":' + line(layer.about()).strip() + b","
    wanted: dict[str, str | int] = {
        "f": "json",
        "where": asked.get("where") or "1=1",
        "outFields": "*",
        "outSR": 4326,
        "returnGeometry": "true" if layer.has_places else "false",
    }
    query = with_query(f"{url}/query", **wanted, **_kept(asked))
    rows = _by_ids(query, layer, walk) if layer.object_id else _by_offset(query, layer, walk)
    yield from pages.collection(head, map(line, rows))


def _kept(asked: dict[str, str]) -> dict[str, str]:
    """Parameters of the officer's address that go with every question."""
    return {name: value for name, value in asked.items() if name in ("token", "gdbVersion")}


def _layer_address(url: str, walk: Pages) -> tuple[str, dict[str, str]]:
    """The layer's address and the parameters of the officer's; of a service with one layer, that.

    Raises SourceInvalid.
    """
    parts = urlsplit(url)
    match = _SERVICE.fullmatch(parts.path)
    if match is None:
        raise SourceInvalid(
            "The address is of no ArcGIS layer: it ends as .../FeatureServer/0 or .../MapServer/0."
        )
    asked = query_of(url)
    service = parts._replace(path=match["service"], query="", fragment="").geturl()
    if match["layer"]:
        return f"{service}/{match['layer']}", asked
    about = _answer(with_query(service, f="json", **_kept(asked)), walk)
    layers = [
        each
        for key in ("layers", "tables")
        for each in about.get(key) or []
        if isinstance(each, dict)
        and str(each.get("id", "")).isdecimal()
        # A group of layers has no rows of its own.
        and not each.get("subLayerIds")
    ]
    if len(layers) != 1:
        named = "; ".join(f"{each['id']}: {each.get('name')}" for each in layers[:20])
        raise SourceInvalid(
            f"The service has {len(layers)} layers ({named}); add the number of one to the address."
        )
    return f"{service}/{layers[0]['id']}", asked


def _answer(url: str, walk: Pages) -> dict[str, Any]:
    """A small answer. ArcGIS says what went wrong with status 200. Raises ApiRefused."""
    answer = walk.about(url)
    _refuse(answer.get("error"))
    return answer


def _refuse(error: Any) -> None:
    if error is None:
        return
    said = error if isinstance(error, dict) else {"message": error}
    # 498 and 499 are ArcGIS' own: the token is not valid, or there has to be one.
    needs = " It needs a secret (a token)." if said.get("code") in (498, 499) else ""
    raise ApiRefused(
        f"The server answered with error {said.get('code', '')}: "
        f"{str(said.get('message') or 'unknown')[:200]}.{needs}",
        status=said.get("code"),
    )


def _by_ids(query: str, layer: Layer, walk: Pages) -> Iterator[dict[str, Any]]:
    plain = with_query(query, returnIdsOnly="true", returnGeometry="false")
    fetched = walk.get(plain)
    found: set[int] = set()
    for each in pages.items(fetched.path, "objectIds.item"):
        found.add(each)
        if not isinstance(each, int) or len(found) > MOST_IDS:
            raise PagesBroken(f"The layer's object ids are no numbers, or over {MOST_IDS}.")
    if not found and "objectIds" not in pages.scalars(fetched.path, ["objectIds"]):
        _refuse_unless_list(fetched, "objectIds")
    ids = sorted(found)
    size = min(PAGE_ROWS, layer.most_rows)
    for start in range(0, len(ids), size):
        yield from _window(ids[start : start + size], query, layer, walk)


def _window(ids: list[int], query: str, layer: Layer, walk: Pages) -> Iterator[dict[str, Any]]:
    """The rows with these ids (sorted), however few a server gives at once."""
    own, name = query_of(query)["where"], layer.object_id
    where = f"({own}) AND {name} >= {ids[0]} AND {name} <= {ids[-1]}"
    fetched = walk.get(with_query(query, where=where))
    # Counted before they are read: a page may be too large to be held.
    count = sum(1 for _ in pages.items(fetched.path, "features.item"))
    if not count:
        _refuse_unless_list(fetched, "features")
    if count < len(ids) and len(ids) > 1:
        half = len(ids) // 2
        yield from _window(ids[:half], query, layer, walk)
        yield from _window(ids[half:], query, layer, walk)
        return
    yield from _rows(fetched, layer)


def _by_offset(query: str, layer: Layer, walk: Pages) -> Iterator[dict[str, Any]]:
    """A layer without object ids: page by page where it can, else in one answer or not at all."""
    start = 0
    while True:
        asked = {"resultOffset": start, "resultRecordCount": min(PAGE_ROWS, layer.most_rows)}
        fetched = walk.get(with_query(query, **(asked if layer.has_pages else {})))
        count = 0
        for row in _rows(fetched, layer):
            count += 1
            yield row
        if not count:
            _refuse_unless_list(fetched, "features")
        start += count
        more = pages.scalars(fetched.path, ["exceededTransferLimit"])
        if not more.get("exceededTransferLimit") or not count:
            return
        if not layer.has_pages:
            raise PagesBroken("The layer has more rows than it gives at once, and no object ids.")


def _rows(fetched: Fetched, layer: Layer) -> Iterator[dict[str, Any]]:
    return map(layer.feature, pages.items(fetched.path, "features.item"))


def _refuse_unless_list(fetched: Fetched, place: str) -> None:
    """Raise ApiRefused when an answer without rows is none, or says what went wrong."""
    if json.has_list(decoding.text(fetched.path), place):
        return
    found = pages.scalars(fetched.path, ["error", "error.code", "error.message"])
    if found:
        _refuse({"code": found.get("error.code"), "message": found.get("error.message")})
    raise ApiRefused(f"The server's answer has no list of {place}.")


CONNECTOR = Connector(
    kind="arcgis",
    title="ArcGIS layer",
    help="A layer or table of an ArcGIS server (address: .../FeatureServer/0 or .../MapServer/0, "
    "with ?where=... for a part of it): a feature is a row, in longitude and latitude. Coded "
    "values become their texts, times are UTC, fields keep their types. A layer that says that it "
    "was not edited is not asked for again. Options: secret, columns.",
    decode=decode,
    discover=one_collection(collect),
)
