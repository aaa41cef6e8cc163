"""Actions that tell what is decided."""

from __future__ import annotations

from typing import Any

from ckan import model
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import clock, introspection, parties, standing, tokens
from ckanext.hanoiic.licensing.logic import dictize, schema, subject
from ckanext.hanoiic.licensing.logic.refusal import refusing

NEXT_STEPS = {
    "licence_not_accepted": "accept",
    "agreement_expired": "accept",
    "agreement_revoked": "request",
    "request_needed": "request",
    "request_rejected": "request",
    "request_pending": "withdraw",
    "sign_in_required": "sign_in",
}


@tk.validate_action_data(schema.introspect)
def hanoiic_introspect(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Tell the gateway who bears a token and which tables they may read.

    The gateway's own user only (``hanoiic.gateway_user``). docs/architecture.md, "Decision", is
    the contract.

    :param token: the bearer's token; None for an anonymous caller
    :param tables: names of lake tables; None for every one the caller may know of
    :param action: ``query``, ``download`` or ``describe``
    """
    tk.check_access("hanoiic_introspect", context, data_dict)
    answer = introspection.answer(
        data_dict.get("token"), data_dict.get("tables"), data_dict["action"]
    )
    model.repo.commit()
    return answer


@tk.side_effect_free
@tk.validate_action_data(schema.by_id)
def hanoiic_offer_show(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """The terms of a dataset today: tier and licence in plain words.

    :param id: id or name of the dataset
    """
    tk.check_access("hanoiic_offer_show", context, data_dict)
    package = subject.visible_dataset(context, data_dict["id"])
    dataset = standing.by_id(package.id)
    return _terms(dataset)


def _terms(dataset: standing.Dataset) -> dict[str, Any]:
    offer = dataset.offer
    licence = offer.licence if offer else None
    told = introspection.describe_licence(licence, dataset)
    return {
        "dataset": introspection.describe_dataset(dataset),
        "tier": dataset.tier,
        "number": offer.number if offer else None,
        "licence": told | {"plain": licence.plain, "draft": licence.draft} if licence else None,
    }


@tk.side_effect_free
@tk.validate_action_data(schema.by_id)
def hanoiic_access_show(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """How the present user stands to a dataset.

    Answers ``tier``, ``decision`` and ``reason`` as the gateway would get them, ``agreement`` and
    ``request`` (or None), ``next_step`` (``sign_in``, ``accept``, ``request``, ``withdraw`` or
    None), the ``organizations`` the user may act for, and ``terms``.

    :param id: id or name of the dataset
    """
    tk.check_access("hanoiic_access_show", context, data_dict)
    package = subject.visible_dataset(context, data_dict["id"])
    dataset, user = standing.by_id(package.id), subject.user_of(context)
    caller = standing.signed_in(user)
    one = standing.judge(caller, [dataset], "query", clock.now())[dataset.scope]
    return {
        "tier": dataset.tier,
        "decision": one.decision.decision,
        "reason": one.decision.reason,
        "next_step": _next_step(one),
        "agreement": dictize.agreement(one.agreement) if one.agreement else None,
        "request": dictize.request(one.request) if one.request else None,
        "organizations": [
            dictize.party(party.kind, party.id)
            for party in caller.parties
            if party.kind == "organization"
        ],
        "is_officer": parties.is_officer(user, package.owner_org),
        "terms": _terms(dataset),
    }


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
