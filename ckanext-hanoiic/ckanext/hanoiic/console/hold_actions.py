"""Actions on held versions."""

from __future__ import annotations

from typing import Any

from ckan import model
from ckan.plugins import toolkit as tk
from ckan.plugins.toolkit import _
from ckan.types import AuthResult, Context

from . import checks
from .auth import (
    allowed,
    departments_of,
    is_harvester,
    is_officer,
    officer_organisations,
    source_of,
)
from .check_input import said
from .errors import HoldDecided
from .hold_model import Hold, waiting
from .model import Source, now
from .paging import page
from .refusals import refused
from .runs import request_run
from .source_fields import COLUMN
from .states import DECIDABLE, DECISIONS, DELETED, HOLD_OPEN, HOLD_STATES, MASKS

SUMMARY = ("id", "source_id", "run_id", "table", "kind", "reason", "state", "held_at")
# What an officer pins with an approval, by the kind of finding: parameter → option of a column.
PINS = {"personal_data": {"masks": "mask"}, "schema_drift": {"types": "type"}, "deletes": {}}
CHECKS = {
    "decision": checks.one_of(*DECISIONS),
    "note": checks.text(2000),
    "masks": checks.mapping_of(checks.one_of(*MASKS), most=2000),
    "types": checks.mapping_of(COLUMN["type"], most=2000),
}


def hold_of(data: dict[str, Any]) -> Hold:
    hold = model.Session.get(Hold, str(tk.get_or_bust(data, "id")))
    if hold is None:
        raise tk.ObjectNotFound(_("Held version not found"))
    return hold


@tk.side_effect_free
def hanoiic_hold_list(context: Context, data_dict: dict[str, Any]) -> list[dict[str, Any]]:
    """Held versions of the sources that the caller manages, the newest first.

    :param state: ``open`` (default), ``approved``, ``rejected``, ``superseded`` or ``all``
    :param source_id: id or name of a source (optional)
    :param limit: at most so many, 1000 at most (optional, default 100)
    :param offset: leave out so many first (optional)
    :returns: list of ``id``, ``source_id``, ``source_title``, ``run_id``, ``table``, ``kind``,
        ``reason``, ``state``, ``held_at``
    """
    tk.check_access("hanoiic_hold_list", context, data_dict)
    state = data_dict.get("state") or HOLD_OPEN
    if state not in (*HOLD_STATES, "all"):
        choices = ", ".join((*HOLD_STATES, "all"))
        raise tk.ValidationError(
            {"state": [_("Must be one of: {choices}").format(choices=choices)]}
        )
    query = model.Session.query(Hold).join(Source, Source.id == Hold.source_id)
    query = query.filter(Source.state != DELETED)
    if data_dict.get("source_id"):
        query = query.filter(Hold.source_id == source_of(data_dict, "source_id").id)
    elif not (is_harvester(context) or context.get("ignore_auth")):
        mine = [organisation["id"] for organisation in officer_organisations(context["user"])]
        query = query.filter(Source.owner_org.in_(mine))
    if state != "all":
        query = query.filter(Hold.state == state)
    shown = page(query.order_by(Hold.held_at.desc(), Hold.id), data_dict).all()
    entries = [(hold.as_dict(), hold.source.title) for hold in shown]
    return [{**{key: entry[key] for key in SUMMARY}, "source_title": title}
            for entry, title in entries]  # fmt: skip


@tk.side_effect_free
def hanoiic_hold_show(context: Context, data_dict: dict[str, Any]) -> dict[str, Any]:
    """A held version: what was found, a masked preview, and what was decided.

    :param id: the hold's id
    :returns: ``id``, ``source_id``, ``run_id``, ``table``, ``kind``, ``fingerprint``, ``reason``,
        ``facts``, ``preview``, ``state``, ``held_at``, ``decided_by``, ``decided_at``, ``note``,
        ``pins``
    """
    tk.check_access("hanoiic_hold_show", context, data_dict)
    return hold_of(data_dict).as_dict()


