"""Actions on licences: read by anyone, written by operators."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from ckan import model
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import licence_desk, licences
from ckanext.hanoiic.licensing.logic import dictize, schema, subject
from ckanext.hanoiic.licensing.logic.given import validated
from ckanext.hanoiic.licensing.logic.refusal import refusing
from ckanext.hanoiic.licensing.model import Licence

LICENCE_JSON = {"plain": dict, "policy": dict}


@tk.side_effect_free
@tk.validate_action_data(schema.nothing)
def hanoiic_licence_list(context: Any, data_dict: dict[str, Any]) -> list[dict[str, Any]]:
    """Every version of every licence, newest first of each; drafts are for operators."""
    tk.check_access("hanoiic_licence_list", context, data_dict)
    query = sa.select(Licence).order_by(Licence.id, Licence.version.desc())
    if not _is_operator(context):
        query = query.where(Licence.state != "draft")
    return [dictize.licence(row) for row in model.Session.scalars(query)]


@tk.side_effect_free
@tk.validate_action_data(schema.licence)
def hanoiic_licence_show(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """One version of a licence: plain words in both languages and the ODRL policy.

    :param id: the licence
    :param version: which one (optional; the one in force)
    """
    tk.check_access("hanoiic_licence_show", context, data_dict)
    return dictize.licence(_row(context, data_dict))


@validated(schema.licence_text, LICENCE_JSON)
@refusing
def hanoiic_licence_create(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Begin a licence, or the next version of one, as a draft.

    :param id: the licence
    :param title_vi: title; so is ``title_en``
    :param url: address of the full text (optional)
    :param draft: whether counsel has still to confirm the text
    :param open: whether it is an open licence (opendefinition.org)
    :param restricted_edition: whether offers under it must show less than the whole table
    :param plain: {``vi`` | ``en``: ``{"summary", "may", "must", "must_not"}``}
    :param policy: ODRL policy of the portal's profile
    """
    tk.check_access("hanoiic_licence_create", context, data_dict)
    row = licence_desk.draft(data_dict["id"], subject.user_of(context).id, data_dict)
    subject.commit(context)
    return dictize.licence(row)


@validated(schema.licence_edit, LICENCE_JSON)
@refusing
def hanoiic_licence_update(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Change a draft; a published version is never edited (``licence_published``).

    :param id: the licence
    :param version: the draft's; the rest as of ``hanoiic_licence_create``
    """
    tk.check_access("hanoiic_licence_update", context, data_dict)
    row = licence_desk.edit(_row(context, data_dict), subject.user_of(context).id, data_dict)
    subject.commit(context)
    return dictize.licence(row)


@tk.validate_action_data(schema.licence_version)
@refusing
def hanoiic_licence_publish(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Put a draft in force. Offers take the new version; who holds an agreement keeps the old one
    until it ends."""
    tk.check_access("hanoiic_licence_publish", context, data_dict)
    row = licence_desk.publish(_row(context, data_dict), subject.user_of(context).id)
    subject.commit(context)
    model.Package.get_license_register().forget()
    return dictize.licence(row)


@tk.validate_action_data(schema.licence_version)
@refusing
def hanoiic_licence_discard(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Throw a draft away."""
    tk.check_access("hanoiic_licence_discard", context, data_dict)
    licence_desk.discard(_row(context, data_dict), subject.user_of(context).id)
    subject.commit(context)
    return {"id": data_dict["id"], "version": data_dict["version"]}


@tk.validate_action_data(schema.licence_withdraw)
@refusing
def hanoiic_licence_withdraw(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """End a version for everyone: offers and agreements under it give no access any more.

    :param id: the licence
    :param version: which one
    :param reason: why
    """
    tk.check_access("hanoiic_licence_withdraw", context, data_dict)
    row = licence_desk.withdraw(
        _row(context, data_dict), subject.user_of(context).id, data_dict["reason"]
    )
    subject.commit(context)
    model.Package.get_license_register().forget()
    return dictize.licence(row)


@tk.side_effect_free
@tk.validate_action_data(schema.nothing)
def hanoiic_licence_verify(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Whether every published text is the one that was published: ``changed`` names those that
    aren't, by their hash or by what the audit noted, ``missing`` those that are gone."""
    tk.check_access("hanoiic_licence_verify", context, data_dict)
    found = licence_desk.faults()
    named = {
        fault: [{"id": one.id, "version": one.version} for one in found if one.fault == fault]
        for fault in ("changed", "missing")
    }
    return {"ok": not found, **named}


def _row(context: Any, data_dict: dict[str, Any]) -> Licence:
    version = data_dict.get("version")
    if version is None:
        row = licences.published(data_dict["id"])
    else:
        row = model.Session.get(Licence, (data_dict["id"], version))
    if row is None or (row.state == "draft" and not _is_operator(context)):
        raise tk.ObjectNotFound(tk._("Not found"))
    return row


def _is_operator(context: Any) -> bool:
    user = subject.user_of(context)
    return bool(context.get("ignore_auth")) or (user is not None and bool(user.sysadmin))
