"""The way of the data, whole on one page:

    fetch → decode → normalise → validate → publish → register

A source's connector discovers datasets, each with files. A file that is unchanged since it was last
settled stops after `fetch`. Every table of a file must be fit, and kept for the source by the
portal, before the first one is published. The receipt comes last: a crash anywhere before it is
healed by the next run.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from harvesters import connectors, receipts
from harvesters.connectors import File, Offer
from harvesters.errors import HarvestError, SourceInvalid
from harvesters.fetch import Client, Fetched
from harvesters.normalise import TypedTable, normalise
from harvesters.portal import Portal
from harvesters.publish import Published, made_by, publish
from harvesters.receipts import Receipt, Receipts
from harvesters.register import TableEntry, register
from harvesters.report import Report
from harvesters.reserve import reserve
from harvesters.source import Source
from harvesters.validate import Checked, refuse_unfit, validate
from harvesters.workbench import Workbench
from lake import names
from lake.errors import InvalidName, LakeError
from lake.store import Lake

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Room:
    """Everything a run reaches: the Internet, the lake, the portal, and the memory of past runs."""

    client: Client
    lake: Lake
    portal: Portal
    receipts: Receipts
    gateway_url: str


@dataclass
class Settled:
    """One file that went through: its tables as resources, or the receipt that it is unchanged."""

    file: File
    receipt: Receipt | None
    fetched: Fetched | None = None
    entries: list[TableEntry] = field(default_factory=list)

    @property
    def unchanged(self) -> bool:
        return self.fetched is None


def harvest(source: Source, room: Room, report: Report, run_id: str) -> None:
    """Run one source to its end. What happened is in `report`; what ended it, raised.

    A dataset of a catalogue that fails is told in the report, and the others go on.
    """
    _check_table_name(source)
    failures: list[HarvestError] = []
    for offer in _discover(source, room, report):
        try:
            _dataset(offer, source, room, report, run_id)
        except HarvestError as error:
            if not _is_catalogue(source):
                raise
            failures.append(error)
    if failures and not report.tables:
        raise failures[0]
    report.close()


def _dataset(offer: Offer, source: Source, room: Room, report: Report, run_id: str) -> None:
    settled: list[Settled] = []
    for file in offer.files:
        try:
            settled.append(_file(file, offer, source, room, report, run_id))
        except HarvestError as error:
            if not _is_catalogue(source):
                raise
            report.stages["fetch"].say(f"{file.name}: {error.detail}")
            report.stages["fetch"].count(failed_files=1)
    if settled and all(file.unchanged for file in settled):
        report.stages["fetch"].say(f"{offer.name}: unchanged, nothing was published.")
        return
    with report.stage("register") as stage:
        known = next((file.receipt.dataset_id for file in settled if file.receipt), None)
        entries = [entry for file in settled for entry in file.entries]
        done = register(
            offer, entries, source, room.portal, room.lake, room.gateway_url, known_id=known
        )
        stage.count(datasets=1, datasets_changed=int(done.changed))
        for went_through in settled:
            _settle(went_through, offer, source, room, done.dataset_id)
    _name_dataset(report, entries, done.name)


def _file(
    file: File, offer: Offer, source: Source, room: Room, report: Report, run_id: str
) -> Settled:
    """One file through every stage but the last."""
    with report.stage("fetch") as stage:
        receipt = room.receipts.find(source.id, file.url)
        fetched = room.client.fetch(file.url, receipt.validators if receipt else None)
        stage.count(files=1, bytes=0 if fetched.not_modified else fetched.byte_count)
        if receipt and _is_settled(receipt, fetched, file, offer, source, room):
            stage.count(unchanged_files=1)
            _report_unchanged(receipt, room.lake, run_id, report)
            return Settled(file, receipt)
    with Workbench() as bench:
        for_each = [
            (table_name(file, checked), checked)
            for checked in prepare(file, fetched, source, bench, report)
        ]
        entries = []
        with report.stage("publish") as stage:
            reserve((table for table, _ in for_each), offer, source, room.portal)
            for table, checked in for_each:
                done = publish(
                    checked,
                    room.lake,
                    table,
                    run_id=run_id,
                    source_url=file.url,
                    source_hash=fetched.sha256,
                )
                stage.count(tables=1, new_versions=int(done.changed), rows=done.row_count)
                if not done.changed:
                    stage.say(f"{table}: the same content as version {done.version}.")
                entries.append(TableEntry(done, _resource_name(file, checked), file.description))
                _report_published(done, report)
    return Settled(file, receipt, fetched, entries)


def prepare(
    file: File, fetched: Fetched, source: Source, bench: Workbench, report: Report
) -> list[Checked]:
    """Bytes to checked tables: decode, normalise and validate. Raises DataRefused."""
    connector = connectors.of(file.kind)
    if connector.decode is None:
        raise SourceInvalid(f"A {file.kind} source has no files to decode.")
    with report.stage("decode") as stage:
        raws = connector.decode(fetched.path, source.options, bench)
        for raw in raws:
            stage.count(tables=1)
            stage.say(*(f"{raw.part or file.table}: {text}" for text in raw.messages))
    with report.stage("normalise") as stage:
        typed: list[TypedTable] = []
        for raw in raws:
            typed.append(normalise(raw, source.options, bench))
            stage.count(columns=len(typed[-1].columns), rows=typed[-1].row_count)
            stage.say(*(f"{raw.part or file.table}: {text}" for text in typed[-1].messages))
    with report.stage("validate") as stage:
        checked = [validate(table, source.options, bench) for table in typed]
        for table in checked:
            stage.count(accepted=table.accepted_count, rejected=table.rejected_count)
            if table.rejected_count:
                report.add_rejected(table_name(file, table), table.shown())
        for table in checked:
            refuse_unfit(table, source.options)
    return checked


def _discover(source: Source, room: Room, report: Report) -> Iterator[Offer]:
    """The connector's offers; asking for the next one is part of `fetch`."""
    offers = iter(connectors.of(source.kind).discover(source, room.client))
    while True:
        with report.stage("fetch"):
            offer = next(offers, None)
        if offer is None:
            return
        yield offer


