"""The pages, as a person uses them: read in both languages, changed by POST only."""

from __future__ import annotations

import re
from pathlib import Path

import flask
import polib
from babel.messages.extract import extract_from_dir
from bs4 import BeautifulSoup
from ckan import model
from ckan.plugins import toolkit as tk
from ckan.tests.helpers import call_action
from ckanext.hanoiic import licensing
from ckanext.hanoiic.licensing import licence_desk, licences
from ckanext.hanoiic.licensing.model import Agreement, Token
from ckanext.hanoiic.licensing.views import licensing as blueprint
from licensing_scene import Scene, act
from werkzeug.datastructures import MultiDict

FOLDER = Path(licensing.__file__).parent
HTML = {"Accept": "text/html"}


def test_every_text_has_its_vietnamese_and_the_compiled_file_is_of_this_source():
    methods = [("**/templates/**.html", "ckan"), ("**.py", "python")]
    keywords = {"_": None, "N_": None}
    found = {one[2] for one in extract_from_dir(str(FOLDER), methods, keywords=keywords)}
    base = FOLDER / "i18n/vi/LC_MESSAGES/ckanext-hanoiic-licensing"
    source, compiled = polib.pofile(f"{base}.po"), polib.mofile(f"{base}.mo")
    assert {entry.msgid for entry in source} == found
    assert all(entry.msgstr for entry in source)
    assert {e.msgid: e.msgstr for e in source} == {e.msgid: e.msgstr for e in compiled}
    for entry in source:
        assert re.findall(r"{\w+}", entry.msgid) == re.findall(r"{\w+}", entry.msgstr)


class Browser:
    """One person's browser: follows what a form does."""

    def __init__(self, app, user: str | None) -> None:
        self.app = app
        self.headers = dict(HTML)
        if user:
            token = call_action("api_token_create", user=user, name="browser")["token"]
            self.headers["Authorization"] = token

    def get(self, path: str, status: int = 200) -> BeautifulSoup:
        response = self.app.get(path, headers=self.headers, status=status, follow_redirects=False)
        return BeautifulSoup(response.body, "html.parser")

    @staticmethod
    def _chosen(select) -> str:
        return (select.find("option", selected=True) or select.find("option"))["value"]

    def press(self, page: BeautifulSoup, button: str, **fields: str) -> BeautifulSoup:
        """Press the button with this text, in its form with these fields filled."""
        pressed = next(b for b in page.find_all("button") if b.get_text(strip=True) == button)
        form = pressed.find_parent("form")
        assert form["method"] == "post"
        assert form.find("input", attrs={"name": "_csrf_token"}) is not None
        data = MultiDict(
            (i["name"], i.get("value", "")) for i in form.find_all("input", attrs={"name": True})
        )
        data.update({s["name"]: self._chosen(s) for s in form.find_all("select")})
        for name, value in fields.items():
            data[name] = value
        response = self.app.post(
            pressed.get("formaction") or form["action"],
            data=data,
            headers=self.headers,
            follow_redirects=True,
        )
        return BeautifulSoup(response.body, "html.parser")


def ask(app, scene: Scene, token: str) -> dict:
    """What the gateway is told, over HTTP with its own credential."""
    gateway = Browser(app, scene.gateway).headers["Authorization"]
    response = app.post(
        "/api/3/action/hanoiic_introspect",
        json={"token": token, "tables": ["t"], "action": "query"},
        headers={"Authorization": gateway},
    )
    return response.json["result"]


def panel(browser: Browser, dataset: dict, language: str = "en") -> BeautifulSoup:
    """The access panel by itself, as the dataset page shows it to this reader."""
    environment = {"CKAN_LANG": language, "CKAN_LANG_IS_DEFAULT": language == "vi"}
    headers = {k: v for k, v in browser.headers.items() if k == "Authorization"}
    with browser.app.flask_app.test_request_context(
        "/", environ_overrides=environment, headers=headers
    ):
        browser.app.flask_app.preprocess_request()
        html = flask.render_template("hanoiic_licensing/snippets/access_panel.html", pkg=dataset)
    return BeautifulSoup(html, "html.parser")


