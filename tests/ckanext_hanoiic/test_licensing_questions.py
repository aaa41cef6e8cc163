"""What officers ask applicants, what versions they keep, and a table's own offer on the page."""

from __future__ import annotations

from typing import Any

import pytest
from ckan.plugins import toolkit as tk
from ckan.tests.helpers import CKANTestApp
from ckanext.hanoiic.licensing import questions
from licensing_scene import Scene, act
from offers_scene import dataset, lake_version, offer
from test_licensing_pages import Browser, panel

USES = {"vi": "Dùng cho bao nhiêu người?", "en": "For how many people?", "kind": "number"}
ASKED = [
    {**USES, "required": True},
    {"vi": "Có công bố không?", "en": "Will you publish it?", "kind": "yes_no"},
]


@pytest.fixture
def scene(empty: CKANTestApp) -> Scene:
    return Scene()


def ask(scene: Scene, of: dict[str, Any], **answers: str) -> dict[str, Any]:
    return act(
        "hanoiic_request_create", scene.founder, dataset=of["id"], purpose="p", answers=answers
    )


def test_answers_are_kept_as_they_were_asked(scene):
    of = dataset(scene, "request")
    offer(scene, of, "request", questions=ASKED)
    asked = act("hanoiic_offer_show", None, id=of["id"])["offered"]["questions"]
    assert [(one["id"], one["required"], one["kind"]) for one in asked] == [
        ("q1", True, "number"),
        ("q2", False, "yes_no"),
    ]
    sent = ask(scene, of, q1=" 12.5 ")
    offer(scene, of, "request", questions=[{**USES, "vi": "Câu khác?", "id": "q1"}])
    kept = act("hanoiic_request_show", scene.officer, id=sent["id"])["answers"]
    assert kept == [
        {
            "id": "q1",
            "kind": "number",
            "question": {"vi": USES["vi"], "en": USES["en"]},
            "answer": "12.5",
        }
    ]


@pytest.mark.parametrize(
    ("answers", "field", "problem"),
    [
        ({}, "answer_q1", "answer_missing"),
        ({"q1": "  "}, "answer_q1", "answer_missing"),
        ({"q1": "many"}, "answer_q1", "answer_number"),
        ({"q1": "NaN"}, "answer_q1", "answer_number"),
        ({"q1": "1", "q2": "perhaps"}, "answer_q2", "answer_yes_no"),
        ({"q1": "1", "readers": "x"}, "answer_readers", "answer_unknown"),
    ],
)
def test_an_answer_that_is_none_is_refused_at_its_field(scene, answers, field, problem):
    of = dataset(scene, "request")
    offer(scene, of, "request", questions=ASKED)
    with pytest.raises(tk.ValidationError) as refused:
        ask(scene, of, **answers)
    told = refused.value.error_dict
    assert (told["code"], told["field"], told["problem"]) == (
        ["answer_invalid"],
        [field],
        [problem],
    )


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ([{"vi": "Gì?"}], "question_words"),
        ([{**USES, "kind": "essay"}], "question_kind"),
        ([{**USES, "vi": "x" * 301}], "question_long"),
        ([{**USES, "colour": "red"}], "questions_shape"),
        ([{**USES, "id": "a"}, {**USES, "id": "a"}], "questions_shape"),
        ([USES] * 13, "questions_most"),
    ],
)
def test_questions_that_nobody_could_answer_are_refused(scene, said, problem):
    of = dataset(scene, "request")
    with pytest.raises(tk.ValidationError) as refused:
        offer(scene, of, "request", questions=said)
    assert refused.value.error_dict["problem"] == [problem]
    assert refused.value.error_dict["field"] == ["questions"]


@pytest.mark.parametrize(
    ("action", "field", "data"),
    [
        ("hanoiic_offer_update", "agreement_days", {"tier": "open"}),
        ("hanoiic_offer_update", "sla_working_days", {"tier": "open"}),
        ("hanoiic_token_create", "lifetime_days", {"name": "n"}),
        ("hanoiic_token_rotate", "overlap_hours", {"id": "x"}),
        ("hanoiic_usage_report", "days", {}),
        ("hanoiic_audit_list", "limit", {}),
    ],
)
def test_a_word_where_a_number_belongs_is_told_at_its_field(scene, action, field, data):
    of = dataset(scene, "open")
    with pytest.raises(tk.ValidationError) as refused:
        act(action, scene.sysadmin, dataset=of["id"], **{field: "abc"}, **data)
    assert list(refused.value.error_dict) == [field]


