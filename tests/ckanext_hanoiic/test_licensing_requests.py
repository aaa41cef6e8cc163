"""Requests: asked and answered, on the officer's clock, renewed without a gap."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from threading import Barrier

import pytest
from ckan import model
from ckan.plugins import toolkit as tk
from ckan.tests.helpers import call_action
from ckanext.hanoiic.licensing import agreements, requests, working_days
from ckanext.hanoiic.licensing.audit_model import Audit
from ckanext.hanoiic.licensing.model import AccessRequest, Agreement, Offer
from licensing_clock import Clock
from licensing_scene import Scene, act, refusal, user_id

portal = pytest.mark.usefixtures("empty")


def hanoi(*when: int) -> datetime:
    return datetime(*when, tzinfo=working_days.HANOI)


@pytest.mark.parametrize(
    ("sent", "days", "due"),
    [
        (hanoi(2026, 3, 2, 9), 1, hanoi(2026, 3, 3, 17)),
        (hanoi(2026, 3, 6, 23, 30), 1, hanoi(2026, 3, 9, 17)),
        # 20:00 in London is the next day in Hanoi.
        (datetime(2026, 3, 2, 20, tzinfo=UTC), 1, hanoi(2026, 3, 4, 17)),
        # Over Tết.
        (hanoi(2026, 2, 13, 9), 1, hanoi(2026, 2, 23, 17)),
        # A Saturday worked in exchange for a Monday.
        (hanoi(2026, 8, 21, 9), 1, hanoi(2026, 8, 22, 17)),
        (hanoi(2026, 8, 28, 9), 1, hanoi(2026, 9, 3, 17)),
        (hanoi(2026, 4, 24, 9), 3, hanoi(2026, 5, 4, 17)),
        (hanoi(2026, 3, 2, 9), 10, hanoi(2026, 3, 16, 17)),
    ],
)
def test_a_deadline_in_working_days(sent, days, due):
    assert working_days.after(sent, days) == due
    assert working_days.between(sent, due) == days
    assert working_days.between(due, sent) == -days


def test_holidays_are_no_weekend_days_and_every_year_has_them():
    holidays, worked = working_days._exceptions()
    assert {day.year for day in holidays} >= {2025, 2026, 2027}
    assert all(day.weekday() < working_days.SATURDAY for day in holidays)
    assert all(day.weekday() == working_days.SATURDAY for day in worked)
    assert not working_days.is_working(date(2026, 9, 2))


@portal
def test_asked_and_answered_is_a_thread_and_the_clock_stands_meanwhile(monkeypatch):
    scene, clock = Scene(), Clock(monkeypatch, hanoi(2026, 3, 2, 9))
    dataset = scene.dataset("request", "t")
    sent = act(
        "hanoiic_request_create",
        scene.founder,
        dataset=dataset["id"],
        purpose="Dự báo bụi mịn",
        purpose_code="research",
        answers={"readers": " Nhóm dữ liệu ", "publication": "  "},
    )
    assert [(one["id"], one["answer"]) for one in sent["answers"]] == [("readers", "Nhóm dữ liệu")]
    assert set(sent["answers"][0]["question"]) == {"vi", "en"}
    assert (sent["days_left"], sent["late"]) == (10, False)
    assert sent["due_at"] == hanoi(2026, 3, 16, 17).astimezone(UTC).isoformat(timespec="seconds")

    clock.pass_(days=2)
    with pytest.raises(tk.ValidationError):
        act("hanoiic_request_ask", scene.officer, id=sent["id"], reason=" ")
    with pytest.raises(tk.NotAuthorized):
        act("hanoiic_request_ask", scene.founder, id=sent["id"], reason="?")
    asked = act("hanoiic_request_ask", scene.officer, id=sent["id"], reason="Lưu ở đâu?")
    assert (asked["state"], asked["days_left"], asked["due_at"]) == ("info_needed", 8, None)
    assert scene.reason(scene.token(scene.founder), "t") == "deny: request_info_needed"
    assert refusal("hanoiic_request_approve", scene.officer, id=sent["id"]) == (
        "transition_not_allowed"
    )
    again = act(
        "hanoiic_request_create", scene.developer, dataset=dataset["id"], purpose="something else"
    )
    assert again["id"] == sent["id"]

    clock.pass_(days=14)
    with pytest.raises(tk.NotAuthorized):
        act("hanoiic_request_answer", scene.loner, id=sent["id"], text="x")
    back = act("hanoiic_request_answer", scene.developer, id=sent["id"], text="Ở Hà Nội")
    assert (back["state"], back["days_left"]) == ("submitted", 8)
    clock.pass_(days=20)
    late = act("hanoiic_request_show", scene.officer, id=sent["id"])
    assert (late["late"], late["days_left"] < 0) == (True, True)
    act("hanoiic_request_approve", scene.officer, id=sent["id"], reason="Đồng ý")
    shown = act("hanoiic_request_show", scene.founder, id=sent["id"])
    assert [(one["event"], one["user"], one["text"]) for one in shown["notes"]] == [
        ("submit", scene.founder, None),
        ("ask", scene.officer, "Lưu ở đâu?"),
        ("answer", scene.developer, "Ở Hà Nội"),
        ("approve", scene.officer, "Đồng ý"),
    ]
    assert shown["purpose"] == "Dự báo bụi mịn"


@portal
def test_what_nobody_answers_expires(monkeypatch):
    scene, clock = Scene(), Clock(monkeypatch)
    dataset = scene.dataset("request", "t")["id"]
    sent = act("hanoiic_request_create", scene.founder, dataset=dataset, purpose="p")
    clock.pass_(days=89)
    assert requests.expire_due(clock.time) == 0
    act("hanoiic_request_ask", scene.officer, id=sent["id"], reason="?")
    clock.pass_(days=29)
    assert requests.expire_due(clock.time) == 0
    clock.pass_(days=1, seconds=1)
    assert requests.expire_due(clock.time) == 1
    model.Session.commit()
    assert act("hanoiic_request_show", scene.founder, id=sent["id"])["state"] == "expired"
    code = refusal("hanoiic_request_answer", scene.founder, id=sent["id"], text="late")
    assert code == "transition_not_allowed"
    new = act("hanoiic_request_create", scene.founder, dataset=dataset, purpose="again")
    assert new["id"] != sent["id"]


@portal
def test_case_03_valid_to_is_obeyed_to_the_second(monkeypatch):
    scene, clock = Scene(), Clock(monkeypatch, hanoi(2027, 3, 1, 8))
    dataset = scene.dataset("request", "t")
    held = scene.approved(scene.founder, dataset, valid_until="2027-03-01T09:00:00+07:00")
    token = scene.token(scene.founder)
    told = scene.ask(token, ["t"])["tables"]["t"]
    assert told["valid_until"] == int(hanoi(2027, 3, 1, 9).timestamp())
    clock.time = hanoi(2027, 3, 1, 8, 59, 59)
    assert scene.reason(token, "t") == "permit: agreement"
    clock.time = hanoi(2027, 3, 1, 9)
    assert scene.reason(token, "t") == "deny: agreement_expired"
    row = model.Session.get(Agreement, held["id"])
    assert row.state == "active"
    assert agreements.expire_due(clock.time) == 1
    model.Session.commit()
    assert (row.state, scene.reason(token, "t")) == ("expired", "deny: agreement_expired")


@portal
def test_a_renewal_before_the_end_leaves_no_gap(monkeypatch):
    scene, clock = Scene(), Clock(monkeypatch)
    dataset = scene.dataset("request", "t")
    forever = scene.approved(scene.developer, dataset)
    code = refusal(
        "hanoiic_request_create", scene.founder, dataset=dataset["id"], purpose="p", renew=True
    )
    assert code == "agreement_stands"
    model.Session.get(Agreement, forever["id"]).valid_until = clock.time + timedelta(days=10)
    model.Session.query(Offer).update({"agreement_days": 90})
    model.Session.commit()
    token = scene.token(scene.founder)
    ask = {"dataset": dataset["id"], "purpose": "Another season"}
    assert refusal("hanoiic_request_create", scene.founder, **ask) == "agreement_stands"
    sent = act("hanoiic_request_create", scene.founder, renew=True, **ask)
    assert sent["renews"] == forever["id"]
    assert scene.reason(token, "t") == "permit: agreement"
    # Clocks are set back now and then.
    clock.pass_(seconds=-5)
    new = act("hanoiic_request_approve", scene.officer, id=sent["id"])
    assert new["renews"] == forever["id"]
    assert datetime.fromisoformat(new["valid_until"]) == (
        clock.time.replace(microsecond=0) + timedelta(days=90)
    )
    assert scene.ask(token, ["t"])["tables"]["t"]["agreement"] == new["id"]
    assert act("hanoiic_agreement_show", scene.founder, id=forever["id"])["state"] == "superseded"


@portal
@pytest.mark.parametrize("tier", ["request", "click"])
def test_access_that_an_officer_gives_counts_whatever_the_clock_said(monkeypatch, tier):
    scene, clock = Scene(), Clock(monkeypatch)
    dataset = scene.dataset(tier, "t")
    if tier == "click":
        held = act("hanoiic_agreement_accept", scene.founder, dataset=dataset["id"])
    else:
        held = scene.approved(scene.founder, dataset)
    act("hanoiic_agreement_revoke", scene.officer, id=held["id"], reason="r")
    clock.pass_(minutes=-10)
    new = scene.approved(scene.founder, dataset)
    assert scene.ask(scene.token(scene.founder), ["t"])["tables"]["t"]["agreement"] == new["id"]
    asked = {"dataset": dataset["id"], "purpose": "p"}
    code = "wrong_tier" if tier == "click" else "agreement_stands"
    assert refusal("hanoiic_request_create", scene.founder, **asked) == code


@portal
@pytest.mark.parametrize(
    ("tier", "reason", "step"),
    [
        ("registered", "permit: registered", None),
        ("click", "deny: licence_not_accepted", "accept"),
        ("request", "deny: request_needed", "request"),
    ],
)
def test_who_held_a_withdrawn_offer_may_take_up_the_next_as_anyone(tier, reason, step):
    scene = Scene()
    dataset = scene.dataset("request", "t")
    held = scene.approved(scene.founder, dataset)
    token = scene.token(scene.founder, organization=scene.startup["name"])
    act("hanoiic_offer_withdraw", scene.officer, dataset=dataset["id"], reason="Wrong data")
    assert scene.reason(token, "t") == "deny: offer_withdrawn"

    act(
        "hanoiic_offer_update", scene.officer, dataset=dataset["id"], tier=tier,
        licence="CC-BY-4.0",
    )  # fmt: skip
    assert scene.reason(token, "t") == reason
    assert act("hanoiic_access_show", scene.founder, id=dataset["id"])["next_step"] == step
    if tier == "click":
        act("hanoiic_agreement_accept", scene.founder, dataset=dataset["id"])
    if tier == "request":
        scene.approved(scene.founder, dataset)
    if tier != "registered":
        assert scene.reason(token, "t") == "permit: agreement"
        before = act("hanoiic_agreement_show", scene.founder, id=held["id"])
        assert before["state"] == "superseded"


@portal
def test_the_offers_rule_approves_at_once_and_says_so():
    scene = Scene()
    dataset = scene.dataset("request", "t")
    model.Session.query(Offer).update({"auto_approve": {"purposes": []}})
    model.Session.commit()
    alone = act("hanoiic_request_create", scene.loner, dataset=dataset["id"], purpose="p")
    assert alone["state"] == "submitted"
    sent = act("hanoiic_request_create", scene.founder, dataset=dataset["id"], purpose="p")
    assert (sent["state"], sent["decided_by"]) == ("approved", None)
    assert scene.reason(scene.token(scene.founder), "t") == "permit: agreement"
    row = model.Session.query(Audit).filter_by(subject_id=sent["id"], event="request_approved")
    assert row.one().facts["automatic"] is True
    held = act("hanoiic_agreement_list", scene.founder)[0]
    act("hanoiic_agreement_revoke", scene.officer, id=held["id"], reason="Misuse")
    after = act("hanoiic_request_create", scene.founder, dataset=dataset["id"], purpose="p")
    assert after["state"] == "submitted"


@portal
def test_case_24_nobody_approves_for_an_organisation_of_their_own():
    scene = Scene()
    dataset = scene.dataset("request")
    both = scene.organization(officer="member", loner="admin")
    sent = act("hanoiic_request_create", scene.loner, dataset=dataset["id"], purpose="p")
    assert sent["party"]["id"] == both["id"]
    for event, more in (("approve", {}), ("reject", {"reason": "r"}), ("ask", {"reason": "?"})):
        assert refusal(f"hanoiic_request_{event}", scene.officer, id=sent["id"], **more) == (
            "own_request"
        )
    own = act("hanoiic_request_create", scene.sysadmin, dataset=dataset["id"], purpose="p")
    assert refusal("hanoiic_request_approve", scene.sysadmin, id=own["id"]) == "own_request"
    assert act("hanoiic_request_approve", scene.sysadmin, id=sent["id"])["state"] == "active"


def test_case_24_simultaneous_approvals_make_one_agreement(bare):
    """Over real parallel connections: each approval is a request and a session of its own."""
    scene = Scene()
    dataset = scene.dataset("request", "t")
    with bare.flask_app.test_request_context():
        sent = act("hanoiic_request_create", scene.founder, dataset=dataset["id"], purpose="p")
    officers = [scene.officer, scene.sysadmin] * 4
    start, outcomes = Barrier(len(officers)), []

    def approve(officer: str) -> None:
        with bare.flask_app.test_request_context():
            start.wait(30)
            try:
                outcomes.append(act("hanoiic_request_approve", officer, id=sent["id"])["state"])
            except tk.ValidationError as error:
                outcomes.append(error.error_dict["code"][0])
            finally:
                model.Session.remove()

    threads = [threading.Thread(target=approve, args=[officer]) for officer in officers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes) == ["active", *["transition_not_allowed"] * 7]
    live = model.Session.query(Agreement).filter_by(dataset_id=dataset["id"], state="active")
    assert live.count() == 1


@portal
def test_nothing_is_approved_for_an_organisation_that_is_gone():
    scene = Scene()
    dataset = scene.dataset("request", "t")
    sent = act("hanoiic_request_create", scene.founder, dataset=dataset["id"], purpose="p")
    call_action("organization_delete", id=scene.startup["id"])
    assert refusal("hanoiic_request_approve", scene.officer, id=sent["id"]) == "party_gone"
    assert act("hanoiic_request_show", scene.officer, id=sent["id"])["state"] == "submitted"
    act("hanoiic_request_reject", scene.officer, id=sent["id"], reason="Gone")


@portal
def test_case_10_who_leaves_the_organisation_has_its_access_no_more():
    scene = Scene()
    dataset = scene.dataset("click", "t")
    act("hanoiic_agreement_accept", scene.founder, dataset=dataset["id"])
    tokens = {
        "its application": scene.token(scene.developer, organization=scene.startup["name"]),
        "own": scene.token(scene.developer),
    }
    assert {scene.reason(token, "t") for token in tokens.values()} == {"permit: agreement"}
    act(
        "organization_member_delete",
        scene.sysadmin,
        id=scene.startup["id"],
        username=scene.developer,
    )
    assert {scene.reason(token, "t") for token in tokens.values()} == {"deny: licence_not_accepted"}
    assert scene.reason(scene.token(scene.founder), "t") == "permit: agreement"
    assert act("hanoiic_agreement_list", scene.developer) == []


@portal
def test_case_11_what_is_deleted_is_denied_and_its_history_stays():
    scene = Scene()
    dataset = scene.dataset("request", "t")
    held = scene.approved(scene.founder, dataset)
    token = scene.token(scene.founder, organization=scene.startup["name"])
    act("package_delete", scene.sysadmin, id=dataset["id"])
    assert scene.reason(token, "t") == "unknown"
    other = scene.dataset("click", "t2")
    act("hanoiic_agreement_accept", scene.founder, dataset=other["id"])
    assert scene.reason(token, "t2") == "permit: agreement"
    act("organization_delete", scene.sysadmin, id=scene.startup["id"])
    assert scene.reason(token, "t2").startswith("deny")
    act("dataset_purge", scene.sysadmin, id=dataset["id"])
    act("organization_purge", scene.sysadmin, id=scene.startup["id"])
    assert model.Session.get(Agreement, held["id"]).party_id == scene.startup["id"]
    events = [
        row.event
        for row in model.Session.query(Audit).filter_by(dataset_id=dataset["id"]).order_by(Audit.id)
    ]
    assert {"request_submitted", "request_approved", "agreement_began"} <= set(events)
    assert model.Session.query(AccessRequest).filter_by(dataset_id=dataset["id"]).count() == 1
    listed = act("hanoiic_audit_list", scene.sysadmin, dataset=dataset["id"])
    assert user_id(scene.founder) in {one["actor_id"] for one in listed}
