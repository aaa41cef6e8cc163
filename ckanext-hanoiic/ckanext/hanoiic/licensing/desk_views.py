"""Pages of those who decide: the inbox, a request with the requester's record, who used what."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from ckan import model
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import clock, parties, working_days
from ckanext.hanoiic.licensing.logic import dictize, subject
from ckanext.hanoiic.licensing.logic.action.request import of_party
from ckanext.hanoiic.licensing.model import AccessRequest, Agreement
from ckanext.hanoiic.licensing.views import call, complaints, licensing, user_or_sign_in
from flask import Response, make_response, request

DEFAULT_DAYS, MAX_DAYS = 30, 366
CHART_WIDTH, CHART_HEIGHT = 720, 180
SUMS = ("answers", "refusals", "row_count", "byte_count")
CSV_COLUMNS = (
    "day", "table_name", "organization", "organization_id", "agreement_id", "door", "answers",
    "refusals", "failures", "broken_off", "row_count", "byte_count", "duration_s",
)  # fmt: skip
# What a spreadsheet takes for a formula begins so (OWASP, CSV injection).
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@licensing.get("/inbox")
def inbox() -> Any:
    if away := user_or_sign_in():
        return away
    if parties.offices(tk.current_user) == []:
        return tk.abort(403, tk._("This page is for those who decide for an organisation."))
    return _inbox_page()


def _inbox_page(refused: dict[str, Any] | None = None) -> str:
    """``refused``: of a button that failed: the ``id`` of its row, ``form`` and ``errors``."""
    agreements = call("hanoiic_agreement_list", box="inbox")
    page = tk.render(
        "hanoiic_licensing/inbox.html",
        {
            "refused": refused or {},
            "requests": sorted(
                call("hanoiic_request_list", box="inbox", state="submitted"),
                key=lambda one: one["due_at"],
            ),
            "asked": call("hanoiic_request_list", box="inbox", state="info_needed"),
            "live": [one for one in agreements if one["state"] in ("active", "suspended")],
        },
    )
    return str(page)


# Button of the inbox → (action, what is said afterwards, fields of the form it takes).
DECISIONS: dict[str, tuple[str, Callable[[], str], tuple[str, ...]]] = {
    "requests/approve": (
        "hanoiic_request_approve",
        lambda: tk._("The request is approved."),
        ("reason", "valid_until"),
    ),
    "requests/ask": (
        "hanoiic_request_ask",
        lambda: tk._("Your question was sent."),
        ("reason",),
    ),
    "requests/reject": (
        "hanoiic_request_reject",
        lambda: tk._("The request is refused."),
        ("reason",),
    ),
    "agreements/revoke": (
        "hanoiic_agreement_revoke",
        lambda: tk._("The access is revoked."),
        ("reason",),
    ),
    "agreements/suspend": (
        "hanoiic_agreement_suspend",
        lambda: tk._("The access is suspended."),
        ("reason",),
    ),
    "agreements/resume": (
        "hanoiic_agreement_resume",
        lambda: tk._("The access is given back."),
        (),
    ),
}


@licensing.post("/inbox/<kind>/<row_id>/<event>")
def decide(kind: str, row_id: str, event: str) -> Any:
    if away := user_or_sign_in():
        return away
    if f"{kind}/{event}" not in DECISIONS:
        return tk.abort(404, tk._("Not found"))
    action, said, fields = DECISIONS[f"{kind}/{event}"]
    try:
        call(action, id=row_id, **{name: request.form.get(name, "") for name in fields})
    except tk.ValidationError as error:
        refused = {"id": row_id, "form": request.form, "errors": complaints(error)}
        if words := refused["errors"].get(""):
            tk.h.flash_error(words)
        return _request_page(row_id, refused) if kind == "requests" else _inbox_page(refused)
    except tk.NotAuthorized:
        return tk.abort(403, tk._("Not authorized"))
    except tk.ObjectNotFound:
        return tk.abort(404, tk._("Not found"))
    tk.h.flash_success(said())
    return tk.h.redirect_to("hanoiic_licensing.inbox")


@licensing.get("/requests/<request_id>")
def request_page(request_id: str) -> Any:
    """A request, for its party and for the officers, who also see the requester's record."""
    return user_or_sign_in() or _request_page(request_id)


