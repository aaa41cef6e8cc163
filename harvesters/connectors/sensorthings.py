"""OGC SensorThings API 1.0 and 1.1 (OGC 18-088): a table of the datastreams with their places, and
a table of observations for each observed property.

Datastreams → their Observations, page by page along `@iot.nextLink`
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

from harvesters import pages
from harvesters.connectors import sensorthings_news, typed_rows
from harvesters.connectors.base import Connector, File, Offer, one_file
from harvesters.connectors.sensorthings_pages import next_page, values
from harvesters.connectors.sensorthings_streams import COLUMNS, Datastream, grouped
from harvesters.errors import PartNotFound, SourceInvalid, SourceTooLarge
from harvesters.fetch import Client, Fetched
from harvesters.incoming import Incoming
from harvesters.pages import Pages, line, query_of, with_query
from harvesters.source import Source
from lake import names

PAGE_ROWS = 200
MOST_DATASTREAMS = 20_000
MOST_TABLES = 200
_ADDRESS = re.compile(r"(?P<root>.*/v1\.[01])(?:/(?P<rest>.*?))?/?")
_THINGS = re.compile(r"(Things\((?:\d+|'[^']*')\))(?:/Datastreams)?")
_DATASTREAM = re.compile(r"Datastreams\((\d+|'[^']*')\)")
_SHOWN = 20


def discover(source: Source, client: Client) -> Iterable[Offer]:
    """One dataset: its datastreams, and the observations of each property and unit.

    Raises ApiRefused, PartNotFound, SourceInvalid, SourceTooLarge, and the errors of `Pages.get`.
    """
    root, address = _datastreams_address(source.url)
    with Incoming(client.raw_dir, client.limits) as clock:
        walk = Pages(source, client, clock)
        streams = list(_datastreams(address, walk))
        groups = {
            key: each for key, each in grouped(streams).items() if _has_news(each, root, walk)
        }
    _refuse_unfit(streams, groups)
    for offer in one_file(source, client):
        (plain,) = offer.files
        about = replace(
            plain,
            url=address,
            table=names.table_name(plain.table, "datastreams"),
            name="Datastreams",
            collect=partial(_collect_datastreams, source, address, streams),
        )
        yield replace(offer, files=[about, *_observations(source, root, groups, plain)])


def _datastreams_address(url: str) -> tuple[str, str]:
    """The service's root, and the address of the datastreams that the officer's means.

    Raises SourceInvalid.
    """
    parts = urlsplit(url)
    match = _ADDRESS.fullmatch(unquote(parts.path))
    if match is None:
        raise SourceInvalid(
            "The address is of no SensorThings service: it has /v1.1 or /v1.0 at the end of its "
            "root."
        )
    root = parts._replace(path=match["root"], query="", fragment="").geturl()
    rest, asked = match["rest"] or "", query_of(url)
    wanted = asked.get("$filter")
    if of_thing := _THINGS.fullmatch(rest):
        path = f"{of_thing[1]}/Datastreams"
    elif one := _DATASTREAM.fullmatch(rest):
        path, wanted = "Datastreams", f"id eq {one[1]}"
    elif rest in ("", "Datastreams"):
        path = "Datastreams"
    else:
        raise SourceInvalid(
            "The address may be a service's root, its Datastreams (with a $filter), one of them, "
            "or one of its Things."
        )
    filters = {"$filter": wanted} if wanted else {}
    return root, with_query(f"{root}/{path}", **filters)


def _datastreams(address: str, walk: Pages) -> Iterator[Datastream]:
    asked: dict[str, str | int] = {
        "$expand": "Thing/Locations,Sensor,ObservedProperty",
        "$orderby": "id asc",
        "$top": PAGE_ROWS,
    }
    url: str | None = with_query(address, **asked)
    count = 0
    while url is not None:
        fetched = walk.get(url)
        for about in values(fetched):
            count += 1
            if count > MOST_DATASTREAMS:
                raise SourceTooLarge(
                    f"The service has more than {MOST_DATASTREAMS} datastreams; give the address "
                    "of a Thing, or a $filter."
                )
            yield Datastream.of(about)
        url = next_page(fetched, url)


def _has_news(streams: list[Datastream], root: str, walk: Pages) -> bool:
    """Whether there are observations at all: an observed property without any is no table."""
    for stream in streams:
        if stream.reach is not None:
            return True
        url = with_query(f"{root}/Datastreams({stream.id})/Observations", **{"$top": 1})
        if next(values(walk.get(url)), None) is not None:
            return True
    return False


def _refuse_unfit(streams: list[Datastream], groups: dict[Any, Any]) -> None:
    if not streams:
        raise PartNotFound("The service has no datastreams there.", found=0)
    if len(groups) > MOST_TABLES:
        raise PartNotFound(
            f"The datastreams are of {len(groups)} observed properties; {MOST_TABLES} are allowed. "
            "Give the address of a Thing, or a $filter.",
            found=len(groups),
        )


def _collect_datastreams(
    source: Source, address: str, streams: list[Datastream], client: Client
) -> Fetched:
    def rows(_: Pages) -> Iterator[bytes]:
        yield typed_rows.head(COLUMNS, has_places=True)
        for stream in streams:
            yield line(stream.row)

    return replace(pages.gathered(source, client, rows), url=address)


def _observations(
    source: Source, root: str, groups: dict[tuple[str, str], list[Datastream]], plain: File
) -> Iterator[File]:
    taken = {names.table_name(plain.table, "datastreams")}
    for (measured, unit), streams in groups.items():
        table = names.table_name(plain.table, measured)
        # The first unit has the plain name: another one that comes later moves no table.
        if table in taken:
            table = names.table_name(plain.table, measured, unit or "no unit")
        while table in taken:
            table = names.table_name(table, streams[0].id)
        taken.add(table)
        quoted = measured.replace("'", "''")
        url = with_query(
            f"{root}/Datastreams",
            **{
                "$filter": f"ObservedProperty/name eq '{quoted}' and "
                f"unitOfMeasurement/symbol eq '{unit}'"
            },
        )
        yield replace(
            plain,
            url=url,
            table=table,
            name=f"{measured} ({unit})" if unit else measured,
            collect=partial(sensorthings_news.collect, source, root, url, streams),
        )


CONNECTOR = Connector(
    kind="sensorthings",
    title="SensorThings API",
    help="The datastreams of a service (address of its root, .../v1.1; or of one of its Things or "
    "Datastreams, perhaps with a $filter) are the table <table>_datastreams, with their places; "
    "the observations of each observed property are <table>_<property>, in their unit. A run asks "
    "for the last day and what came since, once a week for all. MultiDatastreams are left out. "
    "Options: secret, columns.",
    decode=typed_rows.decode,
    discover=discover,
)
