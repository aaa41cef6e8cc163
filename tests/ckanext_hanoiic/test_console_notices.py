"""Notices: who is told what, by mail and by a signed call, and that a report never waits for it."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from ckan import model
from ckan.lib import mailer
from ckan.tests import factories
from ckan.tests.helpers import call_action
from ckanext.hanoiic.console import notices, webhook
from ckanext.hanoiic.console.errors import WebhookRefused

HARVESTER = "hanoiic-harvester"
KEY = b"mot-khoa-du-dai-cho-hmac"
HOLD = {
    "table": "cong_dan",
    "kind": "personal_data",
    "fingerprint": "a" * 64,
    "facts": {"columns": []},
    "preview": {"columns": ["CCCD"], "rows": [["001***"]]},
}


@pytest.fixture
def source(stage, clean_db):
    factories.User(name=HARVESTER)
    roles = {"bien-tap": "editor", "quan-tri": "admin", "thanh-vien": "member"}
    for name in roles:
        factories.User(name=name, email=f"{name}@so.example.vn")
    users = [{"name": name, "capacity": role} for name, role in roles.items()]
    department = factories.Organization(users=users)
    return call_action(
        "hanoiic_source_create",
        name="cong-dan",
        title="Công dân",
        owner_org=department["id"],
        kind="csv",
        url="https://du-lieu.example.vn/a.csv",
    )


@pytest.fixture
def queued(monkeypatch):
    """The notices that were queued."""
    kept = []
    monkeypatch.setattr(notices.tk, "enqueue_job", lambda _job, args, **_said: kept.extend(args))
    return kept


@pytest.fixture
def mail_set(ckan_config, monkeypatch):
    monkeypatch.setitem(ckan_config, "smtp.mail_from", "cong@example.vn")


@pytest.fixture
def ended(stage, source):
    """End a run of the source, by the harvester's call."""
    token = call_action("api_token_create", user=HARVESTER, name="test")["token"]

    def ended(state, **said):
        run = call_action("hanoiic_source_run", id=source["id"])["id"]
        headers = {"Authorization": token, "Content-Type": "application/json"}
        report = json.dumps({"id": run, "state": state, **said})
        stage.post("/api/action/hanoiic_run_update", headers=headers, data=report, status=200)
        model.Session.expire_all()
        return run

    return ended


def runs(queued):
    return [notice["facts"]["run_id"] for notice in queued]


def test_the_same_trouble_is_told_once(ended, queued, mail_set):
    refused = {"code": "table_empty", "detail": "x"}
    first = ended("refused", error=refused)
    ended("refused", error=refused)
    other = ended("refused", error={**refused, "code": "format_mismatch"})
    ended("published")
    again = ended("refused", error=refused)
    assert runs(queued) == [first, other, again]


def test_a_held_version_is_told_when_it_is_new(ended, queued, mail_set):
    first = ended("held", holds=[HOLD])
    ended("held", holds=[HOLD])
    second = ended("held", holds=[{**HOLD, "fingerprint": "b" * 64}])
    assert runs(queued) == [first, second]


def test_nothing_is_queued_where_nothing_is_set(ended, queued):
    ended("failed", error={"code": "harvest_failed"})
    assert queued == []


def test_a_queue_that_is_away_does_not_hold_up_the_report(ended, mail_set, monkeypatch):
    def away(*_args, **_said):
        raise ConnectionError("valkey")

    monkeypatch.setattr(notices.tk, "enqueue_job", away)
    run = ended("failed", error={"code": "harvest_failed"})
    assert call_action("hanoiic_run_show", id=run)["state"] == "failed"


def test_editors_and_admins_get_the_way_to_the_page_by_mail(ended, queued, mail_set, monkeypatch):
    sent = []
    monkeypatch.setattr(mailer, "mail_user", lambda user, *said: sent.append((user.email, *said)))
    ended("held", holds=[HOLD])
    notices.tell(*queued)
    assert {to for to, *_said in sent} == {"bien-tap@so.example.vn", "quan-tri@so.example.vn"}
    _to, subject, body = sent[0]
    hold = call_action("hanoiic_hold_list")[0]["id"]
    assert subject == "Công dân: Chờ bạn duyệt"
    assert f"/hanoiic/held/{hold}" in body
    # No row of the data leaves by mail.
    assert "001***" not in body


def test_one_address_that_fails_keeps_no_other_from_its_mail(ended, queued, mail_set, monkeypatch):
    sent = []

    def send(user, *_said):
        sent.append(user.name)
        if len(sent) == 1:
            raise mailer.MailerException("away")

    monkeypatch.setattr(mailer, "mail_user", send)
    ended("failed", error={"code": "source_unreachable"})
    notices.tell(*queued)
    assert len(sent) == 2


