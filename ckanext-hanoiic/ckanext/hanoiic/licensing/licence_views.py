"""Pages of licences: the policy as JSON-LD and its profile for programs, the desk for operators."""

from __future__ import annotations

import difflib
import json
from typing import Any

from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import licence_desk, licences, policy_profile, views
from ckanext.hanoiic.licensing.licence_form import read_text, shown_text
from flask import Response, request


@views.licensing.get("/odrl/profile-1.schema.json")
def odrl_profile() -> Response:
    """The JSON Schema of the portal's ODRL profile."""
    return _json(licence_desk.profile(), "application/schema+json")


@views.licensing.get("/licences/<licence_id>/<int:version>.jsonld")
def licence_policy(licence_id: str, version: int) -> Any:
    """One version's ODRL policy, as JSON-LD."""
    try:
        row = views.call("hanoiic_licence_show", id=licence_id, version=str(version))
    except tk.ObjectNotFound:
        return tk.abort(404, tk._("Not found"))
    return _json(row["policy"], "application/ld+json")


@views.licensing.get("/licence-desk")
def licence_list() -> Any:
    """Every licence with its versions."""
    if away := _operators_only():
        return away
    rows = views.call("hanoiic_licence_list")
    shipped = set(licences.shipped()) - {row["id"] for row in rows}
    by_id: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_id.setdefault(row["id"], []).append(row)
    return tk.render(
        "hanoiic_licensing/licence_list.html",
        {
            "by_id": by_id,
            "unused": sorted(shipped),
            "verified": views.call("hanoiic_licence_verify"),
        },
    )


@views.licensing.route("/licence-desk/new", methods=["GET", "POST"])
def licence_new() -> Any:
    """A new licence; ``from`` of the query is one whose text to begin with: its next version."""
    if away := _operators_only():
        return away
    begun = request.args.get("from", "")
    if request.method == "GET":
        return _editor(shown_text(_current(begun)) | {"id": begun}, is_new=True)
    form = read_text(request.form)
    return _save("hanoiic_licence_create", form, is_new=True)


@views.licensing.route("/licence-desk/<licence_id>/<int:version>", methods=["GET", "POST"])
def licence_edit(licence_id: str, version: int) -> Any:
    """A draft in the editor; anything else as it stands."""
    if away := _operators_only():
        return away
    try:
        row = views.call("hanoiic_licence_show", id=licence_id, version=version)
    except tk.ObjectNotFound:
        return tk.abort(404, tk._("Not found"))
    if request.method == "GET":
        return _editor(shown_text(row), row=row)
    form = read_text(request.form) | {"id": licence_id, "version": version}
    return _save("hanoiic_licence_update", form, row=row)


EVENTS = {
    "publish": ("hanoiic_licence_publish", lambda: tk._("The licence is in force.")),
    "discard": ("hanoiic_licence_discard", lambda: tk._("The draft is gone.")),
    "withdraw": ("hanoiic_licence_withdraw", lambda: tk._("The licence is withdrawn.")),
}


@views.licensing.post("/licence-desk/<licence_id>/<int:version>/<event>")
def licence_event(licence_id: str, version: int, event: str) -> Any:
    if away := _operators_only():
        return away
    if event not in EVENTS:
        return tk.abort(404, tk._("Not found"))
    action, said = EVENTS[event]
    more = {"reason": request.form.get("reason", "")} if event == "withdraw" else {}
    done = views.do(said(), action, id=licence_id, version=version, **more)
    if done is None and event == "publish":
        return tk.h.redirect_to(
            "hanoiic_licensing.licence_edit", licence_id=licence_id, version=version
        )
    return tk.h.redirect_to("hanoiic_licensing.licence_list")


@views.licensing.get("/licence-desk/<licence_id>/compare")
def licence_compare(licence_id: str) -> Any:
    """Two versions side by side, line by line."""
    if away := _operators_only():
        return away
    rows = {row.version: row for row in licence_desk.versions(licence_id)}
    newest = sorted(rows, reverse=True)
    left = request.args.get("left", type=int) or (newest[1] if len(newest) > 1 else 0)
    right = request.args.get("right", type=int) or (newest[0] if newest else 0)
    if left not in rows or right not in rows:
        return tk.abort(404, tk._("Not found"))
    return tk.render(
        "hanoiic_licensing/licence_compare.html",
        {
            "licence_id": licence_id,
            "versions": newest,
            "left": left,
            "right": right,
            "parts": compared(licences.content(rows[left]), licences.content(rows[right])),
        },
    )


def compared(left: dict[str, Any], right: dict[str, Any]) -> list[dict[str, Any]]:
    """Part of the text → rows ``(kind, left, right)``; kinds ``equal replace delete insert``."""
    parts = []
    for name in ("title_vi", "title_en", "url", "draft", "open", "restricted_edition", "plain",
                 "policy"):  # fmt: skip
        before, after = _lines(left[name]), _lines(right[name])
        rows = []
        for kind, a, b, c, d in difflib.SequenceMatcher(None, before, after).get_opcodes():
            for index in range(max(b - a, d - c)):
                rows.append(
                    (
                        kind,
                        before[a + index] if a + index < b else "",
                        after[c + index] if c + index < d else "",
                    )
                )
        parts.append({"name": name, "same": before == after, "rows": rows})
    return parts


def _lines(value: Any) -> list[str]:
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True).splitlines()
    return ["" if value is None else str(value)]


def _operators_only() -> Any:
    if away := views.user_or_sign_in():
        return away
    if not tk.current_user.sysadmin:
        return tk.abort(403, tk._("This page is for the portal’s operators."))
    return None


def _current(licence_id: str) -> dict[str, Any] | None:
    if not licence_id:
        return None
    try:
        return dict(views.call("hanoiic_licence_show", id=licence_id))
    except tk.ObjectNotFound:
        return None


def _save(
    action: str, form: dict[str, Any], *, is_new: bool = False, row: dict[str, Any] | None = None
) -> Any:
    try:
        saved = views.call(action, **form)
    except tk.ValidationError as error:
        return _editor(
            shown_text(form) | {"id": form["id"]}, is_new=is_new, row=row,
            errors=views.complaints(error),
        )  # fmt: skip
    tk.h.flash_success(tk._("The draft is kept."))
    return tk.h.redirect_to(
        "hanoiic_licensing.licence_edit", licence_id=saved["id"], version=saved["version"]
    )


def _editor(
    form: dict[str, Any],
    *,
    is_new: bool = False,
    row: dict[str, Any] | None = None,
    errors: dict[str, str] | None = None,
) -> Any:
    return tk.render(
        "hanoiic_licensing/licence_edit.html",
        {
            "form": form,
            "is_new": is_new,
            "row": row,
            "errors": errors or {},
            "actions": policy_profile.ACTIONS,
            "duties": policy_profile.DUTIES,
        },
    )


def _json(value: Any, media_type: str) -> Response:
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return Response(text + "\n", mimetype=media_type)
