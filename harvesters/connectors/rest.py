"""A JSON API that gives its rows in pages: by number, by offset, by cursor, or by the next address.

The ways of paging are a table; whichever it is, an API that cuts its rows short is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from harvesters import decode as decoding
from harvesters import pages
from harvesters.connectors import json, json_path, ndjson
from harvesters.connectors.base import Connector, one_collection
from harvesters.errors import PagesBroken, SourceAnsweredError
from harvesters.fetch import Client, Fetched
from harvesters.pages import Pages, line, next_link, query_of, with_query
from harvesters.source import Options, Source

# Where APIs that name the next page's address do so, and where the number of all rows.
_NEXT = """
    next next_url nextUrl nextLink @odata.nextLink @iot.nextLink @nextLink links.next
    links.next.href _links.next _links.next.href meta.next meta.next_url paging.next pagination.next
    pagination.next_url pagination.nextUrl result._links.next
""".split()  # noqa: SIM905
_TOTALS = """
    total count total_count totalCount total_results totalResults total_rows totalElements
    numberMatched @odata.count @iot.count meta.total meta.count meta.total_count meta.totalCount
    meta.found pagination.total pagination.total_count paging.total page.totalElements result.total
    result.count
""".split()  # noqa: SIM905
# Parameters that say with which row an answer begins; up to 1 is with the first.
_BEGINS = {"page", "offset", "skip", "$skip", "start", "startIndex", "cursor", "after"}
_PARAMETERS = {"page": "page", "offset": "offset", "cursor": "cursor"}


@dataclass(frozen=True)
class Page:
    """A page that was read."""

    url: str
    fetched: Fetched
    row_count: int

    def value(self, places: list[str]) -> Any:
        """The first value that is there, of those at the places."""
        found = pages.scalars(self.fetched.path, places)
        return next((found[place] for place in places if found.get(place) not in (None, "")), None)


def collect(source: Source, client: Client) -> Fetched:
    """All rows of the API, one a line. Raises PagesBroken, the errors of a JSON document's decode,
    and those of `Pages.get`."""
    return pages.gathered(source, client, lambda walk: _rows(source, walk))


def _rows(source: Source, walk: Pages) -> Iterator[bytes]:
    options = source.options
    following = _WAYS[options.paging or "auto"]
    url: str | None = _first(source.url, options)
    place, number, so_far, total = None, 0, 0, None
    while url is not None:
        fetched = _page(url, walk, options, number)
        if fetched is None:
            break
        text = decoding.text(fetched.path, options.encoding)
        if place is None:
            place = json.place(text, options.rows)
        elif not json.has_list(text, place):
            _refuse_unless_null(fetched, place, number)
        before = so_far
        for row in walk.rows(map(line, pages.items(fetched.path, f"{place}.item".lstrip(".")))):
            so_far += 1
            yield row
        page = Page(url, fetched, so_far - before)
        if number == 0:
            total = page.value(_TOTALS)
        url = following(page, options)
        number += 1
    _refuse_short(total, so_far, source)


def _page(url: str, walk: Pages, options: Options, number: int) -> Fetched | None:
    """A page, or None where many APIs answer that there is no such page: after the last one."""
    try:
        return walk.get(url)
    except SourceAnsweredError as error:
        if options.paging == "page" and number and error.facts["status"] == 404:
            return None
        raise


def _refuse_unless_null(fetched: Fetched, place: str, number: int) -> None:
    """Some APIs write null for a page without rows; anything else is no page."""
    if place not in pages.scalars(fetched.path, [place]) or not place:
        raise PagesBroken(
            f"Page {number + 1} of the source has no list at {place or '$'}, as page 1 has."
        )


def _first(url: str, options: Options) -> str:
    starts = {"page": 1, "offset": 0}
    name = _parameter(options)
    if options.paging not in starts or name in query_of(url):
        return url
    start = starts[options.paging] if options.first_page is None else options.first_page
    return with_query(url, **{name: start})


def _parameter(options: Options) -> str:
    return options.page_parameter or _PARAMETERS.get(options.paging or "", "page")


def _by_number(page: Page, options: Options) -> str | None:
    return _counted(page, options, 1)


def _by_offset(page: Page, options: Options) -> str | None:
    # By what came, not by what was asked for: many give fewer rows than that.
    return _counted(page, options, page.row_count)


def _counted(page: Page, options: Options, step: int) -> str | None:
    """The next number, until a page is empty: a short page may only be a server's own limit."""
    name = _parameter(options)
    here = query_of(page.url)[name]
    if not here.isdecimal():
        raise PagesBroken(f"The address's own `{name}` is no number.")
    return with_query(page.url, **{name: int(here) + step}) if page.row_count else None


def _by_cursor(page: Page, options: Options) -> str | None:
    cursor = page.value([json_path.dotted(options.next or "next_cursor")])
    if cursor in (None, False):
        return None
    return with_query(page.url, **{_parameter(options): str(cursor)})


def _by_address(page: Page, options: Options) -> str | None:
    address = page.value([json_path.dotted(options.next)] if options.next else _NEXT)
    if address in (None, False):
        return None
    if not isinstance(address, str):
        raise PagesBroken("What stands where the next page's address should be is no text.")
    return pages.joined(page.url, address)


def _by_header(page: Page, _options: Options) -> str | None:
    address = next_link(page.fetched.link)
    return pages.joined(page.url, address) if address else None


def _by_what_it_says(page: Page, options: Options) -> str | None:
    return _by_header(page, options) or _by_address(page, options)


def _refuse_short(total: Any, count: int, source: Source) -> None:
    """Refuse fewer rows than the API says that it has: a page that is empty, or names no next one,
    may be an API's own trouble. Who begins farther on asks for a part."""
    if source.options.paging == "none" or _begins_farther_on(source):
        return
    if isinstance(total, int) and not isinstance(total, bool) and total > count:
        raise PagesBroken(
            f"The source says that it has {total} rows and gave {count}; where its pages are not "
            "found, pin the option `paging` to page, offset or cursor.",
            total=total,
        )


def _begins_farther_on(source: Source) -> bool:
    names = {*_BEGINS, _parameter(source.options)}
    starts = [value for name, value in query_of(source.url).items() if name in names]
    return any(
        start not in ("", "0", "1") for start in [*starts, str(source.options.first_page or 0)]
    )


_WAYS: dict[str, Callable[[Page, Options], str | None]] = {
    "auto": _by_what_it_says,
    "none": lambda _page, _options: None,
    "page": _by_number,
    "offset": _by_offset,
    "cursor": _by_cursor,
    "next": _by_address,
    "link": _by_header,
}


CONNECTOR = Connector(
    kind="rest",
    title="JSON API in pages",
    help="The rows of all pages become one table, as those of a JSON document do. The next page is "
    "found by the Link header or an address in the answer; else the option paging says how: page "
    "(number), offset, cursor (with next, the path to it), next, link or none. The address may "
    "carry the API's own parameters, such as limit=500. Options: paging, page_parameter, "
    "first_page, next, rows, secret, columns.",
    decode=ndjson.decode,
    discover=one_collection(collect),
)