# The webhook.


@pytest.fixture
def hook():
    """A server that takes calls: its address and what came."""
    came = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            came.append((self.path, dict(self.headers), body))
            self.send_response({"/on": 307, "/later": 503, "/pours": 200}.get(self.path, 204))
            self.send_header("Location", "/elsewhere")
            self.send_header("Retry-After", "3600")
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                while self.path == "/pours":
                    self.wfile.write(b"x" * 65536)

        def log_message(self, *_said):
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port, came
        server.shutdown()
        thread.join()


def loopback(_host, _port):
    return ["127.0.0.1"]


def test_a_call_is_signed_and_goes_to_the_address_found(hook, ckan_config, monkeypatch):
    port, came = hook
    monkeypatch.setitem(ckan_config, "hanoiic.webhook_allow_private", True)
    url = f"http://bao-tin.example.vn:{port}/nhan?a=1"
    assert webhook.send({"event": "run_held"}, url, KEY, loopback) == 204
    [(path, headers, body)] = came
    assert path == "/nhan?a=1"
    assert headers["Host"] == f"bao-tin.example.vn:{port}"
    assert json.loads(body) == {"event": "run_held"}
    signed = headers["X-Hanoiic-Timestamp"].encode() + b"." + body
    expected = hmac.new(KEY, signed, hashlib.sha256).hexdigest()
    assert headers["X-Hanoiic-Signature"] == f"sha256={expected}"


def test_a_redirect_is_not_followed(hook, ckan_config, monkeypatch):
    port, came = hook
    monkeypatch.setitem(ckan_config, "hanoiic.webhook_allow_private", True)
    assert webhook.send({}, f"http://a.example.vn:{port}/on", KEY, loopback) == 307
    assert [path for path, _headers, _body in came] == ["/on"]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("path", "status", "calls"), [("/later", 503, 4), ("/pours", 200, 1)])
def test_a_receiver_keeps_the_jobs_waiting_for_seconds_at_most(
    hook, ckan_config, monkeypatch, path, status, calls
):
    port, came = hook
    monkeypatch.setitem(ckan_config, "hanoiic.webhook_allow_private", True)
    assert webhook.send({}, f"http://a.example.vn:{port}{path}", KEY, loopback) == status
    assert len(came) == calls


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "::1",
        "fe80::1%eth0",
        "::ffff:10.0.0.1",
        "fc00::1",
    ],
)
def test_private_hosts_are_refused(hook, ckan_config, address):
    port, came = hook
    with pytest.raises(WebhookRefused):
        webhook.send({}, f"http://a.example.vn:{port}/", KEY, lambda *_: ["1.1.1.1", address])
    assert came == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "http://a:b@example.vn/", "https:///x"])
def test_only_plain_addresses_are_called(url):
    with pytest.raises(WebhookRefused):
        webhook.send({}, url, KEY, lambda *_: ["1.1.1.1"])


def test_nothing_goes_out_unsigned(hook, ckan_config, monkeypatch, tmp_path, caplog):
    port, came = hook
    monkeypatch.setitem(ckan_config, "hanoiic.webhook_allow_private", True)
    monkeypatch.setitem(ckan_config, "hanoiic.webhook_url", f"http://127.0.0.1:{port}/")
    assert not webhook.post({})
    key = tmp_path / "key"
    key.write_bytes(b"short")
    monkeypatch.setitem(ckan_config, "hanoiic.webhook_key_file", str(key))
    assert not webhook.post({})
    assert came == []
    assert "webhook_refused" in caplog.text
    key.write_bytes(KEY)
    assert webhook.post({})
    assert len(came) == 1


def test_the_webhook_gets_facts_only(ended, queued, hook, ckan_config, monkeypatch, tmp_path):
    port, came = hook
    key = tmp_path / "key"
    key.write_bytes(KEY)
    for name, value in (
        ("url", f"http://127.0.0.1:{port}/"),
        ("key_file", str(key)),
        ("allow_private", True),
    ):
        monkeypatch.setitem(ckan_config, f"hanoiic.webhook_{name}", value)
    run = ended("held", holds=[HOLD])
    notices.tell(*queued)
    [(_path, _headers, body)] = came
    facts = json.loads(body)
    assert (facts["event"], facts["source"], facts["run_id"]) == ("run_held", "cong-dan", run)
    assert [hold["kind"] for hold in facts["holds"]] == ["personal_data"]
    assert b"001***" not in body
