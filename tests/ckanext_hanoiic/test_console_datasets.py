"""Many datasets made in one request are what `package_create` would have made of each."""

from __future__ import annotations

import json
import threading

import pytest
import sqlalchemy as sa
from ckan import authz, model
from ckan.lib.search import make_connection, rebuild
from ckan.plugins import toolkit as tk
from ckan.tests import factories
from ckan.tests.helpers import call_action
from ckanext.hanoiic.console.asked_once import asked_once
from ckanext.hanoiic.licensing import offers, tables
from licensing_scene import act
from test_search_reindex import rows

HARVESTER = "hanoiic-harvester"


@pytest.fixture
def department(stage, clean_db, clean_index):
    harvester = factories.User(name=HARVESTER)
    return factories.Organization(users=[{"name": harvester["name"], "capacity": "editor"}])


@pytest.fixture
def wanted(department):
    """Datasets that differ in what hooks and tables of their own make of them."""
    resource = {"name": "Bảng", "url": "http://gateway.test/t.csv", "format": "CSV"}
    columns = [{"name": "Mã phường", "ascii": "ma_phuong", "type": "string"}]
    more = (
        {"license_id": "CC-BY-4.0", "access_tier": "open", "tags": [{"name": "xe buýt"}]},
        {"resources": [{**resource, "lake_table": "t1", "columns": columns}], "title": "Bảng 1"},
        {"tags": [{"name": "xe buýt"}, {"name": "mới"}], "resources": [resource], "private": True},
        {"license_id": "CC-BY-4.0", "access_tier": "click", "spatial_wards": ["00004"]},
    )
    own = {"owner_org": department["id"], "harvest_source": "s", "notes": "Phố Hàng Bài"}
    return [
        {"name": f"d{n}", "title": f"Bộ {n}", "harvest_identifier": str(n), **own, **fields}
        for n, fields in enumerate(more)
    ]


def create(*datasets, user=HARVESTER):
    return act("hanoiic_datasets_create", user, datasets=list(datasets))["datasets"]


def told(name, number):
    """All that the portal shows of a dataset, without what is each dataset's own."""
    shown = call_action("package_show", id=name)
    events = call_action("hanoiic_audit_list", dataset=shown["id"])
    assert shown.pop("name") == name
    for one in (shown, *shown["resources"]):
        for key in ("id", "package_id", "created", "metadata_created", "metadata_modified"):
            one.pop(key, None)
    assert shown.pop("harvest_identifier") == number
    return shown, [event["event"] for event in events]


def test_a_dataset_is_the_one_that_package_create_makes(wanted):
    made = create(*wanted)
    assert [one["name"] for one in made] == ["d0", "d1", "d2", "d3"]
    kept = index()
    assert len(kept) == len(wanted)
    make_connection().delete(q="*:*")
    rebuild(quiet=True)
    assert index() == kept
    for number, fields in enumerate(wanted):
        alone = {**fields, "name": f"alone{number}"}
        if number == 1:
            alone["resources"] = [{**fields["resources"][0], "lake_table": "t2"}]
        act("package_create", HARVESTER, **alone)
        together, by_itself = told(f"d{number}", str(number)), told(f"alone{number}", str(number))
        if number == 1:
            of_table = {key: together[0]["resources"][0][key] for key in ("lake_table", "url")}
            by_itself[0]["resources"][0].update(of_table)
        assert together == by_itself
        assert offers.tier_of(made[number]["id"]) == together[0]["access_tier"]
    assert tables.holder("t1").dataset_id == made[1]["id"]
    assert model.Session.query(model.Tag).count() == 2


def index():
    """The index, without the order of extras: the database keeps another one than the request."""
    kept = []
    for entry, body, lexemes in rows():
        shown = json.loads(body.pop("data_dict"))
        shown["extras"].sort(key=lambda extra: extra["key"])
        kept.append((entry, body, shown, sorted(text.partition(",")[0] for text in lexemes)))
    return kept


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "d0"},
        {"name": "Có dấu"},
        {"owner_org": "no-such"},
        {"update_frequency": "sometimes"},
        {"resources": [{"url": "http://gateway.test/t.csv", "lake_table": "t1"}]},
    ],
)
def test_one_that_cannot_be_made_leaves_none(wanted, wrong):
    bad = {**wanted[0], "name": "bad", **wrong}
    with pytest.raises((tk.ValidationError, tk.NotAuthorized)):
        create(*wanted, bad)
    assert model.Session.query(model.Package).count() == 0
    assert rows() == []
    assert tables.holder("t1") is None
    assert len(create(*wanted)) == len(wanted)


def test_rights_are_asked_for_each(wanted):
    other = factories.Organization()
    with pytest.raises((tk.NotAuthorized, tk.ValidationError)):
        create(wanted[0], {**wanted[1], "owner_org": other["id"]})
    assert model.Session.query(model.Package).count() == 0
    for user in (factories.Sysadmin()["name"], factories.User()["name"], ""):
        with pytest.raises(tk.NotAuthorized):
            create(*wanted, user=user)


@pytest.mark.parametrize("datasets", [None, {}, ["d0"], [{}] * 51])
def test_what_is_no_list_of_datasets_is_refused(department, datasets):
    with pytest.raises(tk.ValidationError) as error:
        act("hanoiic_datasets_create", HARVESTER, datasets=datasets)
    assert list(error.value.error_dict) == ["datasets"]


def test_two_requests_make_a_tag_once(wanted):
    ready, made = threading.Barrier(2), []

    def make(*numbers):
        ready.wait(10)
        try:
            made.extend(create(*(wanted[n] for n in numbers)))
        finally:
            model.Session.remove()

    threads = [threading.Thread(target=make, args=numbers) for numbers in ((0, 1), (2, 3))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(made) == 4
    assert sorted(name for (name,) in model.Session.query(model.Tag.name)) == ["mới", "xe buýt"]


def test_an_answer_stands_until_the_session_changes_what_it_was_about(department):
    asked = []

    def note(_connection, _cursor, statement, *_more):
        asked.append(statement)

    def may():
        return authz.has_user_permission_for_group_or_org(
            department["id"], HARVESTER, "create_dataset"
        )

    sa.event.listen(model.meta.engine, "before_cursor_execute", note)
    try:
        with asked_once():
            assert may()
            asked.clear()
            assert may()
            assert asked == []
            right = model.Session.query(model.Member).filter_by(table_name="user").all()
            for member in right:
                member.state = "deleted"
            model.Session.flush()
            assert not may()
        asked.clear()
        may()
        assert asked
    finally:
        sa.event.remove(model.meta.engine, "before_cursor_execute", note)
        model.Session.rollback()
