"""What a worker says of a run, made into what is kept: checked, merged and cut to a size.

Merging is idempotent, so a report that is sent twice changes nothing. Pure functions.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ckan.plugins import toolkit as tk
from ckan.plugins.toolkit import _

from . import checks
from .kinds import N_
from .states import DATASET_URGENCY, HOLD_KINDS, STAGES

REJECTED_KEPT = 100
TABLES_KEPT = 2000
DATASETS_KEPT = 2000
HOLDS_KEPT = 500
HOLD_BYTES = 200_000
PREVIEW_ROWS = 20
MESSAGES_KEPT = 50
COUNTS_KEPT = 100
TEXT_LONGEST = 500
VALUE_LONGEST = 300
DETAIL_LONGEST = 4000

STAGE_KEYS = ("stage", "state", "started_at", "duration_s", "counts", "messages")
TABLE_KEYS = ("table", "dataset", "version", "changed", "row_count", "rejected_count")
DATASET_KEYS = ("identifier", "dataset", "title", "state", "duration_s")
REJECTED_KEYS = ("table", "row", "column", "value", "reason_code", "reason")
# Pages add these up: one that is no number would break them for good.
COUNT_KEYS = {"version", "row_count", "rejected_count"}
COUNT = checks.integer(0, 2**63 - 1)

Entry = dict[str, Any]


def cut(value: Any, longest: int = TEXT_LONGEST) -> Any:
    """A text no longer than ``longest``, without NUL; other scalars as they are; else JSON text."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = text.replace("\x00", "�")
    return text if len(text) <= longest else text[: longest - 1] + "…"


def stage(entry: Entry) -> Entry:
    if entry.get("stage") not in STAGES:
        message = _("A stage is one of: {choices}").format(choices=", ".join(STAGES))
        raise tk.Invalid(message)
    kept = {key: cut(entry[key]) for key in STAGE_KEYS if key in entry}
    if "counts" in kept:
        counts = entry["counts"] if isinstance(entry["counts"], dict) else {}
        kept["counts"] = {cut(key, 100): cut(counts[key]) for key in list(counts)[:COUNTS_KEPT]}
    if "messages" in kept:
        messages = entry["messages"] if isinstance(entry["messages"], list) else [entry["messages"]]
        kept["messages"] = [cut(message) for message in messages[:MESSAGES_KEPT]]
    return kept


def table(entry: Entry) -> Entry:
    if not isinstance(entry.get("table"), str):
        raise tk.Invalid(_("A table needs its name"))
    for key in COUNT_KEYS & entry.keys():
        if entry[key] is not None:
            COUNT(entry[key])
    return {key: cut(entry[key]) for key in TABLE_KEYS if key in entry}


def dataset(entry: Entry) -> Entry:
    """What became of one dataset of a catalogue."""
    if not isinstance(entry.get("identifier"), str):
        raise tk.Invalid(_("A dataset needs its identifier"))
    kept = {key: cut(entry[key]) for key in DATASET_KEYS if key in entry}
    if isinstance(entry.get("stages"), dict):
        named = {name: said for name, said in entry["stages"].items() if isinstance(said, dict)}
        kept["stages"] = {
            name: {key: value for key, value in stage({"stage": name, **said}).items()
                   if key in ("duration_s", "counts")}
            for name, said in named.items()
        }  # fmt: skip
    return {**kept, "error": error(entry.get("error"))}


FINGERPRINT = checks.matching(r"[0-9a-f]{64}", N_("A fingerprint is a SHA-256 in hexadecimal"))


def hold(entry: Entry) -> Entry:
    """What an officer must see: raises Invalid unless it says what kind it is and what was seen."""
    facts = entry.get("facts")
    if not isinstance(facts, dict) or len(json.dumps(facts)) > HOLD_BYTES:
        raise tk.Invalid(_("A held version needs its facts, of at most 200,000 characters"))
    return {
        "table": checks.text(100)(entry.get("table") or ""),
        "kind": checks.one_of(*HOLD_KINDS)(entry.get("kind")),
        "fingerprint": FINGERPRINT(entry.get("fingerprint")),
        "reason": cut(str(entry.get("reason") or ""), DETAIL_LONGEST),
        "facts": clean(facts),
        "preview": preview(entry.get("preview")),
    }


