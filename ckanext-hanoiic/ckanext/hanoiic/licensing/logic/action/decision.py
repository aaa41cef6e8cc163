"""Actions that tell what is decided."""

from __future__ import annotations

from typing import Any

from ckan import model
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import (
    clock,
    introspection,
    parties,
    requests,
    standing,
    terms,
    tokens,
)
from ckanext.hanoiic.licensing.logic import dictize, schema, subject
from ckanext.hanoiic.licensing.logic.refusal import refusing
from ckanext.hanoiic.licensing.model import AccessRequest, Licence, Offer

NEXT_STEPS = {
    "licence_not_accepted": "accept",
    "agreement_expired": "accept",
    "agreement_superseded": "accept",
    "agreement_revoked": "request",
    "request_needed": "request",
    "request_rejected": "request",
    "request_pending": "withdraw",
    "request_info_needed": "answer",
    "sign_in_required": "sign_in",
}


@tk.validate_action_data(schema.introspect)
def hanoiic_introspect(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Tell the gateway who bears a token and which tables they may read.

    The gateway's own user only (``hanoiic.gateway_user``). docs/architecture.md, "Decision", is
    the contract.

    :param token: the bearer's token; None for an anonymous caller
    :param tables: names of lake tables; None for every one the caller may know of
    :param action: ``query``, ``download``, ``share`` or ``describe``
    :param audience: who asks; a token that is not for it opens nothing (default ``gateway``)
    """
    tk.check_access("hanoiic_introspect", context, data_dict)
    answer = introspection.answer(
        data_dict.get("token"),
        data_dict.get("tables"),
        data_dict["action"],
        data_dict["audience"],
    )
    model.repo.commit()
    return answer


@tk.side_effect_free
@tk.validate_action_data(schema.id_and_table)
def hanoiic_offer_show(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """The terms of a dataset today: tier and licence in plain words.

    :param id: id or name of the dataset
    :param table: one of its tables, which may have an offer of its own (optional)
    """
    tk.check_access("hanoiic_offer_show", context, data_dict)
    package = subject.visible_dataset(context, data_dict["id"])
    dataset = standing.by_id(package.id, data_dict.get("table") or "")
    return _terms(dataset, dataset.offer)


def _terms(dataset: standing.Dataset, offer: Offer | None) -> dict[str, Any]:
    licence = offer.licence if offer else None
    told = introspection.describe_licence(licence, dataset)
    return {
        "dataset": introspection.describe_dataset(dataset),
        "tier": offer.tier if offer else dataset.tier,
        "table": (offer.table_name or None) if offer else None,
        "number": offer.number if offer else None,
        "closed": terms.closed(offer, clock.now()),
        "valid_until": dictize.iso(offer.valid_until) if offer else None,
        "withdrawn_reason": offer.withdrawn_reason if offer else None,
        "offered": terms.told(offer) if offer else None,
        "duties": _duties(licence),
        "licence": told | {"plain": licence.plain, "draft": licence.draft} if licence else None,
    }


def _duties(licence: Licence | None) -> list[str]:
    rules = licence.policy.get("permission", []) if licence else []
    return list(dict.fromkeys(duty["action"] for rule in rules for duty in rule.get("duty", [])))


@tk.side_effect_free
@tk.validate_action_data(schema.id_and_table)
def hanoiic_access_show(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """How the present user stands to a dataset.

    Answers ``tier``, ``decision`` and ``reason`` as the gateway would get them, ``agreement`` and
    ``request`` with its ``notes`` (or None), ``next_step`` (``sign_in``, ``accept``, ``request``,
    ``answer``, ``withdraw`` or None), ``renewable``, the ``organizations`` the user may
    act for, ``sample`` (whether there is one to try now), ``terms`` as they are today, and
    ``held``: those that the user's agreement keeps, where they are others (or None).

    :param id: id or name of the dataset
    :param table: one of its tables, which may have an offer of its own (optional)
    """
    tk.check_access("hanoiic_access_show", context, data_dict)
    package = subject.visible_dataset(context, data_dict["id"])
    dataset = standing.by_id(package.id, data_dict.get("table") or "")
    user = subject.user_of(context)
    caller, now = standing.signed_in(user), clock.now()
    one = standing.judge(caller, [dataset], "query", now, samples=False)[dataset.scope]
    tried = standing.judge(caller, [dataset], "query", now)[dataset.scope]
    return {
        "tier": dataset.tier,
        "decision": one.decision.decision,
        "reason": one.decision.reason,
        "next_step": _next_step(one),
        "sample": tried.decision.reason == "sample",
        "agreement": dictize.agreement(one.agreement) if one.agreement else None,
        "request": _request(one),
        "renewable": _is_renewable(one),
        "organizations": [
            dictize.party(party.kind, party.id)
            for party in caller.parties
            if party.kind == "organization"
        ],
        "is_officer": parties.is_officer(user, package.owner_org),
        "terms": _terms(dataset, dataset.offer),
        "held": _terms(dataset, one.agreement.offer) if _holds_other_terms(one) else None,
    }


def _holds_other_terms(one: standing.Standing) -> bool:
    """Whether the user's access rests on an offer of before."""
    now = one.dataset.offer
    return bool(
        one.agreement
        and one.decision.reason == "agreement"
        and (now is None or one.agreement.offer_id != now.id)
    )


def _is_renewable(one: standing.Standing) -> bool:
    """Whether a request can lead to a new agreement while this one lasts."""
    offer = one.dataset.offer
    return bool(
        one.agreement
        and offer
        and offer.tier == "request"
        and one.decision.reason == "agreement"
        and requests.can_renew(one.agreement, offer)
    )


def _request(one: standing.Standing) -> dict[str, Any] | None:
    """The request that is open or was decided last, with its thread."""
    row = one.request
    if row is None and one.agreement and one.agreement.request_id:
        row = model.Session.get(AccessRequest, one.agreement.request_id)
    if row is None:
        return None
    notes = [dictize.note(note) for note in requests.thread(row)]
    return dictize.request(row) | {"notes": notes}


def _next_step(one: standing.Standing) -> str | None:
    step = NEXT_STEPS.get(one.decision.reason or "")
    return "request" if step == "accept" and one.dataset.tier == "request" else step


@refusing
def hanoiic_preview_token(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """A token of a minute for the portal's own page to query the gateway as the present user.

    Signed, not stored; it carries the scope ``query`` alone. Answers ``token`` and
    ``expires_at``.
    """
    tk.check_access("hanoiic_preview_token", context, data_dict)
    token, expires_at = tokens.preview(subject.user_of(context))
    return {"token": token, "expires_at": dictize.iso(expires_at)}
