"""Letters about access, and the chores of every minute."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from ckan import model
from ckan.lib import mailer
from ckan.plugins import toolkit as tk
from ckanext.hanoiic import jobs
from ckanext.hanoiic.licensing import chores, letters
from ckanext.hanoiic.licensing.model import Agreement
from licensing_clock import Clock
from licensing_scene import Scene, act, refusal


@pytest.fixture
def sent(monkeypatch, ckan_config, empty):
    """(user, subject, body) of every letter, sent as the background job does."""
    monkeypatch.setitem(ckan_config, "smtp.mail_from", "cong@example.vn")
    kept: list[tuple[str, str, str]] = []
    queued: list[list] = []
    monkeypatch.setattr(
        mailer, "mail_user", lambda user, subject, body: kept.append((user.name, subject, body))
    )
    monkeypatch.setattr(tk, "enqueue_job", lambda job, args, **_said: queued.append(args))

    def sent() -> list[tuple[str, str, str]]:
        kept.clear()
        while queued:
            letters.send(*queued.pop(0))
        return list(kept)

    return sent


def to(letters_sent) -> list[str]:
    return [user for user, _subject, _body in letters_sent]


def test_each_transition_tells_who_waits_or_must_act(sent, monkeypatch):
    scene, clock = Scene(), Clock(monkeypatch)
    dataset = scene.dataset("request", "t", title="Trạm xe buýt")
    assert sent() == []
    request = act(
        "hanoiic_request_create", scene.developer, dataset=dataset["id"], purpose="Bản đồ"
    )["id"]
    first = sent()
    assert to(first) == [scene.officer]
    _user, subject, body = first[0]
    assert subject.startswith(f"{scene.startup['title']} yêu cầu quyền truy cập “Trạm xe buýt”")
    assert body.index("yêu cầu quyền truy cập") < body.index("asks for access")
    # Each language leads to its own page of the request.
    for root in ("http://test.ckan.net/", "http://test.ckan.net/en/"):
        assert f"{root}hanoiic/requests/{request}" in body

    act("hanoiic_request_ask", scene.officer, id=request, reason="Lưu ở đâu?")
    asked = sent()
    assert sorted(to(asked)) == sorted([scene.developer, scene.founder])
    assert "Lời nhắn: Lưu ở đâu?" in asked[0][2]
    act("hanoiic_request_answer", scene.founder, id=request, text="Hà Nội")
    assert to(sent()) == [scene.officer]
    held = act("hanoiic_request_approve", scene.officer, id=request)["id"]
    approved = sent()
    assert len(approved) == 2
    assert "được chấp thuận" in approved[0][1]
    for event, words in (("suspend", "tạm dừng"), ("resume", "khôi phục"), ("revoke", "thu hồi")):
        more = {} if event == "resume" else {"reason": "Kiểm tra"}
        act(f"hanoiic_agreement_{event}", scene.officer, id=held, **more)
        assert all(words in subject for _u, subject, _b in sent())
    again = act("hanoiic_request_create", scene.founder, dataset=dataset["id"], purpose="p")["id"]
    sent()
    clock.pass_(days=91)
    chores.run()
    assert "đã hết hạn vì không được trả lời" in sent()[0][1]
    assert act("hanoiic_request_show", scene.founder, id=again)["state"] == "expired"


def test_who_left_the_organisation_gets_no_more_of_its_letters(sent):
    scene = Scene()
    dataset = scene.dataset("request")
    asked = {"dataset": dataset["id"], "purpose": "p"}
    request = act("hanoiic_request_create", scene.developer, **asked)["id"]
    left = {"id": scene.startup["id"], "username": scene.developer}
    act("organization_member_delete", scene.sysadmin, **left)
    sent()
    act("hanoiic_request_reject", scene.officer, id=request, reason="Không đủ căn cứ")
    assert to(sent()) == [scene.founder]


def test_what_is_refused_is_not_told(sent):
    scene = Scene()
    dataset = scene.dataset("request")
    own = act("hanoiic_request_create", scene.officer, dataset=dataset["id"], purpose="p")["id"]
    sent()
    assert refusal("hanoiic_request_approve", scene.officer, id=own) == "own_request"
    model.Session.commit()
    assert sent() == []


def test_a_dead_mail_server_or_queue_keeps_nothing_from_being_decided(sent, monkeypatch):
    scene = Scene()
    dataset = scene.dataset("request", "t")

    def dead(*_said, **_more):
        raise ConnectionError("down")

    monkeypatch.setattr(tk, "enqueue_job", dead)
    held = scene.approved(scene.founder, dataset)
    assert held["state"] == "active"
    monkeypatch.setattr(mailer, "mail_user", dead)
    request = act("hanoiic_request_list", scene.founder)[0]["id"]
    letters.send([{"kind": "request", "id": request, "event": "approve", "text": None}])


def test_without_a_mail_server_nothing_is_queued(empty, monkeypatch):
    scene = Scene()
    monkeypatch.setattr(tk, "enqueue_job", lambda *_a, **_k: pytest.fail("queued"))
    scene.approved(scene.founder, scene.dataset("request"))


def test_an_end_is_announced_once_and_written_down(sent, monkeypatch):
    scene, clock = Scene(), Clock(monkeypatch)
    held = scene.approved(scene.founder, scene.dataset("request", "t"))
    row = model.Session.get(Agreement, held["id"])
    row.valid_until = clock.time + timedelta(days=60)
    model.Session.commit()
    sent()
    chores.run()
    assert sent() == []
    clock.pass_(days=47)
    with model.meta.engine.begin() as elsewhere:
        # Another machine is about to tell it.
        elsewhere.execute(sa.select(Agreement.id).with_for_update())
        chores.run()
        assert sent() == []
    for expected in (1, 0):
        chores.run()
        told = sent()
        assert len(told) == expected
        assert all("hết hạn vào" in subject for _u, subject, _b in told)
    clock.pass_(days=13, seconds=1)
    chores.run()
    assert "đã hết hạn" in sent()[0][1]
    assert model.Session.get(Agreement, held["id"], populate_existing=True).state == "expired"


def test_a_chore_that_fails_does_not_stop_the_others(empty, monkeypatch):
    def broken(_at):
        raise OSError("disk")

    done = []
    monkeypatch.setattr(chores, "CHORES", (broken, lambda at: done.append(at) or 0))
    chores.run()
    assert len(done) == 1


def test_chores_wait_once_in_ckans_own_queue(empty):
    from ckan.lib import jobs as ckan_jobs

    queue = ckan_jobs.get_queue()
    queue.empty()
    assert (jobs.ask(queue), jobs.ask(queue)) == (True, False)
    assert queue.jobs[0].func is chores.run
    queue.empty()