def preview(said: Any) -> Entry | None:
    """``{"columns", "rows"}`` with short texts, or None for nothing to show."""
    if not isinstance(said, dict) or not said.get("columns"):
        return None
    rows = [row for row in said.get("rows") or [] if isinstance(row, list)][:PREVIEW_ROWS]
    width = len(said["columns"])
    names = [column.get("name") if isinstance(column, dict) else column
             for column in said["columns"]]  # fmt: skip
    return {
        "columns": [cut(str(name), 200) for name in names],
        "rows": [[cut(cell, VALUE_LONGEST) for cell in row[:width]] for row in rows],
    }


def clean(value: Any) -> Any:
    """JSON without NUL characters, which PostgreSQL cannot keep."""
    if isinstance(value, dict):
        return {cut(str(key), TEXT_LONGEST): clean(one) for key, one in value.items()}
    if isinstance(value, list):
        return [clean(one) for one in value]
    return cut(value, DETAIL_LONGEST)


def rejected(entry: Entry) -> Entry:
    return {key: cut(entry.get(key), VALUE_LONGEST) for key in REJECTED_KEYS}


def entries(value: Any, clean: Callable[[Entry], Entry]) -> list[Entry]:
    """A list of cleaned objects; raises Invalid."""
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise tk.Invalid(_("Must be a list of objects"))
    return [clean(entry) for entry in value]


def merge_named(kept: list[Entry], said: list[Entry], key: str) -> list[Entry]:
    """Entries known by ``key``: a known one takes what is said of it, a new one comes last."""
    merged = {entry[key]: entry for entry in kept}
    for entry in said:
        merged[entry[key]] = {**merged.get(entry[key], {}), **entry}
    return list(merged.values())


def merge_stages(kept: list[Entry], said: Any) -> list[Entry]:
    """Stages in the order of the pipeline, each once."""
    merged = merge_named(kept, entries(said, stage), "stage")
    return sorted(merged, key=lambda entry: STAGES.index(entry["stage"]))


def merge_tables(kept: list[Entry], said: Any) -> list[Entry]:
    return merge_named(kept, entries(said, table), "table")[:TABLES_KEPT]


def merge_datasets(kept: list[Entry], said: Any) -> list[Entry]:
    """What needs somebody first: where there are too many, those that stayed as they were go."""
    merged = merge_named(kept, entries(said, dataset), "identifier")
    places = {state: place for place, state in enumerate(DATASET_URGENCY)}
    merged.sort(key=lambda one: places.get(one.get("state"), len(places)))
    return merged[:DATASETS_KEPT]


def holds(said: Any) -> list[Entry]:
    """The findings of a run, checked."""
    return entries(said, hold)[:HOLDS_KEPT]


def merge_rejected(kept: list[Entry], said: Any) -> list[Entry]:
    """The first rejected values, each once."""
    merged = list(kept)
    for entry in entries(said[:REJECTED_KEPT] if isinstance(said, list) else said, rejected):
        if entry not in merged:
            merged.append(entry)
    return merged[:REJECTED_KEPT]


def error(said: Any) -> dict[str, str] | None:
    """``{"code", "detail"}`` and perhaps ``source_id``, or null."""
    if said is None:
        return None
    if not isinstance(said, dict) or not isinstance(said.get("code"), str):
        raise tk.Invalid(_("Must be null or an object with code and detail"))
    kept = {
        "code": cut(said["code"], 100),
        "detail": cut(str(said.get("detail") or ""), DETAIL_LONGEST),
    }
    # The other source that has the table or the dataset.
    other = {"source_id": cut(str(said["source_id"]), 100)} if said.get("source_id") else {}
    return {**kept, **other}


def moment(said: Any) -> datetime | None:
    """An ISO 8601 date-time; without a zone it is UTC."""
    if said is None:
        return None
    try:
        parsed = datetime.fromisoformat(said)
    except (TypeError, ValueError) as problem:
        raise tk.Invalid(_("Must be an ISO 8601 date-time")) from problem
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
