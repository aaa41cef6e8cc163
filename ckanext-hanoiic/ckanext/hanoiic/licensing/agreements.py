"""Agreements: how one begins, changes and ends; :mod:`requests` has the ways that lead to one.

Every change happens under the lock of the dataset's row (:func:`offers.settle`), is written to the
audit in the same transaction, and is committed by the caller.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from ckan import model
from ckanext.hanoiic.licensing import audit, clock, letters, offers, parties, states, terms, usage
from ckanext.hanoiic.licensing.errors import (
    AgreementStands,
    OfferClosed,
    OwnRequest,
    PartyGone,
    ReasonMissing,
)
from ckanext.hanoiic.licensing.model import AccessRequest, Agreement, Offer
from ckanext.hanoiic.licensing.parties import Party


def change(agreement: Agreement, event: str, officer: model.User, reason: str = "") -> Agreement:
    """``suspend``, ``resume`` or ``revoke`` an agreement."""
    lock(agreement, officer.id)
    if event == "resume":
        refuse_own(agreement, agreement.accepted_by, officer)
    if is_expired(agreement, clock.now()):
        event = "expire" if event == "resume" else event
    _move_agreement(agreement, event, officer.id, reason)
    return agreement


def expire_due(at: datetime) -> int:
    """Store agreements past their end as ``expired``. Decisions don't wait for this: they go by the
    clock."""
    due = model.Session.scalars(
        sa.select(Agreement).where(Agreement.state.in_(states.LIVE), Agreement.valid_until <= at)
    ).all()
    for agreement in due:
        lock(agreement, None)
        if is_expired(agreement, at):
            _move_agreement(agreement, "expire", None, "")
    return len(due)


def is_expired(agreement: Agreement, at: datetime) -> bool:
    """Whether a live agreement is past its end, which is exact to the second."""
    return agreement.state in states.LIVE and (
        agreement.valid_until is not None and agreement.valid_until <= at
    )


def newest_of(offer: Offer, party: Party, actor_id: str | None) -> Agreement | None:
    """The party's newest agreement on what the offer is about; one past its end is moved to
    ``expired`` first. For a table's own offer that may be one on the whole dataset."""
    newest = _newest(offer.dataset_id, offer.table_name, party)
    if newest is None and offer.table_name:
        whole = _newest(offer.dataset_id, "", party)
        newest = whole if whole and covers(whole, offer.table_name) else None
    if newest and is_expired(newest, clock.now()):
        _move_agreement(newest, "expire", actor_id, "")
    return newest


def covers(agreement: Agreement, table: str) -> bool:
    """Whether an agreement on a whole dataset is about a table that has an offer of its own today:
    it had none when the agreement began."""
    return not offers.had_own(agreement.dataset_id, table, agreement.created_at)


def _newest(dataset_id: str, table: str, party: Party) -> Agreement | None:
    return model.Session.scalars(
        sa.select(Agreement)
        .filter_by(dataset_id=dataset_id, table_name=table, **party.columns())
        .order_by(
            # A live one is the newest, even if the clock was set back.
            Agreement.state.in_(states.LIVE).desc(),
            Agreement.state == "superseded",
            Agreement.created_at.desc(),
        )
        .limit(1)
        .execution_options(populate_existing=True)
    ).first()


def begin(
    offer: Offer,
    party: Party,
    user_id: str,
    newest: Agreement | None,
    *,
    request: AccessRequest | None = None,
    valid_until: datetime | None = None,
    actor_id: str | None = None,
) -> Agreement:
    """Begin an agreement. An active one before it is superseded in the same instant, and what was
    used of its quota goes on counting. It ends when the offer says, or sooner. Raises
    :class:`OfferClosed`, :class:`PartyGone`, :class:`AgreementStands`.
    """
    began_at = clock.now()
    if not parties.lives(party):
        raise PartyGone("Nobody would hold the agreement")
    package = model.Session.get(model.Package, offer.dataset_id)
    is_gone = package is None or package.state != "active"
    if reason := "dataset_gone" if is_gone else terms.closed(offer, began_at):
        raise OfferClosed("Nobody can take up this offer now", reason=reason)
    if newest and newest.state == "suspended":
        raise AgreementStands("The agreement is suspended; resume or revoke it", state="suspended")
    continues = newest if newest and follows(offer, newest) else None
    if continues:
        _move_agreement(continues, "supersede", actor_id or user_id, "")
        model.Session.flush()
    ends = [end for end in (valid_until, terms.valid_until(offer, began_at)) if end]
    agreement = Agreement(
        dataset_id=offer.dataset_id,
        table_name=offer.table_name,
        offer_id=offer.id,
        request_id=request.id if request else None,
        renews=continues.id if continues else None,
        accepted_by=user_id,
        created_at=began_at,
        valid_until=min(ends, default=None),
        state="active",
        pinned_versions=dict(offer.pinned_versions or {}),
        changed_by=actor_id or user_id,
        **party.columns(),
    )
    until = agreement.valid_until and agreement.valid_until.isoformat()
    model.Session.add(agreement)
    model.Session.flush()
    if continues:
        usage.carry_over(continues.id, agreement.id)
    audit.record(
        "agreement_began", actor_id or user_id, dataset_id=offer.dataset_id,
        subject_id=agreement.id, table=offer.table_name, offer=offer.id,
        licence=offer.licence_id, licence_version=offer.licence_version,
        request=request.id if request else None, renews=agreement.renews, valid_until=until,
        **({"pinned_versions": agreement.pinned_versions} if agreement.pinned_versions else {}),
        **party.columns(),
    )  # fmt: skip
    return agreement


def follows(offer: Offer, before: Agreement) -> bool:
    """Whether an agreement under the offer takes the place of one that is in force. One on the
    whole dataset goes on beside that on a table."""
    return before.state == "active" and before.table_name == offer.table_name


def refuse_own(row: AccessRequest | Agreement, asked_by: str, officer: model.User) -> None:
    """Refuse that somebody decides a request of their own, or one for a party they belong to;
    sysadmins too."""
    if asked_by == officer.id or parties.of(row) in parties.held_by(officer.id):
        raise OwnRequest("Somebody else must decide your own request")


def lock(row: AccessRequest | Agreement, actor_id: str | None) -> Offer:
    """Take the dataset's lock, then read the row as it is now."""
    package = model.Session.get(model.Package, row.dataset_id)
    if package is None:
        # The dataset was purged; what was agreed about it stays.
        model.Session.refresh(row, with_for_update={"of": type(row)})
        return row.offer
    offer = offers.settle(package, actor_id, row.table_name)
    model.Session.refresh(row)
    return offer


def _move_agreement(agreement: Agreement, event: str, actor_id: str | None, reason: str) -> None:
    move(states.AGREEMENT, agreement, "agreement", event, actor_id, reason)
    agreement.changed_at, agreement.changed_by = clock.now(), actor_id
    if event != "supersede":
        letters.about_agreement(agreement)


def move(
    table: dict[str, dict[str, str]],
    row: Any,
    kind: str,
    event: str,
    actor_id: str | None,
    reason: str,
    **facts: Any,
) -> None:
    """Move a request or agreement to its next state, by its table (:mod:`states`), and write that
    down."""
    if event in states.NEEDS_REASON and not reason.strip():
        raise ReasonMissing("Give a reason")
    before, row.state = row.state, states.after(table, row.state, event)
    row.reason = reason.strip() or None
    audit.record(
        f"{kind}_{row.state}", actor_id, dataset_id=row.dataset_id, subject_id=row.id,
        before=before, reason=row.reason, **parties.of(row).columns(), **facts,
    )  # fmt: skip
