"""The editions that offers' terms come to, and when each is served."""

from __future__ import annotations

import pytest
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import epoch, specs
from licensing_scene import Scene, act, refusal
from offers_scene import SHOWN, dataset, offer, told, write

pytestmark = pytest.mark.usefixtures("empty")


@pytest.fixture
def scene() -> Scene:
    return Scene()


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


def test_an_offer_that_was_removed_is_not_the_one_before(scene):
    of = dataset(scene, "request")
    offer(scene, of, "open", table="t")
    assert told(scene, None)["decision"] == "permit"
    act("hanoiic_offer_remove", scene.officer, dataset=of["id"], table="t")
    assert told(scene, None)["decision"] == "deny"
    offer(scene, of, "open", table="t", **SHOWN)
    assert told(scene, None)["edition_kind"] == "projection"


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


def test_a_filter_by_a_number_beyond_json_s_own_is_an_edition_as_any_other(scene):
    of = dataset(scene, "open")
    offer(scene, of, "open", row_filter=[{"column": "mã", "op": "lt", "value": 2**53 + 1}])
    first, second = write(scene)[0]["edition"], specs.edition_id(
        "t", write(scene)[0]["spec"] | {"where": [{"column": "mã", "op": "lt", "value": 2**53 + 2}]}
    )  # fmt: skip
    assert told(scene, None)["edition"] == first != second


def test_who_accepted_the_whole_dataset_keeps_a_table_that_gets_an_offer_of_its_own(scene):
    of = dataset(scene, "click", "t", "other")
    offer(scene, of, "click", **SHOWN)
    held = act("hanoiic_agreement_accept", scene.founder, dataset=of["id"])
    offer(scene, of, "click", table="t", columns=["mã"])
    write(scene)
    early = scene.token(scene.founder)
    late = scene.token(scene.loner)
    assert told(scene, early)["agreement"] == held["id"]
    assert told(scene, early)["edition"] in {one["edition"] for one in write(scene, "t")}
    # Who accepts the dataset's offer from now on gets the other tables.
    act("hanoiic_agreement_accept", scene.loner, dataset=of["id"])
    assert [scene.reason(late, table) for table in ("t", "other")] == [
        "deny: licence_not_accepted", "permit: agreement",
    ]  # fmt: skip
    own = act("hanoiic_agreement_accept", scene.founder, dataset=of["id"], table="t")
    assert told(scene, early)["agreement"] == own["id"]
    assert told(scene, early, "other")["agreement"] == held["id"]


def test_who_was_shut_out_of_the_whole_dataset_accepts_no_table_s_own_offer(scene):
    of = dataset(scene, "click", "t", "other")
    held = act("hanoiic_agreement_accept", scene.founder, dataset=of["id"])
    act("hanoiic_agreement_revoke", scene.officer, id=held["id"], reason="Misuse")
    offer(scene, of, "click", table="t", columns=["mã"])
    token = scene.token(scene.founder)
    assert scene.reason(token, "t") == "deny: agreement_revoked"
    assert refusal(
        "hanoiic_agreement_accept", scene.founder, dataset=of["id"], table="t"
    ) == "officer_needed"  # fmt: skip
    asked = act(
        "hanoiic_request_create", scene.founder, dataset=of["id"], table="t", purpose="Sorry"
    )
    act("hanoiic_request_approve", scene.officer, id=asked["id"])
    assert scene.reason(token, "t") == "permit: agreement"
    assert scene.reason(token, "other") == "deny: agreement_revoked"


COLUMN_VALUES = [
    ("giá", "1e99"),
    ("lúc", "2026-01-01T00:00:00"),
    ("mã", 2**63),
    ("mã", float("inf")),
    ("tên", "a\0"),
    ("tên", "\ud800"),
]


@pytest.mark.parametrize(("column", "value"), COLUMN_VALUES)
def test_a_filter_s_value_that_the_column_can_t_have_is_refused(scene, column, value):
    of = dataset(scene, "open")
    with pytest.raises(tk.ValidationError):
        offer(scene, of, "open", row_filter=[{"column": column, "op": "eq", "value": value}])


@pytest.mark.parametrize(
    "terms",
    [
        {"valid_from": []},
        {"agreement_days": []},
        {"licence": ["CC-BY-4.0"]},
        {"masks": {"mã": {"kind": []}}},
        {"masks": {"mã": {"kind": "bucket", "width": 10**400}}},
        {"auto_approve": {"purposes": [{}]}},
        {"questions": [{"vi": "a", "en": "b", "kind": ["x"]}]},
        {"questions": [{"vi": "a\0", "en": "b"}]},
        {"quota": {"rows_per_month": 10**40}},
    ],
)
def test_terms_of_another_kind_are_refused(scene, terms):
    of = dataset(scene, "open")
    with pytest.raises(tk.ValidationError):
        offer(scene, of, "open", **terms)
