"""What a connector is: it discovers datasets with their files, and decodes a file into tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from harvesters.errors import HarvestError
from harvesters.fetch import Client, Fetched
from harvesters.rawtable import RawTable
from harvesters.source import Options, Source
from harvesters.workbench import Workbench


@dataclass(frozen=True)
class File:
    """One file to fetch: decoded by the connector of `kind`, published as `table` (or as tables
    with that prefix). `collect` makes it where it has to be put together from many answers.
    `keeps_table`: a table that the address had before stays its own, since what it is called here
    depends on the files beside it."""

    url: str
    kind: str
    table: str
    name: str
    description: str = ""
    collect: Callable[[Client], Fetched] | None = field(default=None, compare=False, repr=False)
    keeps_table: bool = False


@dataclass(frozen=True)
class Link:
    """A resource that is listed and not harvested."""

    url: str
    name: str
    format: str
    description: str = ""


@dataclass(frozen=True)
class Offer:
    """One dataset of a source: `identifier` is unique in the source and stays the same.

    `fields` are the catalogue's fields of the dataset, `name` its wished name there. `broken` says
    that it is described as nothing that can be read: the others are taken over all the same.
    """

    identifier: str
    name: str
    fields: Mapping[str, Any]
    files: list[File]
    links: list[Link] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    broken: HarvestError | None = None


Decode = Callable[[Path, Options, Workbench], list[RawTable]]
Discover = Callable[[Source, Client], Iterable[Offer]]


def one_file(source: Source, _client: Client) -> Iterable[Offer]:
    """The offer of a source whose address is one file: one dataset, described by its officer."""
    fields = {key: value for key, value in source.dataset.items() if key not in ("table", "name")}
    yield Offer(
        # Not the name: an officer may change that.
        identifier=str(source.dataset.get("harvest_identifier") or source.id),
        name=str(source.dataset.get("name") or source.name),
        fields={"title": source.title, **fields},
        files=[File(source.url, source.kind, source.table, source.title)],
    )


def one_collection(collect: Callable[[Source, Client], Fetched]) -> Discover:
    """As `one_file`, for a file that `collect` puts together."""

    def discover(source: Source, client: Client) -> Iterable[Offer]:
        for offer in one_file(source, client):
            files = [replace(file, collect=partial(collect, source)) for file in offer.files]
            yield replace(offer, files=files)

    return discover


@dataclass(frozen=True)
class Connector:
    """A kind of source. `decode` is None for catalogues whose files other connectors decode, and
    `many` true for those that decode their own."""

    kind: str
    title: str
    help: str
    decode: Decode | None
    discover: Discover = one_file
    many: bool = False

    @property
    def is_catalogue(self) -> bool:
        """Whether such a source has many datasets, each described there."""
        return self.many or self.decode is None
