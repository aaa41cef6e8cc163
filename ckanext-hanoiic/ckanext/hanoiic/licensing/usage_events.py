"""What the gateways report of their answers and refusals is kept here, summed up, and audited.

An event counts once, whatever the number of times it is told. Answers of licensed tables and every
refusal go to the audit; answers of open data are summed up only.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from ckan import model
from ckanext.hanoiic.licensing.audit_model import INTAKE
from ckanext.hanoiic.licensing.model import LakeTable, Offer
from ckanext.hanoiic.licensing.usage_model import UsageDay, UsageEvent
from ckanext.hanoiic.licensing.working_days import HANOI
from sqlalchemy.dialects.postgresql import insert

EVENTS, DAYS = UsageEvent.__table__, UsageDay.__table__
COUNTED = {
    "answered": "answers",
    "refused": "refusals",
    "failed": "failures",
    "broken_off": "broken_off",
}
SUMS = (*COUNTED.values(), "row_count", "byte_count", "duration_s")
KEY = ("day", "table_name", "agreement_id", "organization_id", "door")


def record(events: list[dict[str, Any]]) -> int:
    """Keep events not known yet; returns how many those were. Flushed, not committed."""
    rows = {event["id"]: _row(event) for event in events}
    if not rows:
        return 0
    statement = insert(EVENTS).on_conflict_do_nothing().returning(EVENTS.c.id)
    new = set(model.Session.scalars(statement, list(rows.values())))
    fresh = [rows[id_] for id_ in rows if id_ in new]
    if fresh:
        _sum_up(fresh)
        _audit(fresh)
    return len(fresh)


def forget(before: datetime) -> int:
    """Remove single events from before; the sums stay."""
    return model.Session.execute(sa.delete(EVENTS).where(EVENTS.c.at < before)).rowcount


def of_tables(names: list[str], since: datetime) -> list[Any]:
    """Sums by day, table and organisation for who used what, oldest first."""
    query = (
        sa.select(
            DAYS.c.day, DAYS.c.table_name, DAYS.c.organization_id, DAYS.c.agreement_id,
            DAYS.c.door, *(sa.func.sum(DAYS.c[name]).label(name) for name in SUMS),
        )
        .where(DAYS.c.table_name.in_(names), DAYS.c.day >= since.astimezone(HANOI).date())
        .group_by(*(DAYS.c[name] for name in KEY))
        .order_by(*(DAYS.c[name] for name in KEY))
    )  # fmt: skip
    return list(model.Session.execute(query).mappings())


def receipts(user_id: str, organization_ids: list[str], limit: int) -> list[UsageEvent]:
    """Answers with a receipt for a user's organisations, or for the user alone; newest first."""
    own = sa.or_(
        UsageEvent.organization_id.in_(organization_ids),
        sa.and_(UsageEvent.organization_id.is_(None), UsageEvent.user_id == user_id),
    )
    return list(
        model.Session.scalars(
            sa.select(UsageEvent)
            .where(own, UsageEvent.receipt.is_not(None))
            .order_by(UsageEvent.at.desc())
            .limit(limit)
        )
    )


def _row(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": event["id"],
        "at": event["at"],
        "door": event["door"],
        "action": event["action"],
        "outcome": event["outcome"],
        "reason": event["reason"],
        "request_id": event["request_id"],
        "token_id": event["token_id"],
        "client_id": event["client_id"],
        "user_id": event["sub"],
        "organization_id": event["organization_id"],
        "receipt": event["receipt"],
        "tables": event["tables"],
        "row_count": event["rows"],
        "byte_count": event["bytes"],
        "duration_s": event["duration_s"],
    }


def _sum_up(rows: list[dict[str, Any]]) -> None:
    """Add to the day's sums. An answer of several tables counts for each, as a whole."""
    sums: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        for table in row["tables"]:
            key = (
                row["at"].astimezone(HANOI).date(), table["name"], table.get("agreement") or "",
                row["organization_id"] or "", row["door"],
            )  # fmt: skip
            day = sums.setdefault(key, dict.fromkeys(SUMS, 0))
            day[COUNTED[row["outcome"]]] += 1
            for name in ("row_count", "byte_count", "duration_s"):
                day[name] += row[name]
    if not sums:
        return
    # In a fixed order, so that two batches can't deadlock.
    values = [dict(zip(KEY, key, strict=True)) | sums[key] for key in sorted(sums)]
    statement = insert(DAYS)
    added = {name: DAYS.c[name] + statement.excluded[name] for name in SUMS}
    model.Session.execute(
        statement.on_conflict_do_update(index_elements=list(KEY), set_=added), values
    )


def _audit(rows: list[dict[str, Any]]) -> None:
    known = _known({table["name"] for row in rows for table in row["tables"]})
    entries = [
        _entry(row, known)
        for row in rows
        if row["outcome"] == "refused" or not all(_is_open(one, known) for one in row["tables"])
    ]
    if entries:
        model.Session.execute(sa.insert(INTAKE), entries)


def _entry(row: dict[str, Any], known: dict[str, _Known]) -> dict[str, Any]:
    names = [table["name"] for table in row["tables"]]
    facts = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in row.items()
        if value is not None and name not in ("id", "user_id")
    }
    return {
        "event": f"data_{row['outcome']}",
        "actor_id": row["user_id"],
        "dataset_id": next((known[name].dataset_id for name in names if name in known), None),
        "subject_id": row["id"],
        "facts": facts,
    }


def _is_open(table: dict[str, Any], known: dict[str, _Known]) -> bool:
    """Whether a table is open to everyone; one that nobody knows any more is not."""
    now = known.get(table["name"])
    return not table.get("agreement") and now is not None and now.open


class _Known(NamedTuple):
    dataset_id: str
    open: bool


def _known(tables: set[str]) -> dict[str, _Known]:
    """Table → its dataset, and whether anyone may read it by the offer that counts for it."""
    is_open = sa.and_(Offer.tier == "open", ~model.Package.private)
    query = (
        sa.select(LakeTable.name, LakeTable.dataset_id, sa.func.coalesce(is_open, sa.false()))
        .outerjoin(model.Package, model.Package.id == LakeTable.dataset_id)
        .outerjoin(
            Offer,
            sa.and_(
                Offer.dataset_id == LakeTable.dataset_id,
                Offer.superseded_at.is_(None),
                sa.or_(Offer.table_name == "", Offer.table_name == LakeTable.name),
            ),
        )
        .where(LakeTable.name.in_(tables))
        # The dataset's offer comes first, so that the table's own replaces it.
        .order_by(Offer.table_name)
    )
    return {name: _Known(*rest) for name, *rest in model.Session.execute(query)}
