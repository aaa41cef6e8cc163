"""Pages of sources, their form, and the reports of their runs."""

from __future__ import annotations

from typing import Any

import flask
from ckan import model
from ckan.plugins import toolkit as tk
from ckan.plugins.toolkit import _

from . import pages, rejected_rows, rejected_store, source_form
from .blueprint import Answer, act, console, render, user_context
from .states import OPEN
from .upload_model import Upload, upload_of_url

RUNS_SHOWN = 20
DATASETS_A_PAGE = 100


@console.get("/sources")
def index() -> Answer:
    sources = act("hanoiic_source_list", limit=1000)
    return render("sources.html", sources=pages.urgent_first(sources))


@console.get("/sources/new")
def new_source() -> Answer:
    tk.check_access("hanoiic_source_create", user_context(), {})
    asked = flask.request.args
    if not asked.get("preview"):
        return show_form(source_form.empty(asked.get("organization", "")))
    preview = act("hanoiic_preview_show", id=asked["preview"])
    return show_form(source_form.of_preview(preview, file_name(preview["url"])))


@console.post("/sources/new")
def create_source() -> Answer:
    form = source_form.typed(flask.request.form)
    try:
        source = act("hanoiic_source_create", **source_form.source_data(form))
    except tk.ValidationError as error:
        return show_form(form, error), 422
    tk.h.flash_success(_("The source is registered."))
    return after_saving(source, form)


def after_saving(source: dict[str, Any], form: source_form.Form) -> Answer:
    """To the harvest that puts into effect what was said, or to the source."""
    if not form["harvest_now"]:
        return tk.redirect_to("hanoiic_console.source", name=source["name"])
    run = act("hanoiic_source_run", id=source["id"])
    if not run["created"]:
        tk.h.flash_notice(
            _("A harvest that began before the change is on: run it again when it has ended.")
        )
    return tk.redirect_to("hanoiic_console.run", id=run["id"])


@console.get("/sources/<name>")
def source(name: str) -> Answer:
    shown = act("hanoiic_source_show", id=name)
    runs = act("hanoiic_run_list", source_id=shown["id"], limit=RUNS_SHOWN)
    done = next((run["id"] for run in runs if run["state"] in ("published", "unchanged")), None)
    datasets = pages.dataset_titles(act("hanoiic_run_show", id=done)) if done else {}
    return render(
        "source.html",
        source=shown,
        runs=runs,
        datasets=datasets,
        holds=act("hanoiic_hold_list", source_id=shown["id"]),
        file=file_name(shown["url"]),
    )


@console.get("/sources/<name>/edit")
def edit_source(name: str) -> Answer:
    shown = act("hanoiic_source_show", id=name)
    tk.check_access("hanoiic_source_update", user_context(), {"id": shown["id"]})
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
    return after_saving(changed, form)


@console.post("/sources/<name>/run")
def run_source(name: str) -> Answer:
    run = act("hanoiic_source_run", id=name)
    if not run["created"]:
        tk.h.flash_notice(_("A harvest of this source is already on."))
    return tk.redirect_to("hanoiic_console.run", id=run["id"])


@console.get("/sources/<name>/delete")
def confirm_delete(name: str) -> Answer:
    shown = act("hanoiic_source_show", id=name)
    tk.check_access("hanoiic_source_delete", user_context(), {"id": shown["id"]})
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
        rejected=rejected_rows.page(
            rejected_store.rows(shown["id"]) or shown["rejected"],
            flask.request.args.get("rejected", "1"),
        ),
        source=act("hanoiic_source_show", id=shown["source_id"]),
        holds=pages.holds_of(shown, act("hanoiic_hold_list", source_id=shown["source_id"])),
        stages=pages.stages(shown),
        titles=pages.dataset_titles(shown),
        datasets=rejected_rows.page(
            shown["datasets"], flask.request.args.get("datasets", "1"), DATASETS_A_PAGE
        ),
        dataset_count=pages.dataset_count(shown),
        is_open=shown["state"] in OPEN,
        rejected_count=sum(table.get("rejected_count") or 0 for table in shown["tables"]),
    )


@console.get("/uploads/<id>")
def upload(id: str) -> Answer:
    """The bytes of an uploaded file, for the harvest worker; nobody else learns that it exists."""
    try:
        tk.check_access("hanoiic_upload_read", user_context(), {})
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


def file_name(url: str) -> str | None:
    """What an uploaded file was called; None for an address, or a file that is gone."""
    upload = upload_of_url(url)
    found = model.Session.get(Upload, upload) if upload else None
    return found.filename if found else None


@console.get("/runs/<id>/rejected.csv")
def rejected_csv(id: str) -> Answer:
    """The rejected rows of a report as CSV, its cells safe for a spreadsheet."""
    shown = act("hanoiic_run_show", id=id)
    headers = {"Content-Disposition": f'attachment; filename="rejected-{shown["id"]}.csv"'}
    lines = rejected_rows.as_csv(rejected_store.rows(shown["id"]) or shown["rejected"])
    return flask.Response(lines, content_type="text/csv; charset=utf-8", headers=headers)


def show_form(
    form: source_form.Form,
    error: tk.ValidationError | None = None,
    source: dict[str, Any] | None = None,
) -> str:
    errors = source_form.field_errors(error.error_dict) if error else {}
    if "title" in errors and not form["name"]:
        errors.pop("name", None)  # It would have been made of the title.
    choices = pages.choices()
    return render(
        "form.html",
        form=form,
        errors=errors,
        source=source,
        choices=choices,
        secrets=pages.secrets_of(choices["departments"]),
        file=file_name(form.get("url", "")),
        is_previewed="preview" in flask.request.args,
    )
