"""The way of the data, whole on one page:

    fetch → decode → normalise → validate → publish → register

A source's connector discovers datasets, and each dataset has files. A file that has not changed
since it last went through stops after `fetch`. A table that an officer must see first waits, and
the others go on. Before a table is published, the portal reserves its name for the source. A file's
receipt is written last, so the next run repeats whatever a crash cut off. What becomes of datasets
that are gone is settled when all others are done.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from threading import BoundedSemaphore, Lock
from typing import Any

from harvesters import (
    ahead,
    around,
    connectors,
    credentials,
    departures,
    editions,
    own_parts,
    replay,
)
from harvesters.allowance import Allowance
from harvesters.connectors import File, Offer
from harvesters.errors import HarvestError, SourceInvalid
from harvesters.fetch import Client
from harvesters.newcomers import Newcomers
from harvesters.passages import DatasetPart, Passage
from harvesters.prepare import Gated, fetch, gate, prepare, resource_name
from harvesters.publish import Published, publish
from harvesters.register import TableEntry, left_tables, register
from harvesters.registered import Registered
from harvesters.report import HELD, PUBLISHED, Report
from harvesters.reserve import reserve
from harvesters.room import Room
from harvesters.settled import Settled, kept_tables, kept_versions, report_unchanged, settle
from harvesters.source import Source
from harvesters.workbenches import Workbenches
from lake import names
from lake.errors import InvalidName

# Datasets that are worked on at a time. Three keep two processors busy: one mostly waits for the
# portal.
DATASETS_AT_ONCE = 3
# Datasets that are begun at a time, with those that wait for the portal to make them: it makes many
# in one request.
DATASETS_BEGUN = 48


@dataclass(frozen=True)
class Run:
    """One run of a source: everything that its datasets share.

    Several datasets are worked on at once. `fetching` lets only one of them ask the source at a
    time, and `places` bounds how many work.
    """

    source: Source
    room: Room
    report: Report
    run_id: str
    registered: Registered
    benches: Workbenches
    allowance: Allowance
    newcomers: Newcomers
    fetching: Lock = field(default_factory=Lock)
    places: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(DATASETS_AT_ONCE))

    def dataset(self, offer: Offer) -> tuple[Offer, str | None, HarvestError | None]:
        """Take one dataset through all stages. Returns the offer, the dataset's id in the portal if
        it has one, and the error that it failed with, if any.

        Raises the errors that end the whole run: any failure of a source that is no catalogue, and
        reaching one of the run's caps.
        """
        self.allowance.check()
        try:
            with self.places, self.report.dataset(offer.identifier, offer.name) as part:
                return offer, _dataset(offer, self, part), None
        except HarvestError as error:
            if not is_catalogue(self.source):
                raise
            return offer, None, error

    def create(self, fields: dict[str, Any], stage: Passage) -> dict[str, Any]:
        """Have the portal make a dataset. While this one waits, another dataset may work."""
        self.places.release()
        begun = time.monotonic()
        try:
            made = self.newcomers.make(fields)
            stage.idle_s += time.monotonic() - begun - made.took_s
        finally:
            begun = time.monotonic()
            self.places.acquire()
            stage.idle_s += time.monotonic() - begun
        return made.dataset


def harvest(source: Source, room: Room, report: Report, run_id: str) -> None:
    """Run one source to its end. `report` tells what happened; the error that ended the run is
    raised.

    When a dataset of a catalogue fails, the report says so and the others go on.
    """
    with own_parts.named_errors():
        _harvest(source, room, report, run_id)


def _harvest(source: Source, room: Room, report: Report, run_id: str) -> None:
    _check_table_name(source)
    room.client.carry(credentials.read(source, room.portal), source.url)
    failures: list[HarvestError] = []
    seen: dict[str, tuple[str, str] | None] = {}
    registered = Registered(source, room.portal, many=is_catalogue(source))
    with Workbenches() as benches, Newcomers(room.portal) as newcomers, room.receipts.open():
        allowance = Allowance(room.caps)
        run = Run(source, room, report, run_id, registered, benches, allowance, newcomers)
        offers = discover(source, room.client, report)
        for offer, dataset_id, error in ahead.each(run.dataset, offers, DATASETS_BEGUN):
            seen[offer.identifier] = (dataset_id, offer.name) if dataset_id else None
            if error is not None:
                failures.append(error)
    if is_catalogue(source):
        report.arrange(seen)
        departures.settle(source, seen, room.presence, room.portal, report, run_id, room.patience)
    if failures and not report.tables:
        raise failures[0]
    report.close()


def _dataset(offer: Offer, run: Run, part: DatasetPart) -> str | None:
    """Take all files of a dataset through their stages, then register the dataset. Returns its id
    in the portal, if it has one."""
    source, room, report = run.source, run.room, run.report
    settled: list[Settled] = []
    failed: list[HarvestError] = []
    if offer.broken:
        raise offer.broken
    for file in kept_tables(offer.files, source, room.receipts):
        try:
            settled.append(_file(file, offer, run))
        except HarvestError as error:
            if not is_catalogue(source):
                raise
            report.note("fetch", f"{file.name}: {error.detail}", failed_files=1)
            failed.append(error)
    known = next((file.receipt.dataset_id for file in settled if file.receipt), None)
    entries = [entry for file in settled for entry in file.entries]
    waits = any(file.waiting for file in settled)
    listed = run.registered.dataset(offer.identifier)
    # What a file that failed has is not known.
    there = None if failed else set[str]().union(*(file.tables for file in settled))
    is_left = bool(listed and left_tables(listed, there))
    if settled and all(file.unchanged for file in settled) and not is_left:
        report.note("fetch", f"{offer.name}: unchanged, nothing was published.")
    elif entries or offer.links or is_left or not (waits or failed):
        with report.stage("register") as stage:
            done = register(
                offer,
                entries,
                source,
                room.portal,
                room.lake,
                room.gateway_url,
                partial(run.create, stage=stage),
                known_id=known,
                may_exist=known is not None or not run.registered.none(),
                listed=listed,
                there=there,
            )
            known = done.dataset_id
            stage.count(datasets=1, datasets_changed=int(done.changed))
            stage.say(
                *(
                    f"{table}: the source has this table no longer; its last version stays, "
                    "and its dataset says so"
                    for table in done.left
                )
            )
            for went_through in settled:
                settle(went_through, offer, source, room, done.dataset_id)
        _name_dataset(report, entries, done.name)
        part.dataset = done.name
    if any(entry.published.changed for entry in entries):
        part.state = PUBLISHED
    if waits:
        part.state = HELD
    if rejected := next((file.rejected for file in settled if file.rejected), None):
        raise rejected
    if failed and not settled:
        raise failed[0]
    return known


def _file(file: File, offer: Offer, run: Run) -> Settled:
    """Take one file through every stage but `register`."""
    source, room, report = run.source, run.room, run.report
    with run.fetching, report.stage("fetch") as stage:
        run.allowance.check()
        receipt = room.receipts.find(source.id, file.url)
        known = receipt.validators if receipt else None
        if room.replay:
            fetched = replay.kept(file, receipt, room.client)
        else:
            fetched = fetch(file, room.client, room.portal, known)
        byte_count = 0 if fetched.not_modified else fetched.byte_count
        stage.count(files=1, bytes=byte_count)
        run.allowance.spend(byte_count)
        if receipt and not room.replay:
            versions = kept_versions(receipt, fetched, file, offer, source, room, run.registered)
            if versions is not None:
                stage.count(unchanged_files=1)
                report_unchanged(receipt, versions, run.run_id, report)
                return Settled(file, receipt)
    with run.benches.one() as bench:
        signs = room.receipts.signs(source.id, receipt, many=is_catalogue(source))
        checked = prepare(
            file,
            fetched,
            source,
            bench,
            report,
            room.mask_secret,
            room.references,
            signs,
        )
        gated = gate(file, checked, source, room.lake, report)
        fit = [one for one in gated if one.passes]
        settled = Settled(
            file,
            receipt,
            fetched,
            waiting_tables=[one.table for one in gated if not one.passes],
            rejected=next((one.rejected for one in gated if one.rejected), None),
        )
        if not fit:
            return settled
        with report.stage("publish") as stage:
            reserve((one.table for one in fit), offer, source, room.portal)
            for one in fit:
                done = _publish(one, room, run.run_id, file, fetched.sha256)
                stage.count(tables=1, new_versions=int(done.changed), rows=done.row_count)
                if not done.changed:
                    stage.say(f"{one.table}: the same content as version {done.version}.")
                if not run.registered.none():
                    # A source without a dataset in the portal has no offers, so there are no
                    # editions to write.
                    _write_editions(done, room, stage)
                name = resource_name(file, one.checked)
                said = file.description or around.description(one.checked.typed.raw)
                settled.entries.append(TableEntry(done, name, said))
                _report_published(done, report)
    return settled


def _publish(one: Gated, room: Room, run_id: str, file: File, sha256: str) -> Published:
    return publish(
        one.checked,
        room.lake,
        one.table,
        run_id=run_id,
        source_url=file.url,
        source_hash=sha256,
    )


def _write_editions(done: Published, room: Room, stage: Passage) -> None:
    """Write the editions of the new version that offers want. One that fails ends nothing: its
    officers are told to mend the offer."""
    outcome = editions.write_wanted(room.portal, room.lake, done.table)
    if outcome.written:
        stage.count(editions=outcome.written)
    for code in outcome.failures:
        stage.say(f"{done.table}: an edition could not be written ({code}); look at its offer.")


def discover(source: Source, client: Client, report: Report) -> Iterator[Offer]:
    """The connector's offers. The time that it takes to ask for the next one counts as `fetch`."""
    offers = iter(connectors.of(source.kind).discover(source, client))
    while True:
        with report.stage("fetch"):
            offer = next(offers, None)
        if offer is None:
            return
        yield offer


def _report_published(done: Published, report: Report) -> None:
    report.add_table(
        done.table,
        dataset=None,
        version=done.version,
        changed=done.changed,
        row_count=done.row_count,
        rejected_count=done.rejected_count,
    )


def _name_dataset(report: Report, entries: list[TableEntry], dataset: str) -> None:
    tables = {entry.published.table for entry in entries}
    for row in report.tables:
        if row["table"] in tables:
            row["dataset"] = dataset


def is_catalogue(source: Source) -> bool:
    """Whether a source offers many datasets. Any other source has one, which its officer
    described."""
    return connectors.of(source.kind).is_catalogue


def _check_table_name(source: Source) -> None:
    try:
        names.check(source.table)
    except InvalidName as error:
        raise SourceInvalid(
            f"{source.table!r} is no table name; set the source's `table`."
        ) from error
