"""Pages of the decision and of the proofs: asked in place, rotated, charted, verified."""

from __future__ import annotations

import csv
import io
import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import jwt
import pytest
from ckan import model
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import chores, desk_views, signing
from ckanext.hanoiic.licensing.model import Agreement, Offer, Token
from licensing_scene import Scene, act
from test_licensing_pages import Browser, panel
from test_licensing_usage import event, held, lease, record, settle


def test_a_request_is_asked_answered_and_approved_in_place(bare):
    scene = Scene()
    dataset = scene.dataset("request", "t")
    founder, officer = Browser(bare, scene.founder), Browser(bare, scene.officer)
    founder.press(
        panel(founder, dataset),
        "Request access",
        purpose="Bus arrival times",
        purpose_code="product",
        answer_readers="Two developers",
    )
    inbox = officer.get("/en/hanoiic/inbox")
    assert "10 working days left" in inbox.find(id="requests").get_text()
    detail = officer.get(inbox.select_one("#requests article p a")["href"])
    said = detail.get_text()
    for words in (
        "Bus arrival times", "a product", "Two developers",
        "Who in your organisation will read the data?", "Nothing yet",
        f"{scene.startup['title']} has been on the portal since",
    ):  # fmt: skip
        assert words in said, words
    asked = officer.press(detail, "Ask", reason="Where is it <b>kept</b>?")
    assert asked.find(id="asked").get_text(strip=True).startswith("Waiting for an answer")

    waiting = panel(founder, dataset)
    assert waiting.find(attrs={"data-reason": "request_info_needed"})
    assert "Where is it <b>kept</b>?" in waiting.get_text()
    answered = founder.press(waiting, "Send the answer", text="On a server in Hanoi")
    assert "On a server in Hanoi" in answered.get_text()
    assert "Your decision" not in answered.get_text()
    again = officer.get("/en/hanoiic/inbox")
    officer.press(again, "Approve")
    assert panel(founder, dataset).find(attrs={"data-reason": "agreement"})
    history = panel(founder, dataset).select(".hanoiic-thread li strong")
    assert [one.get_text() for one in history] == [
        "Request sent", "More information asked for", "Answered", "Approved",
    ]  # fmt: skip
    request = model.Session.query(Agreement).one().request_id
    for stranger in (scene.loner, scene.clerk):
        Browser(bare, stranger).get(f"/en/hanoiic/requests/{request}", status=404)
    founder.get("/en/hanoiic/requests/nothing", status=404)


def test_a_renewal_is_asked_for_on_the_datasets_page(bare):
    scene = Scene()
    dataset = scene.dataset("request", "t")
    scene.approved(scene.founder, dataset, valid_until="2999-06-30")
    founder = Browser(bare, scene.founder)
    founder.press(panel(founder, dataset), "Request a renewal", purpose="Another year")
    page = panel(founder, dataset)
    assert page.find(attrs={"data-reason": "agreement"})
    assert "Request a renewal" not in page.get_text()
    inbox = Browser(bare, scene.officer).get("/en/hanoiic/inbox")
    assert "Renewal" in inbox.find(id="requests").get_text()


def test_quotas_are_bars_and_tokens_are_rotated_in_place(bare):
    scene = Scene()
    agreement = held(scene, queries_per_day=1000, bytes_per_month=5 * 10**9)
    settle(
        scene, lease(scene, agreement, queries=900, bytes=10**9)["lease"], queries=900, bytes=10**9
    )
    made = act("hanoiic_token_create", scene.founder, name="Bản đồ", networks=["10.0.0.0/8"])
    record(scene, event(scene, at=datetime.now(UTC).isoformat(), receipt="r-12345678"))
    founder = Browser(bare, scene.founder)
    page = founder.get("/en/hanoiic/access")
    meters = page.select("#agreements meter")
    assert [(one["value"], one["max"]) for one in meters] == [
        ("900", "1000"), (str(10**9), str(5 * 10**9)),
    ]  # fmt: skip
    bars = page.select_one("#agreements .hanoiic-quota").get_text()
    assert "900 / 1,000" in bars
    assert "1 GB / 5 GB" in bars
    assert "900 / 1.000" in founder.get("/hanoiic/access").get_text()
    assert "10.0.0.0/8" in page.find(id="tokens").get_text()
    assert "r-123456" in page.find(id="receipts").get_text()
    rotated = founder.press(page, "Rotate")
    shown = rotated.find(id="new-token").find("pre").get_text(strip=True)
    assert shown.startswith("hic_")
    assert shown != made["token"]
    refused = founder.press(page, "Rotate")
    assert "was replaced already" in refused.get_text()
    founder.press(founder.get("/en/hanoiic/access"), "Retire the application")
    assert model.Session.query(Token).filter(Token.revoked_at.is_(None)).count() == 0