def hanoiic_hold_decide(context: Context, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Approve or reject a held version. An approval asks for a run that publishes it.

    What was rejected may be approved later.

    :param id: the hold's id
    :param decision: ``approve`` or ``reject``
    :param note: why; it stays with the decision
    :param masks: of personal data that is approved: ``{column: "drop" | "hash" | "truncate"}``,
        kept as ``options.columns.<column>.mask`` (optional)
    :param types: of a changed schema that is approved: ``{column: type}``, kept as
        ``options.columns.<column>.type`` (optional)
    :returns: the hold, as ``hanoiic_hold_show``, and ``release_run``: a run's id or null
    :raises ValidationError: ``hold_decided`` when it is neither open nor, for an approval, rejected
    """
    tk.check_access("hanoiic_hold_decide", context, data_dict)
    values = said(data_dict, CHECKS, required=("decision", "note"), beside={"id"})
    hold = hold_of(data_dict)
    source = hold.source.lock()
    model.Session.refresh(hold, with_for_update={"of": Hold})
    if values["decision"] not in DECIDABLE.get(hold.state, ()) or source.state == DELETED:
        raise refused(HoldDecided(f"This held version is {hold.state}."), state=hold.state)
    pins = pinned(hold, values)
    hold.state, hold.note = DECISIONS[values["decision"]], values["note"]
    hold.pins, hold.decided_at = pins, now()
    user = context.get("auth_user_obj") or model.User.get(context.get("user"))
    hold.decided_by = user.id if user else None
    run = None
    if hold.state == "approved":
        pin_columns(source, pins)
        run = request_run(source, "release", user.id if user else None)
    model.Session.commit()
    return {**hold.as_dict(), "release_run": run.id if run else None}


def pinned(hold: Hold, values: dict[str, Any]) -> dict[str, dict[str, str]]:
    """``{column: {option: value}}``; raises ValidationError for what was not found in the data."""
    fitting = PINS[hold.kind] if values["decision"] == "approve" else {}
    key = "columns" if hold.kind == "personal_data" else "changes"
    found = {entry.get("column") for entry in hold.facts.get(key, []) if isinstance(entry, dict)}
    pins: dict[str, dict[str, str]] = {}
    for parameter in ("masks", "types"):
        for column, value in values.get(parameter, {}).items():
            if parameter not in fitting or column not in found:
                message = _("Nothing was found in the column {column} that this could settle")
                raise tk.ValidationError({parameter: [message.format(column=column)]})
            pins.setdefault(column, {})[fitting[parameter]] = value
    return pins


def pin_columns(source: Source, pins: dict[str, dict[str, str]]) -> None:
    """Add to what the source's officer pinned of its columns."""
    if not pins:
        return
    columns = dict(source.options.get("columns", {}))
    for column, options in pins.items():
        columns[column] = {**columns.get(column, {}), **options}
    source.options = {**source.options, "columns": columns}


def may_decide(context: Context, data: dict[str, Any]) -> AuthResult:
    return allowed(is_officer(context.get("user"), hold_of(data).source.owner_org))


def may_show(context: Context, data: dict[str, Any]) -> AuthResult:
    return {"success": True} if is_harvester(context) else may_decide(context, data)


def may_list(context: Context, data: dict[str, Any]) -> AuthResult:
    if not data.get("source_id"):
        return allowed(is_harvester(context) or is_officer(context.get("user")))
    owner = source_of(data, "source_id").owner_org
    return allowed(is_harvester(context) or is_officer(context.get("user"), owner))


def waiting_holds() -> int:
    """How many held versions wait for the reader."""
    user = tk.current_user
    if not user.is_authenticated:
        return 0
    return waiting(None if user.sysadmin else departments_of(user.name)).count()


HOLD_ACTIONS = {
    "hanoiic_hold_list": hanoiic_hold_list,
    "hanoiic_hold_show": hanoiic_hold_show,
    "hanoiic_hold_decide": hanoiic_hold_decide,
}
HOLD_AUTH = {
    "hanoiic_hold_list": may_list,
    "hanoiic_hold_show": may_show,
    "hanoiic_hold_decide": may_decide,
}