def test_a_holder_reads_the_terms_that_were_accepted(bare):
    scene = Scene()
    dataset = scene.dataset("click", "t")
    offered = {"dataset": dataset["id"], "tier": "click", "licence": "CC-BY-4.0"}
    act("hanoiic_offer_update", scene.officer, **offered, quota={"queries_per_day": 111})
    act("hanoiic_agreement_accept", scene.founder, dataset=dataset["id"])
    offered["licence"] = "ODbL-1.0"
    act("hanoiic_offer_update", scene.officer, **offered, quota={"queries_per_day": 999})
    founder = Browser(bare, scene.founder)
    held = panel(founder, dataset).get_text()
    assert ("111" in held, "999" in held) == (True, False)
    assert ("CC BY" in held, "ODbL" in held) == (True, False)
    link = founder.get("/en/hanoiic/access").find("a", href=re.compile("/licences/CC-BY-4.0"))
    assert link["href"].endswith("/licences/CC-BY-4.0?version=1")
    stranger = panel(Browser(bare, scene.loner), dataset).get_text()
    assert ("111" in stranger, "999" in stranger) == (False, True)
    # A renewal is of the terms of now.
    act("hanoiic_offer_update", scene.officer, **(offered | {"tier": "request"}), agreement_days=77)
    renewal = panel(founder, dataset).find("details").get_text()
    assert ("77" in renewal, "ODbL" in renewal, "111" in renewal) == (True, True, False)


def test_a_dataset_that_its_holder_may_not_see_is_told_as_gone(bare):
    scene = Scene()
    dataset = scene.dataset("click", "t")
    act("hanoiic_agreement_accept", scene.founder, dataset=dataset["id"])
    founder, officer = Browser(bare, scene.founder), Browser(bare, scene.officer)
    hidden = {"private": True, "title": "Tên chưa công bố"}
    act("package_patch", scene.sysadmin, id=dataset["id"], **hidden)
    held = founder.get("/hanoiic/access").find(id="agreements")
    assert "Tên chưa công bố" not in held.get_text()
    assert held.find("a", href=re.compile("/dataset/")) is None
    assert "Tên chưa công bố" in officer.get("/hanoiic/inbox").get_text()
    act("package_delete", scene.sysadmin, id=dataset["id"])
    held = founder.get("/hanoiic/access").find(id="agreements")
    assert held.find("a", href=re.compile("/dataset/")) is None


def test_the_page_of_a_request_outlives_its_dataset(bare):
    scene = Scene()
    dataset = scene.dataset("request")
    request = act("hanoiic_request_create", scene.founder, dataset=dataset["id"], purpose="Bản đồ")
    act("dataset_purge", scene.sysadmin, id=dataset["id"])
    for user in (scene.founder, scene.sysadmin):
        page = Browser(bare, user).get(f"/hanoiic/requests/{request['id']}")
        assert "Bản đồ" in page.get_text()


def test_a_version_of_a_licence_stays_to_be_read(bare):
    scene = Scene()
    text = licences.shipped()["hanoi-open-data"].columns()
    words = {name: text[name] for name in licence_desk.WRITTEN}
    made = {"id": "thu", **words}
    reader = Browser(bare, scene.loner)
    act("hanoiic_licence_create", scene.sysadmin, **made)
    assert bare.get("/hanoiic/licences/thu?version=1", status=404)
    act("hanoiic_licence_publish", scene.sysadmin, id="thu", version=1)
    act("hanoiic_licence_create", scene.sysadmin, **(made | {"title_vi": "Bản hai"}))
    act("hanoiic_licence_publish", scene.sysadmin, id="thu", version=2)
    assert reader.get("/hanoiic/licences/thu").find("h1").get_text() == "Bản hai"
    first = reader.get("/hanoiic/licences/thu?version=1")
    assert first.find("h1").get_text() == text["title_vi"]
    assert first.find("a", href=re.compile(r"thu/1\.jsonld"))
    act("hanoiic_licence_withdraw", scene.sysadmin, id="thu", version=2, reason="r")
    assert reader.get("/hanoiic/licences/thu").find("h1").get_text() == "Bản hai"
    assert bare.get("/hanoiic/licences/thu/0.jsonld", status=404)


def test_a_startup_accepts_makes_a_token_and_the_officer_revokes(bare):
    scene = Scene()
    dataset = scene.dataset("click", "t")
    founder, officer = Browser(bare, scene.founder), Browser(bare, scene.officer)
    before = panel(founder, dataset)
    assert before.find(id="access")
    assert "Copy and share it in any form" in before.get_text()
    assert before.find(class_="hanoiic-access-status")["data-reason"] == "licence_not_accepted"

    founder.press(before, "I accept the licence")
    assert panel(founder, dataset).find(attrs={"data-reason": "agreement"})

    page = founder.get("/en/hanoiic/access")
    assert dataset["title"] in page.find(id="agreements").get_text()
    made = founder.press(page, "Make the token", name="My notebook")
    shown = made.find(id="new-token").find("pre").get_text(strip=True)
    assert shown.startswith("hic_")
    assert f"{tk.config['hanoiic.gateway_url']}/v1/tables" in made.find(id="new-token").get_text()
    assert ask(bare, scene, shown)["tables"]["t"]["reason"] == "agreement"
    again = founder.get("/en/hanoiic/access")
    assert shown not in str(again)
    assert "My notebook" in again.find(id="tokens").get_text()

    inbox = officer.get("/en/hanoiic/inbox")
    refused = officer.press(inbox, "Revoke")
    assert "Missing value" in refused.get_text()
    officer.press(inbox, "Revoke", reason="Misuse of <b>data</b>")
    assert ask(bare, scene, shown)["tables"]["t"]["reason"] == "agreement_revoked"
    after = panel(founder, dataset)
    assert "Misuse of <b>data</b>" in after.get_text()
    assert after.find("b") is None
    assert after.find("textarea", attrs={"name": "purpose"})
    founder.press(again, "Revoke")
    assert ask(bare, scene, shown)["token_error"] == "token_revoked"


