"""Nobody is told of a dataset that they may not see."""

from __future__ import annotations

import pytest
from ckan.tests import factories
from ckan.tests.helpers import call_action

pytestmark = pytest.mark.usefixtures("portal")


def test_members_are_told_without_the_datasets_that_are_not_seen():
    officer, stranger = factories.User(), factories.User()
    owner = factories.Organization(users=[{"name": officer["name"], "capacity": "editor"}])
    public = factories.Dataset(owner_org=owner["id"])["id"]
    private = factories.Dataset(owner_org=owner["id"], private=True)["id"]

    def told(user, **asked):
        context = {"user": user, "ignore_auth": False}
        return {id_ for id_, _, _ in call_action("member_list", context, id=owner["id"], **asked)}

    for anybody in ("", stranger["name"]):
        assert told(anybody, object_type="package") == {public}
        assert private not in told(anybody)
    assert told(officer["name"], object_type="package") == {public, private}
