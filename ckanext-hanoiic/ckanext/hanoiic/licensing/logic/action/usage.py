"""Actions about quotas, usage, links and receipts; most are the gateway's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from ckan import model
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import (
    clock,
    introspection,
    links,
    parties,
    tables,
    usage,
    usage_events,
)
from ckanext.hanoiic.licensing.errors import LinkNotPermitted
from ckanext.hanoiic.licensing.logic import dictize, schema, subject
from ckanext.hanoiic.licensing.logic.refusal import refusing
from ckanext.hanoiic.licensing.model import Agreement

RECEIPTS = 200


@tk.validate_action_data(schema.lease)
@refusing
def hanoiic_usage_lease(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Reserve a part of an agreement's quota; the gateway's own user only.

    Answers ``lease``, ``granted`` (of what has a quota), ``expires_at``, ``remaining`` and
    ``resets_at``. The same key again answers the same lease.

    :param agreement: its id
    :param key: of the gateway's choice, at most 200 characters
    :param want: {"queries", "rows", "bytes"}
    """
    tk.check_access("hanoiic_usage_lease", context, data_dict)
    agreement = subject.row(Agreement, data_dict["agreement"])
    told = usage.lease(agreement, data_dict["key"], data_dict["want"])
    subject.commit(context)
    return told


@tk.validate_action_data(schema.settle)
@refusing
def hanoiic_usage_settle(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Say what was used of a lease so far; the gateway's own user only.

    :param lease: its id
    :param used: {"queries", "rows", "bytes"}: sums since the lease was given
    :param final: ends the lease and gives the rest back (default)
    """
    tk.check_access("hanoiic_usage_settle", context, data_dict)
    told = usage.settle(data_dict["lease"], data_dict["used"], data_dict["final"])
    subject.commit(context)
    return told


@tk.validate_action_data(schema.events)
@refusing
def hanoiic_usage_record(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Tell what happened at the gateway's doors; the gateway's own user only.

    Each event counts once, by its id. docs/architecture.md has their fields.

    :param events: list of at most 1000
    """
    tk.check_access("hanoiic_usage_record", context, data_dict)
    recorded = usage_events.record(data_dict["events"])
    subject.commit(context)
    return {"recorded": recorded}


@tk.validate_action_data(schema.link)
@refusing
def hanoiic_link_create(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """A token for one file that travels in an address; the gateway's own user only.

    :param token: the bearer's; None for an anonymous caller
    :param table: of the lake
    :param action: ``download`` or ``share``
    :param claims: small JSON object, told back at every use (optional)
    :param lifetime_s: at most 300, the default
    """
    tk.check_access("hanoiic_link_create", context, data_dict)
    table, action = data_dict["table"], data_dict["action"]
    told = introspection.answer(data_dict.get("token"), [table], action)
    one = told["tables"].get(table, introspection.UNKNOWN)
    if told["token_error"] or one["decision"] != "permit":
        model.repo.commit()
        reason = told["token_error"] or one.get("reason") or "unknown"
        raise LinkNotPermitted("The bearer may not read this table", reason=reason)
    if told["claims"] is not None:
        raise LinkNotPermitted("A link makes no further links", reason="scope_missing")
    ends = links.expires(data_dict["lifetime_s"], told["exp"])
    link = links.Link(
        table=table,
        action=action,
        user_id=told["sub"],
        token_id=told["token_id"],
        agreement=one["agreement"],
        edition=one["edition"],
        claims=data_dict["claims"],
        expires_at=ends,
    )
    subject.commit(context)
    return {"token": links.make(link), "expires_at": ends}


@tk.side_effect_free
@tk.validate_action_data(schema.usage_report)
def hanoiic_usage_report(context: Any, data_dict: dict[str, Any]) -> list[dict[str, Any]]:
    """Who used what of a dataset: sums by day, table, organisation, agreement and door.

    For its officers. Where the token spoke for no organisation, ``organization`` is who holds the
    agreement: an organisation, or a person (without ``organization_id``).

    :param dataset: id or name
    :param days: how far back, 1 to 366, default 30
    """
    tk.check_access("hanoiic_usage_report", context, data_dict)
    package = subject.visible_dataset(context, data_dict["dataset"])
    since = clock.now() - timedelta(days=data_dict["days"])
    rows = usage_events.of_tables(tables.of(package.id), since)
    users = _users(rows)
    names = {party: parties.title(party) for party in users if party}
    return [
        dict(row)
        | {
            "day": row["day"].isoformat(),
            "agreement_id": row["agreement_id"] or None,
            "organization_id": by.id if by and by.kind == "organization" else None,
            "organization": names.get(by),
            **{name: int(row[name]) for name in usage_events.SUMS if name != "duration_s"},
        }
        for row, by in zip(rows, users, strict=True)
    ]


def _users(rows: list[Any]) -> list[parties.Party | None]:
    """Of each sum, who used: the token's organisation, else who holds the agreement."""
    ids = {row["agreement_id"] for row in rows if row["agreement_id"]}
    agreements = model.Session.scalars(sa.select(Agreement).where(Agreement.id.in_(ids)))
    held = {one.id: parties.of(one) for one in agreements}
    return [
        parties.Party("organization", row["organization_id"])
        if row["organization_id"]
        else held.get(row["agreement_id"])
        for row in rows
    ]


@tk.side_effect_free
def hanoiic_receipt_list(context: Any, data_dict: dict[str, Any]) -> list[dict[str, Any]]:
    """The receipts of the present user's organisations, or of the user alone; newest 200."""
    tk.check_access("hanoiic_receipt_list", context, data_dict)
    user = subject.user_of(context)
    rows = usage_events.receipts(user.id, list(parties.memberships(user.id)), RECEIPTS)
    return [dictize.receipt(row) for row in rows]
