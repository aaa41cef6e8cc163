"""Nobody is told a tag of datasets that they may not see."""

from __future__ import annotations

import pytest
from ckan.plugins import toolkit as tk
from ckan.tests import factories
from ckan.tests.helpers import call_action

pytestmark = pytest.mark.usefixtures("portal")


@pytest.fixture
def member():
    user = factories.User()
    owner = factories.Organization(users=[{"name": user["name"], "capacity": "editor"}])
    for tag, fields in {
        "mở": {},
        "mật": {"private": True},
        "nháp": {"state": "draft"},
        "bỏ": {"state": "deleted"},
    }.items():
        factories.Dataset(owner_org=owner["id"], tags=[{"name": f"thẻ {tag}"}], **fields)
    return user["name"]


def told(user):
    context = {"user": user, "ignore_auth": False}
    return (
        set(call_action("tag_list", dict(context))),
        {tag["name"] for tag in call_action("tag_list", dict(context), all_fields=True)},
        set(call_action("tag_autocomplete", dict(context), q="thẻ")),
        {t["name"] for t in call_action("tag_search", dict(context), query="thẻ")["results"]},
    )


def test_tags_are_those_of_datasets_that_are_seen(member):
    assert told("") == ({"thẻ mở"},) * 4
    assert told(member)[0] == {"thẻ mở", "thẻ mật", "thẻ nháp"}
    stranger = {"user": "", "ignore_auth": False}
    assert call_action("tag_show", dict(stranger), id="thẻ mở")["name"] == "thẻ mở"
    with pytest.raises(tk.ObjectNotFound):
        call_action("tag_show", dict(stranger), id="thẻ mật")


def test_a_search_for_tags_counts_and_pages_what_is_seen(member):
    def search(**asked):
        return call_action("tag_search", {"user": member, "ignore_auth": False}, **asked)

    assert search(query="thẻ", limit=2)["count"] == 3
    assert len(search(query="thẻ", limit=2)["results"]) == 2
    assert len(search(query="thẻ", limit=2, offset=2)["results"]) == 1
