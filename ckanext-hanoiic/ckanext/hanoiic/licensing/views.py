"""Pages: "My access" for those who use data, the inbox for those who decide, licences in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ckan import model
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import parties, wording
from ckanext.hanoiic.licensing.logic.refusal import N_
from flask import Blueprint, Response, make_response, request

licensing = Blueprint("hanoiic_licensing", __name__, url_prefix="/hanoiic")

ORGANIZATION_FIELD = "organization"


def _user_or_sign_in() -> Any:
    if tk.current_user.is_authenticated:
        return None
    if request.method == "POST":
        return tk.abort(403, tk._("Sign in first"))
    return tk.h.redirect_to("user.login", came_from=request.path)


def _call(action: str, **data: Any) -> Any:
    return tk.get_action(action)({}, data)


def _do(said: str, action: str, **data: Any) -> Any | None:
    """Call an action for a form; tell the outcome as a message on the next page."""
    try:
        result = _call(action, **data)
    except tk.ValidationError as error:
        tk.h.flash_error(" ".join(_sentences(error)))
        return None
    except tk.NotAuthorized:
        return tk.abort(403, tk._("Not authorized"))
    except tk.ObjectNotFound:
        return tk.abort(404, tk._("Not found"))
    tk.h.flash_success(said)
    return result


# Field of a form → its label there.
LABELS = {
    "name": N_("What it is for"),
    "scopes": N_("Allows"),
    "lifetime_days": N_("Days it lasts"),
    "reason": N_("Reason"),
    "purpose": N_("Your purpose"),
    "valid_until": N_("Valid until"),
}


def _sentences(error: tk.ValidationError) -> list[str]:
    """What is wrong, each with the label of its field."""
    told = {key: " ".join(words) for key, words in error.error_dict.items() if key != "code"}
    return [
        f"{tk._(LABELS[key])}: {words}" if key in LABELS else words for key, words in told.items()
    ]


def _to_dataset(dataset_id: str) -> Response:
    package = model.Package.get(dataset_id)
    return tk.h.redirect_to("dataset.read", id=package.name, _anchor="access")


@licensing.get("/access")
def access() -> Any:
    return _user_or_sign_in() or _access_page()


def _access_page(created: dict[str, Any] | None = None, **more: Any) -> Response:
    user = tk.current_user
    page = tk.render(
        "hanoiic_licensing/access.html",
        {
            "agreements": _call("hanoiic_agreement_list", box="mine"),
            "requests": _call("hanoiic_request_list", box="mine"),
            "tokens": _call("hanoiic_token_list"),
            "organizations": [model.Group.get(id_) for id_ in parties.memberships(user.id)],
            "gateway_url": tk.config.get("hanoiic.gateway_url", ""),
            "created": created,
            "errors": [],
            **more,
        },
    )
    response = make_response(page)
    response.headers["Cache-Control"] = "no-store"
    return response


@licensing.post("/access/tokens")
def token_create() -> Any:
    """Shows the new token on the answered page itself: it is nowhere to be read again."""
    if away := _user_or_sign_in():
        return away
    form = request.form
    try:
        created = _call(
            "hanoiic_token_create",
            name=form.get("name", ""),
            scopes=form.getlist("scopes"),
            organization=form.get(ORGANIZATION_FIELD, ""),
            lifetime_days=form.get("lifetime_days", ""),
        )
    except tk.ValidationError as error:
        return _access_page(errors=_sentences(error), form=form)
    return _access_page(created)


@licensing.post("/access/tokens/<token_id>/revoke")
def token_revoke(token_id: str) -> Any:
    if away := _user_or_sign_in():
        return away
    _do(tk._("The token is revoked."), "hanoiic_token_revoke", id=token_id)
    return tk.h.redirect_to("hanoiic_licensing.access", _anchor="tokens")


@licensing.post("/access/datasets/<dataset_id>/accept")
def accept(dataset_id: str) -> Any:
    if away := _user_or_sign_in():
        return away
    _do(
        tk._("You accepted the licence; the data is open to you."),
        "hanoiic_agreement_accept",
        dataset=dataset_id,
        organization=request.form.get(ORGANIZATION_FIELD, ""),
    )
    return _to_dataset(dataset_id)


@licensing.post("/access/datasets/<dataset_id>/request")
def request_create(dataset_id: str) -> Any:
    if away := _user_or_sign_in():
        return away
    _do(
        tk._("Your request was sent to the publishing organisation."),
        "hanoiic_request_create",
        dataset=dataset_id,
        organization=request.form.get(ORGANIZATION_FIELD, ""),
        purpose=request.form.get("purpose", ""),
    )
    return _to_dataset(dataset_id)


@licensing.post("/access/requests/<request_id>/withdraw")
def request_withdraw(request_id: str) -> Any:
    if away := _user_or_sign_in():
        return away
    _do(tk._("The request is withdrawn."), "hanoiic_request_withdraw", id=request_id)
    return tk.h.redirect_to("hanoiic_licensing.access", _anchor="requests")


@licensing.get("/inbox")
def inbox() -> Any:
    if away := _user_or_sign_in():
        return away
    if parties.offices(tk.current_user) == []:
        return tk.abort(403, tk._("This page is for those who decide for an organisation."))
    agreements = _call("hanoiic_agreement_list", box="inbox")
    return tk.render(
        "hanoiic_licensing/inbox.html",
        {
            "requests": _call("hanoiic_request_list", box="inbox", state="submitted"),
            "live": [one for one in agreements if one["state"] in ("active", "suspended")],
        },
    )


# Button of the inbox → (action, what is said afterwards, fields of the form it takes).
DECISIONS: dict[str, tuple[str, Callable[[], str], tuple[str, ...]]] = {
    "requests/approve": (
        "hanoiic_request_approve",
        lambda: tk._("The request is approved."),
        ("reason", "valid_until"),
    ),
    "requests/reject": (
        "hanoiic_request_reject",
        lambda: tk._("The request is refused."),
        ("reason",),
    ),
    "agreements/revoke": (
        "hanoiic_agreement_revoke",
        lambda: tk._("The access is revoked."),
        ("reason",),
    ),
    "agreements/suspend": (
        "hanoiic_agreement_suspend",
        lambda: tk._("The access is suspended."),
        ("reason",),
    ),
    "agreements/resume": (
        "hanoiic_agreement_resume",
        lambda: tk._("The access is given back."),
        (),
    ),
}


@licensing.post("/inbox/<kind>/<row_id>/<event>")
def decide(kind: str, row_id: str, event: str) -> Any:
    if away := _user_or_sign_in():
        return away
    if f"{kind}/{event}" not in DECISIONS:
        return tk.abort(404, tk._("Not found"))
    action, said, fields = DECISIONS[f"{kind}/{event}"]
    _do(said(), action, id=row_id, **{name: request.form.get(name, "") for name in fields})
    return tk.h.redirect_to("hanoiic_licensing.inbox")


@licensing.get("/licences/<licence_id>")
def licence(licence_id: str) -> Any:
    if wording.licence(licence_id) is None:
        return tk.abort(404, tk._("Not found"))
    return tk.render("hanoiic_licensing/licence.html", {"licence_id": licence_id})
