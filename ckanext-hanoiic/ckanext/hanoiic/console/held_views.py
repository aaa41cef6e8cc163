"""Pages of held versions: what waits, why, and the officer's decision."""

from __future__ import annotations

from typing import Any

import flask
from ckan import model
from ckan.plugins import toolkit as tk
from ckan.plugins.toolkit import _

from .blueprint import Answer, act, console, first_complaint, render
from .states import DECIDABLE, DELETED, HOLD_OPEN, HOLD_STATES

DECIDED_SHOWN = 50
DECIDED = tuple(state for state in HOLD_STATES if state != HOLD_OPEN)


@console.get("/held")
def held_list() -> Answer:
    holds = act("hanoiic_hold_list", limit=1000)
    decided = [
        hold
        for state in DECIDED
        for hold in act("hanoiic_hold_list", state=state, limit=DECIDED_SHOWN)
    ]
    decided.sort(key=lambda hold: hold["held_at"], reverse=True)
    return render("held_list.html", holds=holds, decided=decided[:DECIDED_SHOWN])


@console.get("/held/<id>")
def held(id: str) -> Answer:
    return show(act("hanoiic_hold_show", id=id))


@console.post("/held/<id>")
def decide(id: str) -> Answer:
    form = flask.request.form
    said: dict[str, Any] = {"decision": form.get("decision", ""), "note": form.get("note", "")}
    if said["decision"] == "approve":
        for parameter, field in (("masks", "mask"), ("types", "type")):
            chosen = pinned(form, field)
            if chosen:
                said[parameter] = chosen
    try:
        decided = act("hanoiic_hold_decide", id=id, **said)
    except tk.ValidationError as error:
        return show(act("hanoiic_hold_show", id=id), error), 422
    if decided["release_run"]:
        tk.h.flash_success(_("Approved. This harvest publishes the version."))
        return tk.redirect_to("hanoiic_console.run", id=decided["release_run"])
    tk.h.flash_success(_("Rejected. The last version stays as it was."))
    return tk.redirect_to("hanoiic_console.held", id=id)


def pinned(form: Any, field: str) -> dict[str, str]:
    """``{column: value}``, from the fields ``column.<number>.name`` and ``….<field>``."""
    chosen = {}
    for key, column in form.items():
        value = form.get(f"{key.removesuffix('.name')}.{field}", "")
        if key.startswith("column.") and key.endswith(".name") and value:
            chosen[column] = value
    return chosen


def show(hold: dict[str, Any], error: tk.ValidationError | None = None) -> str:
    source = act("hanoiic_source_show", id=hold["source_id"])
    decider = model.User.get(hold["decided_by"]) if hold["decided_by"] else None
    last = source["last_run"]
    return render(
        "held.html",
        hold=hold,
        source=source,
        decider=decider.display_name if decider else None,
        release=last if last and last["trigger"] == "release" else None,
        choices=DECIDABLE.get(hold["state"], ()) if source["state"] != DELETED else (),
        complaint=first_complaint(error) if error else None,
        form=flask.request.form,
    )
