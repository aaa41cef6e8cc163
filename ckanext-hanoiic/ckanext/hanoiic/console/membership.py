"""Gives the harvest worker's user the roles that it needs to register datasets of a department."""

from __future__ import annotations

from collections.abc import Iterable

from ckan import authz, model
from ckan.plugins import toolkit as tk

from .auth import harvester_user
from .errors import HarvesterMissing

# Roles that are enough, the least one first.
EDITORS = ("editor", "admin")
MEMBERS = ("member", "editor", "admin")


def ensure_harvester_may_register(organisation: str, topics: Iterable[str]) -> None:
    """Make the harvest worker's user an editor of an organisation and a member of topics.

    CKAN lets only members of a topic put datasets into it. No change where it has the right
    already. The caller commits. Raises HarvesterMissing when there is no such user.
    """
    name = harvester_user()
    user = model.User.get(name)
    if user is None or user.state != "active":
        raise HarvesterMissing(
            f"The harvest worker's user {name} does not exist; the operator creates it "
            "(setting hanoiic.harvester_user)."
        )
    site_user = tk.get_action("get_site_user")({"ignore_auth": True}, {})["name"]
    for place, enough in [(organisation, EDITORS), *((topic, MEMBERS) for topic in topics)]:
        if authz.users_role_for_group_or_org(place, name) in enough:
            continue
        tk.get_action("member_create")(
            {"ignore_auth": True, "user": site_user, "defer_commit": True},
            {"id": place, "object": user.id, "object_type": "user", "capacity": enough[0]},
        )
