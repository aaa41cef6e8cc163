"""Licences' lives: drafted, published, superseded and withdrawn, on the real database."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from ckan import model
from ckan.plugins import toolkit as tk
from ckan.tests.helpers import call_action
from ckanext.hanoiic.licensing import clock, licences
from ckanext.hanoiic.licensing.model import Agreement, Licence
from licensing_clock import Clock
from licensing_scene import Scene, act, refusal
from offers_scene import dataset, offer, text, told

pytestmark = pytest.mark.usefixtures("empty")


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_case_07_licence_v2_while_v1_is_held(scene):
    """Who holds v1 stays on v1 until the agreement's own date; everyone new takes v2."""
    of = dataset(scene, "click")
    offer(scene, of, "click", agreement_days=30)
    first = act("hanoiic_agreement_accept", scene.founder, dataset=of["id"])
    assert first["valid_until"]
    draft = act("hanoiic_licence_create", scene.sysadmin, **text(title_vi="Bản hai"))
    assert (draft["version"], draft["state"]) == (2, "draft")
    # A draft changes nothing for anybody.
    mine, other = scene.token(scene.founder), scene.token(scene.loner)
    assert told(scene, mine)["licence"]["version"] == 1
    act("hanoiic_licence_publish", scene.sysadmin, id="hanoi-open-data", version=2)
    held = told(scene, mine)
    assert (held["decision"], held["licence"]["version"]) == ("permit", 1)
    assert held["licence"]["hash"] == licences.shipped()["hanoi-open-data"].content_hash
    new = told(scene, other)
    assert (new["reason"], new["licence"]["version"]) == ("licence_not_accepted", 2)
    states = [row["state"] for row in act("hanoiic_licence_list", None) if row["id"] == draft["id"]]
    assert states == ["published", "superseded"]
    second = act("hanoiic_agreement_accept", scene.loner, dataset=of["id"])
    assert second["licence"] == {"id": "hanoi-open-data", "version": 2}
    # The terms were carried on to the new offer, and v1 ends by its date.
    assert second["valid_until"]
    row = model.Session.get(Agreement, first["id"])
    row.valid_until = clock.now() - timedelta(seconds=1)
    model.Session.commit()
    assert told(scene, mine)["reason"] == "agreement_expired"
    third = act("hanoiic_agreement_accept", scene.founder, dataset=of["id"])
    assert third["licence"]["version"] == 2


def test_case_08_editing_a_published_policy_is_refused_by_the_api(scene):
    licences.load()
    model.Session.commit()
    before = act("hanoiic_licence_show", None, id="hanoi-open-data")
    for version in (None, 1):
        given = text() | ({"version": version} if version else {})
        with pytest.raises(tk.ValidationError) as refused:
            act("hanoiic_licence_update", scene.sysadmin, **given)
        assert refused.value.error_dict.get("code", ["licence_published"]) == ["licence_published"]
    assert refusal("hanoiic_licence_discard", scene.sysadmin, id="hanoi-open-data", version=1) == (
        "licence_published"
    )
    assert refusal("hanoiic_licence_publish", scene.sysadmin, id="hanoi-open-data", version=1) == (
        "transition_not_allowed"
    )
    assert act("hanoiic_licence_show", None, id="hanoi-open-data") == before


EDITS = [
    "title_vi = 'x'",
    "policy = jsonb_set(policy, '{permission,0,action}', '[\"read\"]')",
    "plain = '{}'",
    "content_hash = 'x'",
    "version = 9",
    "draft = NOT draft",
    "published_at = now()",
    "state = 'draft'",
    "state = 'withdrawn', title_en = 'x'",
]


@pytest.mark.parametrize("edit", EDITS)
def test_case_08_editing_a_published_policy_is_refused_by_sql(scene, edit):
    licences.published("CC-BY-4.0")
    model.Session.commit()
    with pytest.raises(sa.exc.DBAPIError, match="never"):
        model.Session.execute(sa.text(f"UPDATE hanoiic_licence SET {edit}"))
    model.Session.rollback()


def test_case_08_an_edit_around_the_trigger_is_found_by_verify(scene):
    licences.load()
    model.Session.commit()
    assert act("hanoiic_licence_verify", scene.sysadmin)["changed"] == []
    row = model.Session.get(Licence, ("CC0-1.0", 1))
    edited = licences.content(row) | {"title_en": "Something else"}
    try:
        with model.meta.engine.begin() as superuser:
            superuser.execute(sa.text("ALTER TABLE hanoiic_licence DISABLE TRIGGER USER"))
            superuser.execute(
                sa.text(
                    "UPDATE hanoiic_licence SET title_en = 'Something else', content_hash = :hash "
                    "WHERE id = 'CC0-1.0'"
                ),
                {"hash": licences.content_hash(edited)},
            )
    finally:
        with model.meta.engine.begin() as superuser:
            superuser.execute(sa.text("ALTER TABLE hanoiic_licence ENABLE TRIGGER USER"))
    found = act("hanoiic_licence_verify", scene.sysadmin)
    assert found["ok"] is False
    assert found["changed"] == [{"id": "CC0-1.0", "version": 1}]


