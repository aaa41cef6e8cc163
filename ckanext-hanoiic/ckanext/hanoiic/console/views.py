"""The officers' pages: sources, their form, and the reports of their runs."""

from __future__ import annotations

from typing import Any

import flask
from ckan import model
from ckan.plugins import toolkit as tk
from ckan.plugins.toolkit import _

from . import pages, source_form
from .states import OPEN
from .upload_model import Upload

console = flask.Blueprint("hanoiic_console", __name__, url_prefix="/hanoiic")

RUNS_SHOWN = 20
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


@console.get("/sources")
def index() -> Answer:
    sources = act("hanoiic_source_list", limit=1000)
    return render("sources.html", sources=pages.urgent_first(sources))


@console.get("/sources/new")
def new_source() -> Answer:
    tk.check_access("hanoiic_source_create", {"user": tk.current_user.name}, {})
    organisation = flask.request.args.get("organization", "")
    return show_form(source_form.empty(organisation))


@console.post("/sources/new")
def create_source() -> Answer:
    form = source_form.typed(flask.request.form)
    try:
        source = act("hanoiic_source_create", **source_form.source_data(form))
    except tk.ValidationError as error:
        return show_form(form, error), 422
    tk.h.flash_success(_("The source is registered."))
    if form["harvest_now"]:
        run = act("hanoiic_source_run", id=source["id"])
        return tk.redirect_to("hanoiic_console.run", id=run["id"])
    return tk.redirect_to("hanoiic_console.source", name=source["name"])


@console.get("/sources/<name>")
def source(name: str) -> Answer:
    shown = act("hanoiic_source_show", id=name)
    runs = act("hanoiic_run_list", source_id=shown["id"], limit=RUNS_SHOWN)
    done = next((run["id"] for run in runs if run["state"] in ("published", "unchanged")), None)
    tables = act("hanoiic_run_show", id=done)["tables"] if done else []
    datasets = dict.fromkeys(table["dataset"] for table in tables if table.get("dataset"))
    return render("source.html", source=shown, runs=runs, datasets=list(datasets))


@console.get("/sources/<name>/edit")
def edit_source(name: str) -> Answer:
    shown = act("hanoiic_source_show", id=name)
    tk.check_access("hanoiic_source_update", {"user": tk.current_user.name}, {"id": shown["id"]})
    return show_form(source_form.of_source(shown), source=shown)


@console.post("/sources/<name>/edit")
def update_source(name: str) -> Answer:
    shown = act("hanoiic_source_show", id=name)
    form = source_form.typed(flask.request.form)
    try:
        said = source_form.source_data(form, shown["dataset"])
        changed = act("hanoiic_source_update", id=shown["id"], **said)
    except tk.ValidationError as error:
        return show_form(form, error, shown), 422
    tk.h.flash_success(_("The source is saved."))
    return tk.redirect_to("hanoiic_console.source", name=changed["name"])


@console.post("/sources/<name>/run")
def run_source(name: str) -> Answer:
    run = act("hanoiic_source_run", id=name)
    if not run["created"]:
        tk.h.flash_notice(_("A harvest of this source is already on."))
    return tk.redirect_to("hanoiic_console.run", id=run["id"])


@console.get("/sources/<name>/delete")
def confirm_delete(name: str) -> Answer:
    shown = act("hanoiic_source_show", id=name)
    tk.check_access("hanoiic_source_delete", {"user": tk.current_user.name}, {"id": shown["id"]})
    return render("delete.html", source=shown)


@console.post("/sources/<name>/delete")
def delete_source(name: str) -> Answer:
    act("hanoiic_source_delete", id=name)
    tk.h.flash_success(_("The source is deleted. Its datasets and its reports stay."))
    return tk.redirect_to("hanoiic_console.index")


@console.get("/runs/<id>")
def run(id: str) -> Answer:
    """The report of a run; while it is on, the page follows it."""
    shown = act("hanoiic_run_show", id=id)
    return render(
        "run.html",
        run=shown,
        source=act("hanoiic_source_show", id=shown["source_id"]),
        stages=pages.stages(shown),
        is_open=shown["state"] in OPEN,
        rejected_count=sum(table.get("rejected_count") or 0 for table in shown["tables"]),
    )


@console.get("/uploads/<id>")
def upload(id: str) -> Answer:
    """The bytes of an uploaded file, for the harvest worker; nobody else learns that it exists."""
    try:
        tk.check_access("hanoiic_upload_read", {"user": tk.current_user.name}, {})
    except tk.NotAuthorized:
        return tk.abort(404)
    found = model.Session.get(Upload, id)
    if found is None or not found.path.exists():
        return tk.abort(404)
    return flask.send_file(
        found.path,
        mimetype="application/octet-stream",
        as_attachment=True,
        download_name=found.filename,
        etag=found.sha256,
        max_age=0,
    )


def show_form(
    form: source_form.Form,
    error: tk.ValidationError | None = None,
    source: dict[str, Any] | None = None,
) -> str:
    errors = source_form.field_errors(error.error_dict) if error else {}
    if "title" in errors and not form["name"]:
        errors.pop("name", None)  # It would have been made of the title.
    return render("form.html", form=form, errors=errors, source=source, choices=pages.choices())
