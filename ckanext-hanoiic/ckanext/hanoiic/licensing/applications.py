"""Applications: the programs of an organisation, or of a user, that have tokens."""

from __future__ import annotations

import sqlalchemy as sa
from ckan import model
from ckanext.hanoiic.licensing import audit, clock, tokens
from ckanext.hanoiic.licensing.model import Application, Token


def create(
    user: model.User, name: str, organization_id: str | None, description: str | None = None
) -> Application:
    """A new application of the organisation, or of the user alone."""
    row = Application(
        organization_id=organization_id, user_id=user.id, name=name, description=description
    )
    model.Session.add(row)
    model.Session.flush()
    audit.record(
        "application_created", user.id, subject_id=row.id, name=name, organization=organization_id
    )
    return row


def called(user: model.User, name: str, organization_id: str | None) -> Application:
    """The application of this name in use, made when there is none."""
    mine = (
        Application.organization_id == organization_id
        if organization_id
        else sa.and_(Application.organization_id.is_(None), Application.user_id == user.id)
    )
    # One at a time: the second of two sees what the first made.
    owner = (
        sa.select(model.Group.id).where(model.Group.id == organization_id)
        if organization_id
        else sa.select(model.User.id).where(model.User.id == user.id)
    )
    model.Session.execute(owner.with_for_update(key_share=True))
    known = model.Session.scalars(
        sa.select(Application)
        .where(mine, Application.name == name, Application.retired_at.is_(None))
        .order_by(Application.created_at)
    ).first()
    return known or create(user, name, organization_id)


def of(user_id: str, organization_ids: list[str]) -> list[Application]:
    """The user's own applications and those of the organisations, newest first."""
    query = sa.select(Application).where(
        sa.or_(
            Application.organization_id.in_(organization_ids),
            sa.and_(Application.organization_id.is_(None), Application.user_id == user_id),
        )
    )
    return list(model.Session.scalars(query.order_by(Application.created_at.desc())))


def retire(application: Application, actor_id: str) -> None:
    """Use it no more: all its tokens end at once. Again is harmless."""
    if application.retired_at is not None:
        return
    application.retired_at = clock.now()
    for token in model.Session.scalars(
        sa.select(Token).where(Token.application_id == application.id, Token.revoked_at.is_(None))
    ):
        tokens.revoke(token, actor_id)
    audit.record("application_retired", actor_id, subject_id=application.id, name=application.name)
