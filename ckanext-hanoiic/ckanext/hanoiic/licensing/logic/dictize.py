"""Rows as the actions tell them. Moments are ISO 8601 in UTC; a token's hash is never told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ckan import model
from ckanext.hanoiic.licensing import agreements, clock, licences, states, terms, working_days
from ckanext.hanoiic.licensing.audit_model import Audit
from ckanext.hanoiic.licensing.model import (
    AccessRequest,
    Agreement,
    Application,
    EditionPreview,
    Licence,
    Offer,
    RequestNote,
    Token,
)
from ckanext.hanoiic.licensing.usage_model import UsageEvent


def iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat(timespec="seconds") if moment else None


def dataset(dataset_id: str) -> dict[str, Any]:
    package = model.Session.get(model.Package, dataset_id)
    return {
        "id": dataset_id,
        "name": package.name if package else None,
        "title": (package.title or package.name) if package else None,
        "title_en": package.extras.get("title_en") if package else None,
    }


def party(kind: str, id_: str) -> dict[str, Any]:
    entity = model.Session.get(model.Group if kind == "organization" else model.User, id_)
    title = getattr(entity, "title", None) or getattr(entity, "fullname", None)
    name = entity.name if entity else None
    return {"kind": kind, "id": id_, "name": name, "title": title or name}


def username(user_id: str | None) -> str | None:
    user = model.Session.get(model.User, user_id) if user_id else None
    return user.name if user else None


def offer(row: Offer) -> dict[str, Any]:
    """An offer; ``terms`` hold what its licence limits as well (:func:`terms.told`), ``own`` what
    the offer itself says."""
    return {
        "id": row.id,
        "dataset_id": row.dataset_id,
        "table": row.table_name or None,
        "number": row.number,
        "tier": row.tier,
        "licence": {"id": row.licence_id, "version": row.licence_version}
        if row.licence_id
        else None,
        "terms": terms.told(row),
        "own": {"quota": row.quota, "agreement_days": row.agreement_days},
        "valid_from": iso(row.valid_from),
        "valid_until": iso(row.valid_until),
        "closed": terms.closed(row, clock.now()),
        "created_at": iso(row.created_at),
        "created_by": username(row.created_by),
        "superseded_at": iso(row.superseded_at),
        "withdrawn_at": iso(row.withdrawn_at),
        "withdrawn_reason": row.withdrawn_reason,
    }


def licence(row: Licence) -> dict[str, Any]:
    return {
        **licences.content(row),
        "state": row.state,
        "state_reason": row.state_reason,
        "origin": row.origin,
        "hash": row.content_hash,
        "published_at": iso(row.published_at),
        "changed_at": iso(row.changed_at),
        "changed_by": username(row.changed_by),
    }


def edition_preview(row: EditionPreview) -> dict[str, Any]:
    return {
        "id": row.id,
        "table": row.table_name,
        "spec": row.spec,
        "state": row.state,
        "result": row.result,
        "requested_at": iso(row.requested_at),
    }


def request(row: AccessRequest) -> dict[str, Any]:
    now = clock.now()
    waits = row.state == "submitted"
    return {
        "id": row.id,
        "dataset": dataset(row.dataset_id),
        "table": row.table_name or None,
        "party": party(row.party_kind, row.party_id),
        "user": username(row.user_id),
        "purpose": row.purpose,
        "purpose_code": row.purpose_code,
        "answers": row.answers,
        "renews": row.renews,
        "state": row.state,
        "created_at": iso(row.created_at),
        "due_at": iso(row.due_at) if waits else None,
        # Working days until it is due; below 0 when it is late.
        "days_left": working_days.between(now, row.due_at) if waits else row.days_left,
        "late": waits and row.due_at < now,
        "expires_at": iso(row.expires_at) if row.state in states.OPEN else None,
        "decided_at": iso(row.decided_at),
        "decided_by": username(row.decided_by),
        "reason": row.reason,
    }


def note(row: RequestNote) -> dict[str, Any]:
    return {
        "at": iso(row.at),
        "user": username(row.user_id),
        "event": row.event,
        "text": row.text,
    }


def agreement(row: Agreement) -> dict[str, Any]:
    expired = agreements.is_expired(row, clock.now())
    return {
        "id": row.id,
        "dataset": dataset(row.dataset_id),
        "table": row.table_name or None,
        "party": party(row.party_kind, row.party_id),
        "accepted_by": username(row.accepted_by),
        "licence": offer(row.offer)["licence"],
        "tier": row.offer.tier,
        "state": "expired" if expired else row.state,
        "valid_until": iso(row.valid_until),
        "pinned_versions": row.pinned_versions,
        "reason": row.reason,
        "request_id": row.request_id,
        "renews": row.renews,
        "quota": terms.quota(row.offer),
        "created_at": iso(row.created_at),
        "changed_at": iso(row.changed_at),
        "changed_by": username(row.changed_by),
    }


def application(row: Application) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "organization": party("organization", row.organization_id) if row.organization_id else None,
        "user": username(row.user_id),
        "state": "retired" if row.retired_at else "active",
        "created_at": iso(row.created_at),
        "retired_at": iso(row.retired_at),
    }


def token(row: Token) -> dict[str, Any]:
    state = "active"
    if row.revoked_at:
        state = "revoked"
    elif row.expires_at <= clock.now():
        state = "expired"
    return {
        "id": row.id,
        "prefix": row.prefix,
        "name": row.name,
        "application": row.application_id,
        "user": username(row.user_id),
        "organization": party("organization", row.organization_id) if row.organization_id else None,
        "scopes": list(row.scopes),
        "audience": list(row.audience),
        "networks": list(row.networks) if row.networks else None,
        "replaces": row.replaces,
        "state": state,
        "created_at": iso(row.created_at),
        "expires_at": iso(row.expires_at),
        "revoked_at": iso(row.revoked_at),
        "last_used_at": iso(row.last_used_at),
    }


def receipt(row: UsageEvent) -> dict[str, Any]:
    return {
        "id": row.receipt,
        "at": iso(row.at),
        "door": row.door,
        "tables": [
            {name: table.get(name) for name in ("name", "version", "agreement", "licence")}
            for table in row.tables
        ],
        "rows": row.row_count,
        "bytes": row.byte_count,
        "application": row.client_id,
    }


def entry(row: Audit) -> dict[str, Any]:
    return {
        "number": row.id,
        "at": iso(row.at),
        "event": row.event,
        "actor": username(row.actor_id),
        "actor_id": row.actor_id,
        "dataset": dataset(row.dataset_id) if row.dataset_id else None,
        "subject_id": row.subject_id,
        "facts": row.facts,
        "hash": bytes(row.hash).hex(),
    }
