"""Actions about gateway tokens."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from ckan import model
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import parties, tokens
from ckanext.hanoiic.licensing.errors import ChooseOrganization
from ckanext.hanoiic.licensing.logic import dictize, schema, subject
from ckanext.hanoiic.licensing.logic.refusal import refusing
from ckanext.hanoiic.licensing.model import Token


@tk.validate_action_data(schema.token)
@refusing
def hanoiic_token_create(context: Any, data_dict: dict[str, Any]) -> dict[str, Any]:
    """Make a gateway token of the present user; ``token`` in the answer is told this once.

    :param name: what the token is for
    :param scopes: ``query``, ``download`` or both (default)
    :param organization: limit the token to this organisation of the user (optional; without it
        the token speaks for the user and all of the user's organisations)
    :param lifetime_days: 1 to 365, default 90
    """
    tk.check_access("hanoiic_token_create", context, data_dict)
    user = subject.user_of(context)
    plain, row = tokens.create(
        user,
        data_dict["name"],
        data_dict["scopes"],
        _organization_id(user, data_dict.get("organization")),
        data_dict["lifetime_days"],
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
