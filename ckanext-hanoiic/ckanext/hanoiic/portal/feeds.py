"""CKAN's Atom feeds (RFC 4287, RFC 5005), with addresses that lead where they say.

CKAN's next page is its first one again (`?query=page&query=2`), its last page `1.4`, and an entry
leads to JSON. Its functions that put addresses together are replaced, and never put back.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from ckan.plugins import toolkit as tk
from ckan.views import feed

LANGUAGE = "vi"  # of titles and descriptions


class Feed(feed.CKANFeed):
    """A page of datasets, the last changed first."""

    def __init__(self, title: str, link: str, _description: str, **said: Any) -> None:
        subtitle = tk._("Datasets that were added or changed lately")
        super().__init__(title, link, subtitle, **said | {"language": LANGUAGE})

    def add_item(self, **entry: Any) -> None:
        dataset_id = entry["unique_id"].rpartition("/")[2]
        page = tk.url_for("dataset.read", id=dataset_id, locale="default", _external=True)
        super().add_item(**entry | {"link": page})


def address(query: Mapping[str, Any], controller: str, action: str, **named: Any) -> str:
    """The whole address of a page with its query."""
    page = tk.url_for(f"{controller}.{action}", **named, _external=True)
    return f"{page}?{urlencode(dict(query.items()))}" if query else page


def pages(
    query: Mapping[str, Any],
    controller: str,
    action: str,
    item_count: int,
    limit: int,
    **named: Any,
) -> dict[str, str | None]:
    """The addresses of the pages around the one that ``query`` asks for; None: there is none."""
    here, last = int(query.get("page", 1)), max(1, -(-item_count // limit))
    without = {name: value for name, value in query.items() if name != "page"}

    def at(number: int) -> str:
        told = {"page": number} if number > 1 else {}
        return address({**without, **told}, controller, action, **named)

    return {
        "first": at(1),
        "last": at(last),
        "previous": at(min(here - 1, last)) if here > 1 else None,
        "next": at(here + 1) if here < last else None,
    }


def install() -> None:
    """Idempotent; after CKAN has loaded its pages, which it does anew for each application."""
    loaded: Any = sys.modules[feed.__name__]
    loaded._feed_url = address
    loaded._navigation_urls = pages