def test_a_request_is_sent_refused_sent_again_and_approved(bare):
    scene = Scene()
    dataset = scene.dataset("request", "t")
    founder, officer = Browser(bare, scene.founder), Browser(bare, scene.officer)
    founder.press(panel(founder, dataset), "Request access", purpose="Bus arrival times")
    waiting = panel(founder, dataset)
    assert "Bus arrival times" in waiting.get_text()
    inbox = officer.get("/en/hanoiic/inbox")
    assert "Bus arrival times" in inbox.get_text()
    assert scene.startup["title"] in inbox.find(id="requests").get_text()
    officer.press(inbox, "Refuse", reason="Say which lines")
    assert "Say which lines" in panel(founder, dataset).get_text()
    assert "Say which lines" in founder.get("/en/hanoiic/access").get_text()
    founder.press(panel(founder, dataset), "Request access", purpose="Lines 1 to 9")
    officer.press(officer.get("/en/hanoiic/inbox"), "Approve", valid_until="2999-12-31")
    assert panel(founder, dataset).find(attrs={"data-reason": "agreement"})
    assert model.Session.query(Agreement).one().valid_until.year >= 2999


def test_the_header_counts_what_waits_for_the_officer(bare):
    scene = Scene()
    dataset = scene.dataset("request")
    founder, officer = Browser(bare, scene.founder), Browser(bare, scene.officer)
    assert officer.get("/").select_one(".hic-desk .hic-count") is None
    founder.press(panel(founder, dataset), "Request access", purpose="p")
    assert officer.get("/").select_one(".hic-desk .hic-count").contents[0] == "1"
    other = Scene.__new__(Scene)
    other.officer = scene.loner
    other.organization(officer="editor")
    assert Browser(bare, scene.loner).get("/").select_one(".hic-desk .hic-count") is None


def test_an_agreement_ends_with_the_day_that_the_officer_chose(bare):
    scene = Scene()
    dataset = scene.dataset("request")
    scene.approved(scene.founder, dataset, valid_until="2999-06-30")
    founder = Browser(bare, scene.founder)
    assert "30/06/2999" in panel(founder, dataset, "vi").get_text()
    assert "30 Jun 2999" in founder.get("/en/hanoiic/access").find(id="agreements").get_text()
    until = model.Session.query(Agreement).one().valid_until
    assert until.isoformat() == "2999-06-30T16:59:59+00:00"


def test_complaints_name_the_field_as_the_form_does(bare):
    scene = Scene()
    dataset = scene.dataset("request")
    act("hanoiic_request_create", scene.founder, dataset=dataset["id"], purpose="p")
    officer = Browser(bare, scene.officer)
    refused = officer.press(officer.get("/hanoiic/inbox"), "Từ chối", valid_until="2999-01-31")
    field = refused.find("input", attrs={"name": "reason"})
    assert refused.find(id=field["aria-describedby"]).get_text(strip=True)
    # What was typed beside it is still there.
    assert refused.find("input", attrs={"name": "valid_until"})["value"] == "2999-01-31"
    page = officer.get("/hanoiic/access")
    for box in page.select("[name=scopes]"):
        box.decompose()
    wrong = officer.press(page, "Tạo mã", name="n")
    complaint = wrong.select_one("div.alert-danger")
    assert wrong.find(id="scopes-wrong").get_text(strip=True)
    assert wrong.find(id=complaint.a["href"][1:])["value"] == "n"
    assert not wrong.select("[name=scopes][checked]")


def test_a_withdrawn_request_leaves_the_inbox(bare):
    scene = Scene()
    dataset = scene.dataset("request")
    founder = Browser(bare, scene.founder)
    founder.press(panel(founder, dataset), "Request access", purpose="p")
    founder.press(founder.get("/en/hanoiic/access"), "Withdraw")
    inbox = Browser(bare, scene.officer).get("/en/hanoiic/inbox")
    assert "No request is waiting." in inbox.get_text()


