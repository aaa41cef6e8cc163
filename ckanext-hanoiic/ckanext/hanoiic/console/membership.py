"""The harvest worker's place in a department: an editor, so that it may register datasets there."""

from __future__ import annotations

from ckan import authz, model
from ckan.plugins import toolkit as tk

from .auth import harvester_user
from .errors import HarvesterMissing

ENOUGH = ("admin", "editor")


def ensure_harvester_is_editor(organisation: str) -> None:
    """Make the harvest worker's user an editor of an organisation; no change when it is already.

    Raises HarvesterMissing when there is no such user.
    """
    name = harvester_user()
    user = model.User.get(name)
    if user is None or user.state != "active":
        raise HarvesterMissing(
            f"The harvest worker's user {name} does not exist; the operator creates it "
            "(setting hanoiic.harvester_user)."
        )
    if authz.users_role_for_group_or_org(organisation, name) in ENOUGH:
        return
    site_user = tk.get_action("get_site_user")({"ignore_auth": True}, {})["name"]
    tk.get_action("organization_member_create")(
        {"ignore_auth": True, "user": site_user},
        {"id": organisation, "username": name, "role": "editor"},
    )
