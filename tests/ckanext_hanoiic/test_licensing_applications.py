"""Applications, their tokens, rotation and links: what is shown, what is kept, what it opens."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
import sqlalchemy as sa
from ckan import model
from ckan.plugins import toolkit as tk
from ckan.tests.helpers import call_action
from licensing_clock import Clock
from licensing_scene import Scene, act, refusal

pytestmark = pytest.mark.usefixtures("empty")


def held(scene: Scene, table: str = "t", **fields) -> dict:
    dataset = scene.dataset("click", table, **fields)
    return act("hanoiic_agreement_accept", scene.founder, dataset=dataset["id"])


def test_an_application_of_an_organisation_has_tokens_that_its_members_rotate():
    scene = Scene()
    held(scene)
    made = act(
        "hanoiic_application_create",
        scene.founder,
        name="Bản đồ xe buýt",
        organization=scene.startup["name"],
        description="Máy chủ sản xuất",
    )
    first = act(
        "hanoiic_token_create",
        scene.developer,
        application=made["id"],
        scopes=["query", "share"],
        networks="203.0.113.7/24, 2001:db8::1",
        lifetime_days=30,
    )
    assert first["networks"] == ["203.0.113.0/24", "2001:db8::1/128"]
    told = scene.ask(first["token"], ["t"])
    assert (told["client_id"], told["client_name"]) == (made["id"], "Bản đồ xe buýt")
    assert (told["organization_id"], told["token_id"]) == (scene.startup["id"], first["id"])
    assert (told["scope"], told["aud"]) == ("query share", ["gateway"])
    assert told["networks"] == first["networks"]
    listed = act("hanoiic_application_list", scene.founder)
    assert [(one["id"], [token["id"] for token in one["tokens"]]) for one in listed] == [
        (made["id"], [first["id"]])
    ]
    assert first["token"] not in str(listed)
    for stranger in (scene.loner, scene.officer):
        with pytest.raises(tk.NotAuthorized):
            act("hanoiic_token_rotate", stranger, id=first["id"])
        with pytest.raises(tk.ObjectNotFound):
            act("hanoiic_token_create", stranger, application=made["id"])
        with pytest.raises(tk.NotAuthorized):
            act("hanoiic_application_retire", stranger, id=made["id"])
    second = act("hanoiic_token_rotate", scene.founder, id=first["id"])
    assert (second["replaces"], second["scopes"]) == (first["id"], first["scopes"])
    assert second["networks"] == first["networks"]
    lasts = datetime.fromisoformat(second["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=29) < lasts < timedelta(days=31)
    assert refusal("hanoiic_token_rotate", scene.founder, id=first["id"]) == "token_ended"

    act("hanoiic_application_retire", scene.founder, id=made["id"])
    for token in (first["token"], second["token"]):
        assert scene.ask(token)["token_error"] == "token_revoked"
    code = refusal("hanoiic_token_create", scene.founder, application=made["id"])
    assert code == "application_retired"


def test_a_token_of_a_name_belongs_to_the_application_of_that_name():
    scene = Scene()
    first, second = (act("hanoiic_token_create", scene.founder, name="Notebook") for _ in "12")
    assert first["application"] == second["application"]
    of_org = act(
        "hanoiic_token_create", scene.founder, name="Notebook", organization=scene.startup["id"]
    )
    assert of_org["application"] != first["application"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"networks": ["here"]},
        {"networks": ["10.0.0.0/33"]},
        {"networks": ["10.0.0.1"] * 21},
        {"audience": []},
        {"audience": [""]},
        {"name": ""},
    ],
)
def test_what_a_token_may_not_be_made_with(wrong):
    scene = Scene()
    with pytest.raises(tk.ValidationError):
        act("hanoiic_token_create", scene.founder, **{"name": "n"} | wrong)


def test_case_12_a_leaked_token_is_rotated_and_is_nowhere_in_plain(monkeypatch, caplog):
    scene, clock = Scene(), Clock(monkeypatch)
    held(scene)
    caplog.set_level(logging.DEBUG)
    leaked = act("hanoiic_token_create", scene.founder, name="n")
    gentle = act("hanoiic_token_rotate", scene.founder, id=leaked["id"], overlap_hours=2)
    assert scene.reason(leaked["token"], "t") == "permit: agreement"
    assert scene.reason(gentle["token"], "t") == "permit: agreement"
    clock.pass_(hours=2)
    assert scene.ask(leaked["token"])["token_error"] == "token_expired"
    at_once = act("hanoiic_token_rotate", scene.founder, id=gentle["id"], overlap_hours=0)
    assert scene.ask(gentle["token"])["token_error"] == "token_revoked"
    assert scene.reason(at_once["token"], "t") == "permit: agreement"

    plain = [one["token"] for one in (leaked, gentle, at_once)]
    connection = model.Session.connection()
    tables = connection.execute(
        sa.text(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = "
            "'BASE TABLE' AND (table_name LIKE 'hanoiic%' OR table_schema = 'hanoiic_audit') "
            "AND table_name <> 'intake'"
        )
    ).all()
    assert len(tables) > 10
    for schema, name in tables:
        query = sa.text(f'SELECT t::text FROM "{schema}"."{name}" t')
        stored = "\n".join(connection.execute(query).scalars())
        assert not any(token in stored for token in plain), name
    assert not any(token in caplog.text for token in plain)


def test_case_13_wrong_scope_or_audience_is_denied():
    scene = Scene()
    held(scene)
    scene.dataset("open", "t_open")
    token = scene.token(scene.founder, scopes=["share"])
    assert {
        action: scene.reason(token, "t", action)
        for action in ("query", "download", "share", "describe")
    } == {
        "query": "deny: scope_missing",
        "download": "deny: scope_missing",
        "share": "permit: agreement",
        "describe": "permit: agreement",
    }
    other = scene.token(scene.founder, audience=["statistics-office"])
    assert scene.reason(other, "t") == "deny: audience_mismatch"
    assert scene.reason(other, "t_open") == "permit: open"
    told = act(
        "hanoiic_introspect", scene.gateway, token=other, tables=["t"], action="query",
        audience="statistics-office",
    )  # fmt: skip
    assert told["tables"]["t"]["decision"] == "permit"


def link(scene: Scene, token: str | None, **fields) -> str:
    asked = {"token": token, "table": "t", "action": "download"} | fields
    return act("hanoiic_link_create", scene.gateway, **asked)["token"]


def test_a_link_opens_one_table_for_one_action_and_tells_its_claims():
    scene = Scene()
    held(scene)
    held(scene, "t2")
    made = link(scene, scene.token(scene.founder), claims={"version": 3, "format": "csv"})
    assert made.startswith("hic_l_")
    told = scene.ask(made, ["t", "t2", "t3"], "download")
    assert told["claims"] == {"version": 3, "format": "csv"}
    assert (told["username"], told["active"]) == (scene.founder, True)
    assert {name: one["decision"] for name, one in told["tables"].items()} == {
        "t": "permit",
        "t2": "unknown",
        "t3": "unknown",
    }
    assert scene.reason(made, "t", "query") == "deny: scope_missing"
    assert scene.reason(made, "t", "share") == "deny: scope_missing"
    with pytest.raises(tk.ValidationError):
        link(scene, made)
    with pytest.raises(tk.NotAuthorized):
        act(
            "hanoiic_link_create",
            scene.sysadmin,
            token=None,
            table="t",
            action="download",
        )


def test_case_22_a_link_ends_with_its_time_its_token_and_its_agreement(monkeypatch):
    scene, clock = Scene(), Clock(monkeypatch)
    agreement = held(scene)
    token = act("hanoiic_token_create", scene.founder, name="n")
    made = link(scene, token["token"])
    # The last sign of all has bits that say nothing.
    body = made[:-2] + ("A" if made[-2] != "A" else "B") + made[-1]
    for altered in (body, made + "x", made.replace("hic_l_", "hic_l_x"), "hic_l_", "hic_l_é"):
        assert scene.ask(altered, ["t"], "download")["token_error"] == "token_unknown"
    clock.pass_(seconds=299)
    assert scene.reason(made, "t", "download") == "permit: agreement"
    clock.pass_(seconds=1)
    assert scene.ask(made, ["t"], "download")["token_error"] == "token_expired"

    fresh = link(scene, token["token"])
    act("hanoiic_agreement_suspend", scene.officer, id=agreement["id"], reason="r")
    assert scene.reason(fresh, "t", "download") == "deny: agreement_suspended"
    act("hanoiic_agreement_resume", scene.officer, id=agreement["id"])
    act("hanoiic_token_revoke", scene.founder, id=token["id"])
    assert scene.ask(fresh, ["t"], "download")["token_error"] == "token_revoked"


def test_a_link_is_of_the_agreement_it_was_made_under():
    scene = Scene()
    dataset = scene.dataset("click", "t")
    act("hanoiic_agreement_accept", scene.founder, dataset=dataset["id"])
    made = link(scene, scene.token(scene.founder))
    call_action("package_patch", id=dataset["id"], license_id="ODbL-1.0")
    act("hanoiic_agreement_accept", scene.founder, dataset=dataset["id"])
    assert scene.reason(made, "t", "download") == "deny: agreement_superseded"


def test_links_of_open_data_need_nobody():
    scene = Scene()
    dataset = scene.dataset("open", "t")
    made = link(scene, None)
    assert scene.reason(made, "t", "download") == "permit: open"
    assert scene.ask(made, ["t"], "download")["active"] is False
    call_action("package_patch", id=dataset["id"], private=True)
    assert scene.reason(made, "t", "download") == "unknown"


def test_links_for_nothing_permitted():
    scene = Scene()
    scene.dataset("click", "t")
    asked = {"table": "t", "action": "download"}
    for token in (None, scene.token(scene.founder), "hic_wrong"):
        code = refusal("hanoiic_link_create", scene.gateway, token=token, **asked)
        assert code == "link_not_permitted"
    for wrong in (
        {"claims": {"x": "y" * 1000}},
        {"claims": []},
        {"lifetime_s": 301},
        {"lifetime_s": 0},
        {"action": "query"},
    ):
        with pytest.raises(tk.ValidationError):
            act("hanoiic_link_create", scene.gateway, **{"token": None} | asked | wrong)


def test_simultaneous_tokens_of_a_new_name_make_one_application(bare):
    scene = Scene()
    start = Barrier(4)

    def make() -> None:
        with bare.flask_app.test_request_context():
            start.wait(30)
            try:
                scene.token(scene.founder, organization=scene.startup["name"])
            finally:
                model.Session.remove()

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    (made,) = act("hanoiic_application_list", scene.founder)
    assert len(made["tokens"]) == 4


@pytest.mark.parametrize(
    "said", [{"name": ["a"]}, {"name": "a\0"}, {"name": "a", "organization": []}]
)
def test_what_is_no_text_is_refused_where_one_belongs(said):
    scene = Scene()
    with pytest.raises(tk.ValidationError):
        act("hanoiic_token_create", scene.founder, **said)
    for version in ([], {}):
        with pytest.raises(tk.ValidationError):
            act("hanoiic_licence_show", scene.founder, id="CC-BY-4.0", version=version)
