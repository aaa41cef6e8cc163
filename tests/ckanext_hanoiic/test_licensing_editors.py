"""The editors of offers and licences as officers and operators see them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from bs4 import BeautifulSoup
from ckan import model
from ckan.tests import factories
from ckan.tests.helpers import CKANTestApp, call_action
from ckanext.hanoiic.licensing import licence_desk, licence_form, licences
from licensing_scene import Scene, act
from offers_scene import COLUMNS, text


@pytest.fixture
def scene(bare: CKANTestApp) -> Scene:
    """Pages are asked from outside of any request."""
    with bare.flask_app.test_request_context():
        return Scene()


@pytest.fixture
def inside(bare: CKANTestApp) -> Callable[..., Any]:
    """Call within a request of nobody."""

    def call(function: Callable[..., Any], *args: Any, **named: Any) -> Any:
        with bare.flask_app.test_request_context():
            return function(*args, **named)

    return call


@pytest.fixture
def headers(inside) -> Callable[[str], dict[str, str]]:
    def of(user: str) -> dict[str, str]:
        token = inside(call_action, "api_token_create", user=user, name="browser")["token"]
        return {"Authorization": token, "Accept": "text/html"}

    return of


def load() -> None:
    licences.load()
    model.Session.commit()


def soup(answer) -> BeautifulSoup:
    return BeautifulSoup(answer.body, "html.parser")


def dataset(scene: Scene) -> dict:
    resource = {"url": "http://gateway.test/t.csv", "lake_table": "t", "columns": COLUMNS}
    return factories.Dataset(
        owner_org=scene.department["id"], access_tier="open", license_id="CC-BY-4.0",
        resources=[resource],
    )  # fmt: skip


FORM = {
    "tier": "click",
    "licence": "hanoi-open-data",
    "shown": ["mã", "tên", "ngày"],
    "mask:tên": "truncate",
    "mask-value:tên": "3",
    "mask:ngày": "bucket",
    "mask-value:ngày": "month",
    "filter-column-0": "mã",
    "filter-op-0": "in",
    "filter-value-0": "1, 2, 3",
    "sample_rows": "10",
    "sample_by": "phường",
    "queries_per_day": "50",
    "agreement_days": "30",
    "auto_approve": "on",
    "organization_kinds": ["company"],
    "do": "publish",
}


def test_an_officer_edits_an_offer_and_sees_it_told(scene, bare: CKANTestApp, inside, headers):
    of, officer = inside(dataset, scene), headers(scene.officer)
    address = f"/en/hanoiic/offers/{of['name']}"
    page = soup(bare.get(address, headers=officer, status=200))
    assert "The dataset" in page.find(id="offer-dataset").text
    form = soup(bare.get(f"{address}/edit", headers=officer, status=200))
    assert len(form.select("input[name=shown][checked]")) == len(COLUMNS)
    wrong = bare.post(
        f"{address}/edit", data=FORM | {"filter-value-0": "1, x"}, headers=officer, status=200
    )
    assert "the value to compare with is not" in soup(wrong).find(id="errors").text
    # What was typed is still there.
    assert soup(wrong).find(id="f-agreement_days")["value"] == "30"
    bare.post(f"{address}/edit", data=FORM, headers=officer, follow_redirects=False, status=302)
    offer = inside(act, "hanoiic_offer_show", None, id=of["id"])
    assert offer["tier"] == "click"
    assert offer["offered"] == {
        "columns": ["mã", "tên", "ngày"],
        "masks": {
            "tên": {"kind": "truncate", "length": 3},
            "ngày": {"kind": "bucket", "width": "month"},
        },
        "row_filter": [{"column": "mã", "op": "in", "value": [1, 2, 3]}],
        "sample": {"rows": 10, "by": "phường", "holders": False},
        "quota": {"queries_per_day": 50},
        "agreement_days": 30,
        "sla_working_days": None,
        "auto_approve": {"organization_kinds": ["company"]},
        "pinned_versions": {},
        "questions": [],
    }
    told = soup(bare.get(address, headers=officer)).find(id="offer-dataset").text
    assert "cut to 3 letters" in told
    assert "At most 50 queries a day." in told
    # The editor shows what was published.
    again = soup(bare.get(f"{address}/edit", headers=officer))
    assert again.find(attrs={"name": "filter-value-0"})["value"] == "1, 2, 3"
    for user in (scene.clerk, scene.founder):
        bare.get(address, headers=headers(user), status=403)
    seen = soup(bare.get(f"/en/dataset/{of['name']}", headers=headers(scene.founder)))
    assert "Columns shown:" in seen.find(id="access").text


def test_a_look_shows_what_the_worker_made(scene, bare: CKANTestApp, inside, headers):
    of, officer = inside(dataset, scene), headers(scene.officer)

    def work() -> None:
        with bare.flask_app.test_request_context():
            for _ in range(100):
                for one in act("hanoiic_edition_preview_claim", scene.harvester):
                    result = {
                        "version": 3,
                        "columns": [{"name": "tên", "type": "string"}],
                        "rows": [["<b>Ng"]],
                    }
                    act("hanoiic_edition_preview_update", scene.harvester, id=one["id"],
                        state="ready", result=result)  # fmt: skip
                    return
                time.sleep(0.1)
                model.Session.rollback()

    worker = threading.Thread(target=work)
    worker.start()
    answer = bare.post(
        f"/en/hanoiic/offers/{of['name']}/edit", data=FORM | {"do": "look"}, headers=officer
    )
    worker.join()
    look = soup(answer).find(id="look")
    assert "version 3" in look.text
    assert look.find("td").text.strip() == "<b>Ng"
    assert inside(act, "hanoiic_offer_show", None, id=of["id"])["tier"] == "open"


def test_an_operator_writes_compares_and_publishes_a_licence(
    scene, bare: CKANTestApp, inside, headers
):
    inside(load)
    operator = headers(scene.sysadmin)
    page = soup(bare.get("/en/hanoiic/licence-desk", headers=operator, status=200))
    # An earlier test's licences are gone with its rows, and the audit remembers them.
    verified = inside(act, "hanoiic_licence_verify", scene.sysadmin)
    assert ("Every published text is as it was published." in page.text) is verified["ok"]
    bare.get("/en/hanoiic/licence-desk", headers=headers(scene.officer), status=403)
    new = "/en/hanoiic/licence-desk/new?from=hanoi-open-data"
    form = soup(bare.get(new, headers=operator, status=200))
    fields = {
        one["name"]: one.get("value", "") for one in form.select("form[method=post] input[name]")
        if one.get("type") not in ("radio", "checkbox") or one.has_attr("checked")
    }  # fmt: skip
    areas = form.select("form[method=post] textarea[name]")
    fields |= {one["name"]: one.text for one in areas}
    assert fields["policy"].strip() == ""
    fields |= {"title_vi": "Dữ liệu mở Hà Nội, bản 2", "days": "365"}
    bare.post(new, data=fields, headers=operator, follow_redirects=False, status=302)
    desk = "/en/hanoiic/licence-desk/hanoi-open-data"
    compared = soup(bare.get(f"{desk}/compare", headers=operator, status=200))
    assert "Dữ liệu mở Hà Nội, bản 2" in [one.text for one in compared.select(".hanoiic-new")]
    assert any("P365D" in one.text for one in compared.select(".hanoiic-new"))
    bare.post(f"{desk}/2/publish", headers=operator, follow_redirects=False, status=302)
    shown = inside(act, "hanoiic_licence_show", None, id="hanoi-open-data")
    assert (shown["version"], shown["state"]) == (2, "published")
    assert shown["policy"]["permission"][0]["constraint"]
    told = soup(bare.get("/en/hanoiic/licences/hanoi-open-data", status=200))
    assert "Version 2" in told.text
    bare.post(f"{desk}/2/withdraw", data={"reason": "x"}, headers=operator, status=200)
    assert inside(act, "hanoiic_licence_list", None)[0]


def test_the_profile_and_policies_are_served_to_programs(scene, bare: CKANTestApp, inside, headers):
    inside(load)
    profile = bare.get("/hanoiic/odrl/profile-1.schema.json", status=200)
    assert profile.content_type.startswith("application/schema+json")
    schema = json.loads(profile.body)
    assert schema == licence_desk.profile()
    for licence_id in licences.shipped():
        answer = bare.get(f"/hanoiic/licences/{licence_id}/1.jsonld", status=200)
        assert answer.content_type.startswith("application/ld+json")
        jsonschema.validate(json.loads(answer.body), schema)
    bare.get("/hanoiic/licences/CC-BY-4.0/9.jsonld", status=404)


def test_the_form_of_a_licence_says_the_same_as_its_policy():
    for shipped in licences.shipped().values():
        form = licence_form.shown_text(shipped.columns())
        assert form["policy"] == "", shipped.id
    odd = text()["policy"]
    odd["permission"] = [*odd["permission"], {"action": ["read"]}]
    assert json.loads(licence_form.shown_text({"policy": odd})["policy"]) == odd
