"""The wizard: an address or a file → a preview that can be corrected → the form of the source."""

from __future__ import annotations

from typing import Any

import flask
from ckan import model
from ckan.plugins import toolkit as tk
from ckan.plugins.toolkit import _

from . import pages, reading, reading_form
from .blueprint import Answer, act, console, first_complaint, render, user_context
from .source_form import name_of_file
from .states import OPEN
from .upload_actions import upload_limit_bytes
from .upload_model import Upload, upload_of_url

FIRST_FIELDS = ("owner_org", "url", "kind", "secret")


@console.get("/previews/new")
def add_source() -> Answer:
    """The first step: where the data is."""
    tk.check_access("hanoiic_source_create", user_context(), {})
    form = {key: flask.request.args.get(key, "") for key in FIRST_FIELDS}
    return show_first_step({**form, "owner_org": flask.request.args.get("organization", "")})


@console.post("/previews/new")
def look_at_source() -> Answer:
    form = {key: flask.request.form.get(key, "").strip() for key in FIRST_FIELDS}
    file = flask.request.files.get("upload")
    try:
        preview = look(form, file if file and file.filename else None)
    except tk.ValidationError as error:
        return show_first_step(form, error), 422
    return tk.redirect_to("hanoiic_console.preview", id=preview["id"])


@console.get("/previews/<id>")
def preview(id: str) -> Answer:
    """What the address gives; while the worker looks, the page follows it."""
    return show_preview(act("hanoiic_preview_show", id=id))


@console.post("/previews/<id>")
def look_again(id: str) -> Answer:
    """Preview again with what was corrected; go on when nothing was."""
    shown = act("hanoiic_preview_show", id=id)
    form = flask.request.form
    options = reading_form.options_of(form, shown["options"])
    known = (shown["result"] or {}).get("kind") or shown["kind"]
    kind = form.get("kind", known)
    unchanged = options == shown["options"] and kind == known
    after = {key: flask.request.args.get(key) or None for key in ("source", "revision")}
    if "go_on" in form and unchanged and shown["state"] == "ready":
        return go_on(shown, **after)
    try:
        fresh = ask(shown, kind, options)
    except tk.ValidationError as error:
        # What was chosen is shown again, beside what is wrong with it.
        result = {**(shown["result"] or {}), "kind": kind}
        return show_preview({**shown, "options": options, "result": result}, error), 422
    if "go_on" in form:
        tk.h.flash_notice(_("You changed something: look at it once more, then go on."))
    return tk.redirect_to("hanoiic_console.preview", id=fresh["id"], **after)


@console.get("/sources/<name>/file")
def new_file(name: str) -> Answer:
    """Put a new file in the place of a source's file."""
    source = act("hanoiic_source_show", id=name)
    tk.check_access("hanoiic_source_update", user_context(), {"id": source["id"]})
    return render("file.html", source=source, limit_bytes=upload_limit_bytes(), error=None)


@console.post("/sources/<name>/file")
def look_at_file(name: str) -> Answer:
    source = act("hanoiic_source_show", id=name)
    tk.check_access("hanoiic_source_update", user_context(), {"id": source["id"]})
    try:
        put = act(
            "hanoiic_upload_create",
            owner_org=source["owner_org"],
            upload=flask.request.files.get("upload"),
        )
        said = {"kind": source["kind"], "options": source["options"]}
        asked = {"owner_org": source["owner_org"], "upload": put["id"], **said}
        preview = act("hanoiic_preview_create", **asked)
    except tk.ValidationError as error:
        complaint, limit = first_complaint(error), upload_limit_bytes()
        return render("file.html", source=source, limit_bytes=limit, error=complaint), 422
    seen = {"source": source["name"], "revision": source["revision"]}
    return tk.redirect_to("hanoiic_console.preview", id=preview["id"], **seen)


def look(form: dict[str, str], file: Any) -> dict[str, Any]:
    """Ask for the first preview of an address, or of a file that is put now."""
    if not form["owner_org"]:
        raise tk.ValidationError({"owner_org": [_("Missing value")]})
    asked: dict[str, Any] = {key: form[key] for key in ("owner_org", "kind") if form[key]}
    if file:
        asked["upload"] = act("hanoiic_upload_create", owner_org=form["owner_org"], upload=file)[
            "id"
        ]
    else:
        asked["url"] = form["url"]
    if form["secret"]:
        asked["options"] = {"secret": form["secret"]}
    return act("hanoiic_preview_create", **asked)


def ask(shown: dict[str, Any], kind: str, options: dict[str, Any]) -> dict[str, Any]:
    """Another preview of the same place."""
    upload = upload_of_url(shown["url"])
    place = {"upload": upload} if upload else {"url": shown["url"]}
    said = {"owner_org": shown["owner_org"], "kind": kind, "options": options}
    return act("hanoiic_preview_create", **said, **place)


def go_on(shown: dict[str, Any], source: str | None, revision: str | None) -> Answer:
    """To the form of a new source, or to the harvest of a source's new file.

    ``revision``: the source's, when its options were taken for the preview.
    """
    if source is None:
        return tk.redirect_to("hanoiic_console.new_source", preview=shown["id"])
    kept = act("hanoiic_source_show", id=source)
    changed = {"url": shown["url"], "options": shown["options"], "revision": revision}
    try:
        act("hanoiic_source_update", id=kept["id"], **changed)
    except tk.ValidationError as error:
        return show_preview(shown, error), 422
    run = act("hanoiic_source_run", id=kept["id"])
    return tk.redirect_to("hanoiic_console.run", id=run["id"])


def show_first_step(form: dict[str, str], error: tk.ValidationError | None = None) -> str:
    choices = pages.choices()
    return render(
        "add.html",
        form=form,
        errors=dict(error.error_dict) if error else {},
        choices=choices,
        secrets=pages.secrets_of(choices["departments"]),
        limit_bytes=upload_limit_bytes(),
    )


def show_preview(shown: dict[str, Any], error: tk.ValidationError | None = None) -> str:
    result = shown["result"] or {}
    kind = result.get("kind") or shown["kind"]
    name = flask.request.args.get("source")
    upload = upload_of_url(shown["url"])
    file = model.Session.get(Upload, upload) if upload else None
    return render(
        "preview.html",
        preview=shown,
        result=result,
        kind=kind,
        tables=[
            {**table, "shown_columns": reading_form.columns_of(table, shown["options"])}
            for table in result.get("tables") or []
        ],
        hidden_columns=reading_form.columns_out_of_sight(result, shown["options"]),
        offered=reading.offered(kind),
        stages=pages.stages(shown),
        is_open=shown["state"] in OPEN,
        file=file.filename if file else None,
        title=name_of_file(file.filename if file else shown["url"]),
        source=act("hanoiic_source_show", id=name) if name else None,
        errors=dict(error.error_dict) if error else {},
        choices=pages.choices(),
    )
