"""A site of Socrata (Tyler Data & Insights): its datasets one by one, by its own catalogue
(`/api/catalog/v1`); `socrata_rows` asks for their rows.

All pages of the catalogue are read before the first dataset is offered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from harvesters.connectors import dcat_offer, socrata_rows, socrata_words, typed_rows
from harvesters.connectors.base import Connector, File, Link, Offer
from harvesters.errors import ApiRefused, CatalogueBroken, SourceChanging, SourceInvalid
from harvesters.fetch import Client
from harvesters.incoming import Incoming
from harvesters.pages import Pages, query_of, with_query
from harvesters.source import Source
from lake import names

PAGE_ROWS = 100
_ID = r"[a-z0-9]{4}-[a-z0-9]{4}"
_DATASET = re.compile(
    rf"/(?:resource|d|api/views|api/id)/({_ID})(?:[./].*)?$"
    rf"|/[^/]+/[^/]+/({_ID})(?:/(?:about_data|data|explore)\b.*)?/?$"
)
# What the catalogue is asked with, and the parameters of a dataset's address that are its own.
_SEARCH = ("q", "categories", "tags", "attribution")
_SHAPES_ROWS = ("$select", "$group", "$having", "$query", "$limit", "$offset", "$order")


def discover(source: Source, client: Client) -> Iterator[Offer]:
    """The site's datasets, those that a search finds, or one.

    Raises ApiRefused, CatalogueBroken, SourceChanging, SourceInvalid, and the errors of
    `Pages.get`.
    """
    parts, asked = urlsplit(source.url), query_of(source.url)
    root = f"{parts.scheme}://{parts.netloc}"
    match = _DATASET.search(parts.path)
    with Incoming(client.raw_dir, client.limits) as clock:
        walk = Pages(source, client, clock)
        if match:
            _refuse_shaped(asked)
            view = walk.about(f"{root}/api/views/{match[1] or match[2]}.json")
            found = [socrata_words.as_listed(view)]
        else:
            search = {name: value for name, value in asked.items() if name in _SEARCH}
            found = list(_listed(root, search, walk))
    for each in found:
        yield _offer(each, root, asked if match else {}, source)


def _refuse_shaped(asked: Mapping[str, str]) -> None:
    if shaped := [name for name in _SHAPES_ROWS if name in asked]:
        raise SourceInvalid(
            f"The address has {', '.join(shaped)}; of a dataset's rows only a part may be chosen "
            "($where, $q, column=value). For other queries choose the kind `rest`."
        )


def _listed(root: str, search: Mapping[str, str], walk: Pages) -> Iterator[dict[str, Any]]:
    host = urlsplit(root).hostname or ""
    asked: dict[str, str | int] = {
        "domains": host,
        "search_context": host,
        "only": "datasets",
        "limit": PAGE_ROWS,
        **search,
    }
    seen: set[str] = set()
    before = None
    while True:
        page = walk.about(with_query(f"{root}/api/catalog/v1", **asked))
        results, total = page.get("results"), page.get("resultSetSize")
        if not isinstance(results, list) or type(total) is not int:
            raise CatalogueBroken("The site does not answer as Socrata's catalogue does.")
        if before not in (None, total):
            raise SourceChanging("The catalogue changed while its pages were read.")
        before = total
        fresh = 0
        for each in results:
            known_by = _identifier(each)
            asked["scroll_id"] = known_by
            if known_by in seen:
                continue
            seen.add(known_by)
            fresh += 1
            if each["resource"].get("type", "dataset") == "dataset":
                yield each
        if len(seen) >= total:
            return
        if not fresh:
            raise CatalogueBroken(
                f"The catalogue says that it has {total} datasets and gave {len(seen)}."
            )


def _identifier(each: Any) -> str:
    try:
        found = each["resource"]["id"], each["resource"]["name"]
    except (KeyError, TypeError) as error:
        raise CatalogueBroken("The site does not list datasets as Socrata does.") from error
    if not re.fullmatch(_ID, str(found[0])):
        raise CatalogueBroken("The site lists a dataset without an identifier of Socrata.")
    return str(found[0])


def _offer(found: Mapping[str, Any], root: str, asked: Mapping[str, str], source: Source) -> Offer:
    defaults = {key: value for key, value in source.dataset.items() if key not in ("table", "name")}
    try:
        known_by, fields = str(found["resource"]["id"]), socrata_words.fields(found)
        title = str(fields["title"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ApiRefused("The site does not describe its dataset as Socrata does.") from error
    url = with_query(f"{root}/resource/{known_by}.json", **asked)
    # Titles are often changed; the identifier stays.
    file = File(url, "socrata", names.table_name(source.table, known_by), title)
    collect = partial(socrata_rows.collect, source, root, known_by, url)
    return Offer(
        identifier=known_by,
        name=f"{source.name}-{known_by}"[-dcat_offer.NAME_LENGTH :].lstrip("-_"),
        fields={**defaults, **fields},
        files=[replace(file, collect=collect)],
        links=[Link(f"{root}/d/{known_by}", title, "HTML")],
    )


CONNECTOR = Connector(
    kind="socrata",
    title="Socrata site",
    help="Every dataset of a site (address of its start page, or .../api/catalog/v1 with q, "
    "categories or tags), or one of them (.../d/abcd-1234, .../resource/abcd-1234.json with "
    "$where): a table each, its columns typed as the site says, its places, title, description "
    "and licence. A run asks for the rows that changed since the last one. An app token is a "
    "secret of kind header: X-App-Token: ... Options: secret, columns.",
    decode=typed_rows.decode,
    discover=discover,
    many=True,
)
