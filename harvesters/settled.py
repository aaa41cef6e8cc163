"""Whether a file went through all stages before (it is *settled*), and the receipt that says so."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from harvesters import receipts
from harvesters.connectors import File, Offer
from harvesters.errors import HarvestError
from harvesters.fetch import Fetched
from harvesters.receipts import Receipt, Receipts
from harvesters.register import TableEntry
from harvesters.registered import Registered
from harvesters.report import Report
from harvesters.room import Room
from harvesters.source import Source
from lake import names
from lake.errors import LakeError
from lake.history import Version


@dataclass
class Settled:
    """One file that went through: its tables as resources, or the receipt that it is unchanged.

    `waiting_tables` are held, or were rejected; then the file gets no receipt yet.
    """

    file: File
    receipt: Receipt | None
    fetched: Fetched | None = None
    entries: list[TableEntry] = field(default_factory=list)
    waiting_tables: list[str] = field(default_factory=list)
    rejected: HarvestError | None = None

    @property
    def waiting(self) -> bool:
        return bool(self.waiting_tables)

    @property
    def tables(self) -> set[str]:
        """The tables that the file has now, also those that wait."""
        if self.unchanged and self.receipt:
            return {row["table"] for row in self.receipt.tables}
        return {entry.published.table for entry in self.entries} | set(self.waiting_tables)

    @property
    def unchanged(self) -> bool:
        return self.fetched is None


def kept_tables(files: list[File], source: Source, receipts: Receipts) -> list[File]:
    """The files of a dataset, each with the table that its address had before, where such tables
    are kept; what is new has another one than those.

    Else a file that goes, or comes before, would have the data of one published as the other's.
    """
    times = Counter(file.url for file in files)
    kept = {
        file.url: table
        for file in files
        if file.keeps_table
        and times[file.url] == 1
        and (receipt := receipts.find(source.id, file.url))
        and (table := receipt.table_of(source.table))
    }
    of_others = set(kept.values())
    return [
        replace(file, table=kept.get(file.url) or _free(file, of_others))
        if file.keeps_table
        else file
        for file in files
    ]


def _free(file: File, taken: set[str]) -> str:
    if file.table not in taken:
        return file.table
    return names.table_name(file.table, hashlib.sha256(file.url.encode()).hexdigest()[:8])


def kept_versions(
    receipt: Receipt,
    fetched: Fetched,
    file: File,
    offer: Offer,
    source: Source,
    room: Room,
    registered: Registered,
) -> list[Version] | None:
    """The versions of the file's tables if there is nothing to do: the bytes and the source's
    options are the same, and lake and portal are as the last run left them. None if there is
    something to do."""
    if not receipt.covers(fetched, receipts.asked(source, file.table, _wishes(offer))):
        return None
    try:
        versions = [room.lake.table(row["table"]).resolve() for row in receipt.tables]
    except LakeError:
        return None
    if [version.number for version in versions] != [row["version"] for row in receipt.tables]:
        return None
    return versions if registered.has(receipt.dataset_id) else None


def settle(file: Settled, offer: Offer, source: Source, room: Room, dataset_id: str) -> None:
    """Write the receipt of a file whose tables are all published and registered."""
    if file.fetched is None or file.waiting:
        return
    tables = [
        {
            "table": entry.published.table,
            "version": entry.published.version,
            "row_count": entry.published.row_count,
            "rejected_count": entry.published.rejected_count,
            "signs": vars(entry.published.signs),
            "named": [source.table, file.file.table],
        }
        for entry in file.entries
    ]
    room.receipts.settle(
        Receipt(
            source_id=source.id,
            url=file.file.url,
            etag=file.fetched.etag,
            last_modified=file.fetched.last_modified,
            sha256=file.fetched.sha256,
            asked=receipts.asked(source, file.file.table, _wishes(offer)),
            dataset_id=dataset_id,
            tables=tables,
        )
    )


def report_unchanged(
    receipt: Receipt, versions: list[Version], run_id: str, report: Report
) -> None:
    """Report the tables of an unchanged file. A version that this same run made, before its worker
    was lost, still counts as the run's change."""
    for row, version in zip(receipt.tables, versions, strict=True):
        report.add_table(
            row["table"],
            dataset=receipt.dataset_id,
            version=row["version"],
            changed=version.run_id == run_id,
            row_count=row["row_count"],
            rejected_count=row["rejected_count"],
        )


def _wishes(offer: Offer) -> dict[str, Any]:
    links = [vars(link) for link in offer.links]
    return {"name": offer.name, "identifier": offer.identifier, "links": links, **offer.fields}
