"""The licensing plugin's migrations on a database with rows of its first revision."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from ckan import model
from ckan.cli.db import _run_migrations
from ckanext.hanoiic.licensing import epoch, licences, tokens
from ckanext.hanoiic.licensing.model import Agreement, Application, Token
from licensing_scene import Scene, act, user_id

PLUGIN = "hanoiic_licensing"
FIRST = "hanoiic_licensing_0001"
NOW = datetime.now(UTC)
TABLES = ("token", "agreement", "access_request", "offer", "licence", "lake_table", "audit")
# What two of the texts said before the profile.
OLD_POLICIES = {
    "ODbL-1.0": [{"action": "cc:Attribution"}, {"action": "cc:ShareAlike"}],
    "restricted-research": ["read", "aggregate", "hic:query"],
}

pytestmark = pytest.mark.usefixtures("empty")


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def datasets(scene) -> list[str]:
    """Ids of two datasets, of which licensing knows nothing any more."""
    return [
        scene.dataset("click")["id"],
        scene.dataset("request", license_id="restricted-research")["id"],
    ]


@pytest.fixture
def first_revision(datasets) -> Iterator[None]:
    """The database as its first revision had it, without rows; afterwards as it is now."""
    close()
    _run_migrations(PLUGIN, FIRST, forward=False)
    try:
        with model.meta.engine.begin() as database:
            for table in TABLES:
                database.execute(sa.text(f"DELETE FROM hanoiic_{table}"))
        yield
    finally:
        close()
        _run_migrations(PLUGIN)


def close() -> None:
    """Leave no transaction open that a migration would wait for."""
    model.Session.remove()
    model.meta.engine.dispose()


def add(table: str, **row: Any) -> None:
    columns = ", ".join(row)
    places = ", ".join(f":{name}" for name in row)
    told = {k: json.dumps(v) if isinstance(v, dict) else v for k, v in row.items()}
    with model.meta.engine.begin() as database:
        database.execute(
            sa.text(f"INSERT INTO hanoiic_{table} ({columns}) VALUES ({places})"), told
        )


def add_licences() -> None:
    """The shipped texts as they were, hashed as they were."""
    for text in licences.shipped().values():
        if text.id == "sandbox-trial":
            continue
        policy = json.loads(json.dumps(text.policy))
        if text.id == "ODbL-1.0":
            policy["permission"][0]["duty"] = OLD_POLICIES[text.id]
        if text.id == "restricted-research":
            policy["permission"][0] = {"action": OLD_POLICIES[text.id]}
        add(
            "licence", id=text.id, version=1, title_vi=text.title["vi"],
            title_en=text.title["en"], url=text.url, draft=text.draft, plain=text.plain,
            policy=policy, content_hash=hashlib.sha256(text.id.encode()).hexdigest(),
            published_at=NOW,
        )  # fmt: skip


def add_offer(id_: str, dataset: str, tier: str, licence: str) -> None:
    add(
        "offer", id=id_, dataset_id=dataset, number=1, licence_id=licence, licence_version=1,
        tier=tier, created_at=NOW,
    )  # fmt: skip


def test_rows_of_the_first_revision_are_upgraded_and_work(scene, datasets, first_revision):
    click, asked = datasets
    party = {"party_kind": "organization", "party_id": scene.startup["id"]}
    founder, officer = user_id(scene.founder), user_id(scene.officer)
    add_licences()
    add_offer("o-click", click, "click", "CC-BY-4.0")
    add_offer("o-asked", asked, "request", "restricted-research")
    for name, dataset in (("t_click", click), ("t_asked", asked)):
        add(
            "lake_table", name=name, dataset_id=dataset, resource_id=name,
            organization_id=scene.department["id"], claimed_at=NOW,
        )  # fmt: skip
    for id_, state, more in (
        ("r-waits", "submitted", {}),
        ("r-refused", "rejected", {"decided_at": NOW, "decided_by": officer, "reason": "No"}),
        ("r-taken-back", "withdrawn", {"decided_at": NOW, "decided_by": founder}),
    ):
        add(
            "access_request", id=id_, dataset_id=asked, offer_id="o-asked", user_id=founder,
            purpose="Research", state=state, **party, **more,
            created_at=NOW - timedelta(days=bool(more)),
        )  # fmt: skip
    for id_, dataset, offer, state in (
        ("a-held", click, "o-click", "active"),
        ("a-gone", asked, "o-asked", "revoked"),
    ):
        add(
            "agreement", id=id_, dataset_id=dataset, offer_id=offer, accepted_by=founder,
            state=state, created_at=NOW - timedelta(days=9), changed_at=NOW, **party,
        )  # fmt: skip
    plain = tokens.make()
    add(
        "token", id="k", hash=tokens.digest(plain), prefix=plain[:10], user_id=founder,
        organization_id=scene.startup["id"], name="map", scopes=["query"], created_at=NOW,
        expires_at=NOW + timedelta(days=9),
    )  # fmt: skip
    add("audit", at=NOW, actor_id=founder, event="token_created", subject_id="k", facts={"a": 1})

    close()
    _run_migrations(PLUGIN)
    epoch.bump()

    assert scene.reason(plain, "t_click") == "permit: agreement"
    assert scene.reason(plain, "t_asked") == "deny: request_pending"
    assert scene.ask(plain)["client_name"] == "map"
    assert scene.ask(plain)["tables"]["t_click"]["licence"]["version"] == 1
    token = model.Session.get(Token, "k")
    assert (
        model.Session.get(Application, token.application_id).organization_id
        == (scene.startup["id"])
    )
    waiting = act("hanoiic_request_show", scene.founder, id="r-waits")
    assert (waiting["state"], bool(waiting["due_at"])) == ("submitted", True)
    refused = act("hanoiic_request_show", scene.founder, id="r-refused")
    assert [note["text"] for note in refused["notes"]] == ["No"]
    act("hanoiic_request_approve", scene.officer, id="r-waits")
    assert scene.reason(plain, "t_asked") == "permit: agreement"
    act("hanoiic_agreement_suspend", scene.officer, id="a-held", reason="Test")
    assert scene.reason(plain, "t_click") == "deny: agreement_suspended"
    # The texts are those that the portal ships, hashed as they are now: they can be offered.
    assert act("hanoiic_licence_verify", scene.sysadmin)["changed"] == []
    for licence in licences.shipped():
        assert licences.published(licence) is not None
    (moved,) = model.Session.execute(
        sa.text(
            "SELECT facts FROM hanoiic_audit.entry "
            "WHERE subject_id = 'k' AND event = 'token_created'"
        )
    ).all()
    assert moved.facts["a"] == 1
    assert datetime.fromisoformat(moved.facts["recorded_at"]) == NOW


def test_rows_of_today_survive_a_downgrade_and_the_way_back(scene):
    click = scene.dataset("click", "t_click")
    asked = scene.dataset("request", "t_asked")
    held = act("hanoiic_agreement_accept", scene.founder, dataset=click["id"])
    waits = act("hanoiic_request_create", scene.founder, dataset=asked["id"], purpose="Research")
    act("hanoiic_request_ask", scene.officer, id=waits["id"], reason="Why?")
    token = scene.token(scene.founder)
    assert scene.reason(token, "t_click") == "permit: agreement"
    close()
    try:
        _run_migrations(PLUGIN, FIRST, forward=False)
        with model.meta.engine.begin() as database:
            kept = (
                database.execute(sa.text("SELECT state FROM hanoiic_access_request"))
                .scalars()
                .all()
            )
        assert kept == ["submitted"]
    finally:
        close()
        _run_migrations(PLUGIN)
    epoch.bump()
    assert model.Session.get(Agreement, held["id"]).state == "active"
    assert scene.reason(token, "t_click") == "permit: agreement"
    assert scene.reason(token, "t_asked") == "deny: request_pending"
