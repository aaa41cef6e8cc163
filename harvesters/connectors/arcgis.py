"""A layer or table of an ArcGIS FeatureServer or MapServer (ArcGIS REST API, `query`).

A layer that says that it was not edited is not asked for its rows, and one that tracks its edits
for those alone that are new or were edited; once a week it is asked for all: edits that go past the
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

from harvesters import kept, pages
from harvesters.connectors import arcgis_rows, geojson
from harvesters.connectors.arcgis_layer import Layer
from harvesters.connectors.base import Connector, one_collection
from harvesters.errors import SourceInvalid
from harvesters.fetch import Client, Fetched
from harvesters.kept import Kept, Notes
from harvesters.pages import Pages, line, query_of, with_query
from harvesters.rawtable import RawColumn, RawTable
from harvesters.readers import places
from harvesters.source import Options, Source
from harvesters.workbench import Workbench

_SERVICE = re.compile(r"(?P<service>.*/(?:Feature|Map)Server)(?:/(?P<layer>\d+))?(?:/query)?/?")
_ABOUT = "columns"
ALL_AFTER_S = 7 * 86_400
# Counted up when rows are made in another way.
VERSION = 2


def collect(source: Source, client: Client) -> Fetched:
    """The layer as one GeoJSON file that also says what its columns are.

    Raises ApiRefused, PagesBroken, SourceInvalid, and the errors of `Pages.get`.
    """

    def gather(walk: Pages, before: Kept | None, notes: Notes) -> Iterator[bytes] | None:
        url, asked = _layer_address(source.url, walk)
        layer = Layer.of(arcgis_rows.answer(with_query(url, f="json", **_kept(asked)), walk))
        described = repr(replace(layer, edited=None))
        # What is asked for may change with the time that it is asked at.
        is_lasting = "CURRENT_" not in asked.get("where", "").upper()
        if before and not (is_lasting and _may_grow(before, described)):
            before = None
        if before and layer.edited is not None and before.notes["edited"] == layer.edited:
            return None
        notes.update(edited=layer.edited, layer=described)
        return _file(url, asked, layer, walk, before, notes)

    return kept.gathered(source, client, str(VERSION), gather)


def _may_grow(before: Kept, described: str) -> bool:
    """Whether what was kept is of the same layer, and all of it not too old."""
    is_recent = time.time() - before.notes["all_at"] < ALL_AFTER_S
    return bool(is_recent and before.notes["layer"] == described)


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


def _file(
    url: str,
    asked: dict[str, str],
    layer: Layer,
    walk: Pages,
    before: Kept | None,
    notes: Notes,
) -> Iterator[bytes]:
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
    yield from pages.collection(
        head, map(line, arcgis_rows.rows(query, layer, walk, before, notes))
    )


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
    about = arcgis_rows.answer(with_query(service, f="json", **_kept(asked)), walk)
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


CONNECTOR = Connector(
    kind="arcgis",
    title="ArcGIS layer",
    help="A layer or table of an ArcGIS server (address: .../FeatureServer/0 or .../MapServer/0, "
    "with ?where=... for a part of it): a feature is a row, in longitude and latitude. Coded "
    "values become their texts, times are UTC, fields keep their types. A layer that says that it "
    "was not edited is not asked for again; one that tracks its edits is asked for the edited "
    "rows, and once a week for all. Options: secret, columns.",
    decode=decode,
    discover=one_collection(collect),
)
