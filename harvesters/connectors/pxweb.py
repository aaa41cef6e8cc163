"""A statistical office's PX-Web (API 1): its tables one by one, as its tree of folders has them.

The whole tree is walked before the first table is offered; `pxweb_cells` asks for a table's cells.
https://www.scb.se/en/services/open-data-api/api-for-the-statistical-database/
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from harvesters.connectors import dcat_offer, pxweb_cells, typed_rows
from harvesters.connectors.base import Connector, File, Offer
from harvesters.connectors.opendatasoft_words import tags
from harvesters.connectors.pxweb_cells import Limits
from harvesters.errors import ApiRefused, CatalogueBroken
from harvesters.fetch import Client
from harvesters.incoming import Incoming
from harvesters.pages import Pages
from harvesters.source import Source
from lake import names

MOST_FOLDERS = 5_000
MOST_TABLES = 20_000
MOST_LEVELS = 20
_FOLDER, _TABLE = "l", "t"


@dataclass(frozen=True)
class Table:
    """A table of the tree. `path` are the identifiers that lead to it, `folders` their titles,
    `renewed` is when it changed, if its folder says that."""

    url: str
    path: tuple[str, ...]
    title: str
    folders: tuple[str, ...]
    renewed: str


def discover(source: Source, client: Client) -> Iterator[Offer]:
    """A dataset for each table of the address's folder, or for the table that it is of.

    Raises ApiRefused, CatalogueBroken, and the errors of `Pages.get`.
    """
    url = urlsplit(source.url)._replace(query="", fragment="").geturl().rstrip("/")
    with Incoming(client.raw_dir, client.limits) as clock:
        walk = Pages(source, client, clock)
        limits = Limits.of(url, walk)
        tables = list(_tables(url, walk, limits))
    for table in tables:
        yield _offer(table, limits, source)


def _tables(root: str, walk: Pages, limits: Limits) -> Iterator[Table]:
    first = _node(root, walk, limits)
    if isinstance(first, dict):
        name = unquote(root.rpartition("/")[2])
        yield Table(root, (name,), str(first.get("title") or name), (), "")
        return
    open_folders: deque[tuple[str, tuple[str, ...], tuple[str, ...], Any]] = deque()
    open_folders.append((root, (), (), first))
    folder_count, table_count = 1, 0
    while open_folders:
        url, path, titles, listed = open_folders.popleft()
        listed = _node(url, walk, limits) if listed is None else listed
        for known_by, kind, title, renewed in _entries(listed):
            below = f"{url}/{quote(known_by, safe='')}"
            if kind == _TABLE:
                table_count += 1
                yield Table(below, (*path, known_by), title, titles, renewed)
                continue
            folder_count += 1
            open_folders.append((below, (*path, known_by), (*titles, title), None))
            if len(path) >= MOST_LEVELS:
                raise CatalogueBroken(f"The folders lie more than {MOST_LEVELS} levels deep.")
        if folder_count > MOST_FOLDERS or table_count > MOST_TABLES:
            raise CatalogueBroken(
                f"There are more than {MOST_FOLDERS} folders or {MOST_TABLES} tables; give the "
                "address of a folder."
            )


def _node(url: str, walk: Pages, limits: Limits) -> Any:
    """A folder (a list) or a table (an object). Raises ApiRefused."""
    limits.wait()
    found = walk.document(url)
    if isinstance(found, list) or (isinstance(found, dict) and "variables" in found):
        return found
    raise ApiRefused(
        "The address is of no folder or table of a PX-Web API; it begins as .../api/v1/vi/..."
    )


def _entries(listed: Any) -> Iterator[tuple[str, str, str, str]]:
    """Of each entry of a folder its identifier, whether it is a folder or a table, its title, and
    when it was renewed. Headings are left out. Raises ApiRefused."""
    if not isinstance(listed, list):
        raise ApiRefused("A folder of the PX-Web API is none.")
    seen: set[str] = set()
    for each in listed:
        try:
            known_by = str(each["dbid"] if "dbid" in each else each["id"])
            kind = str(each.get("type", _FOLDER))
        except (KeyError, TypeError, AttributeError) as error:
            raise ApiRefused(
                "A folder of the PX-Web API has entries without identifier."
            ) from error
        if kind not in (_FOLDER, _TABLE) or not known_by or known_by in seen:
            continue
        seen.add(known_by)
        title = " ".join(str(each.get("text") or known_by).split())
        yield known_by, kind, title, str(each.get("updated") or "")


def _offer(table: Table, limits: Limits, source: Source) -> Offer:
    defaults = {key: value for key, value in source.dataset.items() if key not in ("table", "name")}
    known_by = "/".join(table.path)
    short = dcat_offer.slug(known_by)
    fields = {
        "title": table.title,
        "notes": " › ".join((*table.folders, table.title)) if table.folders else None,
        "tags": tags(list(table.folders)),
    }
    file = File(table.url, "pxweb", names.table_name(source.table, short), table.title)
    collect = partial(pxweb_cells.collect, source, table.url, table.renewed, limits)
    return Offer(
        identifier=known_by,
        name=f"{source.name}-{short}"[: dcat_offer.NAME_LENGTH].rstrip("-_"),
        fields={**defaults, **{key: value for key, value in fields.items() if value}},
        files=[replace(file, collect=collect)],
    )


CONNECTOR = Connector(
    kind="pxweb",
    title="PX-Web statistics",
    help="Every table of a statistical office's PX-Web (address of its API, .../api/v1/vi, of a "
    "folder below it, or of one table): a row for each combination of categories, a column for "
    "each variable and for each content, in its unit. Large tables are asked for in parts; those "
    "not renewed since the last run are not. Options: secret, columns.",
    decode=typed_rows.decode,
    discover=discover,
    many=True,
)
