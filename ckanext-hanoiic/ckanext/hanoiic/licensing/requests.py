"""The ways to an agreement: accepting a licence, or a request, from being sent to a decision.

Locked and audited as in :mod:`agreements`. Every event is also a note of the request; together they
are the thread that its party and the officers read.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa
from ckan import model
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import (
    agreements,
    audit,
    clock,
    letters,
    offers,
    parties,
    questions,
    states,
    terms,
    working_days,
)
from ckanext.hanoiic.licensing.errors import (
    AgreementStands,
    OfferClosed,
    OfficerNeeded,
    WrongTier,
)
from ckanext.hanoiic.licensing.model import AccessRequest, Agreement, Offer, RequestNote
from ckanext.hanoiic.licensing.parties import Party

NO_ANSWERS: Mapping[str, str] = {}


def accept(package: model.Package, user: model.User, party: Party, table: str = "") -> Agreement:
    """The party accepts the licence text of a ``click`` dataset, or of a table's own offer.

    Accepting what is already accepted returns the standing agreement; a newer offer supersedes
    the older agreement. Raises :class:`WrongTier`, :class:`AgreementStands` while suspended and
    :class:`OfficerNeeded` after a revocation.
    """
    offer = offers.settle(package, user.id, table)
    if offer.tier != "click":
        raise WrongTier("This dataset is not opened by accepting its licence", tier=offer.tier)
    newest = agreements.newest_of(offer, party, user.id)
    if newest and newest.state == "active" and newest.offer_id == offer.id:
        return newest
    if newest and newest.state == "revoked":
        raise OfficerNeeded("Access was revoked; ask the publishing organisation")
    pending = open_request(offer.dataset_id, party, offer.table_name)
    if pending:
        _move(pending, "withdraw", user.id, "The licence was accepted instead")
    return agreements.begin(offer, party, user.id, newest)


def submit(
    package: model.Package,
    user: model.User,
    party: Party,
    purpose: str,
    table: str = "",
    *,
    purpose_code: str | None = None,
    answers: Mapping[str, str] = NO_ANSWERS,
    renew: bool = False,
) -> AccessRequest:
    """Ask for a ``request`` dataset, or for a ``click`` one after a revocation.

    Asking again while a request is open returns it. ``renew``: the party holds an agreement that
    ends, or is of an older offer, and asks for one to follow it; it stays until then. The offer's
    rule may approve at once. Raises :class:`WrongTier`, :class:`OfferClosed`,
    :class:`AgreementStands` or :class:`AnswerInvalid`.
    """
    offer = offers.settle(package, user.id, table)
    newest = agreements.newest_of(offer, party, user.id)
    now = clock.now()
    if reason := terms.closed(offer, now):
        raise OfferClosed("Nobody can take up this offer now", reason=reason)
    revoked = newest is not None and newest.state == "revoked"
    if offer.tier in ("open", "registered") or (offer.tier == "click" and not revoked):
        raise WrongTier("This dataset needs no request", tier=offer.tier)
    pending = open_request(package.id, party, offer.table_name)
    if pending:
        return pending
    if newest and newest.state in states.LIVE and not _may_follow(newest, offer, now, renew=renew):
        raise AgreementStands("There is an agreement already", state=newest.state)
    request = AccessRequest(
        dataset_id=package.id,
        table_name=offer.table_name,
        offer_id=offer.id,
        user_id=user.id,
        purpose=purpose,
        purpose_code=purpose_code,
        answers=questions.as_asked(questions.of(offer), answers),
        renews=newest.id if newest and agreements.follows(offer, newest) else None,
        state="submitted",
        created_at=now,
        due_at=working_days.after(now, _working_days(offer)),
        expires_at=now + _days("hanoiic.request_open_days"),
        **party.columns(),
    )
    model.Session.add(request)
    model.Session.flush()
    audit.record(
        "request_submitted", user.id, dataset_id=package.id, subject_id=request.id,
        table=offer.table_name, purpose=purpose, purpose_code=purpose_code,
        answers=request.answers, renews=request.renews, **party.columns(),
    )  # fmt: skip
    _note(request, "submit", user.id, None)
    # What an officer took away, only an officer gives back.
    if not revoked and terms.auto_approves(offer, party, purpose_code):
        _approve(request, offer, newest, None, None, "", automatic=True)
    else:
        letters.about_request(request, "submit")
    return request


def _may_follow(agreement: Agreement, offer: Offer, at: datetime, *, renew: bool) -> bool:
    """Whether another agreement may be asked for in a live one's place: to renew it, or where its
    own terms give nothing any more."""
    use = terms.Use(agreement.offer, "query", at, parties.of(agreement), agreement)
    return (renew or use.refusal() is not None) and can_renew(agreement, offer)


def can_renew(agreement: Agreement, offer: Offer) -> bool:
    """Whether a new agreement would bring the party something before this one ends."""
    return agreement.state == "active" and (
        agreement.valid_until is not None or agreement.offer_id != offer.id
    )


def ask(request: AccessRequest, officer: model.User, question: str) -> AccessRequest:
    """Ask the party for information. The officer's clock stands still until it answers."""
    agreements.lock(request, officer.id)
    agreements.refuse_own(request, request.user_id, officer)
    now = clock.now()
    _move(request, "ask", officer.id, question)
    request.days_left = max(1, working_days.between(now, request.due_at))
    request.expires_at = now + _days("hanoiic.request_info_days")
    return request