def test_an_officer_writes_questions_and_the_applicant_is_asked_them(bare):
    with bare.flask_app.test_request_context():
        scene = Scene()
        of = dataset(scene, "request")
        offer(scene, of, "request")
    officer, founder = Browser(bare, scene.officer), Browser(bare, scene.founder)
    editor = officer.get(f"/en/hanoiic/offers/{of['name']}/edit")
    usual = editor.find(attrs={"name": "question-vi-1"})
    assert usual["value"] == questions.USUAL[0].vi
    lines = range(1, len(questions.USUAL) + 1)
    fields = {f"question-{code}-{n}": "" for n in lines for code in ("vi", "en")}
    fields |= {"question-vi-1": USES["vi"], "question-kind-1": "number"}
    wrong = officer.press(editor, "Publish the offer", **fields)
    complaint = wrong.find(id="f-questions-wrong").get_text()
    assert "write it in Vietnamese and in English" in complaint
    assert wrong.find(attrs={"name": "question-vi-1"})["value"] == USES["vi"]
    officer.press(
        wrong, "Publish the offer", **{"question-en-1": USES["en"], "question-required-1": "on"}
    )

    page = panel(founder, of)
    field = page.find("input", attrs={"name": "answer_product"})
    assert (field["type"], field.has_attr("required")) == ("number", True)
    assert page.find("label", attrs={"for": field["id"]}).get_text().startswith(USES["en"])
    again = founder.press(page, "Request access", purpose="Bus map", answer_product="many")
    marked = again.find("input", attrs={"name": "answer_product"})
    assert marked["aria-invalid"] == "true"
    assert "number" in again.find(id=marked["aria-describedby"]).get_text()
    assert again.find("textarea", attrs={"name": "purpose"}).get_text() == "Bus map"
    founder.press(again, "Send the request", purpose="Bus map", answer_product="300")
    inbox = officer.get("/en/hanoiic/inbox")
    request = officer.get(inbox.select_one("#requests article a[href*='/requests/']")["href"])
    assert USES["en"] in request.get_text()
    assert "300" in request.get_text()


def test_a_tables_own_offer_is_shown_and_accepted_in_place(bare):
    with bare.flask_app.test_request_context():
        scene = Scene()
        of = dataset(scene, "open", "stops", "people")
        offer(scene, of, "click", table="people")
    founder = Browser(bare, scene.founder)
    page = panel(founder, of)
    general, own = page.select("section.hanoiic-access")
    assert general.find(attrs={"data-reason": "open"})
    assert "stops" in general.get_text()
    assert "people" not in general.get_text()
    assert own["id"] == "access-people"
    assert own.find(attrs={"data-reason": "licence_not_accepted"})
    founder.press(own, "I accept the licence")
    assert panel(founder, of).find(id="access-people").find(attrs={"data-reason": "agreement"})
    with bare.flask_app.test_request_context():
        (held,) = act("hanoiic_agreement_list", scene.founder)
        assert held["table"] == "people"
        offer(scene, of, "request", table="people")
        asker = Browser(bare, scene.loner)
    founder.press(panel(asker, of).find(id="access-people"), "Request access", purpose="Nghiên cứu")
    ids = [one["id"] for one in panel(asker, of).select("[id]")]
    assert len(ids) == len(set(ids))


def test_a_dataset_whose_tables_all_have_offers_of_their_own_shows_those_alone(bare):
    with bare.flask_app.test_request_context():
        scene = Scene()
        of = dataset(scene, "request", "people")
        offer(scene, of, "open", table="people")
    (one,) = panel(Browser(bare, None), of).select("section.hanoiic-access")
    assert one["id"] == "access-people"
    assert one.find(attrs={"data-reason": "open"})


VERSIONS = {
    "versions": [
        {"version": 3, "published_at": "2026-02-28T20:00:00Z", "row_count": 4412},
        {"version": 1, "published_at": "2025-12-31T20:00:00Z", "row_count": 4400},
    ]
}


def test_an_officer_picks_the_versions_to_keep(bare, httpserver, monkeypatch):
    httpserver.expect_request("/v1/tables/t").respond_with_json(VERSIONS)
    monkeypatch.setitem(tk.config, "hanoiic.gateway_internal_url", httpserver.url_for(""))
    with bare.flask_app.test_request_context():
        scene = Scene()
        of = dataset(scene, "click")
        lake_version(of, 3)
        offer(scene, of, "click")
    officer = Browser(bare, scene.officer)
    page = officer.get(f"/en/hanoiic/offers/{of['name']}/edit")
    boxes = page.find_all("input", attrs={"name": "pinned:t"})
    assert [box["value"] for box in boxes] == ["3", "1"]
    label = page.find("label", attrs={"for": boxes[1]["id"]}).get_text()
    assert "Version 1" in label
    assert "1 Jan 2026" in label
    for box in boxes[:1]:
        box.decompose()
    told = officer.press(page, "Publish the offer")
    assert "Kept for holders" in told.find(id="offer-dataset").get_text()
    offered = act_of(bare, scene, of)
    assert offered["pinned_versions"] == {"t": [1]}


def test_versions_are_typed_while_the_gateway_is_away(bare):
    with bare.flask_app.test_request_context():
        scene = Scene()
        of = dataset(scene, "click")
        lake_version(of, 3)
        offer(scene, of, "click", pinned_versions={"t": [2]})
    officer = Browser(bare, scene.officer)
    page = officer.get(f"/en/hanoiic/offers/{of['name']}/edit")
    assert page.find(attrs={"name": "pinned-typed:t"})["value"] == "2"
    wrong = officer.press(page, "Publish the offer", **{"pinned-typed:t": "2, 9"})
    assert "t has no version 9" in wrong.find(id="f-pinned_versions-wrong").get_text()
    officer.press(wrong, "Publish the offer", **{"pinned-typed:t": "3, 2"})
    assert act_of(bare, scene, of)["pinned_versions"] == {"t": [2, 3]}


def act_of(bare: CKANTestApp, scene: Scene, of: dict[str, Any]) -> dict[str, Any]:
    with bare.flask_app.test_request_context():
        return act("hanoiic_offer_show", scene.officer, id=of["id"])["offered"]
