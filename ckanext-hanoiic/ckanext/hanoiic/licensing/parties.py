"""Who may hold an agreement, and who decides: read from CKAN's memberships at every question."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa
from ckan import model
from ckanext.hanoiic.licensing.errors import ChooseOrganization

OFFICER_ROLES = ("admin", "editor")


@dataclass(frozen=True)
class Party:
    """An organisation, or a user who belongs to none."""

    kind: str
    id: str

    def columns(self) -> dict[str, str]:
        return {"party_kind": self.kind, "party_id": self.id}


def of(row: Any) -> Party:
    """The party of a request or agreement."""
    return Party(row.party_kind, row.party_id)


def memberships(user_id: str) -> dict[str, str]:
    """Organisation id → role, of living organisations only."""
    rows = model.Session.execute(_memberships(), {"user": user_id})
    return {row.group_id: row.capacity for row in rows}


@cache
def _memberships() -> sa.Select:
    return _of_user(sa.bindparam("user"), model.Member.group_id, model.Member.capacity)


def organizations_of(user_id: sa.ColumnElement[str]) -> sa.ColumnElement[list[str]]:
    """Within another statement: the ids of a user's living organisations, as an array."""
    return sa.func.array(_of_user(user_id, model.Member.group_id).scalar_subquery())


def _of_user(user_id: sa.ColumnElement[str], *columns: sa.ColumnElement[str]) -> sa.Select:
    return (
        sa.select(*columns)
        .join(model.Group, model.Group.id == model.Member.group_id)
        .where(
            model.Member.table_name == "user",
            model.Member.table_id == user_id,
            model.Member.state == "active",
            model.Group.state == "active",
            model.Group.is_organization,
        )
        .order_by(model.Group.title, model.Group.name)
    )


def members(organization_id: str, roles: tuple[str, ...]) -> list[model.User]:
    """The active users who have one of the roles in an organisation."""
    return list(
        model.Session.scalars(
            sa.select(model.User)
            .join(model.Member, model.Member.table_id == model.User.id)
            .where(
                model.Member.group_id == organization_id,
                model.Member.table_name == "user",
                model.Member.state == "active",
                model.Member.capacity.in_(roles),
                model.User.state == "active",
            )
            .order_by(model.User.name)
        )
    )


def lives(party: Party) -> bool:
    """Whether somebody can speak for the party."""
    entity = model.Group if party.kind == "organization" else model.User
    row = model.Session.get(entity, party.id, populate_existing=True)
    return row is not None and row.state == "active"


def title(party: Party) -> str:
    """What people call the party; its id where it is gone."""
    if party.kind == "organization":
        group = model.Session.get(model.Group, party.id)
        return (group.title or group.name) if group else party.id
    user = model.Session.get(model.User, party.id)
    return (user.fullname or user.name) if user else party.id


def held_by(user_id: str) -> tuple[Party, ...]:
    """Every party the user speaks for: the user and the user's organisations."""
    return with_organizations(user_id, memberships(user_id))


def with_organizations(user_id: str, organizations: Iterable[str]) -> tuple[Party, ...]:
    """The user as a party, and the organisations of these ids."""
    return (Party("user", user_id), *(Party("organization", id_) for id_ in organizations))


def speaking(user_id: str, organization: str | None = None) -> Party:
    """The party that accepts or requests when this user does.

    The only organisation of the user, the one named, or the user when there is none. Raises
    :class:`ChooseOrganization` when several are possible or the named one isn't the user's.
    """
    own = memberships(user_id)
    if organization:
        group = model.Group.get(organization)
        if group is None or group.id not in own:
            raise ChooseOrganization("You do not belong to this organisation")
        return Party("organization", group.id)
    if len(own) > 1:
        raise ChooseOrganization("Say for which of your organisations")
    return Party("organization", next(iter(own))) if own else Party("user", user_id)


def is_officer(user: model.User | None, organization_id: str | None) -> bool:
    """Whether the user decides for the organisation: its admins and editors, and sysadmins."""
    if user is None or user.state != "active":
        return False
    return bool(user.sysadmin) or memberships(user.id).get(organization_id) in OFFICER_ROLES


def offices(user: model.User) -> list[str] | None:
    """Ids of the organisations the user is an officer of; None for a sysadmin: all of them."""
    if user.sysadmin:
        return None
    return [id_ for id_, role in memberships(user.id).items() if role in OFFICER_ROLES]
