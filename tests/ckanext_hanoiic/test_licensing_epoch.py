"""The epoch moves with every change a decision may depend on, and only then."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from ckan import model
from ckan.lib.redis import connect_to_redis
from ckan.tests.helpers import call_action
from ckanext.hanoiic.licensing import epoch
from ckanext.hanoiic.licensing.audit_model import INTAKE
from ckanext.hanoiic.licensing.model import Agreement
from licensing_scene import Scene, act, user_id
from redis.exceptions import ConnectionError as ValkeyDown

pytestmark = pytest.mark.usefixtures("empty")


def value() -> int:
    return int(connect_to_redis().get(epoch.KEY) or 0)


def member(scene: Scene, **more: str) -> dict[str, str]:
    return {"id": scene.startup["id"], "username": scene.loner, **more}


# What happens → how; each takes (scene, a click dataset, its agreement, a token's id).
CHANGES = {
    "agreement suspended": lambda s, d, a, t: act(
        "hanoiic_agreement_suspend", s.officer, id=a, reason="r"
    ),
    "agreement resumed": lambda s, d, a, t: act("hanoiic_agreement_resume", s.officer, id=a),
    "agreement revoked": lambda s, d, a, t: act(
        "hanoiic_agreement_revoke", s.officer, id=a, reason="r"
    ),
    "request submitted": lambda s, d, a, t: act(
        "hanoiic_request_create", s.founder, dataset=d, purpose="p"
    ),
    "offer superseded": lambda s, d, a, t: call_action(
        "package_patch", id=d, access_tier="request"
    ),
    "licence changed": lambda s, d, a, t: call_action("package_patch", id=d, license_id="ODbL-1.0"),
    "table claimed": lambda s, d, a, t: call_action(
        "resource_create", package_id=d, url="http://x.test/2", lake_table="t2"
    ),
    "token made": lambda s, d, a, t: s.token(s.founder),
    "token revoked": lambda s, d, a, t: act("hanoiic_token_revoke", s.founder, id=t),
    "member joined": lambda s, d, a, t: act(
        "organization_member_create", s.sysadmin, **member(s, role="member")
    ),
    "member's role changed": lambda s, d, a, t: act(
        "organization_member_create", s.sysadmin, **member(s, role="admin")
    ),
    "member left": lambda s, d, a, t: act("organization_member_delete", s.sysadmin, **member(s)),
    "organisation renamed": lambda s, d, a, t: call_action(
        "organization_patch", id=s.startup["id"], title="New name"
    ),
    "organisation deleted": lambda s, d, a, t: call_action(
        "organization_delete", id=s.startup["id"]
    ),
    "dataset private": lambda s, d, a, t: call_action("package_patch", id=d, private=True),
    "datasets public in bulk": lambda s, d, a, t: call_action(
        "bulk_update_public", datasets=[d], org_id=s.department["id"]
    ),
    "member row by a bulk update": lambda s, d, a, t: (
        model.Session.query(model.Member)
        .filter_by(table_id=user_id(s.clerk))
        .update({"state": "deleted"}),
        model.Session.commit(),
    ),
    "sysadmin made": lambda s, d, a, t: call_action("user_patch", id=s.loner, sysadmin=True),
    "agreements by a table's statement": lambda s, d, a, t: (
        model.Session.execute(sa.update(Agreement.__table__).values(reason="r")),
        model.Session.commit(),
    ),
    "a raw statement": lambda s, d, a, t: (
        model.Session.execute(sa.text("UPDATE member SET capacity = capacity")),
        model.Session.commit(),
    ),
    "user deleted": lambda s, d, a, t: call_action("user_delete", id=s.loner),
    "dataset deleted": lambda s, d, a, t: call_action("package_delete", id=d),
    "dataset purged": lambda s, d, a, t: call_action("dataset_purge", id=d),
}


def test_every_change_moves_the_epoch():
    scene = Scene()
    dataset = scene.dataset("click", "t")["id"]
    agreement = act("hanoiic_agreement_accept", scene.founder, dataset=dataset)["id"]
    token = act("hanoiic_token_create", scene.founder, name="n")["id"]
    moved = {}
    for name, change in CHANGES.items():
        before = value()
        change(scene, dataset, agreement, token)
        # Once before its commit and once after it at least.
        moved[name] = value() - before >= 2
    assert moved == dict.fromkeys(CHANGES, True)


def test_reading_using_a_token_and_signing_in_leave_the_epoch():
    scene = Scene()
    dataset = scene.dataset("click", "t")
    token = scene.token(scene.founder)
    before = value()
    scene.ask(token)
    act("hanoiic_access_show", scene.founder, id=dataset["id"])
    call_action("package_search", q="*:*")
    model.User.get(scene.founder).set_user_last_active()
    model.Session.commit()
    model.Session.execute(sa.insert(INTAKE).values(event="looked", facts={}))
    model.Session.commit()
    assert value() == before


def test_a_rolled_back_change_leaves_no_mark():
    scene = Scene()
    row = model.User.get(scene.founder)
    row.sysadmin = True
    model.Session.flush()
    model.Session.rollback()
    before = value()
    model.Session.commit()
    assert value() == before


def test_a_change_within_a_savepoint_moves_the_epoch_after_the_outer_commit():
    scene = Scene()
    before = value()
    savepoint = model.Session.begin_nested()
    model.User.get(scene.founder).sysadmin = True
    savepoint.commit()
    inside = value()
    assert inside > before
    model.Session.commit()
    assert value() > inside


def test_a_change_that_cannot_be_signalled_is_not_made(monkeypatch):
    scene = Scene()
    held = act("hanoiic_agreement_accept", scene.founder, dataset=scene.dataset("click", "t")["id"])

    def down():
        raise ValkeyDown("down")

    monkeypatch.setattr(epoch, "connect_to_redis", down)
    with pytest.raises(ValkeyDown):
        act("hanoiic_agreement_revoke", scene.officer, id=held["id"], reason="r")
    model.Session.rollback()
    assert model.Session.get(Agreement, held["id"], populate_existing=True).state == "active"


def test_a_lost_epoch_starts_above_every_number_given_before():
    scene = Scene()
    last = scene.ask(None)["epoch"]
    connect_to_redis().delete(epoch.KEY)
    assert scene.ask(None)["epoch"] > last