def test_pages_speak_vietnamese_and_english_and_say_when_they_are_empty(bare):
    scene = Scene()
    dataset = scene.dataset("click")
    officer = Browser(bare, scene.officer)
    for path, texts in {
        "/hanoiic/access": ["Quyền truy cập của tôi", "Bạn chưa có thỏa thuận nào.",
                            "Bạn chưa gửi yêu cầu nào.", "Bạn chưa có mã truy cập nào."],
        "/en/hanoiic/access": ["My access", "You hold no agreement yet.",
                               "You sent no request yet.", "You have no token yet."],
        "/hanoiic/inbox": ["Không có yêu cầu nào đang chờ.", "Chưa ai có thỏa thuận"],
        "/en/hanoiic/inbox": ["No request is waiting.", "Nobody holds an agreement"],
        "/hanoiic/licences/CC-BY-4.0": ["Ghi công 4.0", "Bạn được", "Bạn phải"],
        "/en/hanoiic/licences/hanoi-open-data": ["Hanoi open data", "You must not", "A draft"],
    }.items():  # fmt: skip
        text = officer.get(path).get_text()
        for expected in texts:
            assert expected in text, path
    loner = Browser(bare, scene.loner)
    assert "Tôi chấp nhận giấy phép" in panel(loner, dataset, "vi").get_text()
    assert "Đăng nhập" in panel(Browser(bare, None), dataset, "vi").get_text()


def test_pages_of_a_private_and_of_a_deleted_dataset_do_not_fail(bare):
    scene = Scene()
    private, gone = scene.dataset("click", private=True), scene.dataset("click")
    call_action("package_delete", id=gone["id"])
    Browser(bare, scene.loner).get(f"/dataset/{private['name']}", status=404)
    page = Browser(bare, scene.clerk).get(f"/dataset/{private['name']}")
    assert page.find(attrs={"data-reason": "owner"})
    deleted = Browser(bare, scene.sysadmin).get(f"/dataset/{gone['name']}")
    assert deleted.find(id="access") is None


def test_a_user_of_several_organisations_chooses_on_the_page(bare):
    scene = Scene()
    other = scene.organization(founder="member")
    dataset = scene.dataset("click")
    founder = Browser(bare, scene.founder)
    page = panel(founder, dataset)
    assert (
        "Choose the organisation you act for."
        in founder.press(page, "I accept the licence").get_text()
    )
    founder.press(page, "I accept the licence", organization=other["id"])
    assert model.Session.query(Agreement).one().party_id == other["id"]


def test_nothing_changes_by_get_and_strangers_are_sent_away(bare):
    scene = Scene()
    dataset = scene.dataset("click")
    anonymous, loner = Browser(bare, None), Browser(bare, scene.loner)
    for path in ("/hanoiic/access", "/hanoiic/inbox"):
        anonymous.get(path, status=302)
    loner.get("/hanoiic/inbox", status=403)
    loner.get("/hanoiic/licences/nothing", status=404)
    with bare.flask_app.test_request_context():
        changing = [
            rule for rule in bare.flask_app.url_map.iter_rules()
            if rule.endpoint.startswith(f"{blueprint.name}.") and "POST" in rule.methods
            # Anyone may check a receipt, which changes nothing.
            and rule.endpoint != f"{blueprint.name}.receipt_verify"
        ]  # fmt: skip
        assert len(changing) == 15
        paths = {
            tk.url_for(
                rule.endpoint,
                **{name: 1 if name == "version" else dataset["id"] for name in rule.arguments},
            ): rule
            for rule in changing
        }
    for path, rule in paths.items():
        if "GET" not in rule.methods:
            assert bare.get(path, headers=loner.headers).status_code in (404, 405)
        bare.post(path, headers=HTML, status=403)
    assert model.Session.query(Agreement).count() == 0


def test_a_form_goes_nowhere_but_to_its_own_page(bare):
    scene = Scene()
    dataset = scene.dataset("click")
    founder = Browser(bare, scene.founder)
    response = bare.post(
        f"/hanoiic/access/datasets/{dataset['id']}/accept?came_from=https://evil.test&next=//evil.test",
        data={"came_from": "https://evil.test", "next": "https://evil.test"},
        headers=founder.headers | {"Referer": "https://evil.test"},
        follow_redirects=False,
    )
    assert response.status_code == 302
    assert response.location.endswith(f"/dataset/{dataset['name']}#access")
    assert "evil" not in response.location


def test_the_page_with_a_new_token_is_not_kept_by_caches(bare):
    scene = Scene()
    founder = Browser(bare, scene.founder)
    data = {"name": "n", "scopes": "query", "lifetime_days": "30"}
    response = bare.post("/hanoiic/access/tokens", data=data, headers=founder.headers)
    assert "no-store" in response.headers["Cache-Control"]
    row = model.Session.query(Token).one()
    assert (row.scopes, (row.expires_at - row.created_at).days) == (["query"], 30)
    wrong = bare.post("/en/hanoiic/access/tokens", data={"name": ""}, headers=founder.headers)
    assert "alert-danger" in wrong.body
    assert act("hanoiic_token_list", scene.developer) == []
