"""Actions about applications and their gateway tokens."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from ckan import model
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import applications, parties, tokens
from ckanext.hanoiic.licensing.errors import ChooseOrganization
from ckanext.hanoiic.licensing.logic import dictize, schema, subject
from ckanext.hanoiic.licensing.logic.refusal import refusing
from ckanext.hanoiic.licensing.model import Application, Token


@tk.validate_action_data(schema.application)
@refusing
def hanoiic_application_create(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Make an application: a program that gets tokens of its own.

    :param name: what it is called
    :param organization: whose it is, of the user's organisations (optional; without it, it is the
        user's own and its tokens speak for the user and all of the user's organisations)
    :param description: what it does (optional)
    """
    tk.check_access("hanoiic_application_create", context, data_dict)
    user = subject.user_of(context)
    row = applications.create(
        user,
        data_dict["name"],
        _organization_id(user, data_dict.get("organization")),
        data_dict.get("description"),
    )
    subject.commit(context)
    return dictize.application(row)


@tk.side_effect_free
def hanoiic_application_list(context: Any, data_dict: dict[str, Any]) -> list[dict[str, Any]]:
    """The present user's applications and those of the user's organisations, newest first, each
    with its ``tokens`` (never their text)."""
    tk.check_access("hanoiic_application_list", context, data_dict)
    user = subject.user_of(context)
    rows = applications.of(user.id, list(parties.memberships(user.id)))
    by_application: dict[str, list[dict[str, Any]]] = {row.id: [] for row in rows}
    for token in model.Session.scalars(
        sa.select(Token)
        .where(Token.application_id.in_(by_application))
        .order_by(Token.created_at.desc())
    ):
        by_application[token.application_id].append(dictize.token(token))
    return [dictize.application(row) | {"tokens": by_application[row.id]} for row in rows]


@tk.validate_action_data(schema.by_id)
@refusing
def hanoiic_application_retire(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """End an application and all its tokens at once; again is harmless."""
    tk.check_access("hanoiic_application_retire", context, data_dict)
    row = subject.row(Application, data_dict["id"])
    applications.retire(row, subject.user_of(context).id)
    subject.commit(context)
    return dictize.application(row)


@tk.validate_action_data(schema.token)
@refusing
def hanoiic_token_create(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Make a gateway token of an application; ``token`` in the answer is told this once.

    :param application: its id, or
    :param name: its name: the application of this name is made where there is none
    :param organization: whose application is named (optional, see hanoiic_application_create)
    :param scopes: some of ``query``, ``download``, ``share``; default the first two
    :param networks: addresses and networks (CIDR) it may be used from (optional)
    :param audience: for whom it is; default ``gateway``
    :param lifetime_days: 1 to 365, default 90
    """
    tk.check_access("hanoiic_token_create", context, data_dict)
    user = subject.user_of(context)
    plain, row = tokens.create(
        _application(user, data_dict),
        user,
        data_dict["scopes"],
        data_dict["lifetime_days"],
        audience=data_dict["audience"],
        networks=data_dict.get("networks"),
    )
    subject.commit(context)
    return dictize.token(row) | {"token": plain}


def _application(user: model.User, data_dict: dict[str, Any]) -> Application:
    if not data_dict.get("application"):
        if not data_dict.get("name"):
            raise tk.ValidationError({"name": [tk._("Missing value")]})
        organization = _organization_id(user, data_dict.get("organization"))
        return applications.called(user, data_dict["name"], organization)
    row = subject.row(Application, data_dict["application"])
    mine = row.user_id == user.id if row.organization_id is None else None
    if not (mine or row.organization_id in parties.memberships(user.id)):
        raise tk.ObjectNotFound(tk._("Not found"))
    return row


@tk.validate_action_data(schema.rotate)
@refusing
def hanoiic_token_rotate(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Make a token to follow another, which stays good for the overlap; ``token`` is told once.

    :param id: the token to replace
    :param overlap_hours: how long both are good: 0 (the old one ends at once; do this after a
        leak) to 336, default 24
    """
    tk.check_access("hanoiic_token_rotate", context, data_dict)
    plain, row = tokens.rotate(
        subject.row(Token, data_dict["id"]), subject.user_of(context), data_dict["overlap_hours"]
    )
    subject.commit(context)
    return dictize.token(row) | {"token": plain}


def _organization_id(user: model.User, name_or_id: str | None) -> str | None:
    if not name_or_id:
        return None
    group = model.Group.get(name_or_id)
    if group is None or group.id not in parties.memberships(user.id):
        raise ChooseOrganization("You do not belong to this organisation")
    return group.id


@tk.side_effect_free
def hanoiic_token_list(context: Any, data_dict: dict[str, Any]) -> list[dict[str, Any]]:
    """The present user's tokens, newest first; never their text."""
    tk.check_access("hanoiic_token_list", context, data_dict)
    user = subject.user_of(context)
    rows = model.Session.scalars(
        sa.select(Token).where(Token.user_id == user.id).order_by(Token.created_at.desc())
    )
    return [dictize.token(row) for row in rows]


@tk.validate_action_data(schema.by_id)
@refusing
def hanoiic_token_revoke(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """End a token at once; again is harmless."""
    tk.check_access("hanoiic_token_revoke", context, data_dict)
    row = subject.row(Token, data_dict["id"])
    tokens.revoke(row, subject.user_of(context).id)
    subject.commit(context)
    return dictize.token(row)
