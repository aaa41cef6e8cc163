"""One file up to the point where its tables may be published, or wait for an officer:

fetch → decode → normalise → validate, gates
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from harvesters import (
    connectors,
    contract,
    drift,
    guess,
    holds,
    masks,
    personal,
    points,
    uploads,
    ward_codes,
)
from harvesters.connectors import File
from harvesters.contract import References
from harvesters.errors import HeldVersionRejected, SourceInvalid
from harvesters.fetch import Client, Fetched, Validators
from harvesters.holds import Hold
from harvesters.normalise import TypedTable, normalise
from harvesters.portal import Portal
from harvesters.rawtable import RawTable
from harvesters.report import Report
from harvesters.signs import UNKNOWN, Signs
from harvesters.source import Source
from harvesters.validate import Checked, refuse_unfit, validate
from harvesters.workbench import Workbench
from lake import names
from lake.errors import TableNotFound
from lake.schema import Column
from lake.store import Lake


@dataclass(frozen=True)
class Gated:
    """A checked table at the gates: it passes, or `holds` keep it waiting for an officer, or an
    officer has `rejected` it before."""

    table: str
    checked: Checked
    holds: list[Hold] = field(default_factory=list)
    rejected: HeldVersionRejected | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def passes(self) -> bool:
        return not self.holds and self.rejected is None


def fetch(
    file: File, client: Client, portal: Portal | None, known: Validators | None = None
) -> Fetched:
    """Fetch a file from where it lies: at the department, or in the portal if it was uploaded.

    Raises the errors of `Client.fetch`, `uploads.fetch`, and of the file's `collect`.
    """
    if file.collect is not None:
        return file.collect(client)
    if not uploads.is_upload(file.url):
        return client.fetch(file.url, known)
    if portal is None:
        raise SourceInvalid("An uploaded file lies in the portal; there is none to ask.")
    return uploads.fetch(file.url, portal, client)


def guessed(
    source: Source, client: Client, portal: Portal | None, report: Report
) -> tuple[Source, Fetched | None]:
    """Find out the kind of a source that names none, by its address or its file. Returns the source
    with its kind, and the file if it was fetched."""
    with report.stage("fetch") as stage:
        if found := guess.of_scheme(source.url):
            stage.say(found.reason)
            return replace(source, kind=found.kind), None
        file = File(source.url, "", source.table, source.title)
        fetched = fetch(file, client, portal)
        found = guess.of_file(source.url, None, fetched.path)
        stage.say(found.reason)
    return replace(source, kind=found.kind), fetched


def prepare(
    file: File,
    fetched: Fetched,
    source: Source,
    bench: Workbench,
    report: Report,
    mask_secret: str | None,
    references: References | None = None,
    earlier: Mapping[str, Signs] = MappingProxyType({}),
) -> list[Checked]:
    """Make checked tables of a file's bytes: decode, mask, normalise and validate.

    `mask_secret` is the key for columns that are hashed; `references` are the tables that columns
    may refer to; `earlier` says, by table, how its version before was written. Raises DataRefused,
    MaskKeyMissing.
    """
    connector = connectors.of(file.kind)
    if connector.decode is None:
        raise SourceInvalid(f"A {file.kind} source has no files to decode.")
    options = source.options
    if options.row_kind is None and any(signs.row_kind for signs in earlier.values()):
        # Readers have the column: it stays where this file has nothing to mark.
        options = replace(options, row_kind=True)
    with report.stage("decode") as stage:
        raws = connector.decode(fetched.path, options, bench)
        key = masks.source_key(mask_secret, source.id)
        for raw in raws:
            masks.apply(raw, source.options, bench, key)
            stage.count(tables=1)
            stage.say(*(f"{raw.part or file.table}: {text}" for text in raw.messages))
    with report.stage("normalise") as stage:
        typed: list[TypedTable] = []
        for raw in raws:
            told = len(raw.messages)
            ward_codes.add(raw, source.options, bench)
            stage.say(*(f"{raw.part or file.table}: {text}" for text in raw.messages[told:]))
            signs = earlier.get(_table_name(file, raw), UNKNOWN)
            typed.append(normalise(raw, source.options, bench, signs))
            points.locate(typed[-1], source.options, bench)
            stage.count(columns=len(typed[-1].columns), rows=typed[-1].row_count)
            stage.say(*(f"{raw.part or file.table}: {text}" for text in typed[-1].messages))
    with report.stage("validate") as stage:
        checked = [
            validate(
                table,
                source.options,
                bench,
                contract.rules(table, source.options, references, bench),
            )
            for table in typed
        ]
        for table in checked:
            stage.count(accepted=table.accepted_count, rejected=table.rejected_count)
            if table.rejected_count:
                hidden = personal.columns(table.typed, bench)
                name = table_name(file, table)
                report.add_rejected(name, personal.guarded(table.shown(), hidden))
                report.keep_rejected(name, personal.guarded(table.rejected(), hidden))
        for table in checked:
            refuse_unfit(table, source.options)
    return checked


def gate(
    file: File, checked: list[Checked], source: Source, lake: Lake | None, report: Report
) -> list[Gated]:
    """Judge the tables of a file: which pass, and what holds the others back. Without a lake all of
    them count as new."""
    with report.stage("validate") as stage:
        gated = list(_gated(file, checked, source, lake))
        for one in gated:
            for hold in one.holds:
                report.add_hold(hold)
                stage.say(f"{one.table} waits for an officer: {hold.reason}")
            if one.rejected:
                stage.say(one.rejected.detail)
            stage.say(*(f"{one.table}: {note}" for note in one.notes))
        if held := sum(not one.passes for one in gated):
            stage.count(held_tables=held)
    return gated


def _gated(
    file: File, checked: list[Checked], source: Source, lake: Lake | None
) -> Iterator[Gated]:
    for one in checked:
        table = table_name(file, one)
        before = published_columns(lake, table)
        kept = drift.keep_types(one, before)
        try:
            found = holds.examine(kept, before, source, table)
        except HeldVersionRejected as rejected:
            yield Gated(table, kept, rejected=rejected)
        else:
            yield Gated(table, kept, holds=found, notes=drift.notes(before, kept))


def published_columns(lake: Lake | None, table: str) -> list[Column] | None:
    """The columns of a table's latest version; None when there is none."""
    if lake is None:
        return None
    try:
        found = lake.table(table)
        return found.columns(found.resolve().number)
    except TableNotFound:
        return None


def table_name(file: File, checked: Checked) -> str:
    return _table_name(file, checked.typed.raw)


def _table_name(file: File, raw: RawTable) -> str:
    return names.table_name(file.table, raw.part) if raw.part else file.table


def resource_name(file: File, checked: Checked) -> str:
    part = checked.typed.raw.part
    return f"{file.name} – {part}" if part else file.name
