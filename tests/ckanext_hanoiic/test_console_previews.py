"""Previews: asked for by an officer, made by the worker, forgotten after a while."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ckan import model
from ckan.plugins import toolkit as tk
from ckan.tests.helpers import call_action
from ckanext.hanoiic.console import preview_model


def test_preview_goes_from_an_officer_to_the_worker_and_back(department):
    asked = call_action(
        "hanoiic_preview_create",
        owner_org=department["name"],
        url="https://du-lieu.example.vn/a.csv",
        options={"header_row": 2},
    )
    assert (asked["state"], asked["kind"]) == ("requested", "")
    [taken] = call_action("hanoiic_preview_claim", worker="w1")
    assert (taken["id"], taken["state"], taken["options"]) == (
        asked["id"], "running", {"header_row": 2},
    )  # fmt: skip
    assert call_action("hanoiic_preview_claim", worker="w2") == []
    stage = {"stage": "fetch", "state": "done"}
    call_action("hanoiic_preview_update", id=asked["id"], stages=[stage])
    result = {"kind": "csv", "tables": [{"part": "", "row_count": 3}]}
    call_action("hanoiic_preview_update", id=asked["id"], state="ready", result=result)
    shown = call_action("hanoiic_preview_show", id=asked["id"])
    assert shown["state"] == "ready"
    assert shown["result"]["tables"] == result["tables"]
    with pytest.raises(tk.ValidationError):
        call_action("hanoiic_preview_update", id=asked["id"], state="failed")


def test_a_preview_that_kills_its_worker_fails(department):

    asked = call_action(
        "hanoiic_preview_create", owner_org=department["id"], url="https://a.example.vn/a.csv"
    )
    moment = preview_model.now()
    for turn in range(2):
        assert len(preview_model.claim("w", 5, moment + turn * timedelta(minutes=10))) == 1
        model.Session.commit()
    assert preview_model.claim("w", 5, moment + timedelta(minutes=20)) == []
    model.Session.commit()
    shown = call_action("hanoiic_preview_show", id=asked["id"])
    assert (shown["state"], shown["result"]["error"]["code"]) == ("failed", "worker_lost")


def test_an_organisation_has_five_unfinished_previews_at_most(department):
    for number in range(6):
        said = {"owner_org": department["id"], "url": f"https://a.example.vn/{number}.csv"}
        if number < 5:
            call_action("hanoiic_preview_create", **said)
    with pytest.raises(tk.ValidationError) as refused:
        call_action("hanoiic_preview_create", **said)
    assert refused.value.error_dict["code"] == ["too_many_previews"]


def test_old_previews_are_forgotten(department):
    from ckanext.hanoiic.console.preview_model import Preview

    said = {"owner_org": department["id"], "url": "https://a.example.vn/a.csv"}
    old = call_action("hanoiic_preview_create", **said)
    model.Session.get(Preview, old["id"]).created_at -= timedelta(hours=2)
    model.Session.commit()
    call_action("hanoiic_preview_create", **said)
    with pytest.raises(tk.ObjectNotFound):
        call_action("hanoiic_preview_show", id=old["id"])


@pytest.mark.parametrize("said", [{}, {"url": "file:///etc/passwd"}, {"upload": "nowhere"}])
def test_a_preview_needs_an_address_or_a_file_of_the_organisation(department, said):
    with pytest.raises(tk.ValidationError):
        call_action("hanoiic_preview_create", owner_org=department["id"], **said)
