"""Who may call what: every action tried by every kind of caller."""

from __future__ import annotations

import pytest
from ckan import model
from ckan.plugins import toolkit as tk
from ckan.tests import factories
from ckan.tests.helpers import call_action

HARVESTER = "hanoiic-harvester"

CALLERS = (
    "anonymous",
    "startup",
    "other_editor",
    "member",
    "editor",
    "admin",
    "sysadmin",
    "harvester",
)
OFFICERS = {"editor", "admin", "sysadmin"}
# action → who may; `other_editor` is an officer of another department.
ALLOWED = {
    "hanoiic_source_create": OFFICERS,
    "hanoiic_source_update": OFFICERS,
    "hanoiic_source_delete": OFFICERS,
    "hanoiic_source_run": OFFICERS,
    "hanoiic_source_show": OFFICERS | {"harvester"},
    "hanoiic_run_show": OFFICERS | {"harvester"},
    "hanoiic_run_list": OFFICERS | {"harvester"},
    # The list of an officer of another department holds nothing of this one.
    "hanoiic_source_list": OFFICERS | {"harvester", "other_editor"},
    "hanoiic_run_create": {"harvester"},
    "hanoiic_run_update": {"harvester"},
    "hanoiic_run_claim": {"harvester"},
    "hanoiic_tables_reserve": {"harvester"},
}


@pytest.fixture
def world(with_plugins, clean_db):
    """Every caller's user name, and what each action is called with."""
    users = {caller: factories.User()["name"] for caller in CALLERS[1:-2]}
    users["sysadmin"] = factories.Sysadmin()["name"]
    users["harvester"] = factories.User(name=HARVESTER)["name"]
    users["anonymous"] = ""
    roles = [{"name": users[role], "capacity": role} for role in ("member", "editor", "admin")]
    department = factories.Organization(users=roles)
    factories.Organization(users=[{"name": users["other_editor"], "capacity": "editor"}])
    source = call_action(
        "hanoiic_source_create",
        name="wards",
        title="Phường, xã",
        owner_org=department["id"],
        kind="csv",
        url="https://example.vn/wards.csv",
    )
    run = call_action("hanoiic_source_run", id=source["id"])
    data = {
        "hanoiic_source_create": {"owner_org": department["id"]},
        "hanoiic_source_list": {},
        "hanoiic_run_claim": {},
        "hanoiic_run_list": {"source_id": source["id"]},
        "hanoiic_run_create": {"source_id": source["id"]},
        "hanoiic_run_show": {"id": run["id"]},
        "hanoiic_run_update": {"id": run["id"]},
    }
    return users, lambda action: dict(data.get(action, {"id": source["id"]}))


def may(user, action, data):
    context = {"user": user, "auth_user_obj": model.User.get(user) if user else None}
    try:
        return tk.check_access(action, context, data)
    except tk.NotAuthorized:
        return False


def test_table_of_access(world):
    users, data = world
    got = {
        action: {caller for caller in CALLERS if may(users[caller], action, data(action))}
        for action in ALLOWED
    }
    assert got == ALLOWED


def test_lists_hold_only_what_the_caller_manages(world):
    users, _data = world

    def names(caller):
        context = {"user": users[caller], "ignore_auth": False}
        sources = call_action("hanoiic_source_list", dict(context))
        runs = call_action("hanoiic_run_list", dict(context))
        return [source["name"] for source in sources], len(runs)

    assert names("other_editor") == ([], 0)
    for caller in ("editor", "admin", "sysadmin", "harvester"):
        assert names(caller) == (["wards"], 1), caller


def test_source_cannot_be_moved_into_a_department_of_others(world):
    users, data = world
    other = factories.Organization()
    move = {**data("hanoiic_source_update"), "owner_org": other["id"]}
    assert not may(users["editor"], "hanoiic_source_update", move)
    assert may(users["sysadmin"], "hanoiic_source_update", move)


def test_harvester_is_an_editor_and_still_manages_no_source(world):
    """Registering made it an editor of the department; that is for datasets only."""
    users, data = world
    source = call_action("hanoiic_source_show", **data("hanoiic_source_show"))
    dataset = {"owner_org": source["owner_org"]}
    assert may(users["harvester"], "package_create", dataset)
    assert not may(users["harvester"], "hanoiic_source_update", data("hanoiic_source_update"))


def test_harvester_may_register_in_the_topics_of_a_source(world):
    users, data = world
    topic = factories.Group()
    source = call_action("hanoiic_source_show", **data("hanoiic_source_show"))
    dataset = {"owner_org": source["owner_org"], "groups": [{"name": topic["name"]}]}
    assert not may(users["harvester"], "package_create", dataset)
    said = {**source["dataset"], "groups": dataset["groups"]}
    call_action("hanoiic_source_update", id=source["id"], dataset=said)
    assert may(users["harvester"], "package_create", dataset)