def test_case_08_a_published_licence_that_is_deleted_is_found_by_verify(scene):
    licences.load()
    model.Session.commit()
    gone = {"id": "ODC-BY-1.0", "version": 1}
    assert gone not in act("hanoiic_licence_verify", scene.sysadmin)["missing"]
    with model.meta.engine.begin() as somebody:
        somebody.execute(sa.text("DELETE FROM hanoiic_licence WHERE id = 'ODC-BY-1.0'"))
    found = act("hanoiic_licence_verify", scene.sysadmin)
    assert (found["ok"], found["changed"]) == (False, [])
    assert gone in found["missing"]


def test_a_licence_moves_on_only_and_a_withdrawn_one_gives_no_access(scene):
    of = dataset(scene, "click")
    act("hanoiic_agreement_accept", scene.founder, dataset=of["id"])
    act("hanoiic_licence_create", scene.sysadmin, **text())
    assert refusal("hanoiic_licence_create", scene.sysadmin, **text()) == "licence_invalid"
    act("hanoiic_licence_publish", scene.sysadmin, id="hanoi-open-data", version=2)
    token = scene.token(scene.founder)
    assert told(scene, token)["decision"] == "permit"
    step = {"id": "hanoi-open-data", "version": 1, "reason": "Sai căn cứ pháp lý"}
    act("hanoiic_licence_withdraw", scene.sysadmin, **step)
    # What is offered now, under version 2, may be accepted.
    assert told(scene, token)["reason"] == "licence_not_accepted"
    assert refusal("hanoiic_licence_withdraw", scene.sysadmin, **step) == "transition_not_allowed"
    act("hanoiic_agreement_accept", scene.founder, dataset=of["id"])
    assert told(scene, token)["decision"] == "permit"
    act("hanoiic_licence_withdraw", scene.sysadmin, **(step | {"version": 2}))
    assert told(scene, token)["reason"] == "licence_withdrawn"
    assert "hanoi-open-data" not in {one["id"] for one in call_action("license_list")}
    assert act("hanoiic_offer_show", None, id=of["id"])["closed"] == "licence_withdrawn"


def test_who_holds_a_version_that_has_ended_may_take_up_the_next(scene, monkeypatch):
    time = Clock(monkeypatch)
    end = {
        "leftOperand": "dateTime",
        "operator": "lt",
        "rightOperand": (time.time + timedelta(hours=1)).replace(microsecond=0).isoformat(),
    }
    ending = text(id="for-an-hour")
    for rule in ending["policy"]["permission"]:
        rule["constraint"] = [*rule.get("constraint", []), end]
    act("hanoiic_licence_create", scene.sysadmin, **ending)
    act("hanoiic_licence_publish", scene.sysadmin, id="for-an-hour", version=1)
    of = dataset(scene, "request", license_id="for-an-hour")
    scene.approved(scene.founder, of)
    token = scene.token(scene.founder)
    assert scene.reason(token, "t") == "permit: agreement"
    time.pass_(hours=2)
    assert scene.reason(token, "t") == "deny: policy_unmet"
    act("hanoiic_licence_create", scene.sysadmin, **text(id="for-an-hour"))
    act("hanoiic_licence_publish", scene.sysadmin, id="for-an-hour", version=2)
    assert scene.reason(token, "t") == "deny: request_needed"
    scene.approved(scene.founder, of)
    assert scene.reason(token, "t") == "permit: agreement"


WRONG = [
    {"url": "javascript:alert(1)"},
    {"plain": {"vi": {"summary": "x", "may": ["a"]}, "en": {"summary": "x", "may": []}}},
    {"plain": {"vi": {"summary": "x", "may": ["a"]}, "en": {"summary": "x", "may": ["a", "b"]}}},
    {"policy": {"permission": [{"action": ["use"]}]}},
    {"policy": {}},
    {"policy": text()["policy"] | {"obligation": []}},
    # An address that breaks linked data breaks that of the whole catalogue.
    {"url": 'https://x.vn/">'},
    {"url": "https://x.vn/a b"},
    {"url": "https://[x"},
    {"url": "https://"},
]


