"""Licences' lives, offers' terms and the editions they come to, on the real database."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from ckan import model
from ckan.plugins import toolkit as tk
from ckan.tests import factories
from ckan.tests.helpers import call_action
from ckanext.hanoiic.licensing import clock, epoch, licence_desk, licences, specs
from ckanext.hanoiic.licensing.model import Agreement, Licence, Offer
from licensing_scene import Scene, act, refusal

COLUMNS = [
    {"name": "mã", "type": "int64"},
    {"name": "tên", "type": "string"},
    {"name": "phường", "type": "string"},
    {"name": "ngày", "type": "date"},
    {"name": "lúc", "type": "timestamp"},
    {"name": "giá", "type": "decimal(12,2)"},
    {"name": "mở", "type": "boolean"},
    {"name": "chỗ", "type": "geometry"},
]
SHOWN = {"columns": ["mã", "tên"], "masks": {"tên": {"kind": "truncate", "length": 1}}}

pytestmark = pytest.mark.usefixtures("empty")


@pytest.fixture
def scene() -> Scene:
    return Scene()


def dataset(scene: Scene, tier: str, *tables: str, **fields: Any) -> dict[str, Any]:
    resources = [
        {"url": f"http://gateway.test/{name}.csv", "lake_table": name, "columns": COLUMNS}
        for name in tables or ("t",)
    ]
    return factories.Dataset(
        owner_org=scene.department["id"], access_tier=tier,
        license_id=fields.pop("license_id", "hanoi-open-data"), resources=resources, **fields,
    )  # fmt: skip


def offer(scene: Scene, of: dict[str, Any], tier: str, **terms: Any) -> dict[str, Any]:
    given = {"licence": "hanoi-open-data", **terms}
    return act("hanoiic_offer_update", scene.officer, dataset=of["id"], tier=tier, **given)


def told(
    scene: Scene, token: str | None, table: str = "t", action: str = "query"
) -> dict[str, Any]:
    return scene.ask(token, [table], action)["tables"][table]


def write(scene: Scene, table: str | None = None, version: int = 1) -> list[dict[str, Any]]:
    """Do as the harvest worker: report every wanted edition written."""
    wanted = act("hanoiic_edition_list", scene.harvester, **({"table": table} if table else {}))
    for one in wanted:
        act(
            "hanoiic_edition_report", scene.harvester, edition=one["edition"], table=one["table"],
            version=version, state="written",
        )  # fmt: skip
    return wanted


def text(**more: Any) -> dict[str, Any]:
    shipped = licences.shipped()["hanoi-open-data"].columns()
    words = {name: copy.deepcopy(shipped[name]) for name in licence_desk.WRITTEN}
    return {"id": "hanoi-open-data", **words, **more}


# Licences


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
    assert told(scene, token)["reason"] == "licence_withdrawn"
    assert refusal("hanoiic_licence_withdraw", scene.sysadmin, **step) == "transition_not_allowed"
    act("hanoiic_agreement_accept", scene.founder, dataset=of["id"])
    assert told(scene, token)["decision"] == "permit"
    act("hanoiic_licence_withdraw", scene.sysadmin, **(step | {"version": 2}))
    assert told(scene, token)["reason"] == "licence_withdrawn"
    assert "hanoi-open-data" not in {one["id"] for one in call_action("license_list")}
    assert act("hanoiic_offer_show", None, id=of["id"])["closed"] == "licence_withdrawn"


WRONG = [
    {"url": "javascript:alert(1)"},
    {"plain": {"vi": {"summary": "x", "may": ["a"]}, "en": {"summary": "x", "may": []}}},
    {"plain": {"vi": {"summary": "x", "may": ["a"]}, "en": {"summary": "x", "may": ["a", "b"]}}},
    {"policy": {"permission": [{"action": ["use"]}]}},
    {"policy": {}},
    {"policy": text()["policy"] | {"obligation": []}},
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


# Offers


def test_registered_is_for_whoever_is_signed_in(scene):
    dataset(scene, "registered")
    assert told(scene, None)["reason"] == "sign_in_required"
    for user in (scene.loner, scene.founder):
        answer = told(scene, scene.token(user))
        assert (answer["decision"], answer["reason"]) == ("permit", "registered")
        assert (answer["tier"], answer["agreement"]) == ("registered", None)
        assert answer["obligations"] == [{"action": "cc:Attribution"}]
        assert (answer["metered"], answer["limits"]) == (False, {})
    no_scope = scene.token(scene.loner, scopes=["download"])
    assert told(scene, no_scope)["reason"] == "scope_missing"


def test_a_table_may_have_an_offer_of_its_own(scene):
    of = dataset(scene, "open", "t", "u")
    own = offer(scene, of, "request", table="u", licence="restricted-research")
    assert (own["table"], own["number"]) == ("u", 1)
    assert told(scene, None)["decision"] == "permit"
    assert told(scene, None, "u")["reason"] == "sign_in_required"
    token = scene.token(scene.founder)
    assert told(scene, token, "u")["reason"] == "request_needed"
    assert call_action("package_show", id=of["id"])["access_tier"] == "open"
    shown = act("hanoiic_access_show", scene.founder, id=of["id"], table="u")
    assert (shown["reason"], shown["next_step"]) == ("request_needed", "request")
    assert refusal("hanoiic_offer_update", scene.officer, dataset=of["id"], tier="open",
                   table="elsewhere") == "offer_invalid"  # fmt: skip
    act("hanoiic_offer_remove", scene.officer, dataset=of["id"], table="u")
    assert told(scene, None, "u")["decision"] == "permit"


INVALID = [
    ({"columns": ["không có"]}, "unknown_column"),
    ({"columns": []}, "no_columns"),
    ({"masks": {"không có": {"kind": "hash"}}}, "unknown_column"),
    ({"masks": {"tên": {"kind": "forget"}}}, "unknown_mask"),
    ({"masks": {"mã": {"kind": "truncate", "length": 2}}}, "mask_of_type"),
    ({"masks": {"tên": {"kind": "bucket", "width": 2}}}, "mask_of_type"),
    ({"masks": {"tên": {"kind": "truncate"}}}, "length"),
    ({"masks": {"mã": {"kind": "bucket", "width": 0}}}, "width"),
    ({"masks": {"ngày": {"kind": "bucket", "width": "hour"}}}, "width"),
    ({"masks": {"tên": {"kind": "round_geo"}}}, "mask_of_type"),
    ({"masks": {c["name"]: {"kind": "drop"} for c in COLUMNS}}, "no_columns"),
    ({"row_filter": [{"column": "không có", "op": "eq", "value": 1}]}, "unknown_column"),
    ({"row_filter": [{"column": "mã", "op": "like", "value": 1}]}, "unknown_operator"),
    ({"row_filter": [{"column": "mã", "op": "eq", "value": "1; DROP TABLE t"}]}, "value"),
    ({"row_filter": [{"column": "mã", "op": "eq", "value": True}]}, "value"),
    ({"row_filter": [{"column": "ngày", "op": "eq", "value": "hôm qua"}]}, "value"),
    ({"row_filter": [{"column": "lúc", "op": "eq", "value": "2026-01-01T00:00:00"}]}, "value"),
    ({"row_filter": [{"column": "mở", "op": "eq", "value": 1}]}, "value"),
    ({"row_filter": [{"column": "mã", "op": "in", "value": []}]}, "value"),
    ({"row_filter": [{"sql": "1=1"}]}, "not_a_predicate"),
    ({"row_filter": ["mã = 1"]}, "not_a_predicate"),
    ({"sample": {"rows": 0}}, "sample_rows"),
    ({"sample": {"rows": 5, "by": "không có"}}, "unknown_column"),
    ({"sample": {"rows": 5, "by": "chỗ"}}, "sample_by"),
    ({"quota": {"queries_per_day": 0}}, "quota"),
    ({"quota": {"queries_per_year": 5}}, "quota"),
    ({"auto_approve": {"shoe_sizes": []}}, "rule"),
    ({"licence": "không có"}, "unknown_licence"),
    ({"licence": "sandbox-trial"}, "restricted_edition"),
]


def test_what_an_offer_says_is_checked_when_it_is_saved(scene):
    of = dataset(scene, "request")
    for wrong, problem in INVALID:
        given = {"licence": "hanoi-open-data", "tier": "click", **wrong}
        with pytest.raises(tk.ValidationError) as refused:
            act("hanoiic_offer_update", scene.officer, dataset=of["id"], **given)
        assert refused.value.error_dict["code"] == ["offer_invalid"], wrong
        assert refused.value.error_dict["problem"] == [problem], wrong
    with pytest.raises(tk.ValidationError):
        offer(scene, of, "free for all")
    for user in (scene.clerk, scene.founder):
        with pytest.raises(tk.NotAuthorized):
            act("hanoiic_offer_update", user, dataset=of["id"], tier="open")
    assert act("hanoiic_offer_show", None, id=of["id"])["tier"] == "request"


def test_the_editor_writes_tier_and_licence_to_the_form_and_the_form_carries_terms_on(scene):
    of = dataset(scene, "open")
    made = offer(
        scene, of, "request", licence="sandbox-trial", masks={"tên": {"kind": "drop"}},
        quota={"queries_per_day": 5000, "concurrent_queries": 2}, sla_working_days=5,
    )  # fmt: skip
    assert "tên" not in made["terms"]["columns"]
    assert len(made["terms"]["columns"]) == len(COLUMNS) - 1
    # The licence limits what the offer would allow.
    assert made["terms"]["quota"] == {
        "queries_per_day": 1000, "rows_per_month": 1_000_000, "bytes_per_month": 1_000_000_000,
        "concurrent_queries": 2,
    }  # fmt: skip
    assert made["terms"]["agreement_days"] == 90
    shown = call_action("package_show", id=of["id"])
    assert (shown["access_tier"], shown["license_id"]) == ("request", "sandbox-trial")
    again = offer(
        scene, of, "request", licence="sandbox-trial", masks={"tên": {"kind": "drop"}},
        quota={"queries_per_day": 5000, "concurrent_queries": 2}, sla_working_days=5,
    )  # fmt: skip
    assert again["id"] == made["id"]
    call_action("package_patch", id=of["id"], access_tier="click")
    now = act("hanoiic_offer_list", scene.officer, dataset=of["id"])[0]
    assert (now["tier"], now["terms"]["columns"]) == ("click", made["terms"]["columns"])


def test_an_agreement_is_bound_to_its_licences_days_and_quotas(scene):
    of = dataset(scene, "request")
    offer(scene, of, "request", licence="sandbox-trial", **SHOWN)
    agreement = scene.approved(scene.founder, of)
    until = datetime.fromisoformat(agreement["valid_until"])
    assert timedelta(days=89) < until - datetime.now(UTC) <= timedelta(days=90)
    write(scene)
    answer = told(scene, scene.token(scene.founder))
    assert answer["metered"] is True
    assert answer["valid_until"] == int(until.timestamp())
    assert [one["action"] for one in answer["obligations"]] == [
        "cc:Attribution", "inform", "delete",
    ]  # fmt: skip
    # An agreement from before the portal's clock went on: the policy's own days end it.
    row = model.Session.get(Agreement, agreement["id"])
    row.created_at, row.valid_until = clock.now() - timedelta(days=90), None
    model.Session.commit()
    assert told(scene, scene.token(scene.founder))["reason"] == "policy_unmet"


def test_an_offer_has_its_days_and_can_be_withdrawn(scene):
    of = dataset(scene, "registered")
    token = scene.token(scene.founder)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    offer(scene, of, "registered", valid_from=tomorrow)
    assert told(scene, token)["reason"] == "offer_not_valid"
    offer(scene, of, "click")
    act("hanoiic_agreement_accept", scene.founder, dataset=of["id"])
    assert told(scene, token)["reason"] == "agreement"
    row = model.Session.scalars(sa.select(Offer).filter_by(superseded_at=None)).one()
    row.valid_until = clock.now() - timedelta(seconds=1)
    model.Session.commit()
    # Who holds an agreement outlasts the offer; nobody else takes it up.
    assert told(scene, token)["reason"] == "agreement"
    assert told(scene, scene.token(scene.loner))["reason"] == "offer_not_valid"
    assert refusal("hanoiic_agreement_accept", scene.loner, dataset=of["id"]) == "offer_closed"
    act("hanoiic_offer_withdraw", scene.officer, dataset=of["id"], reason="Có khiếu nại")
    assert told(scene, token)["reason"] == "offer_withdrawn"
    assert told(scene, scene.token(scene.officer))["reason"] == "owner"
    # Saving the same form again does not bring it back; publishing an offer does.
    call_action("package_patch", id=of["id"], notes="khác")
    assert told(scene, token)["reason"] == "offer_withdrawn"
    offer(scene, of, "registered")
    assert told(scene, token)["reason"] == "registered"


# Editions


def test_an_edition_is_served_when_it_is_written_and_the_one_before_until_then(scene):
    of = dataset(scene, "open")
    assert (told(scene, None)["edition"], told(scene, None)["edition_kind"]) == (None, "whole")
    offer(scene, of, "open", columns=["mã", "tên"])
    # The offer before showed the whole table to everyone.
    assert told(scene, None)["edition"] is None
    (first,) = write(scene)
    assert first["spec"]["columns"] == ["mã", "tên"]
    assert (first["salt"], first["state"]) == (None, "wanted")
    answer = told(scene, None)
    assert (answer["edition"], answer["edition_kind"]) == (first["edition"], "projection")
    assert first["edition"] == specs.edition_id("t", first["spec"])
    offer(scene, of, "open", **SHOWN)
    assert told(scene, None)["edition"] == first["edition"]
    second = next(
        one for one in act("hanoiic_edition_list", scene.harvester)
        if one["edition"] != first["edition"]
    )  # fmt: skip
    # One that failed waits for its officer: what is to be hidden is not shown on.
    act("hanoiic_edition_report", scene.harvester, edition=second["edition"], table="t", version=1,
        state="failed", error="edition_spec_invalid")  # fmt: skip
    assert told(scene, None)["edition"] == second["edition"]
    states = act("hanoiic_offer_list", scene.officer, dataset=of["id"])[0]["editions"]
    assert [(one["state"], one["error"]) for one in states] == [("failed", "edition_spec_invalid")]


def test_the_edition_before_is_never_served_to_whom_it_was_not_offered(scene):
    of = dataset(scene, "request")
    offer(scene, of, "open", **SHOWN)
    # The whole table was by request: the open offer's edition is awaited.
    assert told(scene, None)["edition"].startswith("e")
    offer(scene, of, "registered", columns=["mã"])
    write(scene)
    offer(scene, of, "open", columns=["mã", "phường"])
    # Anonymous callers never had what the signed-in had.
    awaited = told(scene, None)["edition"]
    assert awaited == next(iter(act("hanoiic_edition_list", scene.harvester)))["edition"]


def test_the_edition_before_is_never_served_when_it_is_withdrawn(scene):
    of = dataset(scene, "open")
    offer(scene, of, "open", columns=["mã", "tên"])
    (first,) = write(scene)
    act("hanoiic_offer_withdraw", scene.officer, dataset=of["id"], reason="Lộ tên")
    assert told(scene, None)["reason"] == "offer_withdrawn"
    assert act("hanoiic_edition_list", scene.harvester) == []
    offer(scene, of, "open", columns=["mã"])
    answer = told(scene, None)
    assert answer["decision"] == "permit"
    assert answer["edition"] not in (None, first["edition"])


def test_each_agreement_has_its_own_hashes(scene):
    of = dataset(scene, "click")
    hashed = {"masks": {"tên": {"kind": "hash"}}}
    offer(scene, of, "click", **hashed)
    assert act("hanoiic_edition_list", scene.harvester) == []
    mine = act("hanoiic_agreement_accept", scene.founder, dataset=of["id"])
    other = act("hanoiic_agreement_accept", scene.loner, dataset=of["id"])
    wanted = write(scene)
    assert {one["spec"]["salt_id"] for one in wanted} == {mine["id"], other["id"]}
    salts = {one["salt"] for one in wanted}
    assert len(salts) == 2
    assert all(len(bytes.fromhex(salt)) == 32 for salt in salts)
    read = {told(scene, scene.token(user))["edition"] for user in (scene.founder, scene.loner)}
    assert read == {one["edition"] for one in wanted}
    act("hanoiic_agreement_revoke", scene.officer, id=other["id"], reason="Vi phạm")
    assert [one["spec"]["salt_id"] for one in act("hanoiic_edition_list", scene.harvester)] == [
        mine["id"]
    ]


def test_a_sample_may_be_tried_by_whoever_is_signed_in_while_the_request_waits(scene):
    of = dataset(scene, "request")
    offer(
        scene, of, "request", licence="sandbox-trial", sample={"rows": 50, "by": "phường"}, **SHOWN
    )
    wanted = {one["spec"]["sample"] is not None: one for one in write(scene)}
    token = scene.token(scene.founder)
    answer = told(scene, token)
    assert (answer["reason"], answer["edition_kind"]) == ("sample", "sample")
    assert (answer["edition"], answer["metered"]) == (wanted[True]["edition"], False)
    assert wanted[True]["spec"]["sample"] == {"rows": 50, "by": "phường"}
    assert wanted[True]["spec"]["masks"] == SHOWN["masks"]
    assert told(scene, None)["reason"] == "sign_in_required"
    # To try is to query: copies are for agreements.
    assert told(scene, token, action="download")["reason"] == "request_needed"
    shown = act("hanoiic_access_show", scene.founder, id=of["id"])
    assert (shown["reason"], shown["next_step"], shown["sample"]) == (
        "request_needed", "request", True,
    )  # fmt: skip
    act("hanoiic_request_create", scene.founder, dataset=of["id"], purpose="Thử")
    assert told(scene, token)["reason"] == "sample"
    request = act("hanoiic_request_list", scene.founder)[0]
    act("hanoiic_request_approve", scene.officer, id=request["id"])
    answer = told(scene, token)
    assert (answer["reason"], answer["edition"]) == ("agreement", wanted[False]["edition"])
    agreement = answer["agreement"]
    act("hanoiic_agreement_revoke", scene.officer, id=agreement, reason="Vi phạm")
    assert told(scene, token)["reason"] == "agreement_revoked"


def test_holders_of_a_sandbox_may_have_the_sample_only(scene):
    of = dataset(scene, "request")
    offer(scene, of, "request", licence="sandbox-trial", sample={"rows": 9, "holders": True})
    scene.approved(scene.founder, of)
    answer = told(scene, scene.token(scene.founder))
    assert (answer["reason"], answer["edition_kind"]) == ("agreement", "sample")


def test_a_report_moves_the_epoch_and_editions_are_the_harvesters_alone(scene):
    of = dataset(scene, "open")
    offer(scene, of, "open", **SHOWN)
    before = epoch.current()
    write(scene, "t")
    assert epoch.current() > before
    for user in (scene.sysadmin, scene.officer, scene.gateway):
        with pytest.raises(tk.NotAuthorized):
            act("hanoiic_edition_list", user)
    assert of


def test_an_officer_looks_at_an_edition_before_it_is_offered(scene):
    of = dataset(scene, "request")
    given = {"dataset": of["id"], "table": "t", "masks": {"tên": {"kind": "hash"}}}
    asked = act("hanoiic_edition_preview_create", scene.officer, **given)
    assert asked["state"] == "requested"
    (claimed,) = act("hanoiic_edition_preview_claim", scene.harvester)
    assert (claimed["id"], claimed["table"]) == (asked["id"], "t")
    assert len(bytes.fromhex(claimed["salt"])) == 32
    assert act("hanoiic_edition_preview_claim", scene.harvester) == []
    result = {"columns": [{"name": "tên", "type": "string"}], "rows": [["ab12"]]}
    act("hanoiic_edition_preview_update", scene.harvester, id=asked["id"], state="ready",
        result=result)  # fmt: skip
    shown = act("hanoiic_edition_preview_show", scene.officer, id=asked["id"])
    assert (shown["state"], shown["result"]) == ("ready", result)
    for user in (scene.clerk, scene.founder):
        with pytest.raises(tk.NotAuthorized):
            act("hanoiic_edition_preview_show", user, id=asked["id"])
        with pytest.raises(tk.NotAuthorized):
            act("hanoiic_edition_preview_create", user, **given)
    for _ in range(5):
        act("hanoiic_edition_preview_create", scene.officer, **given)
    assert refusal("hanoiic_edition_preview_create", scene.officer, **given) == (
        "too_many_edition_previews"
    )


def test_versions_that_an_offer_pins_are_kept_as_long_as_anybody_holds_them(scene):
    of = dataset(scene, "click")
    lake_version(of, 4)
    offer(scene, of, "click", pinned_versions={"t": [3, 1, 3]})
    # Before the first agreement begins as well: what is offered must be there.
    assert act("hanoiic_pins_list", scene.harvester) == {"t": [1, 3]}
    agreement = act("hanoiic_agreement_accept", scene.founder, dataset=of["id"])
    assert agreement["pinned_versions"] == {"t": [1, 3]}
    offer(scene, of, "click", pinned_versions={"t": [4]})
    assert act("hanoiic_pins_list", scene.harvester) == {"t": [1, 3, 4]}
    act("hanoiic_agreement_revoke", scene.officer, id=agreement["id"], reason="Hết")
    assert act("hanoiic_pins_list", scene.harvester) == {"t": [4]}
    act("hanoiic_offer_withdraw", scene.officer, dataset=of["id"], reason="Hết")
    assert act("hanoiic_pins_list", scene.harvester) == {}


def test_a_masked_edition_is_wanted_for_the_pinned_versions_too(scene):
    of = dataset(scene, "open")
    lake_version(of, 4)
    offer(scene, of, "open", columns=["mã"], pinned_versions={"t": [2]})
    (wanted,) = act("hanoiic_edition_list", scene.harvester)
    assert wanted["pinned_versions"] == [2]


@pytest.mark.parametrize(
    ("pins", "problem"),
    [
        ({"t": [5]}, "pinned_version"),
        ({"t": [0]}, "pinned_version"),
        ({"t": ["1"]}, "pinned_list"),
        ({"t": 1}, "pinned_list"),
        ({"other": [1]}, "pinned_table"),
    ],
)
def test_pins_that_the_catalogue_does_not_know_are_refused(scene, pins, problem):
    of = dataset(scene, "click")
    lake_version(of, 4)
    with pytest.raises(tk.ValidationError) as refused:
        offer(scene, of, "click", pinned_versions=pins)
    assert refused.value.error_dict["problem"] == [problem]
    assert refused.value.error_dict["field"] == ["pinned_versions"]
    assert refused.value.error_dict["message"][0]


def lake_version(of: dict[str, Any], version: int) -> None:
    """What a harvest tells the catalogue of the dataset's one table."""
    (resource,) = model.Package.get(of["id"]).resources
    resource.extras = {**resource.extras, "lake_version": version}
    model.Session.commit()
