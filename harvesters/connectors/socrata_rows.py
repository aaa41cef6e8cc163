"""The rows of a Socrata dataset (SODA 2.1): all of them, or those that changed put into what was
kept. The count of the site decides whether that is the whole.

https://dev.socrata.com/docs/paging, https://dev.socrata.com/docs/system-fields
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from harvesters import decode as decoding
from harvesters import kept, pages
from harvesters.connectors import json, typed_rows
from harvesters.connectors.socrata_words import View
from harvesters.errors import ApiRefused, PagesBroken, SourceAnsweredError, SourceChanging
from harvesters.fetch import Client, Fetched
from harvesters.kept import Kept, Notes
from harvesters.pages import Pages, line, query_of, with_query
from harvesters.source import Source

PAGE_ROWS = 10_000
# More changed rows than that are not held in memory: all are asked for.
MOST_CHANGED = 200_000
# Counted up when rows are made in another way.
VERSION = 1
_ID, _UPDATED = ":id", ":updated_at"


@dataclass
class _Dataset:
    """A dataset that is asked for: the address of its rows, and whether all of them are wanted."""

    about: str
    rows: str
    is_whole: bool = False


def collect(source: Source, root: str, known_by: str, url: str, client: Client) -> Fetched:
    """The rows as one file of typed rows; nothing is asked for when the site says that they are
    still the same.

    Raises ApiRefused, PagesBroken, SourceChanging, and the errors of `Pages.get`.
    """
    dataset = _Dataset(f"{root}/api/views/{known_by}.json", url)

    def gather(walk: Pages, before: Kept | None, notes: Notes) -> Iterator[bytes] | None:
        view = View.of(walk.about(dataset.about, is_page=False))
        head = typed_rows.head(view.columns, has_places=view.place is not None)
        if before and before.notes["head"] != head.decode():
            before = None
        if before and view.changed is not None and before.notes["changed"] == view.changed:
            return None
        notes.update(head=head.decode(), changed=view.changed, updated="")
        return _file(dataset, view, head, walk, before, notes)

    return replace(kept.gathered(source, client, f"{VERSION} {url}", gather), url=url)


def _file(
    dataset: _Dataset,
    view: View,
    head: bytes,
    walk: Pages,
    before: Kept | None,
    notes: Notes,
) -> Iterator[bytes]:
    yield head
    total = _count(dataset.rows, walk)
    changed = None if before is None else _changed(dataset, view, walk, before, notes, total)
    count = 0
    if before is None or changed is None:
        for row in _rows(dataset.rows, view, walk, notes):
            count += 1
            yield line(row)
    else:
        for row in typed_rows.rows_of(before.fetched.path):
            count += 1
            yield line(changed.pop(row[-1], row))
        for row in changed.values():
            count += 1
            yield line(row)
    now = View.of(walk.about(dataset.about, is_page=False))
    if (now.changed, now.columns) != (view.changed, view.columns):
        raise SourceChanging("The dataset was renewed while its rows were read.")
    if count == total:
        return
    if changed is not None:
        # Rows went, which no question of what changed tells.
        dataset.is_whole = True
        raise SourceChanging("Rows of the dataset are gone.")
    raise PagesBroken(f"The site says that the dataset has {total} rows and gave {count}.")


def _changed(
    dataset: _Dataset, view: View, walk: Pages, before: Kept, notes: Notes, total: int
) -> dict[str, list[Any]] | None:
    """The rows that are new or changed, by their identifiers; None where all are to be asked for:
    there are too many, or the site does not say when rows changed."""
    mark = before.notes["updated"]
    if not mark or dataset.is_whole:
        return None
    own = query_of(dataset.rows).get("$where")
    since = f"{_UPDATED} >= '{mark}'"
    address = with_query(dataset.rows, **{"$where": f"({own}) AND {since}" if own else since})
    try:
        if _count(address, walk) > min(MOST_CHANGED, total // 2):
            return None
    except SourceAnsweredError as error:
        if error.facts["status"] == 400:
            return None
        raise
    notes["updated"] = mark
    return {row[-1]: row for row in _rows(address, view, walk, notes)}


def _count(address: str, walk: Pages) -> int:
    """How many rows there are. Raises ApiRefused."""
    answer = walk.document(with_query(address, **{"$select": "count(*) as n"}), is_page=False)
    try:
        return int(answer[0]["n"])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ApiRefused("The site does not count its rows as SODA does.") from error


def _rows(address: str, view: View, walk: Pages, notes: Notes) -> Iterator[list[Any]]:
    """Rows page by page, in the order of their identifiers; the notes get the latest change."""
    asked: dict[str, str | int] = {"$select": f"{_ID},{_UPDATED},*", "$order": _ID}
    start = 0
    while True:
        fetched = walk.get(with_query(address, **asked, **{"$limit": PAGE_ROWS, "$offset": start}))
        if not json.has_list(decoding.text(fetched.path), ""):
            said = pages.scalars(fetched.path, ["message"]).get("message") or "it has no rows"
            raise ApiRefused(f"The answer is no list of rows: {str(said)[:200]}.")
        count = 0
        for given in pages.items(fetched.path, "item"):
            count += 1
            row = view.row(given)
            notes["updated"] = max(notes["updated"], str(given.get(_UPDATED) or ""))
            yield row
        start += count
        # A short page may only be the site's own limit.
        if not count:
            return