def answer(request: AccessRequest, user: model.User, text: str) -> AccessRequest:
    """The party answers; the officer again has the working days that were left."""
    agreements.lock(request, user.id)
    now = clock.now()
    _move(request, "answer", user.id, text)
    request.due_at = working_days.after(now, request.days_left or 1)
    request.days_left, request.expires_at = None, now + _days("hanoiic.request_open_days")
    return request


def approve(
    request: AccessRequest, officer: model.User, valid_until: datetime | None, reason: str
) -> Agreement:
    """Approve a request: its party gets an agreement under today's offer.

    It ends at ``valid_until``, or when the offer says where that is sooner.
    """
    offer = agreements.lock(request, officer.id)
    agreements.refuse_own(request, request.user_id, officer)
    newest = agreements.newest_of(offer, parties.of(request), officer.id)
    return _approve(request, offer, newest, officer.id, valid_until, reason)


def reject(request: AccessRequest, officer: model.User, reason: str) -> AccessRequest:
    agreements.lock(request, officer.id)
    agreements.refuse_own(request, request.user_id, officer)
    _move(request, "reject", officer.id, reason)
    return request


def withdraw(request: AccessRequest, user: model.User) -> AccessRequest:
    agreements.lock(request, user.id)
    _move(request, "withdraw", user.id, "")
    return request


def expire_due(at: datetime) -> int:
    """End requests that nobody answered in time; returns how many."""
    due = model.Session.scalars(
        sa.select(AccessRequest).where(
            AccessRequest.state.in_(states.OPEN), AccessRequest.expires_at <= at
        )
    ).all()
    for request in due:
        agreements.lock(request, None)
        if request.state in states.OPEN:
            _move(request, "expire", None, "")
    return len(due)


def open_request(dataset_id: str, party: Party, table: str = "") -> AccessRequest | None:
    return model.Session.scalars(
        sa.select(AccessRequest)
        .filter_by(dataset_id=dataset_id, table_name=table, **party.columns())
        .where(AccessRequest.state.in_(states.OPEN))
    ).first()


def thread(request: AccessRequest) -> list[RequestNote]:
    """What happened to the request, oldest first."""
    query = sa.select(RequestNote).filter_by(request_id=request.id).order_by(RequestNote.id)
    return list(model.Session.scalars(query))


def _approve(
    request: AccessRequest,
    offer: Offer,
    newest: Agreement | None,
    officer_id: str | None,
    valid_until: datetime | None,
    reason: str,
    *,
    automatic: bool = False,
) -> Agreement:
    _move(request, "approve", officer_id, reason, automatic=automatic)
    return agreements.begin(
        offer, parties.of(request), request.user_id, newest, request=request,
        valid_until=valid_until, actor_id=officer_id,
    )  # fmt: skip


def _move(
    request: AccessRequest, event: str, actor_id: str | None, text: str, **facts: bool
) -> None:
    agreements.move(states.REQUEST, request, "request", event, actor_id, text, **facts)
    request.decided_at, request.decided_by = clock.now(), actor_id
    _note(request, event, actor_id, request.reason)
    letters.about_request(request, event)


def _note(request: AccessRequest, event: str, user_id: str | None, text: str | None) -> None:
    model.Session.add(RequestNote(request_id=request.id, user_id=user_id, event=event, text=text))


def _working_days(offer: Offer) -> int:
    return int(offer.sla_working_days or tk.config["hanoiic.sla_working_days"])


def _days(setting: str) -> timedelta:
    return timedelta(days=tk.config[setting])
