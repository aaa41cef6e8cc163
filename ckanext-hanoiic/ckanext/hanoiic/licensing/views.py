"""Pages of those who use data: "My access", what a dataset's page sends, licences in words."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

from ckan import model
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import clock, parties, shown
from ckanext.hanoiic.licensing.logic.refusal import N_
from flask import Blueprint, Response, make_response, request

licensing = Blueprint("hanoiic_licensing", __name__, url_prefix="/hanoiic")

ORGANIZATION_FIELD = "organization"
# What the name of a question's field begins with; its id follows.
ANSWER = "answer_"
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


def complaints(error: tk.ValidationError) -> dict[str, str]:
    """Field of the form → what is wrong with it; "" for what is wrong with none in particular."""
    told = error.error_dict
    if "code" in told:
        return {told.get("field", [""])[0]: " ".join(told["message"])}
    return {field: " ".join(map(str, words)) for field, words in told.items()}


def sentences(error: tk.ValidationError) -> list[str]:
    """What is wrong, each with the label of its field."""
    return [
        f"{tk._(LABELS[field])}: {words}" if field in LABELS else words
        for field, words in complaints(error).items()
    ]


def _to_dataset(dataset_id: str, table: str) -> Response:
    package = model.Package.get(dataset_id)
    if package is None:
        tk.abort(404, tk._("Dataset not found"))
    anchor = f"access-{table}" if table else "access"
    return tk.h.redirect_to("dataset.read", id=package.name, _anchor=anchor)


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
            "share_profile": _share_profile(created) if created else None,
            "errors": {},
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
        return _access_page(errors=complaints(error), form=form)
    return _access_page(created)


def _share_profile(created: dict[str, Any]) -> str | None:
    """The profile file of a token that may share, as a ``data:`` address: Delta Sharing's clients
    read endpoint and token from it. None for any other token."""
    if "share" not in created["scopes"]:
        return None
    profile = {
        "shareCredentialsVersion": 1,
        "endpoint": f"{tk.config.get('hanoiic.gateway_url', '')}/v1/share",
        "bearerToken": created["token"],
        "expirationTime": created["expires_at"],
    }
    text = base64.b64encode(json.dumps(profile, indent=2).encode()).decode()
    return f"data:application/json;base64,{text}"


@licensing.post("/access/tokens/<token_id>/rotate")
def token_rotate(token_id: str) -> Any:
    """Shows the new token as :func:`token_create` does."""
    if away := user_or_sign_in():
        return away
    try:
        overlap = request.form.get("overlap_hours", "")
        more = {"overlap_hours": overlap} if overlap else {}
        return _access_page(call("hanoiic_token_rotate", id=token_id, **more))
    except tk.ValidationError as error:
        return _access_page(errors={"": " ".join(sentences(error))})
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
    table = request.form.get("table", "")
    do(
        tk._("You accepted the licence; the data is open to you."),
        "hanoiic_agreement_accept",
        dataset=dataset_id,
        table=table,
        organization=request.form.get(ORGANIZATION_FIELD, ""),
    )
    return _to_dataset(dataset_id, table)


@licensing.post("/access/datasets/<dataset_id>/request")
def request_create(dataset_id: str) -> Any:
    """Sends the request of a dataset's page; one that can't be sent is shown again as typed."""
    if away := user_or_sign_in():
        return away
    form, table = request.form, request.form.get("table", "")
    try:
        call(
            "hanoiic_request_create",
            dataset=dataset_id,
            table=table,
            organization=form.get(ORGANIZATION_FIELD, ""),
            purpose=form.get("purpose", ""),
            purpose_code=form.get("purpose_code", ""),
            answers={
                name.removeprefix(ANSWER): text
                for name, text in form.items()
                if name.startswith(ANSWER)
            },
            renew=form.get("renew") == "true",
        )
    except tk.ValidationError as error:
        return _request_form(dataset_id, table, form, complaints(error))
    except tk.NotAuthorized:
        return tk.abort(403, tk._("Not authorized"))
    except tk.ObjectNotFound:
        return tk.abort(404, tk._("Not found"))
    tk.h.flash_success(tk._("Your request was sent to the publishing organisation."))
    return _to_dataset(dataset_id, table)


def _request_form(dataset_id: str, table: str, form: Any, errors: dict[str, str]) -> str:
    facts = {
        "dataset": call("package_show", id=dataset_id),
        "table": table,
        "access": call("hanoiic_access_show", id=dataset_id, table=table),
        "form": form,
        "errors": errors,
    }
    return str(tk.render("hanoiic_licensing/request_again.html", facts))


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
    """The version that is asked for, which somebody holds, or the one in force."""
    told = shown.licence(licence_id, request.args.get("version", type=int))
    if told is None:
        return tk.abort(404, tk._("Not found"))
    return tk.render("hanoiic_licensing/licence.html", {"licence": told})
