"""Who may learn what of the portal's users."""

from __future__ import annotations

import pytest
from ckan.plugins import toolkit as tk
from ckan.tests import factories

pytest_plugins = ("portal_scene",)


def test_only_the_operator_lists_the_users(site, scene):
    for user in ("", scene.stranger["name"], scene.officer["name"]):
        with pytest.raises(tk.NotAuthorized):
            tk.check_access("user_list", {"user": user}, {})
    assert tk.check_access("user_list", {"user": factories.Sysadmin()["name"]}, {})
    headers = {"Authorization": scene.stranger["token"]}
    site.get("/user/", headers=headers, status=403)