@pytest.mark.parametrize("wrong", WRONG)
def test_an_unknown_term_or_missing_word_keeps_a_draft_from_being_published(scene, wrong):
    act("hanoiic_licence_create", scene.sysadmin, **(text(id="test-licence") | wrong))
    code = refusal("hanoiic_licence_publish", scene.sysadmin, id="test-licence", version=1)
    assert code == "licence_invalid"
    assert licences.published("test-licence") is None


def test_an_unknown_term_denies_at_evaluation_too(scene):
    of = dataset(scene, "open", license_id="CC-BY-4.0")
    assert told(scene, None)["decision"] == "permit"
    bad = licences.shipped()["CC-BY-4.0"].policy | {"obligation": [{"action": "compensate"}]}
    row = model.Session.get(Licence, ("CC-BY-4.0", 1))
    try:
        with model.meta.engine.begin() as superuser:
            superuser.execute(sa.text("ALTER TABLE hanoiic_licence DISABLE TRIGGER USER"))
            superuser.execute(sa.update(Licence).values(policy=bad).where(Licence.id == row.id))
    finally:
        with model.meta.engine.begin() as superuser:
            superuser.execute(sa.text("ALTER TABLE hanoiic_licence ENABLE TRIGGER USER"))
    model.Session.expire_all()
    assert told(scene, None)["reason"] == "policy_unknown_term"
    token = scene.token(scene.officer)
    assert told(scene, token)["reason"] == "owner"
    assert of


@pytest.mark.parametrize("url", [["https://x.vn"], {"a": 1}, 5])
def test_an_address_that_is_no_text_is_refused(scene, url):
    with pytest.raises(tk.ValidationError) as refused:
        act("hanoiic_licence_create", scene.sysadmin, **text(url=url))
    assert "url" in refused.value.error_dict


def test_operators_alone_write_licences_and_drafts_are_theirs(scene):
    for user in (scene.officer, scene.founder):
        with pytest.raises(tk.NotAuthorized):
            act("hanoiic_licence_create", user, **text())
    act("hanoiic_licence_create", scene.sysadmin, **text())
    with pytest.raises(tk.ObjectNotFound):
        act("hanoiic_licence_show", scene.officer, id="hanoi-open-data", version=2)
    edited = act("hanoiic_licence_update", scene.sysadmin, **text(title_vi="Khác"), version=2)
    assert edited["title_vi"] == "Khác"
    act("hanoiic_licence_discard", scene.sysadmin, id="hanoi-open-data", version=2)
    own = act("hanoiic_licence_create", scene.sysadmin, **text(id="rieng-1", title_vi="Riêng"))
    act("hanoiic_licence_publish", scene.sysadmin, id="rieng-1", version=1)
    assert own["policy"]["uid"] == "urn:hanoiic:licence:rieng-1:1"
    listed = {one["id"]: one["title"] for one in call_action("license_list")}
    assert listed["rieng-1"] == "Riêng"
    assert dataset(scene, "open", "u", license_id="rieng-1")["license_title"] == "Riêng"


@pytest.mark.parametrize("tier", ["open", "registered", "click"])
def test_saving_a_dataset_never_opens_what_its_withdrawn_licence_closed(scene, tier):
    of = dataset(scene, tier)
    token = scene.token(scene.founder)
    step = {"id": "hanoi-open-data", "version": 1, "reason": "Sai căn cứ pháp lý"}
    act("hanoiic_licence_withdraw", scene.sysadmin, **step)
    for notes in ("một", "hai"):
        act("package_patch", scene.sysadmin, id=of["id"], notes=notes)
        assert told(scene, token)["reason"] == "licence_withdrawn"
    act("hanoiic_licence_create", scene.sysadmin, **text())
    act("hanoiic_licence_publish", scene.sysadmin, id="hanoi-open-data", version=2)
    assert told(scene, token)["reason"] != "licence_withdrawn"


def test_saving_a_dataset_never_offers_again_what_was_withdrawn(scene):
    of = dataset(scene, "open")
    act("hanoiic_offer_withdraw", scene.officer, dataset=of["id"], reason="Có dữ liệu cá nhân")
    act("hanoiic_licence_create", scene.sysadmin, **text())
    act("hanoiic_licence_publish", scene.sysadmin, id="hanoi-open-data", version=2)
    act("package_patch", scene.sysadmin, id=of["id"], notes="sửa")
    assert told(scene, None)["reason"] == "offer_withdrawn"
    offer(scene, of, "open")
    assert told(scene, None)["decision"] == "permit"
