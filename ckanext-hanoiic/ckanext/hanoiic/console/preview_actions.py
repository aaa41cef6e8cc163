"""Actions on previews."""

from __future__ import annotations

import json
from typing import Any

from ckan import model
from ckan.plugins import toolkit as tk
from ckan.plugins.toolkit import _
from ckan.types import AuthResult, Context

from . import checks, preview_model, report
from .auth import allowed, hanoiic_run_claim, is_harvester, is_officer
from .check_input import said
from .errors import RunFinished, TooManyPreviews
from .model import now
from .preview_model import Preview
from .refusals import refused
from .report import cut
from .source_fields import CREDENTIAL_NAME, CREDENTIAL_NAME_RULE, OPTIONS
from .states import FAILED, OPEN, PREVIEW_STATES, READY, RUNNING
from .upload_model import UPLOAD, upload_of_organisation
from .validators import hanoiic_source_kind, hanoiic_source_url

UNFINISHED_MOST = 5
CLAIM_MOST = 10
RESULT_CHARACTERS = 2_000_000


def _kind(value: Any) -> str:
    return hanoiic_source_kind(value) if value else ""


def _secret(value: Any) -> str:
    return checks.matching(CREDENTIAL_NAME, CREDENTIAL_NAME_RULE)(value) if value else ""


WANTED = {
    "url": lambda value: hanoiic_source_url(value) if value else "",
    "upload": lambda value: checks.text(100)(value or ""),
    "kind": _kind,
    "secret": _secret,
}


def preview_of(data: dict[str, Any]) -> Preview:
    preview = model.Session.get(Preview, str(tk.get_or_bust(data, "id")))
    if preview is None:
        raise tk.ObjectNotFound(_("Preview not found: they are kept for an hour"))
    return preview


def organisation_of(data: dict[str, Any]) -> model.Group:
    organisation = model.Group.get(str(tk.get_or_bust(data, "owner_org")))
    if organisation is None or not organisation.is_organization:
        raise tk.ObjectNotFound(_("No such organisation"))
    return organisation


