"""Agreements and the requests for them: every way one begins, changes and ends.

All of it happens under the lock of the dataset's row (:func:`offers.settle`), is written to the
audit in the same transaction, and is committed by the caller.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from ckan import model
from ckanext.hanoiic.licensing import audit, clock, offers, parties, states, terms
from ckanext.hanoiic.licensing.errors import (
    AgreementStands,
    OfferClosed,
    OfficerNeeded,
    OwnRequest,
    ReasonMissing,
    WrongTier,
)
from ckanext.hanoiic.licensing.model import AccessRequest, Agreement, Offer
from ckanext.hanoiic.licensing.parties import Party


def accept(package: model.Package, user: model.User, party: Party, table: str = "") -> Agreement:
    """The party accepts the licence text of a ``click`` dataset, or of a table's own offer.

    Accepting what is already accepted returns the standing agreement; a newer offer supersedes
    the older agreement. Raises :class:`WrongTier`, :class:`AgreementStands` while suspended and
    :class:`OfficerNeeded` after a revocation.
    """
    offer = offers.settle(package, user.id, table)
    if offer.tier != "click":
        raise WrongTier("This dataset is not opened by accepting its licence", tier=offer.tier)
    newest = _newest(offer, party, user.id)
    if newest and newest.state == "active" and newest.offer_id == offer.id:
        return newest
    if newest and newest.state == "revoked":
        raise OfficerNeeded("Access was revoked; ask the publishing organisation")
    pending = open_request(package.id, party, offer.table_name)
    if pending:
        _move_request(pending, "withdraw", user.id, "The licence was accepted instead")
    return _begin(offer, party, user.id, newest)


def submit(
    package: model.Package, user: model.User, party: Party, purpose: str, table: str = ""
) -> AccessRequest:
    """Ask for a ``request`` dataset, or for a ``click`` one after a revocation.

    Asking again while a request is open returns it. Raises :class:`WrongTier` or
    :class:`AgreementStands`.
    """
    offer = offers.settle(package, user.id, table)
    newest = _newest(offer, party, user.id)
    if reason := terms.closed(offer, clock.now()):
        raise OfferClosed("Nobody can take up this offer now", reason=reason)
    revoked = newest is not None and newest.state == "revoked"
    if offer.tier in ("open", "registered") or (offer.tier == "click" and not revoked):
        raise WrongTier("This dataset needs no request", tier=offer.tier)
    if newest and newest.state in states.LIVE:
        raise AgreementStands("There is an agreement already", state=newest.state)
    pending = open_request(package.id, party, offer.table_name)
    if pending:
        return pending
    request = AccessRequest(
        dataset_id=package.id,
        table_name=offer.table_name,
        offer_id=offer.id,
        user_id=user.id,
        purpose=purpose,
        state="submitted",
        **party.columns(),
    )
    model.Session.add(request)
    model.Session.flush()
    audit.record(
        "request_submitted", user.id, dataset_id=package.id, subject_id=request.id,
        purpose=purpose, **party.columns(),
    )  # fmt: skip
    return request


def approve(
    request: AccessRequest, officer: model.User, valid_until: datetime | None, reason: str
) -> Agreement:
    """Approve a request: its party holds an agreement under the offer of now."""
    offer = _lock(request, officer.id)
    _refuse_own(request, officer)
    newest = _newest(offer, parties.of(request), officer.id)
    _move_request(request, "approve", officer.id, reason)
    return _begin(
        offer, parties.of(request), request.user_id, newest, request=request,
        valid_until=valid_until, actor_id=officer.id,
    )  # fmt: skip


def reject(request: AccessRequest, officer: model.User, reason: str) -> AccessRequest:
    _lock(request, officer.id)
    _refuse_own(request, officer)
    _move_request(request, "reject", officer.id, reason)
    return request


def withdraw(request: AccessRequest, user: model.User) -> AccessRequest:
    _lock(request, user.id)
    _move_request(request, "withdraw", user.id, "")
    return request


def change(agreement: Agreement, event: str, officer: model.User, reason: str = "") -> Agreement:
    """``suspend``, ``resume`` or ``revoke`` an agreement."""
    _lock(agreement, officer.id)
    _move_agreement(agreement, event, officer.id, reason)
    return agreement


def open_request(dataset_id: str, party: Party, table: str = "") -> AccessRequest | None:
    return model.Session.scalars(
        sa.select(AccessRequest).filter_by(
            dataset_id=dataset_id, table_name=table, state="submitted", **party.columns()
        )
    ).first()


def is_expired(agreement: Agreement, at: datetime) -> bool:
    """Whether a live agreement is past its end, to the second it ends."""
    return agreement.state in states.LIVE and (
        agreement.valid_until is not None and agreement.valid_until <= at
    )


def _newest(offer: Offer, party: Party, actor_id: str) -> Agreement | None:
    """The party's newest agreement on what the offer is about; one past its end is moved to
    ``expired`` first."""
    newest = model.Session.scalars(
        sa.select(Agreement)
        .filter_by(dataset_id=offer.dataset_id, table_name=offer.table_name, **party.columns())
        .order_by(Agreement.created_at.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    ).first()
    if newest and is_expired(newest, clock.now()):
        _move_agreement(newest, "expire", actor_id, "")
    return newest


def _begin(
    offer: Offer,
    party: Party,
    user_id: str,
    newest: Agreement | None,
    *,
    request: AccessRequest | None = None,
    valid_until: datetime | None = None,
    actor_id: str | None = None,
) -> Agreement:
    began_at = clock.now()
    if reason := terms.closed(offer, began_at):
        raise OfferClosed("Nobody can take up this offer now", reason=reason)
    if newest and newest.state == "suspended":
        raise AgreementStands("The agreement is suspended; resume or revoke it", state="suspended")
    if newest and newest.state == "active":
        _move_agreement(newest, "supersede", actor_id or user_id, "")
        model.Session.flush()
    ends = [end for end in (valid_until, terms.valid_until(offer, began_at)) if end]
    agreement = Agreement(
        dataset_id=offer.dataset_id,
        table_name=offer.table_name,
        offer_id=offer.id,
        request_id=request.id if request else None,
        accepted_by=user_id,
        created_at=began_at,
        valid_until=min(ends, default=None),
        state="active",
        changed_by=actor_id or user_id,
        **party.columns(),
    )
    until = agreement.valid_until and agreement.valid_until.isoformat()
    model.Session.add(agreement)
    model.Session.flush()
    audit.record(
        "agreement_began", actor_id or user_id, dataset_id=offer.dataset_id,
        subject_id=agreement.id, offer=offer.id, licence=offer.licence_id,
        licence_version=offer.licence_version, request=request.id if request else None,
        valid_until=until, **party.columns(),
    )  # fmt: skip
    return agreement


def _lock(row: AccessRequest | Agreement, actor_id: str) -> Offer:
    """Take the dataset's lock, then read the row as it is now."""
    package = model.Session.get(model.Package, row.dataset_id)
    offer = offers.settle(package, actor_id, row.table_name)
    model.Session.refresh(row)
    return offer


def _refuse_own(request: AccessRequest, officer: model.User) -> None:
    if request.user_id == officer.id:
        raise OwnRequest("Somebody else must decide your own request")


def _move_request(request: AccessRequest, event: str, actor_id: str, reason: str) -> None:
    _move(states.REQUEST, request, "request", event, actor_id, reason)
    request.decided_at, request.decided_by = clock.now(), actor_id


def _move_agreement(agreement: Agreement, event: str, actor_id: str, reason: str) -> None:
    _move(states.AGREEMENT, agreement, "agreement", event, actor_id, reason)
    agreement.changed_at, agreement.changed_by = clock.now(), actor_id


def _move(
    table: dict[str, dict[str, str]], row: Any, kind: str, event: str, actor_id: str, reason: str
) -> None:
    if event in states.NEEDS_REASON and not reason.strip():
        raise ReasonMissing("Give a reason")
    before, row.state = row.state, states.after(table, row.state, event)
    row.reason = reason.strip() or None
    audit.record(
        f"{kind}_{row.state}", actor_id, dataset_id=row.dataset_id, subject_id=row.id,
        before=before, reason=row.reason, **parties.of(row).columns(),
    )  # fmt: skip
