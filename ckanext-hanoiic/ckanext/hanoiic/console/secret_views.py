"""The page of a department's secrets: names are shown, values never."""

from __future__ import annotations

import flask
from ckan.plugins import toolkit as tk
from ckan.plugins.toolkit import _

from . import pages
from .blueprint import Answer, act, console, first_complaint, render, user_context

FIELDS = ("owner_org", "name", "kind", "host")


@console.get("/secrets")
def secrets() -> Answer:
    tk.check_access("hanoiic_source_create", user_context(), {})
    return show({})


@console.post("/secrets")
def keep_secret() -> Answer:
    form = {key: flask.request.form.get(key, "").strip() for key in FIELDS}
    try:
        act("hanoiic_secret_create", **form, value=flask.request.form.get("value", ""))
    except tk.ValidationError as error:
        return show(form, error), 422
    tk.h.flash_success(_("The secret is kept. Its value is never shown again."))
    return tk.redirect_to("hanoiic_console.secrets")


@console.post("/secrets/delete")
def delete_secret() -> Answer:
    form = flask.request.form
    try:
        act("hanoiic_secret_delete", **{key: form.get(key, "") for key in ("owner_org", "name")})
    except tk.ValidationError as error:
        tk.h.flash_error(first_complaint(error))
    else:
        tk.h.flash_success(_("The secret is deleted."))
    return tk.redirect_to("hanoiic_console.secrets")


def show(form: dict[str, str], error: tk.ValidationError | None = None) -> str:
    choices = pages.choices()
    errors = dict(error.error_dict) if error else {}
    listed = pages.secrets_of(choices["departments"])
    return render("secrets.html", form=form, errors=errors, choices=choices, secrets=listed)
