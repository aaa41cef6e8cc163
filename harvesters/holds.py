"""The gate before publishing: what an officer must see first holds a version.

A hold says what was found and shows it. The same finding always has the same fingerprint, so an
officer decides about it only once: what was approved passes, and what was rejected refuses the run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from harvesters import drift, masks, personal, personal_rules
from harvesters.drift import Change
from harvesters.errors import HeldVersionRejected
from harvesters.personal import Finding
from harvesters.source import Source
from harvesters.validate import Checked
from lake.schema import Column

PERSONAL_DATA, SCHEMA_DRIFT, DELETES = "personal_data", "schema_drift", "deletes"
APPROVE, REJECT = "approve", "reject"
PREVIEW_ROWS = 20
SHOWN_LETTERS = 200


@dataclass(frozen=True)
class Hold:
    """One finding about one table (`table` is empty for `deletes`).

    `reason` is a sentence for the officer, `facts` are those of the kind, `preview` is
    `{"columns": […], "rows": [[text]]}` without a personal value. Nothing in it is a raw value of a
    personal column.
    """

    table: str
    kind: str
    fingerprint: str
    reason: str
    facts: dict[str, Any]
    preview: dict[str, Any]


def fingerprint(kind: str, table: str, seen: Any) -> str:
    """SHA-256 (hex) over what was seen; the order of keys does not matter, that of lists does."""
    text = json.dumps([kind, table, seen], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def examine(
    checked: Checked, before: list[Column] | None, source: Source, table: str
) -> list[Hold]:
    """What holds this version of `table` back: changed columns and personal data that no officer
    has decided about.

    `before` are the columns of the published version, None for a new table. Raises
    HeldVersionRejected when an officer rejected what is found again.
    """
    findings = personal.find(checked.typed, checked.bench)
    breaking = [
        change
        for change in drift.changes(before or (), _columns(checked))
        if before is not None and change.breaking
    ]
    found = []
    if findings:
        found.append(_personal(table, findings, checked))
    if breaking:
        found.append(_drift(table, breaking, findings, checked))
    return undecided(found, source)


def _personal(table: str, findings: list[Finding], checked: Checked) -> Hold:
    rules = personal_rules.latest()
    titles = {kind.name: kind.title for kind in rules.kinds}
    told = "; ".join(f"{finding.column}: {titles[finding.kind]}" for finding in findings)
    # Masked columns stay part of the fingerprint: after "approve, and mask these" the finding about
    # the other columns is still the same one.
    seen = sorted({finding.column for finding in findings} | set(checked.typed.raw.masked))
    return Hold(
        table=table,
        kind=PERSONAL_DATA,
        fingerprint=fingerprint(PERSONAL_DATA, table, seen),
        reason=f"{len(findings)} columns look like personal data ({told}).",
        facts={"rules_date": rules.date, "columns": [asdict(finding) for finding in findings]},
        preview=_preview(checked, findings),
    )


def _drift(table: str, breaking: list[Change], findings: list[Finding], checked: Checked) -> Hold:
    seen = [asdict(change) for change in breaking]
    return Hold(
        table=table,
        kind=SCHEMA_DRIFT,
        fingerprint=fingerprint(SCHEMA_DRIFT, table, seen),
        reason=f"The columns changed: {'; '.join(map(str, breaking))}.",
        facts={"changes": seen},
        preview=_preview(checked, findings),
    )


def _columns(checked: Checked) -> list[Column]:
    return [typed.column for typed in checked.typed.columns]


def _preview(checked: Checked, findings: list[Finding]) -> dict[str, Any]:
    """The first accepted rows as text, columns of the findings shortened."""
    personal_columns = {finding.column for finding in findings}
    shown = []
    for number, column in enumerate(_columns(checked)):
        text = f"CAST(v{number} AS VARCHAR)"
        if column.name in personal_columns:
            text = masks.truncated(text)
        elif column.type in ("binary", "geometry"):
            text = f"octet_length(v{number}) || ' bytes'"
        shown.append(f"coalesce(left({text}, {SHOWN_LETTERS}), '')")
    rows = checked.bench.rows(
        f"SELECT {', '.join(shown)} "  # noqa: S608
        f"FROM ({checked.accepted_sql()} LIMIT {PREVIEW_ROWS})"
    )
    names = [column.name for column in _columns(checked)]
    return {"columns": names, "rows": [list(row) for row in rows]}


def undecided(holds: Iterable[Hold], source: Source) -> list[Hold]:
    """The holds that no officer approved. Raises HeldVersionRejected for a rejected one."""
    decisions = {
        (row.get("kind"), row.get("table") or "", row.get("fingerprint")): row.get("decision")
        for row in source.decisions
    }
    left = []
    for hold in holds:
        decision = decisions.get((hold.kind, hold.table, hold.fingerprint))
        if decision == REJECT:
            raise HeldVersionRejected(
                f"An officer rejected this version of {hold.table or 'the catalogue'} before: "
                f"{hold.reason}",
                table=hold.table,
                kind=hold.kind,
            )
        if decision != APPROVE:
            left.append(hold)
    return left
