"""Editions: what offers let be seen of a table, written down wherever the portal wants one.

A run writes its tables' editions before it counts as registered; a loop writes those that an offer
or an agreement made wanted since. Who comes second finds the file there. A spec that does not fit
the table is reported to its officers, and tried again with the next version.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from harvesters.errors import HarvestError
from harvesters.portal import Portal
from lake import edition, logs
from lake.errors import EditionNotFound, LakeError, TableNotFound
from lake.store import Lake

log = logging.getLogger(__name__)

PREVIEWED_ROWS = 20
WRITTEN, FAILED = "written", "failed"


@dataclass(frozen=True)
class Outcome:
    """How many editions were written, and the codes of those that failed."""

    written: int
    failures: tuple[str, ...]


def write_wanted(portal: Portal, lake: Lake, table: str | None = None) -> Outcome:
    """Write every wanted edition, of one table or of all, that its newest version lacks, and those
    of versions that an offer keeps.

    One that breaks keeps no other one from being written; the first such error is raised then.
    """
    of_table = {"table": table} if table else {}
    outcomes = []
    broken: list[Exception] = []
    for name, wanted in _by_table(portal.call("hanoiic_edition_list", **of_table)).items():
        if (newest := _newest(lake, name)) is None:
            continue
        for one in wanted:
            try:
                outcomes.append(_settle(one, newest, portal, lake))
                _write_kept(one, newest, lake)
            except HarvestError:
                raise
            except Exception as error:
                broken.append(error)
    if broken:
        raise broken[0]
    codes = tuple(code for code in outcomes if code not in (None, WRITTEN))
    return Outcome(outcomes.count(WRITTEN), codes)


def _by_table(wanted: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    tables: dict[str, list[dict[str, Any]]] = {}
    for one in wanted:
        tables.setdefault(one["table"], []).append(one)
    return tables


def _write_kept(one: Mapping[str, Any], newest: int, lake: Lake) -> None:
    """Write an edition for the older versions that its offer keeps, where the lake has them."""
    kept = set(one.get("pinned_versions") or ()) - {newest}
    if not kept:
        return
    there = {version.number for version in lake.table(one["table"]).versions()}
    for version in sorted(kept & there):
        if _is_there(lake, one, version):
            continue
        facts = logs.facts(table=one["table"], edition=one["edition"], version=version)
        try:
            edition.write(lake, one["table"], version, one["edition"], one["spec"], _key(one))
        except LakeError as error:
            # What is shown today may not fit the columns of then; today's is not touched by it.
            log.debug("kept_edition_failed", extra={**facts, "code": error.code})
        else:
            log.info("kept_edition_written", extra=facts)


def _newest(lake: Lake, table: str) -> int | None:
    try:
        return lake.table(table).resolve().number
    except TableNotFound:
        return None


def _settle(one: Mapping[str, Any], version: int, portal: Portal, lake: Lake) -> str | None:
    """`written`, the code of what failed, or None when there was nothing to do."""
    if one["state"] == FAILED and one.get("failed_version") == version:
        return None
    told = {"edition": one["edition"], "table": one["table"], "version": version}
    facts = logs.facts(table=one["table"], edition=one["edition"], version=version)
    there = _is_there(lake, one, version)
    if there and one["written_version"] == version:
        return None
    try:
        if not there:
            edition.write(lake, one["table"], version, one["edition"], one["spec"], _key(one))
    except LakeError as error:
        log.warning("edition_failed", extra={**facts, "code": error.code})
        portal.call("hanoiic_edition_report", **told, state=FAILED, error=error.detail)
        return error.code
    portal.call("hanoiic_edition_report", **told, state=WRITTEN)
    log.info("edition_written", extra=facts)
    return WRITTEN


def _is_there(lake: Lake, one: Mapping[str, Any], version: int) -> bool:
    try:
        edition.files(lake, one["table"], version, one["edition"])
    except EditionNotFound:
        return False
    return True


def answer_previews(portal: Portal, lake: Lake) -> int:
    """Answer the officers who look at what an edition would show; how many did."""
    claimed = portal.call("hanoiic_edition_preview_claim")
    for one in claimed:
        try:
            version = lake.table(one["table"]).resolve().number
            looked = edition.look(
                lake, one["table"], version, one["spec"], _key(one), PREVIEWED_ROWS
            )
            state, result = "ready", _as_result(looked, version)
        except LakeError as error:
            state, result = "failed", {"error": {"code": error.code, "detail": error.detail}}
        portal.call("hanoiic_edition_preview_update", id=one["id"], state=state, result=result)
    return len(claimed)


def _key(one: Mapping[str, Any]) -> bytes | None:
    return bytes.fromhex(one["salt"]) if one.get("salt") else None


def _as_result(looked: edition.Look, version: int) -> dict[str, Any]:
    names = [column.name for column in looked.columns]
    return {
        "version": version,
        "columns": [{"name": column.name, "type": column.type} for column in looked.columns],
        "rows": [[_text(row[name]) for name in names] for row in looked.rows],
    }


_TEXTS: tuple[tuple[type | tuple[type, ...], Callable[[Any], str]], ...] = (
    (bool, lambda value: str(value).lower()),
    (datetime, lambda value: value.isoformat(sep=" ", timespec="seconds")),
    (date, lambda value: value.isoformat()),
    (bytes, lambda value: f"{len(value)} bytes"),
)
_LONGEST_TEXT = 200


def _text(value: Any) -> str | None:
    if value is None:
        return None
    for kinds, tell in _TEXTS:
        if isinstance(value, kinds):
            return tell(value)
    return str(value)[:_LONGEST_TEXT]
