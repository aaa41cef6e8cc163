"""What the gateway is told: roles, tiers and states on a real portal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from ckan import model
from ckan.plugins import toolkit as tk
from ckan.tests import factories
from ckan.tests.helpers import call_action
from ckanext.hanoiic.licensing.model import Agreement
from licensing_scene import Scene, act, user_id

pytestmark = pytest.mark.usefixtures("empty")

# Role → decision by tier. "holder" holds a live agreement, the others of the startup's kind don't.
BY_ROLE = {
    "anonymous": ("permit: open", "deny: sign_in_required", "deny: sign_in_required"),
    "loner": ("permit: open", "deny: licence_not_accepted", "deny: request_needed"),
    "holder": ("permit: open", "permit: agreement", "permit: agreement"),
    "colleague": ("permit: open", "permit: agreement", "permit: agreement"),
    "clerk": ("permit: open", "permit: owner", "permit: owner"),
    "officer": ("permit: open", "permit: owner", "permit: owner"),
    "sysadmin": ("permit: open", "permit: operator", "permit: operator"),
}


def test_roles_by_tiers():
    scene = Scene()
    sets = [scene.dataset(tier, f"t_{tier}") for tier in ("open", "click", "request")]
    act("hanoiic_agreement_accept", scene.founder, dataset=sets[1]["name"])
    scene.approved(scene.founder, sets[2])
    tokens = {
        "anonymous": None,
        "holder": scene.token(scene.founder),
        "colleague": scene.token(scene.developer, organization=scene.startup["name"]),
        **{
            who: scene.token(getattr(scene, who))
            for who in ("loner", "clerk", "officer", "sysadmin")
        },
    }
    told = {
        role: tuple(scene.reason(token, f"t_{tier}") for tier in ("open", "click", "request"))
        for role, token in tokens.items()
    }
    assert told == BY_ROLE


def test_states_of_an_agreement_and_of_requests_by_tier():
    scene = Scene()
    click, request = scene.dataset("click", "t_click"), scene.dataset("request", "t_request")
    token = scene.token(scene.founder)
    reasons = {"t_click": [], "t_request": []}

    def note() -> None:
        for table, noted in reasons.items():
            noted.append(scene.reason(token, table))

    def change(event: str, **more: str) -> None:
        for agreement in agreements:
            act(f"hanoiic_agreement_{event}", scene.officer, id=agreement["id"], **more)

    agreements = [act("hanoiic_agreement_accept", scene.founder, dataset=click["id"])]
    asked = act("hanoiic_request_create", scene.founder, dataset=request["id"], purpose="p")
    note()
    act("hanoiic_request_reject", scene.officer, id=asked["id"], reason="Too vague")
    note()
    agreements.append(scene.approved(scene.founder, request))
    note()
    change("suspend", reason="Audit")
    note()
    change("resume")
    note()
    change("revoke", reason="Misuse")
    note()
    again = act("hanoiic_request_create", scene.founder, dataset=click["id"], purpose="Sorry")
    note()
    act("hanoiic_request_reject", scene.officer, id=again["id"], reason="No")
    note()
    assert reasons == {
        "t_click": [
            "permit: agreement",
            "permit: agreement",
            "permit: agreement",
            "deny: agreement_suspended",
            "permit: agreement",
            "deny: agreement_revoked",
            "deny: request_pending",
            "deny: request_rejected",
        ],
        "t_request": [
            "deny: request_pending",
            "deny: request_rejected",
            "permit: agreement",
            "deny: agreement_suspended",
            "permit: agreement",
            "deny: agreement_revoked",
            "deny: agreement_revoked",
            "deny: agreement_revoked",
        ],
    }


def test_an_agreement_ends_to_the_second():
    scene = Scene()
    held = scene.approved(
        scene.founder,
        scene.dataset("request", "t"),
        valid_until=(datetime.now(UTC) + timedelta(days=1)).isoformat(),
    )
    token = scene.token(scene.founder)
    told = scene.ask(token, ["t"])["tables"]["t"]
    assert (told["decision"], told["agreement"]) == ("permit", held["id"])
    assert told["valid_until"] == int(datetime.fromisoformat(held["valid_until"]).timestamp())

    row = model.Session.get(Agreement, held["id"])
    row.valid_until = datetime.now(UTC)
    model.Session.commit()
    assert scene.reason(token, "t") == "deny: agreement_expired"
    scene.approved(scene.founder, {"id": row.dataset_id})
    assert scene.reason(token, "t") == "permit: agreement"
    model.Session.refresh(row)
    assert row.state == "expired"


def test_a_private_and_an_unknown_table_get_the_same_answer():
    scene = Scene()
    scene.dataset("open", "t_private", private=True)
    scene.dataset("open", "t_draft", state="draft")
    gone = scene.dataset("open", "t_gone")
    call_action("package_delete", id=gone["id"])
    tables = ["t_private", "t_draft", "t_gone", "nowhere"]
    for token in (None, scene.token(scene.founder)):
        assert scene.ask(token, tables)["tables"] == {
            name: {"decision": "unknown"} for name in tables
        }
        assert scene.ask(token)["tables"] == {}
    for who in (scene.clerk, scene.sysadmin):
        assert list(scene.ask(scene.token(who))["tables"]) == ["t_private"]


def test_what_is_private_is_open_to_nobody():
    scene = Scene()
    dataset = scene.dataset("open", "t_private", private=True)
    reasons = {"clerk": "owner", "officer": "owner", "sysadmin": "operator"}
    for who, reason in reasons.items():
        told = scene.ask(scene.token(getattr(scene, who)), ["t_private"])["tables"]["t_private"]
        # A gateway serves what is open to anyone while it can't ask.
        assert (told["decision"], told["reason"], told["open_to"]) == ("permit", reason, [])
    call_action("package_patch", id=dataset["id"], private=False)
    assert scene.reason(scene.token(scene.clerk), "t_private") == "permit: open"


def test_all_tables_are_those_the_caller_may_know_of():
    scene = Scene()
    for tier in ("open", "click", "request"):
        scene.dataset(tier, f"t_{tier}")
    scene.dataset("request", "t_private", private=True)
    public = ["t_click", "t_open", "t_request"]
    assert list(scene.ask(None, None, "describe")["tables"]) == public
    assert list(scene.ask(scene.token(scene.officer))["tables"]) == sorted([*public, "t_private"])


def test_the_answer_holds_the_contract():
    scene = Scene()
    scene.dataset("click", "t", name="air", title="Không khí", title_en="Air")
    act("hanoiic_agreement_accept", scene.founder, dataset="air")
    told = scene.ask(scene.token(scene.founder, organization=scene.startup["name"]), ["t"])
    table = told.pop("tables")["t"]
    assert told.pop("epoch") > 0
    assert abs(told.pop("now") - datetime.now(UTC).timestamp()) < 60
    lifetime = told.pop("exp") - datetime.now(UTC).timestamp()
    assert timedelta(days=89) < timedelta(seconds=lifetime) < timedelta(days=91)
    assert all(told.pop(name) for name in ("client_id", "token_id"))
    assert told == {
        "active": True, "username": scene.founder, "sub": user_id(scene.founder),
        "client_name": "test", "organization": scene.startup["name"],
        "organization_id": scene.startup["id"], "scope": "query download", "aud": ["gateway"],
        "networks": None, "claims": None, "token_error": None,
    }  # fmt: skip
    assert (table["metered"], bool(table["offer"])) == (False, True)
    assert table["dataset"] == {
        "name": "air", "title": "Không khí", "title_en": "Air",
        "url": "http://test.ckan.net/dataset/air", "organization": scene.department["name"],
    }  # fmt: skip
    assert table["licence"]["id"] == "CC-BY-4.0"
    assert table["licence"]["version"] == 1
    assert table["licence"]["url"] == "https://creativecommons.org/licenses/by/4.0/"
    assert table["licence"]["attribution"].endswith(": Không khí (CC-BY-4.0)")
    assert table["edition"] is None
    denied = scene.ask(None, ["t"])["tables"]["t"]
    assert denied["access_url"] == "http://test.ckan.net/dataset/air#access"
    assert "agreement" not in denied


def test_only_the_gateways_user_may_introspect():
    scene = Scene()
    for user in (scene.sysadmin, scene.officer, scene.founder, None):
        with pytest.raises(tk.NotAuthorized):
            act("hanoiic_introspect", user, token=None, tables=None, action="query")


@pytest.mark.ckan_config("hanoiic.gateway_user", "")
def test_nobody_introspects_without_a_gateway_user():
    for user in ("", factories.Sysadmin()["name"]):
        with pytest.raises(tk.NotAuthorized):
            act("hanoiic_introspect", user, token=None, tables=None, action="query")


MALFORMED = (
    {"action": "drop"},
    {"action": None},
    {"tables": "t", "action": "query"},
    {"tables": [1], "action": "query"},
    {"tables": ["t"] * 1001, "action": "query"},
    {"token": ["hic_"], "action": "query"},
)


def test_a_malformed_question_is_refused():
    scene = Scene()
    for question in MALFORMED:
        with pytest.raises(tk.ValidationError):
            act("hanoiic_introspect", scene.gateway, **question)


def test_strange_names_and_tokens_are_just_unknown():
    scene = Scene()
    strange = ["", "t\0", "\ud800", "T", "t;", "x" * 64, "bảng"]
    assert scene.ask(None, strange)["tables"] == {name: {"decision": "unknown"} for name in strange}
    for token in ("x" * 600, "hic_p_" + "x" * 9999, "hic_\0", "\ud800", "hic_p_\ud800", "mã"):
        assert scene.ask(token, [])["token_error"] == "token_unknown"


def test_leaving_the_organisation_ends_its_access_and_joining_it_begins_it():
    scene = Scene()
    act("hanoiic_agreement_accept", scene.founder, dataset=scene.dataset("click", "t")["id"])
    bound = scene.token(scene.developer, organization=scene.startup["id"])
    free, newcomer = scene.token(scene.developer), scene.token(scene.loner)
    member = {"id": scene.startup["id"], "username": scene.developer}
    act("organization_member_delete", scene.sysadmin, **member)
    assert scene.reason(bound, "t") == scene.reason(free, "t") == "deny: licence_not_accepted"
    member |= {"username": scene.loner, "role": "member"}
    act("organization_member_create", scene.sysadmin, **member)
    assert scene.reason(newcomer, "t") == "permit: agreement"


def test_a_token_for_one_organisation_has_no_other_right():
    scene = Scene()
    factories_org = scene.organization(officer="member")
    scene.dataset("request", "t")
    assert scene.reason(scene.token(scene.officer), "t") == "permit: owner"
    bound = scene.token(scene.officer, organization=factories_org["id"])
    assert scene.reason(bound, "t") == "deny: request_needed"


def test_a_new_owner_decides_and_reads():
    scene = Scene()
    dataset = scene.dataset("request", "t")
    asked = act("hanoiic_request_create", scene.loner, dataset=dataset["id"], purpose="p")
    call_action("package_patch", id=dataset["id"], owner_org=scene.startup["id"])
    assert scene.reason(scene.token(scene.founder), "t") == "permit: owner"
    assert scene.reason(scene.token(scene.officer), "t") == "deny: request_needed"
    with pytest.raises(tk.NotAuthorized):
        act("hanoiic_request_approve", scene.officer, id=asked["id"])
    act("hanoiic_request_approve", scene.founder, id=asked["id"])


def test_access_of_a_page_is_what_the_gateway_would_decide():
    scene = Scene()
    dataset = scene.dataset("click", "t")
    show = {"id": dataset["name"]}
    assert act("hanoiic_access_show", None, **show)["next_step"] == "sign_in"
    assert act("hanoiic_access_show", scene.founder, **show)["next_step"] == "accept"
    held = act("hanoiic_agreement_accept", scene.founder, dataset=dataset["id"])
    told = act("hanoiic_access_show", scene.founder, **show)
    assert (told["decision"], told["reason"], told["next_step"]) == ("permit", "agreement", None)
    act("hanoiic_agreement_revoke", scene.officer, id=held["id"], reason="Misuse")
    told = act("hanoiic_access_show", scene.founder, **show)
    assert (told["reason"], told["next_step"]) == ("agreement_revoked", "request")
    assert told["agreement"]["reason"] == "Misuse"
    assert told["terms"]["licence"]["plain"]["vi"]["may"]
    call_action("package_patch", id=dataset["id"], private=True)
    with pytest.raises(tk.ObjectNotFound):
        act("hanoiic_access_show", scene.founder, **show)
    with pytest.raises(tk.ObjectNotFound):
        act("hanoiic_offer_show", None, **show)
