"""Quotas of agreements: leased to gateways, settled with what was used, exact under concurrency.

A lease moves a part of the quota to ``leased`` of the counter by one conditional UPDATE, so that
``used + leased`` never passes the quota whatever the number of gateways. Settling moves what was
used to ``used`` and gives the rest back. Counters are always taken in the order of MEASURES and
after the lease's row, so that no two transactions wait for each other.

What has no quota is counted and not limited. Everything is flushed; the caller commits.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from ckan import model
from ckanext.hanoiic.licensing import clock, terms
from ckanext.hanoiic.licensing.errors import AgreementNotActive, LeaseUnknown, QuotaExceeded
from ckanext.hanoiic.licensing.model import Agreement
from ckanext.hanoiic.licensing.usage_model import UsageCounter, UsageLease
from ckanext.hanoiic.licensing.working_days import HANOI
from sqlalchemy.dialects.postgresql import insert

MEASURES = ("queries", "rows", "bytes")
# Name of the quota among an offer's terms.
QUOTAS = {"queries": "queries_per_day", "rows": "rows_per_month", "bytes": "bytes_per_month"}
LEASE_S = 60

Amounts = dict[str, int]
COUNTERS = UsageCounter.__table__
LEASES = UsageLease.__table__


@dataclass(frozen=True)
class Periods:
    """The day and month, in Hanoi, that a lease is charged to."""

    day: date
    month: date

    @classmethod
    def at(cls, moment: datetime) -> Periods:
        day = moment.astimezone(HANOI).date()
        return cls(day, day.replace(day=1))

    def of(self, measure: str) -> date:
        return self.day if measure == "queries" else self.month

    def resets_at(self, measure: str) -> int:
        """When the next period of a measure begins (seconds since 1970)."""
        following = (
            self.day + timedelta(days=1)
            if measure == "queries"
            else (self.month + timedelta(days=32)).replace(day=1)
        )
        return int(datetime.combine(following, time(), HANOI).timestamp())


def lease(agreement: Agreement, key: str, want: Amounts) -> dict[str, Any]:
    """Reserve a part of an agreement's quota; the same key again answers the same lease.

    ``queries`` are granted as wanted or refused; of ``rows`` and ``bytes`` as much as is left.
    Raises :class:`QuotaExceeded` and :class:`AgreementNotActive`.
    """
    # As it is now, and as it stays: one that is renewed meanwhile takes every lease along.
    model.Session.refresh(agreement, with_for_update={"read": True, "of": Agreement})
    now = clock.now()
    ended = agreement.valid_until is not None and agreement.valid_until <= now
    if agreement.state != "active" or ended:
        state = "expired" if agreement.state == "active" else agreement.state
        raise AgreementNotActive("The agreement gives no access now", state=state)
    quota, periods = terms.quota(agreement.offer), Periods.at(now)
    limits = {m: quota[name] for m, name in QUOTAS.items() if name in quota}
    row = {
        "id": str(uuid4()),
        "agreement_id": agreement.id,
        "key": key,
        "day": periods.day,
        "month": periods.month,
        "limited": list(limits),
        "created_at": now,
        "expires_at": now + timedelta(seconds=LEASE_S),
        **{f"{kind}_{m}": 0 for kind in ("granted", "used") for m in MEASURES},
    }
    # Waits for a transaction with the same key to end, then sees its lease.
    made = model.Session.execute(
        insert(LEASES).values(row).on_conflict_do_nothing().returning(LEASES.c.id)
    ).first()
    if made is None:
        known = _locked(LEASES.c.agreement_id == agreement.id, LEASES.c.key == key)
        return _told(known, limits)
    _settle_expired(agreement.id, now)
    granted = {m: _take(agreement.id, m, periods, want.get(m, 0), limits) for m in MEASURES}
    model.Session.execute(
        sa.update(LEASES)
        .where(LEASES.c.id == row["id"])
        .values({f"granted_{m}": amount for m, amount in granted.items()})
    )
    return _told(row | {f"granted_{m}": amount for m, amount in granted.items()}, limits)


def settle(lease_id: str, used: Amounts, final: bool) -> dict[str, Any]:
    """Say what was used of a lease so far, in all; the last time ends it.

    Idempotent: ``used`` are sums. What a settled lease was used for beyond what it was settled
    with, as after an expiry, still counts.
    """
    row = _locked(LEASES.c.id == lease_id)
    told = {m: used.get(m, 0) for m in MEASURES}
    if row["settled_at"] is None or any(told[m] > row[f"used_{m}"] for m in MEASURES):
        _settle(row, told, final, clock.now())
        row = _locked(LEASES.c.id == lease_id)
    return {"lease": lease_id, "settled": row["settled_at"] is not None, "used": _of(row, "used")}


def settle_expired(at: datetime) -> int:
    """Settle what no gateway settled in time; returns how many leases."""
    return _settle_expired(None, at)


def forget(before: datetime) -> int:
    """Remove leases settled before; their keys may be used again."""
    return model.Session.execute(sa.delete(LEASES).where(LEASES.c.settled_at < before)).rowcount


def counters(agreement_ids: list[str], at: datetime) -> dict[str, dict[str, Amounts]]:
    """Agreement → measure → {used, leased} of the present periods; what is missing is 0."""
    periods = Periods.at(at)
    rows = model.Session.execute(
        sa.select(COUNTERS).where(
            COUNTERS.c.agreement_id.in_(agreement_ids),
            sa.or_(*(
                sa.and_(COUNTERS.c.measure == m, COUNTERS.c.period == periods.of(m))
                for m in MEASURES
            )),
        )
    ).mappings()  # fmt: skip
    found: dict[str, dict[str, Amounts]] = {
        id_: {m: {"used": 0, "leased": 0} for m in MEASURES} for id_ in agreement_ids
    }
    for row in rows:
        found[row["agreement_id"]][row["measure"]] = {"used": row["used"], "leased": row["leased"]}
    return found


def carry_over(before_id: str, after_id: str) -> None:
    """What was used under an agreement counts for the one that follows it, and what is leased is
    settled there."""
    model.Session.execute(
        sa.update(LEASES)
        .where(LEASES.c.agreement_id == before_id, LEASES.c.settled_at.is_(None))
        .values(agreement_id=after_id)
    )
    month = Periods.at(clock.now()).month
    for measure in MEASURES:
        mine = sa.and_(COUNTERS.c.agreement_id == before_id, COUNTERS.c.measure == measure)
        counts_on = sa.or_(COUNTERS.c.period >= month, COUNTERS.c.leased > 0)
        model.Session.execute(
            insert(COUNTERS).from_select(
                ["agreement_id", "measure", "period", "used", "leased"],
                sa.select(
                    sa.literal(after_id), COUNTERS.c.measure, COUNTERS.c.period,
                    COUNTERS.c.used, COUNTERS.c.leased,
                ).where(mine, counts_on).with_for_update(),
            )
        )  # fmt: skip
        model.Session.execute(sa.update(COUNTERS).where(mine).values(leased=0))


def _take(agreement_id: str, measure: str, periods: Periods, want: int, limits: Amounts) -> int:
    """Move up to ``want`` of what is left to ``leased``; of queries all of it or none."""
    if want == 0:
        return 0
    period = periods.of(measure)
    model.Session.execute(
        insert(COUNTERS)
        .values(agreement_id=agreement_id, measure=measure, period=period, used=0, leased=0)
        .on_conflict_do_nothing()
    )
    mine = _counter(agreement_id, measure, period)
    amount: Any = want
    condition: Any = sa.true()
    if measure in limits:
        left = limits[measure] - COUNTERS.c.used - COUNTERS.c.leased
        amount = want if measure == "queries" else sa.func.least(want, left)
        condition = left >= want if measure == "queries" else left > 0
    # Locked first: RETURNING tells the row as it is after the UPDATE only.
    before = model.Session.scalar(sa.select(COUNTERS.c.leased).where(mine).with_for_update())
    after = model.Session.scalar(
        sa.update(COUNTERS)
        .where(mine, condition)
        .values(leased=COUNTERS.c.leased + amount)
        .returning(COUNTERS.c.leased)
    )
    if after is None:
        raise QuotaExceeded(
            "The agreement's quota is used up",
            quota=QUOTAS[measure],
            resets_at=periods.resets_at(measure),
        )
    return int(after - before)


def _settle_expired(agreement_id: str | None, at: datetime) -> int:
    query = sa.select(LEASES).where(LEASES.c.settled_at.is_(None), LEASES.c.expires_at <= at)
    if agreement_id:
        query = query.where(LEASES.c.agreement_id == agreement_id)
    rows = model.Session.execute(query.with_for_update(skip_locked=True)).mappings().all()
    for row in rows:
        # Nobody knows whether its queries ran, so they did; rows and bytes as last told.
        used = _of(row, "used") | {"queries": max(row["granted_queries"], row["used_queries"])}
        _settle(row, used, True, at)
    return len(rows)


def _settle(row: Any, used: Amounts, final: bool, at: datetime) -> None:
    periods = Periods(row["day"], row["month"])
    values: dict[str, Any] = {"expires_at": at + timedelta(seconds=LEASE_S)}
    is_settled = row["settled_at"] is not None
    for m in MEASURES:
        before, granted = row[f"used_{m}"], row[f"granted_{m}"]
        # A sum told late and out of turn takes nothing back.
        now_used = max(before, used[m])
        held_before = 0 if is_settled else max(0, granted - before)
        held_after = 0 if is_settled or final else max(0, granted - now_used)
        if now_used != before or held_after != held_before:
            model.Session.execute(
                insert(COUNTERS)
                .values(
                    agreement_id=row["agreement_id"], measure=m, period=periods.of(m),
                    used=now_used - before, leased=0,
                )
                .on_conflict_do_update(
                    index_elements=["agreement_id", "measure", "period"],
                    set_={
                        "used": COUNTERS.c.used + now_used - before,
                        "leased": COUNTERS.c.leased + held_after - held_before,
                    },
                )
            )  # fmt: skip
        values[f"used_{m}"] = now_used
    if final:
        values["settled_at"] = at
    model.Session.execute(sa.update(LEASES).where(LEASES.c.id == row["id"]).values(values))


def _locked(*conditions: Any) -> Any:
    row = (
        model.Session.execute(sa.select(LEASES).where(*conditions).with_for_update())
        .mappings()
        .first()
    )
    if row is None:
        raise LeaseUnknown("There is no such lease")
    return row


def _counter(agreement_id: str, measure: str, period: date) -> Any:
    return sa.and_(
        COUNTERS.c.agreement_id == agreement_id,
        COUNTERS.c.measure == measure,
        COUNTERS.c.period == period,
    )


def _of(row: Any, kind: str) -> Amounts:
    return {m: row[f"{kind}_{m}"] for m in MEASURES}


def _told(row: Any, limits: Amounts) -> dict[str, Any]:
    """A lease as the gateway is told it: what has no quota is not in ``granted``."""
    periods = Periods(row["day"], row["month"])
    held = counters([row["agreement_id"]], row["created_at"])[row["agreement_id"]]
    return {
        "lease": row["id"],
        "granted": {m: row[f"granted_{m}"] for m in row["limited"]},
        "expires_at": int(row["expires_at"].timestamp()),
        "remaining": {
            m: max(0, limit - held[m]["used"] - held[m]["leased"]) for m, limit in limits.items()
        },
        "resets_at": {m: periods.resets_at(m) for m in limits},
    }
