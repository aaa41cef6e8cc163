"""Actions about requests for access."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from ckan import model
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import parties, requests, states
from ckanext.hanoiic.licensing.logic import dictize, schema, subject
from ckanext.hanoiic.licensing.logic.refusal import refusing
from ckanext.hanoiic.licensing.model import AccessRequest

LISTED = 500


@tk.validate_action_data(schema.request)
@refusing
def hanoiic_request_create(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Ask for access to a dataset; a request already open is answered as it is.

    :param dataset: id or name
    :param table: a lake table of it that has an offer of its own (optional)
    :param purpose: what the data is wanted for
    :param purpose_code: ``research``, ``education``, ``product``, ``public_service``,
        ``journalism`` or ``trial`` (optional)
    :param answers: {question's id: text}; what is asked is in ``offered.questions`` of
        ``hanoiic_offer_show`` (optional where no question is required)
    :param renew: for an agreement to follow the one that is held (optional)
    :param organization: for which of the user's organisations (optional when there is one)
    """
    tk.check_access("hanoiic_request_create", context, data_dict)
    package, user = (
        subject.visible_dataset(context, data_dict["dataset"]),
        subject.user_of(context),
    )
    party = parties.speaking(user.id, data_dict.get("organization"))
    request = requests.submit(
        package,
        user,
        party,
        data_dict["purpose"],
        data_dict.get("table") or "",
        purpose_code=data_dict.get("purpose_code"),
        answers=data_dict["answers"],
        renew=data_dict["renew"],
    )
    subject.commit(context)
    return dictize.request(request)


@tk.side_effect_free
@tk.validate_action_data(lambda: schema.listing(*states.REQUEST_STATES))
def hanoiic_request_list(context: Any, data_dict: dict[str, Any]) -> list[dict[str, Any]]:
    """Requests, newest first, at most 500.

    :param box: ``mine`` (of the user and the user's organisations; default) or ``inbox`` (for
        datasets the user decides about)
    :param state: only those in this state
    """
    tk.check_access("hanoiic_request_list", context, data_dict)
    return [dictize.request(row) for row in in_box(AccessRequest, context, data_dict)]


def in_box(cls: type, context: Any, data_dict: dict[str, Any]) -> list[Any]:
    """Rows of requests or agreements that concern the user, newest first."""
    user = subject.user_of(context)
    query = sa.select(cls).order_by(cls.created_at.desc()).limit(LISTED)
    if data_dict.get("state"):
        query = query.where(cls.state == data_dict["state"])
    if data_dict["box"] == "mine":
        held = [(party.kind, party.id) for party in parties.held_by(user.id)]
        query = query.where(sa.tuple_(cls.party_kind, cls.party_id).in_(held))
    else:
        query = _decided_by(user, query, cls)
    return list(model.Session.scalars(query))


def _decided_by(user: model.User, query: sa.Select, cls: type) -> sa.Select:
    """The query cut to rows about living datasets that the user decides about."""
    query = query.join(
        model.Package,
        sa.and_(model.Package.id == cls.dataset_id, model.Package.state == "active"),
    )
    offices = parties.offices(user)
    return query if offices is None else query.where(model.Package.owner_org.in_(offices))


def of_party(cls: type, party: parties.Party, officer: model.User) -> list[Any]:
    """What a party held of, or asked for, in the datasets the officer decides about."""
    query = sa.select(cls).where(cls.party_kind == party.kind, cls.party_id == party.id)
    query = _decided_by(officer, query.order_by(cls.created_at.desc()).limit(LISTED), cls)
    return list(model.Session.scalars(query))


def waiting_count(user: model.User) -> int:
    """How many requests wait for the user's decision."""
    query = sa.select(sa.func.count()).where(AccessRequest.state == "submitted")
    return int(
        model.Session.scalar(_decided_by(user, query.select_from(AccessRequest), AccessRequest))
    )


@tk.side_effect_free
@tk.validate_action_data(schema.by_id)
def hanoiic_request_show(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """One request with its thread (``notes``), for its party and the dataset's officers."""
    tk.check_access("hanoiic_request_show", context, data_dict)
    row = subject.row(AccessRequest, data_dict["id"])
    notes = [dictize.note(note) for note in requests.thread(row)]
    return dictize.request(row) | {"notes": notes}


@tk.validate_action_data(schema.decide_with_reason)
@refusing
def hanoiic_request_ask(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Ask the party for more information; the officer's clock stands until it answers.

    :param id: the request
    :param reason: the question
    """
    tk.check_access("hanoiic_request_ask", context, data_dict)
    request = requests.ask(
        subject.row(AccessRequest, data_dict["id"]), subject.user_of(context), data_dict["reason"]
    )
    subject.commit(context)
    return dictize.request(request)


@tk.validate_action_data(schema.say)
@refusing
def hanoiic_request_answer(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Answer what an officer asked.

    :param id: the request
    :param text: the answer
    """
    tk.check_access("hanoiic_request_answer", context, data_dict)
    request = requests.answer(
        subject.row(AccessRequest, data_dict["id"]), subject.user_of(context), data_dict["text"]
    )
    subject.commit(context)
    return dictize.request(request)


@tk.validate_action_data(schema.approve)
@refusing
def hanoiic_request_approve(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Approve a request; answers the agreement that begins.

    :param id: the request
    :param reason: a word to the requester (optional)
    :param valid_until: ISO date or date-time at which the agreement ends (optional)
    """
    tk.check_access("hanoiic_request_approve", context, data_dict)
    agreement = requests.approve(
        subject.row(AccessRequest, data_dict["id"]),
        subject.user_of(context),
        data_dict.get("valid_until"),
        data_dict.get("reason") or "",
    )
    subject.commit(context)
    return dictize.agreement(agreement)


@tk.validate_action_data(schema.decide_with_reason)
@refusing
def hanoiic_request_reject(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Refuse a request.

    :param id: the request
    :param reason: why; the requester reads it
    """
    tk.check_access("hanoiic_request_reject", context, data_dict)
    request = requests.reject(
        subject.row(AccessRequest, data_dict["id"]), subject.user_of(context), data_dict["reason"]
    )
    subject.commit(context)
    return dictize.request(request)


@tk.validate_action_data(schema.by_id)
@refusing
def hanoiic_request_withdraw(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Take back an open request."""
    tk.check_access("hanoiic_request_withdraw", context, data_dict)
    request = requests.withdraw(
        subject.row(AccessRequest, data_dict["id"]), subject.user_of(context)
    )
    subject.commit(context)
    return dictize.request(request)
