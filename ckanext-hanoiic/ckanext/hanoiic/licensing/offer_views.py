"""Pages of officers: what a dataset and its tables offer, the editor, a look at the edition.

A look is made by the harvest worker within seconds; the page waits for it, so it needs no script.
"""

from __future__ import annotations

import time
from typing import Any

from ckan import model
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import (
    lake_versions,
    licences,
    offers,
    pins,
    policy_profile,
    questions,
    specs,
    terms,
    views,
    wording,
)
from ckanext.hanoiic.licensing.offer_form import MORE_QUESTIONS, Given, read_form, shown_form
from flask import request

LOOK_WAITS_S = 10.0
LOOK_EVERY_S = 0.4


@views.licensing.get("/offers/<dataset>")
def offers_page(dataset: str) -> Any:
    """The offers of a dataset: its own, those of its tables, and what they were before."""
    if away := views.user_or_sign_in():
        return away
    listed = _listed(dataset)
    package = model.Package.get(dataset)
    current = {one["table"] or "": one for one in listed if not one["superseded_at"]}
    return tk.render(
        "hanoiic_licensing/offers.html",
        {
            "pkg": package,
            "current": current,
            "tables": offers.tables_of(package.id),
            "history": [one for one in listed if one["superseded_at"]],
        },
    )


@views.licensing.route("/offers/<dataset>/edit", methods=["GET", "POST"])
def offer_edit(dataset: str) -> Any:
    """The editor of one offer; ``table`` of the query names a table's own."""
    if away := views.user_or_sign_in():
        return away
    listed = _listed(dataset)
    package, table = model.Package.get(dataset), request.args.get("table", "")
    if table and table not in offers.tables_of(package.id):
        return tk.abort(404, tk._("Not found"))
    columns, tables = _columns(package, table), pins.newest_of(package, table)
    current = {one["table"] or "": one for one in listed if not one["superseded_at"]}
    before = current.get(table) or current.get("")
    if request.method == "GET":
        return _editor(package, table, columns, shown_form(before, columns))
    given = read_form(request.form, columns, tables)
    if request.form.get("do") == "look":
        return _look(package, table, columns, given)
    try:
        views.call("hanoiic_offer_update", dataset=package.id, table=table, **given.data)
    except tk.ValidationError as error:
        return _editor(package, table, columns, given.form, errors=views.complaints(error))
    tk.h.flash_success(tk._("The offer is published. Who holds an agreement keeps its terms."))
    return tk.h.redirect_to("hanoiic_licensing.offers_page", dataset=package.name)


@views.licensing.post("/offers/<dataset>/<event>")
def offer_end(dataset: str, event: str) -> Any:
    """Withdraw an offer, or let the dataset's count for a table again."""
    if away := views.user_or_sign_in():
        return away
    table, reason = request.form.get("table", ""), request.form.get("reason", "")
    if event == "withdraw":
        views.do(
            tk._("The offer is withdrawn: nobody has access by it any more."),
            "hanoiic_offer_withdraw", dataset=dataset, table=table, reason=reason,
        )  # fmt: skip
    elif event == "remove":
        views.do(
            tk._("The dataset’s own offer counts for this table now."),
            "hanoiic_offer_remove", dataset=dataset, table=table,
        )  # fmt: skip
    else:
        return tk.abort(404, tk._("Not found"))
    return tk.h.redirect_to("hanoiic_licensing.offers_page", dataset=dataset)


def _listed(dataset: str) -> list[dict[str, Any]]:
    try:
        return list(views.call("hanoiic_offer_list", dataset=dataset))
    except tk.NotAuthorized:
        return tk.abort(403, tk._("Not authorized"))
    except tk.ObjectNotFound:
        return tk.abort(404, tk._("Dataset not found"))


def _columns(package: model.Package, table: str) -> list[dict[str, Any]]:
    """The columns that an offer can name: those that all its tables have alike."""
    each = offers.columns_of(package, table)
    common = specs.common(each)
    return [one for one in (each[0] if each else []) if one["name"] in common]


def _look(package: model.Package, table: str, columns: list[dict[str, Any]], given: Given) -> Any:
    of = table or next(iter(offers.tables_of(package.id)), "")
    shown = {name: given.data[name] for name in ("columns", "masks", "row_filter", "sample")}
    try:
        asked = views.call("hanoiic_edition_preview_create", dataset=package.id, table=of, **shown)
    except tk.ValidationError as error:
        return _editor(package, table, columns, given.form, errors=views.complaints(error))
    return _editor(package, table, columns, given.form, look=_awaited(asked["id"]))


def _awaited(preview_id: str) -> dict[str, Any]:
    ends = time.monotonic() + LOOK_WAITS_S
    while True:
        # Each look in a transaction of its own, or the answer would never be seen.
        model.Session.rollback()
        look = views.call("hanoiic_edition_preview_show", id=preview_id)
        if look["state"] in ("ready", "failed") or time.monotonic() > ends:
            return dict(look)
        time.sleep(LOOK_EVERY_S)


def _editor(
    package: model.Package,
    table: str,
    columns: list[dict[str, Any]],
    form: dict[str, Any],
    errors: dict[str, str] | None = None,
    look: dict[str, Any] | None = None,
) -> Any:
    return tk.render(
        "hanoiic_licensing/offer_edit.html",
        {
            "pkg": package,
            "table": table,
            "columns": columns,
            "form": form,
            "errors": errors or {},
            "look": look,
            "tiers": [(tier, wording.tier(tier)["words"]) for tier in offers.TIERS],
            "licences": [(one.id, one.title) for one in licences.Register().licenses],
            "operators": specs.OPERATORS,
            "masks": {
                one["name"]: [
                    kind for kind, (fits, _) in specs.MASKS.items() if fits.match(one["type"])
                ]
                for one in columns
            },
            "quotas": terms.QUOTAS,
            "purposes": policy_profile.PURPOSES,
            "tables": pins.newest_of(package, table),
            "versions": lake_versions.listed(pins.newest_of(package, table)),
            "question_lines": [*form["questions"], *[{}] * MORE_QUESTIONS][
                : questions.MOST_QUESTIONS
            ],
        },
    )