def hanoiic_preview_create(context: Context, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Ask for a preview of an address or of an uploaded file; nothing is published by it.

    :param owner_org: id or name of the organisation
    :param url: http or https address; or ``upload``
    :param upload: id of a file from ``hanoiic_upload_create``
    :param kind: kind of source; empty: it is found out (optional)
    :param options: as of a source (optional)
    :param secret: name of a secret of the organisation (optional)
    :returns: the preview, as ``hanoiic_preview_show``
    :raises ValidationError: ``too_many_previews`` when five of the organisation are not done
    """
    tk.check_access("hanoiic_preview_create", context, data_dict)
    values = said(data_dict, WANTED, beside={"owner_org", "options"})
    options, complaints = checks.check_object(data_dict.get("options") or {}, OPTIONS)
    if complaints:
        errors = {f"options.{key}" if key else "options": [one] for key, one in complaints.items()}
        raise tk.ValidationError(errors)
    organisation = organisation_of(data_dict)
    url, upload = values.get("url"), values.get("upload")
    if bool(url) == bool(upload):
        raise tk.ValidationError({"url": [_("Give an address or a file")]})
    if upload and upload_of_organisation(upload, organisation.id) is None:
        raise tk.ValidationError({"upload": [_("File not found")]})
    preview_model.forget_old(now())
    if preview_model.unfinished(organisation.id) >= UNFINISHED_MOST:
        model.Session.commit()
        raise refused(TooManyPreviews("Five previews of the organisation are not done yet."))
    user = context.get("auth_user_obj") or model.User.get(context.get("user"))
    preview = Preview(
        owner_org=organisation.id,
        url=url or f"{UPLOAD}{upload}",
        kind=values.get("kind", ""),
        options=options,
        secret=values.get("secret", ""),
        created_by=user.id if user else None,
    )
    model.Session.add(preview)
    model.Session.commit()
    return preview.as_dict()


@tk.side_effect_free
def hanoiic_preview_show(context: Context, data_dict: dict[str, Any]) -> dict[str, Any]:
    """A preview and how far it is.

    :param id: the preview's id
    :returns: ``id``, ``owner_org``, ``url`` (of a file ``upload:<id>``), ``kind``, ``options``,
        ``secret``, ``state``, ``stages``, ``result``, ``created_by``, ``created_at``,
        ``finished_at``, ``worker``, ``lease_until``, ``losses``
    """
    tk.check_access("hanoiic_preview_show", context, data_dict)
    return preview_of(data_dict).as_dict()


def hanoiic_preview_claim(context: Context, data_dict: dict[str, Any]) -> list[dict[str, Any]]:
    """Take previews to make; the harvest worker only. What is taken becomes ``running``.

    A preview without a report for two minutes is handed out once more.

    :param worker: name of the worker
    :param limit: at most so many, 10 at most (optional, default 2)
    :returns: list of previews, each as ``hanoiic_preview_show``
    """
    tk.check_access("hanoiic_preview_claim", context, data_dict)
    table = {"worker": checks.text(100), "limit": checks.integer(1, CLAIM_MOST)}
    values = said(data_dict, table)
    preview_model.forget_old(now())
    worker = values.get("worker") or "harvest"
    taken = preview_model.claim(worker, values.get("limit", 2), now())
    shown = [preview.as_dict() for preview in taken]
    model.Session.commit()
    return shown


def hanoiic_preview_update(context: Context, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Report on a preview; the harvest worker only. Every report renews its lease.

    :param id: the preview's id
    :param state: ``running``, ``ready`` or ``failed`` (optional, default ``running``)
    :param stages: list of stages, as of a run (optional)
    :param result: with the end: ``kind``, ``tables``, ``error`` (optional)
    :param error: ``{"code", "detail"}``; the same as ``result.error`` (optional)
    :returns: the preview, as ``hanoiic_preview_show``
    :raises ValidationError: ``run_finished`` when it has ended otherwise
    """
    tk.check_access("hanoiic_preview_update", context, data_dict)
    values = said(data_dict, REPORTED, beside={"id", "worker"})
    preview = preview_of(data_dict)
    model.Session.refresh(preview, with_for_update=True)
    state = values.get("state", RUNNING)
    if preview.state not in OPEN:
        if state == preview.state:
            return preview.as_dict()
        raise refused(RunFinished(f"The preview has ended ({preview.state})."), state=preview.state)
    if "stages" in values:
        preview.stages = report.merge_stages(preview.stages, values["stages"])
    if state in (READY, FAILED):
        error = values.get("error")
        preview.finish(state, {**values.get("result", {}), **({"error": error} if error else {})})
    else:
        preview.state = RUNNING
        preview.renew()
    model.Session.commit()
    return preview.as_dict()


def _result(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or len(json.dumps(value)) > RESULT_CHARACTERS:
        raise tk.Invalid(
            _("Must be an object of at most {n} characters").format(n=RESULT_CHARACTERS)
        )
    tables = value.get("tables") or []
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise tk.Invalid(_("Must be a list of objects"))
    return {
        "kind": cut(str(value.get("kind") or ""), 100),
        "tables": report.clean(tables),
        "error": report.error(value.get("error")),
    }


REPORTED = {
    "state": checks.one_of(*(state for state in PREVIEW_STATES if state != "requested")),
    "stages": lambda value: report.merge_stages([], value),
    "result": _result,
    "error": report.error,
}


def may_create(context: Context, data: dict[str, Any]) -> AuthResult:
    """Officers, for an organisation of theirs; an unknown one is left to the action."""
    organisation = model.Group.get(data.get("owner_org")) if data.get("owner_org") else None
    return allowed(is_officer(context.get("user"), organisation.id if organisation else None))


def may_show(context: Context, data: dict[str, Any]) -> AuthResult:
    owner = preview_of(data).owner_org
    return allowed(is_harvester(context) or is_officer(context.get("user"), owner))


PREVIEW_ACTIONS = {
    "hanoiic_preview_create": hanoiic_preview_create,
    "hanoiic_preview_show": hanoiic_preview_show,
    "hanoiic_preview_claim": hanoiic_preview_claim,
    "hanoiic_preview_update": hanoiic_preview_update,
}
PREVIEW_AUTH = {
    "hanoiic_preview_create": may_create,
    "hanoiic_preview_show": may_show,
    "hanoiic_preview_claim": hanoiic_run_claim,
    "hanoiic_preview_update": hanoiic_run_claim,
}
