"""The observations of a group of SensorThings datastreams: those kept from before, and what is new.

A datastream is asked for its last day again, since observations are corrected and come late, and
for what came after it. When the service's own count of its observations is another one then, or a
week went by since all were asked for, it is asked for all.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from harvesters import kept, pages
from harvesters.connectors import typed_rows
from harvesters.connectors.sensorthings_pages import next_page, values
from harvesters.connectors.sensorthings_streams import Datastream
from harvesters.connectors.typed_rows import TypedColumn
from harvesters.errors import ApiRefused, PagesBroken, SourceChanging
from harvesters.fetch import Client, Fetched
from harvesters.kept import Kept, Notes
from harvesters.pages import Pages, line, with_query
from harvesters.source import Source

PAGE_ROWS = 1_000
ASKED_AGAIN = timedelta(days=1)
ALL_AFTER_S = 7 * 86_400
# Counted up when rows are made in another way.
VERSION = 1
_ID, _STREAM, _TIME = 0, 1, 4


@dataclass
class _Reading:
    """The observations that are read, and the datastreams that are asked for all of theirs."""

    source: Source
    root: str
    streams: list[Datastream]
    whole: set[str] = field(default_factory=set)


def collect(
    source: Source, root: str, url: str, streams: list[Datastream], client: Client
) -> Fetched:
    """The observations as one file of typed rows.

    Raises ApiRefused, PagesBroken, SourceChanging, and the errors of `Pages.get`.
    """
    reading = _Reading(source, root, streams)

    def gather(walk: Pages, before: Kept | None, notes: Notes) -> Iterator[bytes] | None:
        return _gather(reading, walk, before, notes)

    fetched = kept.gathered(source, client, f"{VERSION} {url}", gather)
    return replace(fetched, url=url)


def _gather(
    reading: _Reading, walk: Pages, before: Kept | None, notes: Notes
) -> Iterator[bytes] | None:
    head = _head(reading.streams)
    if before and (
        before.notes["head"] != head.decode() or time.time() - before.notes["all_at"] > ALL_AFTER_S
    ):
        before = None
    known: dict[str, Any] = before.notes["streams"] if before else {}
    asked = [
        stream
        for stream in reading.streams
        if stream.id not in known
        or stream.id in reading.whole
        or stream.reach is None
        or stream.reach != known[stream.id]["reach"]
    ]
    if before and not asked and set(known) == {stream.id for stream in reading.streams}:
        return None
    notes["all_at"] = before.notes["all_at"] if before else time.time()
    notes["head"], notes["streams"] = head.decode(), {}
    return _file(head, reading, {stream.id for stream in asked}, known, walk, before, notes)


def _file(
    head: bytes,
    reading: _Reading,
    asked: set[str],
    known: dict[str, Any],
    walk: Pages,
    before: Kept | None,
    notes: Notes,
) -> Iterator[bytes]:
    yield head
    streams = {stream.row[0]: stream for stream in reading.streams}
    late: set[str] = set()
    old = typed_rows.rows_of(before.fetched.path) if before else iter(())
    # Rows of a datastream lie together, in the order of the datastreams as they were listed.
    for key, rows in groupby(old, key=lambda row: row[_STREAM]):
        stream = streams.pop(key, None)
        if stream is None:
            continue
        if stream.id not in asked:
            notes["streams"][stream.id] = known[stream.id]
            yield from map(line, rows)
            continue
        since = None if stream.id in reading.whole else known[stream.id]["since"]
        yield from _renewed(stream, rows, since, reading, walk, notes, late)
    for stream in streams.values():
        yield from _renewed(stream, iter(()), None, reading, walk, notes, late)
    if late:
        reading.whole |= late
        raise SourceChanging("Observations changed that were taken over before.")


def _renewed(
    stream: Datastream,
    old: Iterator[list[Any]],
    since: str | None,
    reading: _Reading,
    walk: Pages,
    notes: Notes,
    late: set[str],
) -> Iterator[bytes]:
    """The rows of one datastream: the old ones before `since`, and the service's from then on."""
    place = f"{reading.root}/Datastreams({stream.id})/Observations"
    total = _total(place, walk)
    begin = _moment(since) if since else None
    count, newest = 0, begin
    for row in old if begin else ():
        moment = _moment(row[_TIME])
        if begin and moment and moment < begin:
            count += 1
            yield line(row)
    for row in _rows(place, stream, since, walk):
        count += 1
        moment = _moment(row[_TIME])
        newest = max(newest, moment) if newest and moment else newest or moment
        yield line(row)
    if total is not None and count > total:
        # Some may have come meanwhile.
        total = _total(place, walk)
    if total is not None and count != total:
        if since:
            late.add(stream.id)
        elif count < total:
            raise PagesBroken(
                f"The service says that a datastream has {total} observations and gave {count}.",
                total=total,
            )
    again = (newest - ASKED_AGAIN).strftime("%Y-%m-%dT%H:%M:%SZ") if newest else None
    notes["streams"][stream.id] = {"since": again, "reach": stream.reach}


def _total(place: str, walk: Pages) -> int | None:
    """How many observations a datastream has; None from a service that does not say it."""
    asked: dict[str, str | int] = {"$count": "true", "$top": 0}
    fetched = walk.get(with_query(place, **asked), is_page=False)
    said = pages.scalars(fetched.path, ["@iot.count"]).get("@iot.count")
    return said if type(said) is int else None


def _rows(place: str, stream: Datastream, since: str | None, walk: Pages) -> Iterator[list[Any]]:
    asked: dict[str, str | int] = {"$orderby": "phenomenonTime asc,id asc", "$top": PAGE_ROWS}
    if since:
        asked["$filter"] = f"phenomenonTime ge {since}"
    url: str | None = with_query(place, **asked)
    before: set[str] = set()
    while url is not None:
        fetched = walk.get(url)
        ids: set[str] = set()
        for about in values(fetched):
            row = _row(about, stream)
            ids.add(row[_ID])
            # What came meanwhile moves the last rows of a page to the next one.
            if row[_ID] not in before:
                yield row
        if ids and ids <= before:
            raise PagesBroken("The service gave the same observations again for the next page.")
        before = ids
        url = next_page(fetched, url)


def _row(about: Any, stream: Datastream) -> list[Any]:
    try:
        begins, _, ends = str(about.get("phenomenonTime") or "").partition("/")
        return [
            *(str(about["@iot.id"]), stream.row[0], stream.thing_id, stream.thing),
            *(begins, ends or None, about.get("resultTime"), about["result"]),
            *(about.get("resultQuality") or None, about.get("parameters") or None),
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise ApiRefused("The service's rows are no observations of SensorThings.") from error


def _moment(text: str | None) -> datetime | None:
    """A time as it is compared with others; without a zone it is UTC."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _head(streams: list[Datastream]) -> bytes:
    types = {stream.result_type for stream in streams}
    measured, unit = streams[0].observed_property, streams[0].unit
    of_result = types.pop() if len(types) == 1 else None
    return typed_rows.head(
        [
            TypedColumn("id", "string"),
            TypedColumn("datastream_id", "string"),
            TypedColumn("thing_id", "string"),
            TypedColumn("thing", "string"),
            TypedColumn("phenomenon_time", "timestamp"),
            TypedColumn("phenomenon_time_end", "timestamp"),
            TypedColumn("result_time", "timestamp"),
            TypedColumn("result", of_result, unit, measured),
            TypedColumn("result_quality", "string"),
            TypedColumn("parameters", "string"),
        ]
    )
