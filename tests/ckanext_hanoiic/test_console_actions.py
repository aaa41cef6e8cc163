"""Sources and runs through CKAN's actions, on a real database."""

from __future__ import annotations

import pytest
from ckan.plugins import toolkit as tk
from ckan.tests import factories
from ckan.tests.helpers import call_action

HARVESTER = "hanoiic-harvester"


@pytest.fixture
def harvester(stage, clean_db):
    return factories.User(name=HARVESTER)


@pytest.fixture
def officer(stage, clean_db):
    return factories.User()


@pytest.fixture
def department(officer, harvester):
    return factories.Organization(
        name="so-giao-thong", users=[{"name": officer["name"], "capacity": "editor"}]
    )


def act(user, action, **data):
    """Call an action as a user, with its authorisation."""
    return call_action(action, {"user": user, "ignore_auth": False}, **data)


@pytest.fixture
def create(officer, department):
    def create(**changes):
        values = {
            "name": "bus-stops",
            "title": "Điểm dừng xe buýt",
            "owner_org": department["name"],
            "kind": "csv",
            "url": "https://sogtvt.example.vn/bus.csv",
        }
        return act(officer["name"], "hanoiic_source_create", **{**values, **changes})

    return create


def test_run_is_claimed_reported_and_finished(create, officer):
    source = create()
    assert source["dataset"] == {
        "access_tier": "request",
        "table": "so_giao_thong_bus_stops",
        "title": "Điểm dừng xe buýt",
    }
    run = act(officer["name"], "hanoiic_source_run", id=source["name"])
    assert (run["state"], run["created"]) == ("requested", True)
    again = act(officer["name"], "hanoiic_source_run", id=source["id"])
    assert (again["id"], again["created"]) == (run["id"], False)
    (claimed,) = act(HARVESTER, "hanoiic_run_claim", worker="w1", limit=5)
    assert claimed["id"] == run["id"]
    assert claimed["source"]["url"] == source["url"]
    assert act(HARVESTER, "hanoiic_run_claim", worker="w2") == []
    act(HARVESTER, "hanoiic_run_update", id=run["id"], state="running")
    stage = {"stage": "fetch", "state": "done", "duration_s": 0.2, "counts": {"bytes": 5}}
    act(HARVESTER, "hanoiic_run_update", id=run["id"], stages=[stage])
    table = {"table": "so_giao_thong_bus_stops", "version": 0, "row_count": 7, "rejected_count": 1}
    report = {"id": run["id"], "state": "published", "tables": [table]}
    done = act(HARVESTER, "hanoiic_run_update", **report)
    assert (done["state"], done["stages"], done["tables"]) == ("published", [stage], [table])
    assert act(HARVESTER, "hanoiic_run_update", **report) == done
    with pytest.raises(tk.ValidationError) as refused:
        act(HARVESTER, "hanoiic_run_update", id=run["id"], state="running")
    assert refused.value.error_dict["code"] == ["run_finished"]
    (listed,) = act(officer["name"], "hanoiic_source_list")
    assert (listed["health"], listed["last_run"]["row_count"]) == ("healthy", 7)
    assert act(officer["name"], "hanoiic_source_run", id=source["id"])["created"] is True


def test_harvester_becomes_editor_of_the_organisation(create, department):
    create()
    members = call_action("member_list", id=department["id"], object_type="user")
    assert [m[2] for m in members if m[0] == call_action("user_show", id=HARVESTER)["id"]] == [
        "Editor"
    ]


@pytest.mark.parametrize("name", ["\x00", "a\x00b", "\ud800", 7, ["a"], {"a": 1}])
@pytest.mark.parametrize(
    ("action", "key"),
    [
        ("hanoiic_source_show", "id"),
        ("hanoiic_source_delete", "id"),
        ("hanoiic_run_show", "id"),
        ("hanoiic_run_list", "source_id"),
        ("hanoiic_hold_decide", "id"),
        ("hanoiic_preview_show", "id"),
        ("hanoiic_upload_create", "source_id"),
    ],
)
def test_what_can_have_no_such_name_is_not_there(officer, department, action, key, name):
    with pytest.raises(tk.ObjectNotFound):
        act(officer["name"], action, **{key: name})


@pytest.mark.parametrize("said", ["\x00", "\ud800", 7, ["a"], {"a": 1}])
@pytest.mark.parametrize("key", ["owner_org", "kind", "state", "url", "schedule"])
def test_what_is_no_text_is_the_callers_mistake(create, key, said):
    with pytest.raises(tk.ValidationError) as refused:
        create(**{key: said})
    assert key in refused.value.error_dict


def test_no_title_and_no_column_has_halves_of_characters(create):
    for changes in ({"title": "\ud800"}, {"options": {"columns": {"a\x00": {"type": "string"}}}}):
        with pytest.raises(tk.ValidationError):
            create(**changes)
