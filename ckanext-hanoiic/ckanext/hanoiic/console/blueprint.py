"""The officers' pages: their blueprint, and how they call actions and render."""

from __future__ import annotations

from typing import Any

import flask
from ckan.plugins import toolkit as tk

from . import pages

console = flask.Blueprint("hanoiic_console", __name__, url_prefix="/hanoiic")

Answer = Any


def act(action: str, **data: Any) -> Any:
    return tk.get_action(action)({}, data)


def render(template: str, **values: Any) -> str:
    return tk.render(f"hanoiic_console/{template}", {"words": pages.words(), **values})


@console.errorhandler(tk.NotAuthorized)
def not_allowed(_error: tk.NotAuthorized) -> Answer:
    """Whoever is not signed in may do so; others read which role they lack."""
    if not tk.current_user.is_authenticated:
        return tk.redirect_to("user.login", next=flask.request.full_path)
    return render("denied.html"), 403


@console.errorhandler(tk.ObjectNotFound)
def not_found(_error: tk.ObjectNotFound) -> Answer:
    return render("missing.html"), 404


def user_context() -> dict[str, Any]:
    return {"user": tk.current_user.name}


def first_complaint(error: tk.ValidationError) -> str:
    """One sentence of a validation error, for a flash."""
    for key, complaints in error.error_dict.items():
        if key not in ("code", "__type", "state", "run_id"):
            return complaints if isinstance(complaints, str) else str(complaints[0])
    return str(error)
