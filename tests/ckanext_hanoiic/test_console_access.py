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
    "hanoiic_datasets_create": {"harvester"},
    "hanoiic_rejected_put": {"harvester"},
    "hanoiic_hold_list": OFFICERS | {"harvester"},
    "hanoiic_hold_show": OFFICERS | {"harvester"},
    "hanoiic_hold_decide": OFFICERS,
    "hanoiic_preview_create": OFFICERS,
    "hanoiic_preview_show": OFFICERS | {"harvester"},
    "hanoiic_preview_claim": {"harvester"},
    "hanoiic_preview_update": {"harvester"},
    "hanoiic_upload_create": OFFICERS,
    "hanoiic_upload_read": {"harvester"},
    "hanoiic_secret_create": OFFICERS,
    "hanoiic_secret_list": OFFICERS,
    "hanoiic_secret_delete": OFFICERS,
    "hanoiic_secret_read": {"harvester"},
}


@pytest.fixture
def world(stage, clean_db):
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
    finding = {"kind": "deletes", "fingerprint": "a" * 64, "facts": {}}
    call_action("hanoiic_run_update", id=run["id"], state="held", holds=[finding])
    hold = call_action("hanoiic_hold_list")[0]
    address = "https://example.vn/wards.csv"
    preview = call_action("hanoiic_preview_create", owner_org=department["id"], url=address)
    of_department = {"owner_org": department["id"]}
    data = {
        **{key: {"id": hold["id"]} for key in ("hanoiic_hold_show", "hanoiic_hold_decide")},
        "hanoiic_hold_list": {"source_id": source["id"]},
        "hanoiic_preview_create": of_department,
        "hanoiic_preview_show": {"id": preview["id"]},
        "hanoiic_preview_update": {"id": preview["id"]},
        "hanoiic_upload_create": of_department,
        "hanoiic_secret_create": of_department,
        "hanoiic_secret_list": of_department,
        "hanoiic_secret_delete": of_department,
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


def test_every_action_of_the_plugin_is_in_the_table():
    from ckanext.hanoiic.console.plugin import ACTIONS

    assert set(ACTIONS) == set(ALLOWED) - {"hanoiic_upload_read"}


def test_nobody_without_an_organisation_reaches_secrets_or_files(world):
    users, _data = world
    for action in ("hanoiic_secret_create", "hanoiic_secret_list", "hanoiic_secret_delete"):
        assert not may(users["editor"], action, {}), action
        assert not may(users["editor"], action, {"owner_org": "no-such"}), action


def test_a_file_may_not_be_put_to_a_source_of_others(world):
    users, data = world
    other = {"source_id": data("hanoiic_source_show")["id"]}
    assert not may(users["other_editor"], "hanoiic_upload_create", other)
    assert may(users["editor"], "hanoiic_upload_create", other)


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
