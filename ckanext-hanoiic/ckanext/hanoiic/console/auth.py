"""Who may do what: officers manage their department's sources, the harvester reports on runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ckan import authz, model
from ckan.plugins import toolkit as tk
from ckan.plugins.toolkit import _
from ckan.types import AuthFunction, AuthResult, Context

from .model import Run, Source

# The right of an organisation's editors and admins, not of its members.
OFFICER_RIGHT = "create_dataset"
COMPANY = "company"


def harvester_user() -> str:
    """The name of the harvest worker's CKAN user."""
    return str(tk.config["hanoiic.harvester_user"])


def is_harvester(context: Context) -> bool:
    user = context.get("user")
    return bool(user) and user == harvester_user()


def is_officer(user: str | None, organisation: str | None = None) -> bool:
    """Whether a user is admin or editor of a department (None: of any), or a sysadmin."""
    if not user or user == harvester_user():
        return False
    if organisation is None:
        return authz.is_sysadmin(user) or any(map(_publishes, _offices(user)))
    allowed = authz.has_user_permission_for_group_or_org(organisation, user, OFFICER_RIGHT)
    return allowed and _publishes(model.Group.get(organisation))


def officer_organisations(user: str) -> list[dict[str, Any]]:
    """The departments whose sources a user manages, as CKAN lists a user's organisations."""
    if user == harvester_user():
        return []
    listing = tk.get_action("organization_list_for_user")
    found = listing({"user": user}, {"permission": OFFICER_RIGHT})
    return [one for one in found if _publishes(model.Group.get(one["id"]))]


def departments_of(user: str) -> list[str]:
    """The ids of the departments that a user is admin or editor of."""
    return [office.id for office in _offices(user) if _publishes(office)]


def _offices(user: str) -> Iterable[model.Group]:
    """The organisations that a user is admin or editor of; one query, for every page's header."""
    roles = authz.get_roles_with_permission(OFFICER_RIGHT)
    return (
        model.Session.query(model.Group)
        .join(model.Member, model.Member.group_id == model.Group.id)
        .join(model.User, model.User.id == model.Member.table_id)
        .filter(model.Group.is_organization, model.Group.state == "active")
        .filter(model.Member.table_name == "user", model.Member.state == "active")
        .filter(model.Member.capacity.in_(roles))
        .filter(model.User.name == user, model.User.state == "active")
    )


def _publishes(organisation: model.Group) -> bool:
    """A department does; a company only uses data."""
    return organisation.extras.get("org_kind") != COMPANY


def allowed(when: bool) -> AuthResult:
    if when:
        return {"success": True}
    message = _("Only editors and admins of the department may do this")
    return {"success": False, "msg": message}


def source_of(data: dict[str, Any], key: str = "id") -> Source:
    source = Source.find(str(tk.get_or_bust(data, key)))
    if source is None:
        raise tk.ObjectNotFound(_("Source not found"))
    return source


def run_of(data: dict[str, Any]) -> Run:
    run = model.Session.get(Run, str(tk.get_or_bust(data, "id")))
    if run is None:
        raise tk.ObjectNotFound(_("Run not found"))
    return run


def hanoiic_source_create(context: Context, data: dict[str, Any]) -> AuthResult:
    """Officers, in an organisation of theirs; an unknown one is left to the validation."""
    organisation = model.Group.get(data.get("owner_org")) if data.get("owner_org") else None
    return allowed(is_officer(context.get("user"), organisation.id if organisation else None))


def hanoiic_source_update(context: Context, data: dict[str, Any]) -> AuthResult:
    """Officers of the owning organisation and, when it moves, of the new one too."""
    owners = {source_of(data).owner_org}
    wanted = model.Group.get(data.get("owner_org")) if data.get("owner_org") else None
    owners |= {wanted.id} if wanted else set()
    return allowed(all(is_officer(context.get("user"), owner) for owner in owners))


def hanoiic_source_delete(context: Context, data: dict[str, Any]) -> AuthResult:
    return allowed(is_officer(context.get("user"), source_of(data).owner_org))


hanoiic_source_run = hanoiic_source_delete


def hanoiic_source_show(context: Context, data: dict[str, Any]) -> AuthResult:
    return allowed(
        is_harvester(context) or is_officer(context.get("user"), source_of(data).owner_org)
    )


def hanoiic_source_list(context: Context, _data: dict[str, Any]) -> AuthResult:
    """The list holds only what its reader may manage; who manages nothing gets none."""
    return allowed(is_harvester(context) or is_officer(context.get("user")))


def hanoiic_run_show(context: Context, data: dict[str, Any]) -> AuthResult:
    owner = run_of(data).source.owner_org
    return allowed(is_harvester(context) or is_officer(context.get("user"), owner))


def hanoiic_run_list(context: Context, data: dict[str, Any]) -> AuthResult:
    if not data.get("source_id"):
        return hanoiic_source_list(context, data)
    owner = source_of(data, "source_id").owner_org
    return allowed(is_harvester(context) or is_officer(context.get("user"), owner))


# A sysadmin reads everything but is no worker: a run it claimed would never be harvested.
@tk.auth_sysadmins_check
def hanoiic_run_claim(context: Context, _data: dict[str, Any]) -> AuthResult:
    if is_harvester(context):
        return {"success": True}
    return {"success": False, "msg": _("Only the harvest worker may do this")}


@tk.auth_sysadmins_check
def hanoiic_run_create(context: Context, data: dict[str, Any]) -> AuthResult:
    return hanoiic_run_claim(context, data)


@tk.auth_sysadmins_check
def hanoiic_run_update(context: Context, data: dict[str, Any]) -> AuthResult:
    return hanoiic_run_claim(context, data)


@tk.auth_sysadmins_check
def hanoiic_datasets_create(context: Context, data: dict[str, Any]) -> AuthResult:
    return hanoiic_run_claim(context, data)


@tk.auth_sysadmins_check
def hanoiic_tables_reserve(context: Context, data: dict[str, Any]) -> AuthResult:
    return hanoiic_run_claim(context, data)


AUTH_FUNCTIONS: dict[str, AuthFunction] = {
    "hanoiic_source_create": hanoiic_source_create,
    "hanoiic_source_show": hanoiic_source_show,
    "hanoiic_source_list": hanoiic_source_list,
    "hanoiic_source_update": hanoiic_source_update,
    "hanoiic_source_delete": hanoiic_source_delete,
    "hanoiic_source_run": hanoiic_source_run,
    "hanoiic_run_create": hanoiic_run_create,
    "hanoiic_run_update": hanoiic_run_update,
    "hanoiic_run_show": hanoiic_run_show,
    "hanoiic_run_list": hanoiic_run_list,
    "hanoiic_run_claim": hanoiic_run_claim,
    "hanoiic_rejected_put": hanoiic_run_claim,
    "hanoiic_datasets_create": hanoiic_datasets_create,
    "hanoiic_tables_reserve": hanoiic_tables_reserve,
}
