"""Requests and agreements from beginning to end: who may, what follows, and all at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from ckan import model
from ckan.plugins import toolkit as tk
from ckan.tests.helpers import call_action
from ckanext.hanoiic.licensing import states
from ckanext.hanoiic.licensing.audit_model import Audit
from ckanext.hanoiic.licensing.model import AccessRequest, Agreement
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from licensing_scene import Scene, act, refusal, user_id

pytestmark = pytest.mark.usefixtures("empty")


def test_one_acceptance_is_the_organisations():
    scene = Scene()
    dataset = scene.dataset("click", "t")
    first = act("hanoiic_agreement_accept", scene.founder, dataset=dataset["id"])
    again = act("hanoiic_agreement_accept", scene.developer, dataset=dataset["id"])
    assert again["id"] == first["id"]
    assert first["party"]["id"] == scene.startup["id"]
    alone = act("hanoiic_agreement_accept", scene.loner, dataset=dataset["id"])
    assert (alone["party"]["kind"], alone["party"]["name"]) == ("user", scene.loner)


def test_who_belongs_to_several_organisations_says_for_which():
    scene = Scene()
    other = scene.organization(founder="member")
    dataset = scene.dataset("click")["id"]
    accept = ("hanoiic_agreement_accept", scene.founder)
    assert refusal(*accept, dataset=dataset) == "choose_organization"
    foreign = scene.department["id"]
    assert refusal(*accept, dataset=dataset, organization=foreign) == "choose_organization"
    held = act(*accept, dataset=dataset, organization=other["name"])
    assert held["party"]["id"] == other["id"]


def test_each_tier_gives_access_in_its_own_way():
    scene = Scene()
    sets = {tier: scene.dataset(tier)["id"] for tier in ("open", "click", "request")}
    for tier in ("open", "request"):
        code = refusal("hanoiic_agreement_accept", scene.founder, dataset=sets[tier])
        assert code == "wrong_tier"
    for tier in ("open", "click"):
        code = refusal("hanoiic_request_create", scene.founder, dataset=sets[tier], purpose="p")
        assert code == "wrong_tier"
    for action, more in (("agreement_accept", {}), ("request_create", {"purpose": "p"})):
        with pytest.raises(tk.NotAuthorized):
            act(f"hanoiic_{action}", None, dataset=sets["click"], **more)
        with pytest.raises(tk.ObjectNotFound):
            act(f"hanoiic_{action}", scene.founder, dataset="nowhere", **more)


def test_after_a_revocation_only_an_officer_gives_access_again():
    scene = Scene()
    dataset = scene.dataset("click", "t")["id"]
    accept = ("hanoiic_agreement_accept", scene.founder)
    held = act(*accept, dataset=dataset)
    act("hanoiic_agreement_revoke", scene.officer, id=held["id"], reason="Misuse")
    assert refusal(*accept, dataset=dataset) == "officer_needed"
    for event, more in (("resume", {}), ("suspend", {"reason": "r"}), ("revoke", {"reason": "r"})):
        code = refusal(f"hanoiic_agreement_{event}", scene.officer, id=held["id"], **more)
        assert code == "transition_not_allowed"
    request = act("hanoiic_request_create", scene.developer, dataset=dataset, purpose="Sorry")
    new = act("hanoiic_request_approve", scene.officer, id=request["id"])
    assert new["id"] != held["id"]
    assert scene.reason(scene.token(scene.founder), "t") == "permit: agreement"


def test_a_suspension_cannot_be_walked_around():
    scene = Scene()
    dataset = scene.dataset("click")["id"]
    held = act("hanoiic_agreement_accept", scene.founder, dataset=dataset)
    act("hanoiic_agreement_suspend", scene.officer, id=held["id"], reason="Audit")
    code = refusal("hanoiic_agreement_accept", scene.founder, dataset=dataset)
    assert code == "agreement_stands"
    call_action("package_patch", id=dataset, access_tier="request")
    code = refusal("hanoiic_request_create", scene.founder, dataset=dataset, purpose="p")
    assert code == "agreement_stands"


def test_nobody_decides_a_request_of_their_own():
    scene = Scene()
    dataset = scene.dataset("request")
    for who in (scene.sysadmin, scene.officer):
        own = act("hanoiic_request_create", who, dataset=dataset["id"], purpose="p")
        assert refusal("hanoiic_request_approve", who, id=own["id"]) == "own_request"
        assert refusal("hanoiic_request_reject", who, id=own["id"], reason="r") == "own_request"
    assert act("hanoiic_request_approve", scene.sysadmin, id=own["id"])["state"] == "active"


def test_who_may_see_and_decide():
    scene = Scene()
    dataset = scene.dataset("request")
    request = act("hanoiic_request_create", scene.founder, dataset=dataset["id"], purpose="p")
    for stranger in (scene.loner, scene.clerk, scene.founder, scene.developer, None):
        for event, more in (("approve", {}), ("reject", {"reason": "r"})):
            with pytest.raises(tk.NotAuthorized):
                act(f"hanoiic_request_{event}", stranger, id=request["id"], **more)
    for seer in (scene.founder, scene.developer, scene.officer, scene.sysadmin):
        assert act("hanoiic_request_show", seer, id=request["id"])["purpose"] == "p"
    for stranger in (scene.loner, scene.clerk, None):
        with pytest.raises(tk.NotAuthorized):
            act("hanoiic_request_show", stranger, id=request["id"])
        with pytest.raises(tk.NotAuthorized):
            act("hanoiic_request_withdraw", stranger, id=request["id"])
    held = act("hanoiic_request_approve", scene.officer, id=request["id"])
    for stranger in (scene.loner, scene.clerk, scene.founder, None):
        for event, more in (
            ("revoke", {"reason": "r"}),
            ("suspend", {"reason": "r"}),
            ("resume", {}),
        ):
            with pytest.raises(tk.NotAuthorized):
                act(f"hanoiic_agreement_{event}", stranger, id=held["id"], **more)


def test_who_left_the_organisation_has_no_part_in_its_requests():
    scene = Scene()
    dataset = scene.dataset("request")
    request = act("hanoiic_request_create", scene.developer, dataset=dataset["id"], purpose="p")
    application = act(
        "hanoiic_application_create", scene.developer, name="a", organization=scene.startup["id"]
    )
    left = {"id": scene.startup["id"], "username": scene.developer}
    act("organization_member_delete", scene.sysadmin, **left)
    act("hanoiic_request_ask", scene.officer, id=request["id"], reason="Lưu ở đâu?")
    for event, more in (("show", {}), ("answer", {"text": "x"}), ("withdraw", {})):
        with pytest.raises(tk.NotAuthorized):
            act(f"hanoiic_request_{event}", scene.developer, id=request["id"], **more)
    with pytest.raises(tk.NotAuthorized):
        act("hanoiic_application_retire", scene.developer, id=application["id"])
    answered = act("hanoiic_request_answer", scene.founder, id=request["id"], text="Ở đây")
    assert answered["state"] == "submitted"


def test_nobody_gives_back_access_of_their_own():
    scene = Scene()
    dataset = scene.dataset("request")
    held = scene.approved(scene.founder, dataset)
    joined = {"id": scene.startup["id"], "username": scene.officer, "role": "member"}
    act("organization_member_create", scene.sysadmin, **joined)
    act("hanoiic_agreement_suspend", scene.officer, id=held["id"], reason="Audit")
    assert refusal("hanoiic_agreement_resume", scene.officer, id=held["id"]) == "own_request"
    assert act("hanoiic_agreement_resume", scene.sysadmin, id=held["id"])["state"] == "active"


def test_a_request_outlives_its_dataset_and_leads_to_nothing():
    scene = Scene()
    requests = {}
    for fate in ("package_delete", "dataset_purge"):
        dataset = scene.dataset("request")
        made = act("hanoiic_request_create", scene.founder, dataset=dataset["id"], purpose="p")
        requests[fate] = made["id"]
        act(fate, scene.sysadmin, id=dataset["id"])
        assert refusal("hanoiic_request_approve", scene.sysadmin, id=made["id"]) == "offer_closed"
        assert act("hanoiic_request_show", scene.founder, id=made["id"])["state"] == "submitted"
    for id_ in requests.values():
        ended = act("hanoiic_request_withdraw", scene.founder, id=id_)
        assert ended["state"] == "withdrawn"


def test_boxes_hold_what_concerns_their_owner():
    scene = Scene()
    dataset = scene.dataset("request")
    request = act("hanoiic_request_create", scene.founder, dataset=dataset["id"], purpose="p")

    def ids(kind: str, user: str, **more: str) -> list[str]:
        return [row["id"] for row in act(f"hanoiic_{kind}_list", user, **more)]

    for user, mine, inbox in (
        (scene.founder, [request["id"]], []),
        (scene.developer, [request["id"]], []),
        (scene.officer, [], [request["id"]]),
        (scene.sysadmin, [], [request["id"]]),
        (scene.clerk, [], []),
        (scene.loner, [], []),
    ):
        assert ids("request", user) == mine
        assert ids("request", user, box="inbox", state="submitted") == inbox
    held = act("hanoiic_request_approve", scene.officer, id=request["id"])
    assert ids("request", scene.officer, box="inbox", state="submitted") == []
    assert ids("agreement", scene.developer) == [held["id"]]
    assert ids("agreement", scene.officer, box="inbox") == [held["id"]]
    assert ids("agreement", scene.clerk, box="inbox") == []


def test_reasons_are_needed_and_kept():
    scene = Scene()
    dataset = scene.dataset("request")["id"]
    request = act("hanoiic_request_create", scene.founder, dataset=dataset, purpose="p")
    with pytest.raises(tk.ValidationError):
        act("hanoiic_request_create", scene.loner, dataset=dataset, purpose="  ")
    for reason in ({}, {"reason": " "}, {"reason": "r" * 2001}):
        with pytest.raises(tk.ValidationError):
            act("hanoiic_request_reject", scene.officer, id=request["id"], **reason)
    refused = act(
        "hanoiic_request_reject", scene.officer, id=request["id"], reason="Quá chung chung"
    )
    assert (refused["state"], refused["reason"]) == ("rejected", "Quá chung chung")
    assert refused["decided_by"] == scene.officer


def test_every_transition_is_in_the_audit_with_who_and_why():
    scene = Scene()
    dataset = scene.dataset("request")
    held = scene.approved(scene.founder, dataset, reason="Fine")
    act("hanoiic_agreement_suspend", scene.officer, id=held["id"], reason="Audit")
    act("hanoiic_agreement_resume", scene.officer, id=held["id"])
    act("hanoiic_agreement_revoke", scene.sysadmin, id=held["id"], reason="Misuse")
    rows = model.Session.query(Audit).filter_by(dataset_id=dataset["id"]).order_by(Audit.id)
    who = {user_id(name): name for name in (scene.founder, scene.officer, scene.sysadmin)}
    assert [(r.event, who.get(r.actor_id), r.facts.get("reason")) for r in rows][1:] == [
        ("request_submitted", scene.founder, None),
        ("request_approved", scene.officer, "Fine"),
        ("agreement_began", scene.officer, None),
        ("agreement_suspended", scene.officer, "Audit"),
        ("agreement_active", scene.officer, None),
        ("agreement_revoked", scene.sysadmin, "Misuse"),
    ]


EVENTS = {
    "accept": lambda s, d, r, a: ("agreement_accept", s.founder, {"dataset": d}),
    "request": lambda s, d, r, a: ("request_create", s.founder, {"dataset": d, "purpose": "p"}),
    "renew": lambda s, d, r, a: (
        "request_create",
        s.developer,
        {"dataset": d, "purpose": "p", "renew": True},
    ),
    "ask": lambda s, d, r, a: ("request_ask", s.officer, {"id": r, "reason": "?"}),
    "answer": lambda s, d, r, a: ("request_answer", s.developer, {"id": r, "text": "a"}),
    "approve": lambda s, d, r, a: ("request_approve", s.officer, {"id": r}),
    "reject": lambda s, d, r, a: ("request_reject", s.officer, {"id": r, "reason": "r"}),
    "withdraw": lambda s, d, r, a: ("request_withdraw", s.developer, {"id": r}),
    "suspend": lambda s, d, r, a: ("agreement_suspend", s.officer, {"id": a, "reason": "r"}),
    "resume": lambda s, d, r, a: ("agreement_resume", s.officer, {"id": a}),
    "revoke": lambda s, d, r, a: ("agreement_revoke", s.officer, {"id": a, "reason": "r"}),
    "to click": lambda s, d, r, a: ("click", None, {}),
    "to request": lambda s, d, r, a: ("request", None, {}),
}


def test_random_events_keep_one_live_agreement_and_terminal_states_terminal():
    scene = Scene()
    token = scene.token(scene.founder)
    number = iter(range(1000))

    @settings(
        max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(st.lists(st.sampled_from(list(EVENTS)), min_size=4, max_size=14))
    def walk(events):
        table = f"t{next(number)}"
        dataset = scene.dataset("click", table)["id"]
        ended: dict[str, str] = {}
        for event in events:
            newest = {
                cls: model.Session.query(cls)
                .filter_by(dataset_id=dataset)
                .order_by(cls.created_at.desc())
                .first()
                for cls in (AccessRequest, Agreement)
            }
            ids = [row.id if row else "none" for row in newest.values()]
            action, user, data = EVENTS[event](scene, dataset, *ids)
            if user is None:
                call_action("package_patch", id=dataset, access_tier=action)
            else:
                try:
                    act(f"hanoiic_{action}", user, **data)
                except (tk.ValidationError, tk.ObjectNotFound):
                    model.Session.rollback()
            rows = [
                (row.id, row.state, machine)
                for cls, machine in ((AccessRequest, states.REQUEST), (Agreement, states.AGREEMENT))
                for row in model.Session.query(cls).filter_by(dataset_id=dataset)
            ]
            for id_, state, machine in rows:
                assert ended.get(id_, state) == state
                if state not in machine:
                    ended[id_] = state
            live = [state for _, state, machine in rows if state in states.LIVE]
            assert len(live) <= 1
            permitted = scene.reason(token, table).startswith("permit")
            assert permitted == (live == ["active"])

    walk()


def together(stage, count: int, call) -> list[object]:
    """Results of ``count`` simultaneous calls, each in a thread with a session of its own."""
    barrier = Barrier(count)

    def one(index: int) -> object:
        with stage.flask_app.test_request_context():
            barrier.wait(10)
            try:
                return call(index)
            except tk.ValidationError as error:
                return error.error_dict["code"][0]
            finally:
                model.Session.remove()

    model.Session.commit()
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_simultaneous_acceptances_make_one_agreement(empty):
    scene = Scene()
    dataset = scene.dataset("click")["id"]
    people = [scene.founder, scene.developer] * 3
    made = together(
        empty,
        len(people),
        lambda i: act("hanoiic_agreement_accept", people[i], dataset=dataset)["id"],
    )
    assert len(set(made)) == 1
    assert model.Session.query(Agreement).filter_by(dataset_id=dataset).count() == 1


def test_simultaneous_requests_are_one_and_simultaneous_approvals_make_one_agreement(empty):
    scene = Scene()
    dataset = scene.dataset("request")["id"]
    requests = together(
        empty,
        4,
        lambda i: act("hanoiic_request_create", scene.founder, dataset=dataset, purpose="p")["id"],
    )
    assert len(set(requests)) == 1
    officers = [scene.officer, scene.sysadmin] * 3
    results = together(
        empty, 6, lambda i: act("hanoiic_request_approve", officers[i], id=requests[0])["state"]
    )
    assert sorted(results) == ["active"] + ["transition_not_allowed"] * 5
    assert model.Session.query(Agreement).filter_by(dataset_id=dataset).count() == 1


def test_simultaneous_rotations_make_one_token(empty):
    scene = Scene()
    token = act("hanoiic_token_create", scene.founder, name="a")["id"]
    results = together(
        empty, 4, lambda _: act("hanoiic_token_rotate", scene.founder, id=token)["state"]
    )
    assert sorted(results) == ["active"] + ["token_ended"] * 3


def test_approval_and_refusal_at_once_end_in_one_of_them(empty):
    scene = Scene()
    request = act(
        "hanoiic_request_create", scene.founder, dataset=scene.dataset("request")["id"], purpose="p"
    )["id"]
    calls = [
        lambda: act("hanoiic_request_approve", scene.officer, id=request)["state"],
        lambda: act("hanoiic_request_reject", scene.sysadmin, id=request, reason="r")["state"],
    ] * 2
    results = together(empty, 4, lambda i: calls[i]())
    assert results.count("transition_not_allowed") == 3
    assert model.Session.query(Agreement).count() == ("active" in results)


def test_two_datasets_claiming_a_table_at_once_leave_it_to_one(empty):
    scene = Scene()
    sets = [scene.dataset("open")["id"] for _ in range(4)]

    def claim(index: int) -> str:
        new = {"package_id": sets[index], "url": "http://x.test", "lake_table": "t"}
        return act("resource_create", scene.sysadmin, **new)["lake_table"]

    assert sorted(together(empty, 4, claim)) == ["t"] + ["table_taken"] * 3