def _is_settled(
    receipt: Receipt, fetched: Fetched, file: File, offer: Offer, source: Source, room: Room
) -> bool:
    """Whether nothing is to do: the same bytes and wishes, the lake and the portal as left."""
    if not receipt.covers(fetched, receipts.asked(source, file.table, _wishes(offer))):
        return False
    try:
        for row in receipt.tables:
            if room.lake.table(row["table"]).resolve().number != row["version"]:
                return False
    except LakeError:
        return False
    dataset = room.portal.find("package_show", id=receipt.dataset_id)
    return dataset is not None and dataset.get("state", "active") == "active"


def _settle(file: Settled, offer: Offer, source: Source, room: Room, dataset_id: str) -> None:
    if file.fetched is None:
        return
    tables = [
        {
            "table": entry.published.table,
            "version": entry.published.version,
            "row_count": entry.published.row_count,
            "rejected_count": entry.published.rejected_count,
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


def _wishes(offer: Offer) -> dict[str, Any]:
    links = [vars(link) for link in offer.links]
    return {"name": offer.name, "identifier": offer.identifier, "links": links, **offer.fields}


def _report_published(done: Published, report: Report) -> None:
    report.add_table(
        done.table,
        dataset=None,
        version=done.version,
        changed=done.changed,
        row_count=done.row_count,
        rejected_count=done.rejected_count,
    )


def _report_unchanged(receipt: Receipt, lake: Lake, run_id: str, report: Report) -> None:
    for row in receipt.tables:
        report.add_table(
            row["table"],
            dataset=receipt.dataset_id,
            version=row["version"],
            changed=made_by(lake, row["table"], row["version"], run_id),
            row_count=row["row_count"],
            rejected_count=row["rejected_count"],
        )


def _name_dataset(report: Report, entries: list[TableEntry], dataset: str) -> None:
    tables = {entry.published.table for entry in entries}
    for row in report.tables:
        if row["table"] in tables:
            row["dataset"] = dataset


def table_name(file: File, checked: Checked) -> str:
    part = checked.typed.raw.part
    return names.table_name(file.table, part) if part else file.table


def _resource_name(file: File, checked: Checked) -> str:
    part = checked.typed.raw.part
    return f"{file.name} – {part}" if part else file.name


def _is_catalogue(source: Source) -> bool:
    return connectors.of(source.kind).decode is None


def _check_table_name(source: Source) -> None:
    try:
        names.check(source.table)
    except InvalidName as error:
        raise SourceInvalid(
            f"{source.table!r} is no table name; set the source's `table`."
        ) from error