def test_who_used_what_is_a_chart_and_a_csv_without_formulas(bare):
    scene = Scene()
    dataset = scene.dataset("click", "t", title="Trạm xe buýt")
    group = model.Group.get(scene.startup["id"])
    group.title = '=HYPERLINK("http://evil.test")'
    model.Session.commit()
    at = datetime.now(UTC).isoformat()
    record(scene, *(event(scene, at=at, rows=1_234_567) for _ in range(3)))
    officer = Browser(bare, scene.officer)
    page = officer.get(f"/en/hanoiic/usage/{dataset['name']}")
    assert len(page.select("svg rect")) == 1
    assert "3,703,701" in page.find("table").get_text()
    answer = bare.get(f"/hanoiic/usage/{dataset['name']}.csv", headers=officer.headers)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.body.lstrip("\ufeff"))))
    assert rows[0]["organization"] == '\'=HYPERLINK("http://evil.test")'
    assert (rows[0]["answers"], rows[0]["row_count"]) == ("3", str(3 * 1_234_567))
    empty = officer.get(f"/hanoiic/usage/{scene.dataset('open')['name']}")
    assert "Không ai dùng" in empty.get_text()
    for stranger in (scene.founder, scene.clerk):
        Browser(bare, stranger).get(f"/hanoiic/usage/{dataset['name']}", status=404)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "  =1"])
def test_a_cell_that_looks_like_a_formula_is_a_text(text):
    assert desk_views.harmless(text) == f"'{text}"
    assert desk_views.harmless("Sở Giao thông") == "Sở Giao thông"
    assert desk_views.harmless(-1) == -1


def test_case_25_operators_browse_and_verify_the_audit(bare):
    scene = Scene()
    dataset = scene.dataset("request")
    scene.approved(scene.founder, dataset)
    with bare.flask_app.test_request_context():
        assert chores.sign_checkpoint(datetime.now(UTC))
    operator = Browser(bare, scene.sysadmin)
    assert operator.get("/hanoiic/inbox").find("a", href="/hanoiic/audit")
    page = operator.get(f"/en/hanoiic/audit?dataset={dataset['name']}&event=agreement_")
    told = [(one["title"], one.get_text()) for one in page.select("td[data-label=Event] span")]
    assert told == [("agreement_began", "Agreement began")]
    told = operator.press(page, "Verify the chain").find(id="verdict").get_text()
    assert "The chain is sound" in told
    assert "docs/production.md" not in told
    older = operator.get("/en/hanoiic/audit?before=2")
    assert older.select_one("tbody strong").get_text() == "1"
    for stranger in (scene.officer, scene.founder):
        Browser(bare, stranger).get("/hanoiic/audit", status=403)
        with pytest.raises(tk.NotAuthorized), bare.flask_app.test_request_context():
            act("hanoiic_audit_list", stranger)
    Browser(bare, None).get("/hanoiic/audit", status=302)


@pytest.fixture
def gateway_key(monkeypatch, ckan_config):
    """A gateway that publishes the keys of receipts; its private key."""
    key = signing.PrivateKey.generate()
    jwk = signing.jwk_of(key.public_key()) | {"kid": "k1"}

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/v1/receipts/keys" else 404)
            self.end_headers()
            self.wfile.write(json.dumps({"keys": [jwk]}).encode())

        def log_message(self, *_said):
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Keys) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setitem(ckan_config, "hanoiic.gateway_internal_url", address)
        yield key
        server.shutdown()


def test_anyone_checks_a_receipt_on_its_page(bare, gateway_key):
    told = {
        "iss": "https://gateway.example.vn", "iat": 1767225600, "jti": "r-1", "sub": "khoi-nghiep",
        "query_sha256": "0" * 64, "tables": [{"name": "bus_stops", "version": 3}],
        "result": {"sha256": "ab" * 32, "bytes": 1200, "rows": 1, "media_type": "text/csv"},
    }  # fmt: skip
    receipt = jwt.encode(told, gateway_key, algorithm="EdDSA", headers={"kid": "k1"})
    anyone = Browser(bare, None)
    page = anyone.get("/en/hanoiic/receipts/verify")
    good = anyone.press(page, "Check", receipt=receipt)
    assert good.select_one("#verdict.alert-success")
    assert "bus_stops" in good.get_text()
    altered = anyone.press(page, "Check", receipt=receipt[:-4] + "AAAA")
    assert "It was altered" in altered.find(id="verdict").get_text()
    assert "bus_stops" not in altered.get_text()
    answer = bare.post(
        "/hanoiic/receipts/verify",
        data={"receipt": receipt, "result": (io.BytesIO(b"else"), "a.csv")},
        content_type="multipart/form-data",
    )
    assert "Tệp không phải là kết quả" in answer.body


def test_without_the_gateway_a_receipt_is_neither_good_nor_bad(bare):
    page = Browser(bare, None).get("/en/hanoiic/receipts/verify")
    told = Browser(bare, None).press(page, "Check", receipt="x").find(id="verdict")
    assert "can't be read now" in told.get_text()


def test_auto_approval_shows_no_waiting(bare):
    scene = Scene()
    dataset = scene.dataset("request", "t")
    model.Session.query(Offer).update({"auto_approve": {"party_kinds": ["organization"]}})
    model.Session.commit()
    founder = Browser(bare, scene.founder)
    founder.press(panel(founder, dataset), "Request access", purpose="p")
    page = panel(founder, dataset)
    assert page.find(attrs={"data-reason": "agreement"})
    assert "The portal" in page.select_one(".hanoiic-thread").get_text()