def _request_page(request_id: str, refused: dict[str, Any] | None = None) -> Any:
    try:
        one = call("hanoiic_request_show", id=request_id)
    except (tk.NotAuthorized, tk.ObjectNotFound):
        return tk.abort(404, tk._("Not found"))
    user, row = tk.current_user, subject.row(AccessRequest, request_id)
    speaks = parties.of(row) in parties.held_by(user.id)
    # A purged dataset has no officers but the operators.
    package = model.Session.get(model.Package, row.dataset_id)
    is_officer = parties.is_officer(user, package and package.owner_org)
    facts = {
        "one": one,
        "refused": refused or {},
        "is_officer": is_officer,
        "speaks": speaks,
        "record": _record(row, user) if is_officer else None,
    }
    return tk.render("hanoiic_licensing/request.html", facts)


def _record(row: AccessRequest, officer: model.User) -> dict[str, Any]:
    """What the officer's organisations had to do with the requester before."""
    party = parties.of(row)
    entity = model.Session.get(
        model.Group if party.kind == "organization" else model.User, party.id
    )
    since = tk._("{who} has been on the portal since {day}.").format(
        who=parties.title(party), day=tk.h.hanoiic_day(entity.created.isoformat())
    ) if entity else ""  # fmt: skip
    return {
        "since_words": since,
        "agreements": [dictize.agreement(one) for one in of_party(Agreement, party, officer)],
        "requests": [
            dictize.request(one)
            for one in of_party(AccessRequest, party, officer)
            if one.id != row.id
        ],
    }


@licensing.get("/usage/<dataset_id>")
def usage_page(dataset_id: str) -> Any:
    if away := user_or_sign_in():
        return away
    package, days, rows = _usage(dataset_id)
    facts = {
        "dataset": package.name,
        "title": package.title or package.name,
        "days": days,
        "chart": chart(rows, days, clock.now().astimezone(working_days.HANOI).date()),
        "totals": totals(rows),
    }
    return tk.render("hanoiic_licensing/usage.html", facts)


@licensing.get("/usage/<dataset_id>.csv")
def usage_csv(dataset_id: str) -> Any:
    if away := user_or_sign_in():
        return away
    package, _days, rows = _usage(dataset_id)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(CSV_COLUMNS)
    writer.writerows([harmless(row[name]) for name in CSV_COLUMNS] for row in rows)
    # With the mark of order, so that a spreadsheet reads Vietnamese as UTF-8.
    response: Response = make_response("\ufeff" + out.getvalue())
    response.headers["Content-Type"] = "text/csv; charset=utf-8"
    response.headers["Content-Disposition"] = f'attachment; filename="usage-{package.name}.csv"'
    return response


def harmless(value: Any) -> Any:
    """A cell that no spreadsheet runs: a text that looks like a formula gets an apostrophe."""
    if isinstance(value, str) and value.lstrip().startswith(FORMULA):
        return f"'{value}"
    return value


def _usage(dataset_id: str) -> tuple[model.Package, int, list[dict[str, Any]]]:
    days = request.args.get("days", DEFAULT_DAYS, type=int)
    days = min(max(days, 1), MAX_DAYS)
    try:
        rows = call("hanoiic_usage_report", dataset=dataset_id, days=days)
    except (tk.NotAuthorized, tk.ObjectNotFound):
        tk.abort(404, tk._("Not found"))
    return model.Package.get(dataset_id), days, rows


def chart(rows: list[dict[str, Any]], days: int, today: date) -> dict[str, Any]:
    """Answers a day as bars in a box of CHART_WIDTH × CHART_HEIGHT."""
    counts: dict[str, int] = defaultdict(int)
    for row in rows:
        counts[row["day"]] += row["answers"]
    span = [(today - timedelta(days=back)).isoformat() for back in range(days, -1, -1)]
    most = max((counts[day] for day in span), default=0)
    step = CHART_WIDTH / len(span)
    bars = [
        {
            "day": day,
            "count": counts[day],
            "x": round(index * step, 2),
            "width": round(step * 0.8, 2),
            "height": round(CHART_HEIGHT * counts[day] / most, 2),
            "y": round(CHART_HEIGHT * (1 - counts[day] / most), 2),
        }
        for index, day in enumerate(span)
        if counts[day]
    ]
    return {
        "bars": bars,
        "most": most,
        "total": len(rows),
        "first": tk.h.hanoiic_day(span[0]),
        "last": tk.h.hanoiic_day(span[-1]),
    }


def totals(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sums by organisation and table, the most answers first."""
    sums: dict[tuple[str | None, str], dict[str, Any]] = {}
    for row in rows:
        key = (row["organization_id"] or row["organization"], row["table_name"])
        one = sums.setdefault(
            key,
            {"organization": row["organization"], "table_name": row["table_name"]}
            | dict.fromkeys(SUMS, 0),
        )
        for name in SUMS:
            one[name] += row[name]
    return sorted(sums.values(), key=lambda one: -one["answers"])
