"""Who may call which action. What isn't allowed here is refused."""

from __future__ import annotations

from typing import Any

from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import parties
from ckanext.hanoiic.licensing.logic import subject
from ckanext.hanoiic.licensing.model import (
    AccessRequest,
    Agreement,
    Application,
    EditionPreview,
    Token,
)

Answer = dict[str, Any]


def _allow_if(allowed: bool) -> Answer:
    return {"success": True} if allowed else {"success": False, "msg": tk._("Not authorized")}


@tk.auth_sysadmins_check
def _gateway(context: Any, data_dict: dict[str, Any]) -> Answer:
    """The gateway's own user alone; not even a sysadmin."""
    gateway = tk.config.get("hanoiic.gateway_user")
    return _allow_if(bool(gateway) and context.get("user") == gateway)


@tk.auth_sysadmins_check
def _harvester(context: Any, data_dict: dict[str, Any]) -> Answer:
    """The harvest worker's own user alone; not even a sysadmin."""
    harvester = tk.config.get("hanoiic.harvester_user")
    return _allow_if(bool(harvester) and context.get("user") == harvester)


def _operator(context: Any, data_dict: dict[str, Any]) -> Answer:
    # CKAN allows sysadmins before it asks.
    return _allow_if(False)


def _officer_of_dataset(context: Any, data_dict: dict[str, Any]) -> Answer:
    organization_id = subject.owner_org(data_dict["dataset_id"])
    return _allow_if(parties.is_officer(subject.user_of(context), organization_id))


def _own_preview(context: Any, data_dict: dict[str, Any]) -> Answer:
    user = subject.user_of(context)
    preview = subject.row(EditionPreview, data_dict.get("id"))
    return _allow_if(user is not None and preview.requested_by == user.id)


@tk.auth_allow_anonymous_access
def _anyone(context: Any, data_dict: dict[str, Any]) -> Answer:
    return {"success": True}


def _signed_in(context: Any, data_dict: dict[str, Any]) -> Answer:
    # CKAN refuses anonymous users before it asks.
    return _allow_if(subject.user_of(context) is not None)


def _is_officer(context: Any, row: Any) -> bool:
    return parties.is_officer(subject.user_of(context), subject.owner_org(row.dataset_id))


def _speaks_for(context: Any, row: Any) -> bool:
    """Whether the user is of the row's party now: who left it is as anyone else, whoever asked."""
    user = subject.user_of(context)
    return user is not None and parties.of(row) in parties.held_by(user.id)


def _decide(cls: type) -> Any:
    def officer(context: Any, data_dict: dict[str, Any]) -> Answer:
        return _allow_if(_is_officer(context, subject.row(cls, data_dict.get("id"))))

    return officer


def _see(cls: type) -> Any:
    def party_or_officer(context: Any, data_dict: dict[str, Any]) -> Answer:
        row = subject.row(cls, data_dict.get("id"))
        return _allow_if(_speaks_for(context, row) or _is_officer(context, row))

    return party_or_officer


def _own_request(context: Any, data_dict: dict[str, Any]) -> Answer:
    return _allow_if(_speaks_for(context, subject.row(AccessRequest, data_dict.get("id"))))


def _dataset_officer(context: Any, data_dict: dict[str, Any]) -> Answer:
    package = subject.visible_dataset(context, data_dict.get("dataset", ""))
    return _allow_if(parties.is_officer(subject.user_of(context), package.owner_org))


def hanoiic_application_retire(context: Any, data_dict: dict[str, Any]) -> Answer:
    """Who made it, while of its organisation, or an admin of that."""
    row, user = subject.row(Application, data_dict.get("id")), subject.user_of(context)
    if user is None:
        return _allow_if(False)
    own = parties.memberships(user.id)
    made_it = row.user_id == user.id and row.organization_id in (None, *own)
    return _allow_if(made_it or own.get(row.organization_id) == "admin")


def hanoiic_token_rotate(context: Any, data_dict: dict[str, Any]) -> Answer:
    """The token's user, or anyone of the organisation it speaks for."""
    token, user = subject.row(Token, data_dict.get("id")), subject.user_of(context)
    if user is None:
        return _allow_if(False)
    own = parties.memberships(user.id)
    if token.organization_id is None:
        return _allow_if(token.user_id == user.id)
    return _allow_if(token.organization_id in own)


def hanoiic_token_revoke(context: Any, data_dict: dict[str, Any]) -> Answer:
    """The token's user, or an admin of the organisation the token speaks for."""
    token, user = subject.row(Token, data_dict.get("id")), subject.user_of(context)
    if user is None:
        return _allow_if(False)
    role = parties.memberships(user.id).get(token.organization_id)
    return _allow_if(token.user_id == user.id or role == "admin")


AUTH = {
    "hanoiic_introspect": _gateway,
    "hanoiic_link_create": _gateway,
    "hanoiic_usage_lease": _gateway,
    "hanoiic_usage_settle": _gateway,
    "hanoiic_usage_record": _gateway,
    "hanoiic_usage_report": _dataset_officer,
    "hanoiic_receipt_list": _signed_in,
    "hanoiic_audit_list": _operator,
    "hanoiic_audit_verify": _operator,
    "hanoiic_access_show": _anyone,
    "hanoiic_offer_show": _anyone,
    "hanoiic_preview_token": _signed_in,
    "hanoiic_offer_list": _officer_of_dataset,
    "hanoiic_offer_update": _officer_of_dataset,
    "hanoiic_offer_withdraw": _officer_of_dataset,
    "hanoiic_offer_remove": _officer_of_dataset,
    "hanoiic_edition_preview_create": _officer_of_dataset,
    "hanoiic_edition_preview_show": _own_preview,
    "hanoiic_edition_preview_claim": _harvester,
    "hanoiic_edition_preview_update": _harvester,
    "hanoiic_edition_list": _harvester,
    "hanoiic_edition_report": _harvester,
    "hanoiic_pins_list": _harvester,
    "hanoiic_licence_list": _anyone,
    "hanoiic_licence_show": _anyone,
    "hanoiic_licence_create": _operator,
    "hanoiic_licence_update": _operator,
    "hanoiic_licence_publish": _operator,
    "hanoiic_licence_discard": _operator,
    "hanoiic_licence_withdraw": _operator,
    "hanoiic_licence_verify": _operator,
    "hanoiic_agreement_accept": _signed_in,
    "hanoiic_agreement_list": _signed_in,
    "hanoiic_agreement_show": _see(Agreement),
    "hanoiic_agreement_revoke": _decide(Agreement),
    "hanoiic_agreement_suspend": _decide(Agreement),
    "hanoiic_agreement_resume": _decide(Agreement),
    "hanoiic_request_create": _signed_in,
    "hanoiic_request_list": _signed_in,
    "hanoiic_request_show": _see(AccessRequest),
    "hanoiic_request_approve": _decide(AccessRequest),
    "hanoiic_request_reject": _decide(AccessRequest),
    "hanoiic_request_ask": _decide(AccessRequest),
    "hanoiic_request_answer": _own_request,
    "hanoiic_request_withdraw": _own_request,
    "hanoiic_application_create": _signed_in,
    "hanoiic_application_list": _signed_in,
    "hanoiic_application_retire": hanoiic_application_retire,
    "hanoiic_token_create": _signed_in,
    "hanoiic_token_list": _signed_in,
    "hanoiic_token_rotate": hanoiic_token_rotate,
    "hanoiic_token_revoke": hanoiic_token_revoke,
}
