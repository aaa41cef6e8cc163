"""Previews: what a source would give, for the officer who is about to register it.

The way of a run up to the gates. Nothing is published, registered or remembered.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from typing import Any

from harvesters import connectors, credentials
from harvesters.connectors import File
from harvesters.errors import CatalogueBroken, HarvestError
from harvesters.fetch import Fetched
from harvesters.pipeline import is_catalogue
from harvesters.portal import Portal
from harvesters.prepare import fetch, gate, guessed, prepare
from harvesters.report import Report, problem
from harvesters.room import Room
from harvesters.showing import as_preview
from harvesters.source import Source
from harvesters.telling import Teller
from harvesters.workbench import Workbench
from lake import logs

log = logging.getLogger(__name__)

# Of a catalogue, the first files are enough to see whether it is the right one.
PREVIEWED_FILES = 3
CATALOGUE_LOOKED_AT = 25


def answer_one(portal: Portal, make_room: Callable[[], Room], worker: str) -> bool:
    """Make one preview that an officer waits for; false when nobody does."""
    claimed = portal.call("hanoiic_preview_claim", worker=worker, limit=1)
    for wanted in claimed:
        room = make_room()
        with logs.request(wanted["id"]), closing(room.client):
            _answer(wanted, room)
    return bool(claimed)


def _answer(wanted: dict[str, Any], room: Room) -> None:
    def say(**said: Any) -> bool:
        room.portal.call("hanoiic_preview_update", id=wanted["id"], **said)
        return True

    teller = Teller(lambda report: say(stages=report.as_dict()["stages"]) if report else say())
    report = Report(teller.changed)
    result: dict[str, Any] = {"kind": wanted.get("kind") or "", "tables": [], "error": None}
    try:
        with teller:
            for key, value in preview(_source(wanted), room, report):
                result[key] = [*result[key], value] if key == "tables" else value
    except HarvestError as error:
        result["error"] = problem(error)
    except Exception:
        log.exception("preview_broke", extra=logs.facts(preview=wanted["id"]))
        result["error"] = problem(HarvestError("Something in the harvester broke."))
    state = "failed" if result["error"] else "ready"
    say(state=state, stages=report.as_dict()["stages"], result=result)
    code = result["error"]["code"] if result["error"] else None
    log.info("preview_made", extra=logs.facts(preview=wanted["id"], state=state, code=code))


def preview(source: Source, room: Room, report: Report) -> Iterator[tuple[str, Any]]:
    """`kind` (found out when the source has none), then one `tables` after the other.

    Raises what a run of the source would raise before publishing.
    """
    known: dict[str, Fetched] = {}
    room.client.carry(credentials.read(source, room.portal), source.url)
    if not source.kind:
        source, fetched = guessed(source, room.client, room.portal, report)
        if fetched is not None:
            known[source.url] = fetched
    yield "kind", source.kind
    for file in _files(source, room, report):
        with report.stage("fetch") as stage:
            whole = known.get(file.url) if file.collect is None else None
            fetched = whole or fetch(file, room.client, room.portal)
            stage.count(files=1, bytes=fetched.byte_count)
        with Workbench() as bench:
            checked = prepare(
                file, fetched, source, bench, report, room.mask_secret, room.references
            )
            for gated in gate(file, checked, source, None, report):
                yield "tables", as_preview(gated)


def _files(source: Source, room: Room, report: Report) -> Iterator[File]:
    """The source's files; of a catalogue, the first ones of its first datasets."""
    with report.stage("fetch") as stage:
        offers = iter(connectors.of(source.kind).discover(source, room.client))
        if not is_catalogue(source):
            files = [file for offer in offers for file in offer.files]
        else:
            looked_at = list(islice(offers, CATALOGUE_LOOKED_AT))
            stage.count(datasets=len(looked_at))
            files = [file for offer in looked_at for file in offer.files][:PREVIEWED_FILES]
            if not looked_at:
                raise CatalogueBroken("The catalogue is there and has no datasets.")
    yield from files


def _source(wanted: dict[str, Any]) -> Source:
    options = dict(wanted.get("options") or {})
    if wanted.get("secret"):
        options["secret"] = wanted["secret"]
    return Source.of(
        {
            "id": f"preview:{wanted['id']}",
            "name": "preview",
            "owner_org": wanted.get("owner_org"),
            "kind": wanted.get("kind") or "",
            "url": wanted["url"],
            "options": options,
            "dataset": {"table": "preview"},
        }
    )
