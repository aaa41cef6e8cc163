"""Held versions: what the worker found, and what an officer decides about it."""

from __future__ import annotations

import pytest
from ckan.plugins import toolkit as tk
from ckan.tests.helpers import call_action
from console_scene import HARVESTER, make_source


@pytest.fixture
def source(department):
    return make_source(department)


def personal(fingerprint="a", table="cong_dan"):
    return {
        "table": table,
        "kind": "personal_data",
        "fingerprint": fingerprint * 64,
        "reason": "Hai cột có vẻ là dữ liệu cá nhân.",
        "facts": {
            "rules_date": "2026-01-01",
            "columns": [
                {"column": "CCCD", "kind": "citizen_id", "score": 0.98, "matched_count": 98,
                 "row_count": 100, "examples": ["0010********"]},
            ],
        },
        "preview": {"columns": ["CCCD", "Phường"], "rows": [["0010********", "Hoàn Kiếm"]]},
    }  # fmt: skip


def held_run(source, *holds, **said):
    run = call_action("hanoiic_source_run", id=source["id"])
    call_action("hanoiic_run_update", id=run["id"], state="running")
    return call_action("hanoiic_run_update", id=run["id"], state="held", holds=list(holds), **said)


def open_holds(source):
    return call_action("hanoiic_hold_list", source_id=source["id"])


def decide(hold, decision="approve", **said):
    return call_action(
        "hanoiic_hold_decide", id=hold["id"], decision=decision, **{"note": "đã xem", **said}
    )


def test_the_same_finding_of_two_runs_is_one_hold(source):
    held_run(source, personal())
    second = held_run(source, personal())
    [hold] = open_holds(source)
    assert hold["run_id"] == second["id"]
    assert call_action("hanoiic_source_show", id=source["id"])["health"] == "held"


def test_another_finding_about_the_table_replaces_the_first(source):
    held_run(source, personal("a"))
    held_run(source, personal("b"))
    [hold] = open_holds(source)
    assert call_action("hanoiic_hold_show", id=hold["id"])["fingerprint"] == "b" * 64
    states = [one["state"] for one in call_action("hanoiic_hold_list", state="all")]
    assert sorted(states) == ["open", "superseded"]


def test_a_run_that_published_the_table_leaves_nothing_to_decide(source):
    held_run(source, personal())
    run = call_action("hanoiic_source_run", id=source["id"])
    table = {"table": "cong_dan", "version": 2, "changed": True}
    call_action("hanoiic_run_update", id=run["id"], state="published", tables=[table])
    assert open_holds(source) == []


def test_approval_pins_the_masks_and_asks_for_a_release(source):
    held_run(source, personal())
    [hold] = open_holds(source)
    decided = decide(hold, masks={"CCCD": "hash"})
    assert decided["state"] == "approved"
    assert decided["pins"] == {"CCCD": {"mask": "hash"}}
    run = call_action("hanoiic_run_show", id=decided["release_run"])
    assert (run["trigger"], run["state"]) == ("release", "requested")
    shown = call_action("hanoiic_source_show", id=source["id"])
    assert shown["options"]["columns"] == {"CCCD": {"mask": "hash"}}
    said = {"kind": "personal_data", "table": "cong_dan", "fingerprint": "a" * 64}
    assert shown["decisions"] == [{**said, "decision": "approve"}]
    [claimed] = call_action("hanoiic_run_claim", {"user": HARVESTER})
    assert claimed["source"]["decisions"] == shown["decisions"]


def test_an_approval_counts_only_while_its_masks_are_pinned(source):
    held_run(source, personal())
    decided = decide(open_holds(source)[0], masks={"CCCD": "hash"})
    call_action("hanoiic_run_update", id=decided["release_run"], state="published")
    # As a form does that was opened before the decision.
    changed = call_action("hanoiic_source_update", id=source["id"], options={})
    assert changed["decisions"] == []
    held_run(source, personal())
    [again] = open_holds(source)
    assert again["id"] != decided["id"]
    assert call_action("hanoiic_hold_show", id=decided["id"])["state"] == "superseded"
    assert decide(again, masks={"CCCD": "drop"})["state"] == "approved"


def test_rejection_asks_for_no_run_and_is_told_to_the_worker(source):
    held_run(source, personal())
    decided = decide(open_holds(source)[0], "reject", note="cột CCCD phải bỏ ở nguồn")
    assert decided["release_run"] is None
    shown = call_action("hanoiic_source_show", id=source["id"])
    assert [one["decision"] for one in shown["decisions"]] == ["reject"]
    assert shown["last_run"]["state"] == "held"


def test_types_are_pinned_for_a_changed_schema_only(source):
    change = {"column": "Mã", "change": "retyped", "before": "string", "after": "int64"}
    drift = {**personal("c"), "kind": "schema_drift", "facts": {"changes": [change]}}
    held_run(source, personal(), drift)
    by_kind = {hold["kind"]: hold for hold in open_holds(source)}
    for kind, wrong in (
        ("personal_data", {"types": {"CCCD": "string"}}),
        ("schema_drift", {"masks": {"Mã": "drop"}}),
        ("schema_drift", {"types": {"Tên": "string"}}),
    ):
        with pytest.raises(tk.ValidationError):
            decide(by_kind[kind], **wrong)
    decide(by_kind["schema_drift"], types={"Mã": "string"})
    shown = call_action("hanoiic_source_show", id=source["id"])
    assert shown["options"]["columns"] == {"Mã": {"type": "string"}}


def test_a_decision_is_made_once_and_with_a_note(source):
    held_run(source, personal())
    [hold] = open_holds(source)
    with pytest.raises(tk.ValidationError) as refused:
        decide(hold, note=" ")
    assert "note" in refused.value.error_dict
    decide(hold)
    with pytest.raises(tk.ValidationError) as refused:
        decide(hold, "reject")
    assert refused.value.error_dict["code"] == ["hold_decided"]


def test_an_approval_while_the_next_run_is_on_is_not_lost(source):
    """The run on the way began before the decision; it ends held, and another one follows."""
    held_run(source, personal())
    [hold] = open_holds(source)
    on = call_action("hanoiic_source_run", id=source["id"])
    call_action("hanoiic_run_update", id=on["id"], state="running")
    assert decide(hold)["release_run"] == on["id"]
    call_action("hanoiic_run_update", id=on["id"], state="held", holds=[personal()])
    last = call_action("hanoiic_source_show", id=source["id"])["last_run"]
    assert (last["trigger"], last["state"]) == ("release", "requested")
    # And if the worker holds it still, nothing goes round in circles.
    call_action("hanoiic_run_update", id=last["id"], state="running")
    call_action("hanoiic_run_update", id=last["id"], state="held", holds=[personal()])
    assert call_action("hanoiic_source_show", id=source["id"])["last_run"]["id"] == last["id"]


@pytest.mark.parametrize(
    "wrong",
    [{"fingerprint": "short"}, {"kind": "whim"}, {"facts": None}, {"table": 7}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_hold_that_says_too_little_is_refused(source, wrong):
    with pytest.raises(tk.ValidationError) as refused:
        held_run(source, {**personal(), **wrong})
    assert "holds" in refused.value.error_dict
