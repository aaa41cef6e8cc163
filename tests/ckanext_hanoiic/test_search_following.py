"""What a dataset tells of its organisation and topics stays true in the index when those change."""

from __future__ import annotations

import pytest
from ckan.tests import factories
from ckan.tests.helpers import call_action
from ckanext.hanoiic.search import following

pytestmark = pytest.mark.usefixtures("portal")


def count(**query):
    return call_action("package_search", **query)["count"]


def test_a_dataset_that_moves_is_found_by_its_new_organisation_alone():
    old_member, new_member = factories.User(), factories.User()
    old, new = (
        factories.Organization(users=[{"name": user["name"], "capacity": "member"}])
        for user in (old_member, new_member)
    )
    moved = factories.Dataset(title="Mật", owner_org=old["id"], private=True)
    call_action("package_owner_org_update", id=moved["id"], organization_id=new["id"])

    def sees(user):
        context = {"user": user["name"], "ignore_auth": False}
        return call_action("package_search", context, q="mật", include_private=True)["count"]

    assert (sees(old_member), sees(new_member)) == (0, 1)
    assert call_action("package_show", id=moved["id"])["organization"]["id"] == new["id"]


def test_an_organisation_that_is_renamed_keeps_its_datasets():
    owner = factories.Organization(name="so-cu", title="Sở Cũ")
    factories.Dataset(title="Số liệu", owner_org=owner["id"])
    call_action("organization_patch", id="so-cu", name="so-moi", title="Sở Mới")
    assert (count(fq="organization:so-cu"), count(fq="organization:so-moi")) == (0, 1)
    (found,) = call_action("package_search", q="số liệu")["results"]
    assert found["organization"]["title"] == "Sở Mới"


def test_a_topic_is_renamed_and_deleted_in_its_datasets_too():
    factories.Group(name="cu", title="Chủ đề cũ")
    owner = factories.Organization()
    factories.Dataset(name="so-lieu", owner_org=owner["id"], groups=[{"name": "cu"}])
    call_action("group_patch", id="cu", name="moi")
    assert (count(fq="groups:cu"), count(fq="groups:moi")) == (0, 1)
    call_action("group_delete", id="moi")
    assert count(fq="groups:moi") == 0
    assert call_action("package_show", id="so-lieu")["groups"] == []


def test_many_datasets_are_a_job(monkeypatch):
    monkeypatch.setattr(following, "MOST_AT_ONCE", 1)
    jobs = []
    monkeypatch.setattr(following.tk, "enqueue_job", lambda *job, **_: jobs.append(job))
    owner = factories.Organization(name="so-cu")
    for _ in range(2):
        factories.Dataset(owner_org=owner["id"])
    call_action("organization_patch", id="so-cu", name="so-moi")
    ((work, arguments),) = jobs
    work(*arguments)
    assert count(fq="organization:so-moi") == 2


def test_what_tells_the_same_is_not_indexed_anew(monkeypatch):
    owner = factories.Organization(name="so")
    factories.Dataset(owner_org=owner["id"])
    monkeypatch.setattr(following, "index_anew", lambda _: pytest.fail("indexed anew"))
    call_action("organization_patch", id="so", title_en="Department")
