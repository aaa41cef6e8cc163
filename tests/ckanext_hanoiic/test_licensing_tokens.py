"""Gateway tokens: their form, where they are kept, what ends them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from ckan import model
from ckan.plugins import toolkit as tk
from ckan.tests.helpers import call_action
from ckanext.hanoiic.licensing import tokens
from ckanext.hanoiic.licensing.audit_model import Audit
from ckanext.hanoiic.licensing.model import Token
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import TimestampSigner
from licensing_scene import Scene, act, refusal, user_id


@given(st.integers(4, 41), st.sampled_from(tokens.BASE62))
def test_the_checksum_finds_every_single_wrong_character(place, letter):
    token = tokens.make()
    assert tokens.well_formed(token)
    wrong = token[:place] + letter + token[place + 1 :]
    assert tokens.well_formed(wrong) == (wrong == token)


def test_the_form_of_a_token():
    token = tokens.make()
    assert token.startswith("hic_")
    assert len(token) == 42
    assert len({tokens.make() for _ in range(100)}) == 100
    for wrong in ("", "hic_", token[:-1], token + "0", token.lower()):
        assert not tokens.well_formed(wrong)


portal = pytest.mark.usefixtures("empty")


def every_value_of_the_database() -> str:
    found = []
    for schema in ("public",):
        for table in sa.inspect(model.meta.engine).get_table_names(schema):
            rows = model.Session.execute(sa.text(f'SELECT t::text FROM "{schema}"."{table}" t'))
            found += [row[0] for row in rows]
    model.Session.rollback()
    return "\n".join(found)


@portal
def test_a_token_is_told_once_and_only_its_hash_is_kept():
    scene = Scene()
    made = act("hanoiic_token_create", scene.founder, name="Phân tích", scopes=["query"])
    plain = made["token"]
    preview = act("hanoiic_preview_token", scene.founder)["token"]
    scene.ask(plain)
    scene.ask(preview)
    stored = every_value_of_the_database()
    assert tokens.digest(plain) in stored
    assert plain not in stored
    assert plain[len(tokens.PREFIX) + tokens.SHOWN_LENGTH :] not in stored
    assert preview not in stored
    listed = act("hanoiic_token_list", scene.founder)
    assert [(one["name"], one["prefix"], one["scopes"]) for one in listed] == [
        ("Phân tích", plain[:10], ["query"])
    ]
    assert "token" not in listed[0]
    assert "hash" not in listed[0]
    assert act("hanoiic_token_list", scene.developer) == []


@portal
def test_what_ends_a_token():
    scene = Scene()
    scene.dataset("click", "t")

    def error(token: str) -> str | None:
        told = scene.ask(token, ["t"])
        assert told["active"] == (told["token_error"] is None)
        assert told["active"] or told["tables"] == {}
        return told["token_error"]

    made = act("hanoiic_token_create", scene.founder, name="n")
    plain, row = made["token"], model.Session.get(Token, made["id"])
    assert error(plain) is None
    for unknown in (tokens.make(), plain[:-1], "", "hic_p_x.y.z", "anything"):
        assert error(unknown) == "token_unknown"

    expires_at, row.expires_at = row.expires_at, datetime.now(UTC)
    model.Session.commit()
    assert error(plain) == "token_expired"
    row.expires_at = expires_at
    model.Session.commit()
    assert error(plain) is None

    with pytest.raises(tk.NotAuthorized):
        act("hanoiic_token_revoke", scene.developer, id=made["id"])
    act("hanoiic_token_revoke", scene.founder, id=made["id"])
    assert error(plain) == "token_revoked"

    other = scene.token(scene.developer)
    call_action("user_delete", id=scene.developer)
    assert error(other) == "token_revoked"


@portal
def test_an_admin_ends_the_tokens_of_the_organisation():
    scene = Scene()
    made = act(
        "hanoiic_token_create", scene.developer, name="n", organization=scene.startup["name"]
    )
    act("hanoiic_token_revoke", scene.founder, id=made["id"])
    assert scene.ask(made["token"])["token_error"] == "token_revoked"


@portal
def test_a_scope_that_lacks():
    scene = Scene()
    scene.dataset("open", "t_open")
    click = scene.dataset("click", "t")
    act("hanoiic_agreement_accept", scene.founder, dataset=click["id"])
    token = scene.token(scene.founder, scopes=["query"])
    assert {
        action: scene.reason(token, "t", action) for action in ("query", "download", "describe")
    } == {
        "query": "permit: agreement",
        "download": "deny: scope_missing",
        "describe": "permit: agreement",
    }
    assert scene.reason(token, "t_open", "download") == "permit: open"


@portal
def test_what_a_token_may_be_made_with():
    scene = Scene()
    for wrong in (
        {"name": " "},
        {"name": "n" * 101},
        {"name": "n", "scopes": ["admin"]},
        {"name": "n", "scopes": []},
        {"name": "n", "lifetime_days": 0},
        {"name": "n", "lifetime_days": 366},
    ):
        with pytest.raises(tk.ValidationError):
            act("hanoiic_token_create", scene.founder, **wrong)
    foreign = {"name": "n", "organization": scene.department["id"]}
    assert refusal("hanoiic_token_create", scene.founder, **foreign) == "choose_organization"
    with pytest.raises(tk.NotAuthorized):
        act("hanoiic_token_create", None, name="n")


@portal
def test_the_last_use_is_noted_to_the_minute():
    scene = Scene()
    made = act("hanoiic_token_create", scene.founder, name="n")

    def last_used() -> datetime | None:
        return model.Session.get(Token, made["id"], populate_existing=True).last_used_at

    assert last_used() is None
    scene.ask(made["token"])
    first = last_used()
    scene.ask(made["token"])
    assert last_used() == first
    model.Session.get(Token, made["id"]).last_used_at = first - timedelta(minutes=2)
    model.Session.commit()
    scene.ask(made["token"])
    assert last_used() >= first


@portal
def test_a_preview_token_lives_a_minute_and_can_only_query(monkeypatch):
    scene = Scene()
    act("hanoiic_agreement_accept", scene.founder, dataset=scene.dataset("click", "t")["id"])
    preview = act("hanoiic_preview_token", scene.founder)["token"]
    assert preview.startswith("hic_p_")
    told = scene.ask(preview, ["t"])
    assert (told["active"], told["username"], told["scope"]) == (True, scene.founder, "query")
    assert 0 < told["exp"] - datetime.now(UTC).timestamp() <= 61
    assert scene.reason(preview, "t") == "permit: agreement"
    assert scene.reason(preview, "t", "download") == "deny: scope_missing"
    forged = preview[:-3] + ("AAA" if preview[-3:] != "AAA" else "BBB")
    assert scene.ask(forged)["token_error"] == "token_unknown"

    signed_at = TimestampSigner.get_timestamp(None)
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda self: signed_at + 62)
    assert scene.ask(preview)["token_error"] == "token_expired"
    with pytest.raises(tk.NotAuthorized):
        act("hanoiic_preview_token", None)


@portal
def test_making_and_ending_a_token_is_in_the_audit():
    scene = Scene()
    made = act("hanoiic_token_create", scene.founder, name="n")
    act("hanoiic_token_revoke", scene.founder, id=made["id"])
    rows = model.Session.query(Audit).filter_by(subject_id=made["id"]).order_by(Audit.id)
    assert [(row.event, row.actor_id) for row in rows] == [
        ("token_created", user_id(scene.founder)),
        ("token_revoked", user_id(scene.founder)),
    ]
