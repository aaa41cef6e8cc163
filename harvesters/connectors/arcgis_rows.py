"""The rows of an ArcGIS layer: all of them, or those that were edited put into what was kept.

They are asked for by windows of their object ids, so that rows that come and go meanwhile move no
page. A window that comes short is asked for by halves: a server's own limit hides no row. The ids
of all rows are asked for each time: they tell which rows went.

https://developers.arcgis.com/rest/services-reference/enterprise/query-feature-service-layer/
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from harvesters import decode as decoding
from harvesters import pages
from harvesters.connectors import json
from harvesters.connectors.arcgis_layer import Layer
from harvesters.errors import ApiRefused, PagesBroken
from harvesters.fetch import Fetched
from harvesters.kept import Kept, Notes
from harvesters.pages import Pages, query_of, with_query

PAGE_ROWS = 1_000
# Ids that are named one by one: an address may not be too long.
PAGE_IDS = 100
MOST_IDS = 3_000_000
# More edited rows than that are not held in memory: all are asked for.
MOST_EDITED = 100_000
# A condition is read in the server's own time zone, and edits are said late.
MARGIN = timedelta(days=1)

Feature = dict[str, Any]


def rows(
    query: str, layer: Layer, walk: Pages, before: Kept | None, notes: Notes
) -> Iterator[Feature]:
    """The rows as features of GeoJSON. The notes get when all of them were asked for, and the
    latest time that one was edited at.

    Raises ApiRefused, PagesBroken, and the errors of `Pages.get`.
    """
    notes.update(all_at=time.time(), edited_until="")
    for row in _rows(query, layer, walk, before, notes):
        edited = row["properties"].get(layer.edit_field)
        notes["edited_until"] = max(notes["edited_until"], edited or "")
        yield row


def _rows(
    query: str, layer: Layer, walk: Pages, before: Kept | None, notes: Notes
) -> Iterator[Feature]:
    if not layer.object_id:
        yield from _by_offset(query, layer, walk)
        return
    ids = _ids(query, walk)
    wanted = _wanted(ids, query, layer, walk, before) if before else None
    if before is None or wanted is None:
        yield from _by_windows(sorted(ids), query, layer, walk)
        return
    notes.update(all_at=before.notes["all_at"], edited_until=before.notes["edited_until"])
    fresh = {_id(row, layer): row for row in _by_names(sorted(wanted), query, layer, walk)}
    for row in _before(before):
        known_by = _id(row, layer)
        if known_by in ids and known_by not in wanted:
            yield row
        elif known_by in fresh:
            yield fresh.pop(known_by)
    yield from fresh.values()


def _wanted(ids: set[int], query: str, layer: Layer, walk: Pages, before: Kept) -> set[int] | None:
    """The ids of rows that are new or were edited; None where all are to be asked for: there are
    too many, or the layer does not say when rows were edited."""
    until = before.notes["edited_until"]
    if not layer.edit_field or not until:
        return None
    try:
        moment = datetime.fromisoformat(until) - MARGIN
        since = f"{layer.edit_field} >= TIMESTAMP '{moment:%Y-%m-%d %H:%M:%S}'"
        edited = _ids(with_query(query, where=f"({query_of(query)['where']}) AND {since}"), walk)
        known = {_id(row, layer) for row in _before(before)}
    except (ApiRefused, ValueError, OverflowError):
        # A server may not know the condition, or may give rows without ids or with strange times.
        return None
    wanted = (edited & ids) | (ids - known)
    return wanted if len(wanted) <= min(MOST_EDITED, len(ids) // 2) else None


def _before(before: Kept) -> Iterator[Feature]:
    return pages.items(before.fetched.path, "features.item")


def _id(row: Feature, layer: Layer) -> int:
    known_by = row["properties"].get(layer.object_id)
    if not isinstance(known_by, int):
        raise ApiRefused("A row of the layer has no object id.")
    return known_by


def answer(url: str, walk: Pages) -> dict[str, Any]:
    """A small answer. ArcGIS says what went wrong with status 200. Raises ApiRefused."""
    said = walk.about(url)
    _refuse(said.get("error"))
    return said


def _ids(query: str, walk: Pages) -> set[int]:
    fetched = walk.get(with_query(query, returnIdsOnly="true", returnGeometry="false"))
    found: set[int] = set()
    for each in pages.items(fetched.path, "objectIds.item"):
        found.add(each)
        if not isinstance(each, int) or len(found) > MOST_IDS:
            raise PagesBroken(f"The layer's object ids are no numbers, or over {MOST_IDS}.")
    if not found and "objectIds" not in pages.scalars(fetched.path, ["objectIds"]):
        _refuse_unless_list(fetched, "objectIds")
    return found


def _by_windows(ids: list[int], query: str, layer: Layer, walk: Pages) -> Iterator[Feature]:
    own, name = query_of(query)["where"], layer.object_id

    def window(ids: list[int]) -> str:
        return with_query(query, where=f"({own}) AND {name} >= {ids[0]} AND {name} <= {ids[-1]}")

    yield from _by_portions(ids, PAGE_ROWS, window, layer, walk)


def _by_names(ids: list[int], query: str, layer: Layer, walk: Pages) -> Iterator[Feature]:
    """Rows that lie far from each other."""

    def named(ids: list[int]) -> str:
        return with_query(query, objectIds=",".join(map(str, ids)))

    yield from _by_portions(ids, PAGE_IDS, named, layer, walk)


def _by_portions(
    ids: list[int], most: int, address: Callable[[list[int]], str], layer: Layer, walk: Pages
) -> Iterator[Feature]:
    size = min(most, layer.most_rows)
    for start in range(0, len(ids), size):
        yield from _portion(ids[start : start + size], address, layer, walk)


def _portion(
    ids: list[int], address: Callable[[list[int]], str], layer: Layer, walk: Pages
) -> Iterator[Feature]:
    """The rows with these ids (sorted), however few a server gives at once."""
    fetched = walk.get(address(ids))
    # Counted before they are read: a page may be too large to be held.
    count = sum(1 for _ in pages.items(fetched.path, "features.item"))
    if not count:
        _refuse_unless_list(fetched, "features")
    if count < len(ids) and len(ids) > 1:
        half = len(ids) // 2
        yield from _portion(ids[:half], address, layer, walk)
        yield from _portion(ids[half:], address, layer, walk)
        return
    yield from _features(fetched, layer)


def _by_offset(query: str, layer: Layer, walk: Pages) -> Iterator[Feature]:
    """A layer without object ids: page by page where it can, else in one answer or not at all."""
    start = 0
    while True:
        asked = {"resultOffset": start, "resultRecordCount": min(PAGE_ROWS, layer.most_rows)}
        fetched = walk.get(with_query(query, **(asked if layer.has_pages else {})))
        count = 0
        for row in _features(fetched, layer):
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


def _features(fetched: Fetched, layer: Layer) -> Iterator[Feature]:
    return map(layer.feature, pages.items(fetched.path, "features.item"))


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


def _refuse_unless_list(fetched: Fetched, place: str) -> None:
    """Raise ApiRefused when an answer without rows is none, or says what went wrong."""
    if json.has_list(decoding.text(fetched.path), place):
        return
    found = pages.scalars(fetched.path, ["error", "error.code", "error.message"])
    if found:
        _refuse({"code": found.get("error.code"), "message": found.get("error.message")})
    raise ApiRefused(f"The server's answer has no list of {place}.")
