"""An Opendatasoft portal (Explore API 2.1): its datasets one by one, their records as one export.

All pages of the catalogue are read before the first dataset is offered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import simplejson  # type: ignore[import-untyped]

from harvesters import decode as decoding
from harvesters import kept
from harvesters.connectors import dcat_offer, typed_rows
from harvesters.connectors.base import Connector, File, Link, Offer
from harvesters.connectors.ndjson import lines
from harvesters.connectors.opendatasoft_words import Dataset
from harvesters.errors import (
    ApiRefused,
    CatalogueBroken,
    PagesBroken,
    SourceChanging,
    SourceTooLarge,
)
from harvesters.fetch import Client, Fetched
from harvesters.incoming import Incoming
from harvesters.kept import Kept, Notes
from harvesters.pages import Pages, line, with_query
from harvesters.source import Source
from lake import names

API = "/api/explore/v2.1/catalog/datasets"
# The API's own limits: of a page, and of how far its pages reach.
PAGE_ROWS = 100
MOST_DATASETS = 10_000
# Counted up when rows are made in another way.
VERSION = 1
_DATASET = re.compile(r"/(?:explore/dataset|api/explore/v2\.\d/catalog/datasets)/([^/]+)")
_ROOT = re.compile(r"/(?:explore|api/explore)(?:/|$)")
_KEPT = ("where", "refine", "exclude")

Query = list[tuple[str, str]]


def discover(source: Source, client: Client) -> Iterator[Offer]:
    """The portal's datasets, those that a query finds, or one.

    Raises ApiRefused, CatalogueBroken, SourceChanging, SourceTooLarge, and the errors of
    `Pages.get`.
    """
    root, only, query = _address(source.url)
    with Incoming(client.raw_dir, client.limits) as clock:
        walk = Pages(source, client, clock)
        if only is not None:
            datasets = [Dataset.of(walk.about(_dataset_address(root, only)))]
        else:
            datasets = list(_datasets(_with(root + API, query), walk))
    for dataset in datasets:
        yield _offer(dataset, root, query if only else [], source)


def _address(url: str) -> tuple[str, str | None, Query]:
    """The portal's address, the dataset that the officer's is of, and what it asks for."""
    parts = urlsplit(url)
    match = _DATASET.search(parts.path)
    start = _ROOT.search(parts.path)
    path = parts.path[: start.start()] if start else parts.path
    root = parts._replace(path=path.rstrip("/"), query="", fragment="").geturl()
    query = [(name, value) for name, value in parse_qsl(parts.query) if name in _KEPT]
    return root, unquote(match[1]) if match else None, query


def _with(url: str, query: Query, **parameters: str | int) -> str:
    """An address with a query in which a name may come several times."""
    asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in query)
    return with_query(f"{url}?{asked}" if asked else url, **parameters)


def _dataset_address(root: str, dataset_id: str) -> str:
    return f"{root}{API}/{quote(dataset_id, safe='')}"


def _datasets(address: str, walk: Pages) -> Iterator[Dataset]:
    seen: set[str] = set()
    start, before = 0, None
    while True:
        asked: dict[str, str | int] = {"order_by": "dataset_id", "limit": PAGE_ROWS}
        page = walk.about(with_query(address, **asked, offset=start))
        results, total = page.get("results"), page.get("total_count")
        if not isinstance(results, list) or type(total) is not int:
            raise CatalogueBroken("The catalogue does not answer as Opendatasoft's API 2.1 does.")
        if before not in (None, total):
            raise SourceChanging("The catalogue changed while its pages were read.")
        before = total
        if total > MOST_DATASETS:
            raise SourceTooLarge(
                f"The catalogue has {total} datasets, and its pages reach {MOST_DATASETS}; add a "
                "refine or where to the address."
            )
        fresh = [each for each in map(Dataset.of, results) if each.id not in seen]
        seen |= {each.id for each in fresh}
        yield from fresh
        start += PAGE_ROWS
        if start >= total:
            break
        if not fresh:
            raise CatalogueBroken("The catalogue gives the same page again for the next one.")
    if len(seen) < total:
        raise CatalogueBroken(f"The catalogue says that it has {total} datasets, gave {len(seen)}.")


def _offer(dataset: Dataset, root: str, query: Query, source: Source) -> Offer:
    defaults = {key: value for key, value in source.dataset.items() if key not in ("table", "name")}
    short = dcat_offer.slug(dataset.id)
    page = f"{root}/explore/dataset/{quote(dataset.id, safe='')}/"
    title = str(dataset.fields["title"])
    files, links = [], [Link(page, title, "HTML")]
    if dataset.has_rows:
        url = _with(f"{_dataset_address(root, dataset.id)}/exports/jsonl", query)
        file = File(url, "opendatasoft", names.table_name(source.table, short), title)
        files = [replace(file, collect=partial(_collect, source, root, dataset, url, bool(query)))]
    for attachment, name, media_type in dataset.attachments:
        address = f"{_dataset_address(root, dataset.id)}/attachments/{quote(attachment, safe='')}"
        links.append(Link(address, name, media_type.rpartition("/")[2].upper()))
    return Offer(
        identifier=dataset.id,
        name=f"{source.name}-{short}"[: dcat_offer.NAME_LENGTH].rstrip("-_"),
        fields={**defaults, **dataset.fields},
        files=files,
        links=links,
    )


def _collect(
    source: Source, root: str, dataset: Dataset, url: str, is_part: bool, client: Client
) -> Fetched:
    """The records as one file of typed rows; nothing is asked for when the portal says that the
    data is still the same.

    Raises ApiRefused, PagesBroken, SourceChanging, and the errors of `Pages.get`.
    """
    now = dataset

    def gather(walk: Pages, before: Kept | None, notes: Notes) -> Iterator[bytes] | None:
        head = typed_rows.head(now.columns, has_places=now.place is not None)
        known = {"stamp": now.stamp, "row_count": now.row_count, "head": head.decode()}
        if before and now.stamp and before.notes == known:
            return None
        notes.update(known)
        return rows(walk, head)

    def rows(walk: Pages, head: bytes) -> Iterator[bytes]:
        nonlocal now
        yield head
        count = 0
        for record in _records(walk.get(url, "application/x-ndjson, application/json;q=0.9, */*")):
            count += 1
            yield line(now.row(record))
        asked = now
        now = Dataset.of(walk.about(_dataset_address(root, now.id), is_page=False))
        if (now.stamp, now.columns) != (asked.stamp, asked.columns):
            raise SourceChanging("The dataset was renewed while its records were read.")
        if now.row_count is not None and count < now.row_count and not is_part:
            raise PagesBroken(
                f"The portal says that the dataset has {now.row_count} records and gave {count}.",
                total=now.row_count,
            )

    return replace(kept.gathered(source, client, f"{VERSION} {url}", gather), url=url)


def _records(fetched: Fetched) -> Iterator[dict[str, Any]]:
    """The records of an export, one a line. Raises ApiRefused, and the errors of `decode.text`."""
    for text in lines(decoding.text(fetched.path, "utf-8").iter_utf8()):
        if not text.strip():
            continue
        try:
            record = simplejson.loads(text, use_decimal=True)
        except (ValueError, RecursionError) as error:
            raise ApiRefused("The portal's export is no JSON, or breaks off.") from error
        if not isinstance(record, dict):
            raise ApiRefused("The portal's rows are no records of Opendatasoft.")
        yield record


CONNECTOR = Connector(
    kind="opendatasoft",
    title="Opendatasoft portal",
    help="Every dataset of a portal (address of its start page, or .../api/explore/v2.1/catalog/"
    "datasets with where or refine), or one of them (.../explore/dataset/name): a table each, its "
    "fields with their types and units, its places, and its title, description, licence and "
    "keywords. What the portal says is unchanged is not asked for. Options: secret, columns.",
    decode=typed_rows.decode,
    discover=discover,
    many=True,
)
