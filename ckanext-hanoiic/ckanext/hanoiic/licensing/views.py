"""Pages of those who use data: "My access", what a dataset's page sends, licences in words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ckan import model
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import clock, parties, questions, wording
from ckanext.hanoiic.licensing.logic.refusal import N_
from flask import Blueprint, Response, make_response, request

licensing = Blueprint("hanoiic_licensing", __name__, url_prefix="/hanoiic")

ORGANIZATION_FIELD = "organization"
# How long the gateway keeps a receipt.
RECEIPT_KEPT = timedelta(days=1)


def user_or_sign_in() -> Any:
    """None for a signed-in user, else the way to become one."""
    if tk.current_user.is_authenticated:
        return None
    if request.method == "POST":
        return tk.abort(403, tk._("Sign in first"))
    return tk.h.redirect_to("user.login", came_from=request.path)


def call(action: str, **data: Any) -> Any:
    return tk.get_action(action)({}, data)


def do(said: str, action: str, **data: Any) -> Any | None:
    """Call an action for a form; tell the outcome as a message on the next page."""
    try:
        result = call(action, **data)
    except tk.ValidationError as error:
        tk.h.flash_error(" ".join(sentences(error)))
        return None
    except tk.NotAuthorized:
        return tk.abort(403, tk._("Not authorized"))
    except tk.ObjectNotFound:
        return tk.abort(404, tk._("Not found"))
    tk.h.flash_success(said)
    return result


# Field of a form → its label there.
LABELS = {
    "name": N_("Application"),
    "scopes": N_("Allows"),
    "lifetime_days": N_("Days it lasts"),
    "reason": N_("Reason"),
    "purpose": N_("Your purpose"),
    "valid_until": N_("Valid until"),
    "networks": N_("Only from these networks"),
    "text": N_("Your answer"),
}


def sentences(error: tk.ValidationError) -> list[str]:
    """What is wrong, each with the label of its field."""
    told = {key: " ".join(words) for key, words in error.error_dict.items() if key != "code"}
    return [
        f"{tk._(LABELS[key])}: {words}" if key in LABELS else words for key, words in told.items()
    ]


def _to_dataset(dataset_id: str) -> Response:
    package = model.Package.get(dataset_id)
    if package is None:
        tk.abort(404, tk._("Dataset not found"))
    return tk.h.redirect_to("dataset.read", id=package.name, _anchor="access")


@licensing.get("/access")
def access() -> Any:
    return user_or_sign_in() or _access_page()


def _access_page(created: dict[str, Any] | None = None, **more: Any) -> Response:
    user = tk.current_user
    page = tk.render(
        "hanoiic_licensing/access.html",
        {
            "agreements": call("hanoiic_agreement_list", box="mine"),
            "requests": call("hanoiic_request_list", box="mine"),
            "applications": call("hanoiic_application_list"),
            "receipts": _receipts(),
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


def _receipts() -> list[dict[str, Any]]:
    """Receipts, told apart by whether the gateway still keeps them."""
    kept_since = (clock.now() - RECEIPT_KEPT).isoformat()
    return [one | {"fresh": one["at"] > kept_since} for one in call("hanoiic_receipt_list")]


@licensing.post("/access/tokens")
def token_create() -> Any:
    """Shows the new token on the answered page itself: it is nowhere to be read again."""
    if away := user_or_sign_in():
        return away
    form = request.form
    try:
        created = call(
            "hanoiic_token_create",
            name=form.get("name", ""),
            scopes=form.getlist("scopes"),
            organization=form.get(ORGANIZATION_FIELD, ""),
            lifetime_days=form.get("lifetime_days", ""),
            networks=form.get("networks", ""),
        )
    except tk.ValidationError as error:
        return _access_page(errors=sentences(error), form=form)
    return _access_page(created)


@licensing.post("/access/tokens/<token_id>/rotate")
def token_rotate(token_id: str) -> Any:
    """Shows the new token as :func:`token_create` does."""
    if away := user_or_sign_in():
        return away
    try:
        return _access_page(call("hanoiic_token_rotate", id=token_id))
    except tk.ValidationError as error:
        return _access_page(errors=sentences(error))
    except (tk.NotAuthorized, tk.ObjectNotFound):
        return tk.abort(404, tk._("Not found"))


@licensing.post("/access/applications/<application_id>/retire")
def application_retire(application_id: str) -> Any:
    if away := user_or_sign_in():
        return away
    do(tk._("The application is retired."), "hanoiic_application_retire", id=application_id)
    return tk.h.redirect_to("hanoiic_licensing.access", _anchor="tokens")


@licensing.post("/access/tokens/<token_id>/revoke")
def token_revoke(token_id: str) -> Any:
    if away := user_or_sign_in():
        return away
    do(tk._("The token is revoked."), "hanoiic_token_revoke", id=token_id)
    return tk.h.redirect_to("hanoiic_licensing.access", _anchor="tokens")


@licensing.post("/access/datasets/<dataset_id>/accept")
def accept(dataset_id: str) -> Any:
    if away := user_or_sign_in():
        return away
    do(
        tk._("You accepted the licence; the data is open to you."),
        "hanoiic_agreement_accept",
        dataset=dataset_id,
        organization=request.form.get(ORGANIZATION_FIELD, ""),
    )
    return _to_dataset(dataset_id)


@licensing.post("/access/datasets/<dataset_id>/request")
def request_create(dataset_id: str) -> Any:
    if away := user_or_sign_in():
        return away
    do(
        tk._("Your request was sent to the publishing organisation."),
        "hanoiic_request_create",
        dataset=dataset_id,
        organization=request.form.get(ORGANIZATION_FIELD, ""),
        purpose=request.form.get("purpose", ""),
        purpose_code=request.form.get("purpose_code", ""),
        answers={
            one.id: request.form[f"answer_{one.id}"]
            for one in questions.QUESTIONS
            if f"answer_{one.id}" in request.form
        },
        renew=request.form.get("renew") == "true",
    )
    return _to_dataset(dataset_id)


@licensing.post("/access/requests/<request_id>/answer")
def request_answer(request_id: str) -> Any:
    if away := user_or_sign_in():
        return away
    text = request.form.get("text", "")
    do(tk._("Your answer was sent."), "hanoiic_request_answer", id=request_id, text=text)
    return tk.h.redirect_to("hanoiic_licensing.request_page", request_id=request_id)


@licensing.post("/access/requests/<request_id>/withdraw")
def request_withdraw(request_id: str) -> Any:
    if away := user_or_sign_in():
        return away
    do(tk._("The request is withdrawn."), "hanoiic_request_withdraw", id=request_id)
    return tk.h.redirect_to("hanoiic_licensing.access", _anchor="requests")


@licensing.get("/licences/<licence_id>")
def licence(licence_id: str) -> Any:
    if wording.licence(licence_id) is None:
        return tk.abort(404, tk._("Not found"))
    return tk.render("hanoiic_licensing/licence.html", {"licence_id": licence_id})
