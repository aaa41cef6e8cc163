"""Quotas: leased and settled exactly; usage: counted once, summed up and audited."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from ckan import model
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import usage, usage_events, working_days
from ckanext.hanoiic.licensing.audit_model import Audit
from ckanext.hanoiic.licensing.model import Agreement, Offer
from ckanext.hanoiic.licensing.usage_model import UsageCounter, UsageDay, UsageEvent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from licensing_clock import Clock
from licensing_scene import Scene, act, refusal, user_id

portal = pytest.mark.usefixtures("empty")
ROW = {"queries": 1, "rows": 10, "bytes": 100}


def held(scene: Scene, table: str = "t", **quota: int) -> str:
    """An agreement with this quota."""
    dataset = scene.dataset("click", table)
    agreement = act("hanoiic_agreement_accept", scene.founder, dataset=dataset["id"])["id"]
    offer = model.Session.get(Agreement, agreement).offer_id
    model.Session.query(Offer).filter_by(id=offer).update({"quota": quota})
    model.Session.commit()
    return agreement


def lease(scene: Scene, agreement: str, key: str | None = None, **want: int) -> dict:
    return act(
        "hanoiic_usage_lease", scene.gateway, agreement=agreement, key=key or uuid4().hex, want=want
    )


def settle(scene: Scene, lease: str, final: bool = True, **used: int) -> dict:
    return act("hanoiic_usage_settle", scene.gateway, lease=lease, used=used, final=final)


def counted(agreement: str) -> dict[str, tuple[int, int]]:
    model.Session.expire_all()
    return {
        row.measure: (row.used, row.leased)
        for row in model.Session.query(UsageCounter).filter_by(agreement_id=agreement)
    }


@portal
def test_a_lease_is_granted_settled_and_given_back(monkeypatch):
    scene = Scene()
    clock = Clock(monkeypatch, datetime(2026, 3, 31, 16, 30, tzinfo=UTC))  # 23:30 in Hanoi
    agreement = held(scene, queries_per_day=5, rows_per_month=100)
    assert scene.ask(scene.token(scene.founder), ["t"])["tables"]["t"]["metered"] is True
    given = lease(scene, agreement, queries=2, rows=80, bytes=10**9)
    assert given["granted"] == {"queries": 2, "rows": 80}
    assert given["remaining"] == {"queries": 3, "rows": 20}
    first_of_april = int(datetime(2026, 4, 1, tzinfo=working_days.HANOI).timestamp())
    assert given["resets_at"] == {"queries": first_of_april, "rows": first_of_april}
    assert given["expires_at"] == int(clock.time.timestamp()) + 60
    part = lease(scene, agreement, queries=1, rows=80)
    assert part["granted"] == {"queries": 1, "rows": 20}
    with pytest.raises(tk.ValidationError) as refused:
        lease(scene, agreement, queries=1, rows=1)
    assert refused.value.error_dict["code"] == ["quota_exceeded"]
    assert refused.value.error_dict["quota"] == ["rows_per_month"]
    assert refused.value.error_dict["resets_at"] == [first_of_april]
    # The refused one took no query either.
    assert counted(agreement) == {"queries": (0, 3), "rows": (0, 100), "bytes": (0, 10**9)}

    settle(scene, given["lease"], final=False, queries=1, rows=30, bytes=500)
    assert counted(agreement)["rows"] == (30, 70)
    for _again in "12":
        told = settle(scene, given["lease"], queries=2, rows=40, bytes=500)
        assert told["settled"] is True
    settle(scene, part["lease"], queries=1)
    assert counted(agreement) == {"queries": (3, 0), "rows": (40, 0), "bytes": (500, 0)}
    clock.pass_(minutes=31)
    assert lease(scene, agreement, queries=5)["remaining"]["queries"] == 0
    listed = act("hanoiic_agreement_list", scene.founder)[0]
    assert listed["usage"]["queries"] == {"used": 0, "leased": 5}
    assert listed["usage"]["rows"] == {"used": 0, "leased": 0}


@portal
def test_case_06_one_key_and_eleven_retries_are_charged_once():
    scene = Scene()
    agreement = held(scene, queries_per_day=3)
    given = [lease(scene, agreement, key="k", queries=1) for _ in range(11)]
    assert {one["lease"] for one in given} == {given[0]["lease"]}
    for _ in range(11):
        settle(scene, given[0]["lease"], queries=1)
    assert counted(agreement)["queries"] == (1, 0)
    assert lease(scene, agreement, key="k", queries=1)["lease"] == given[0]["lease"]


def test_case_06_one_key_at_the_same_time_is_charged_once(bare):
    scene = Scene()
    with bare.flask_app.test_request_context():
        agreement = held(scene, queries_per_day=100)
    leases = in_parallel(
        bare, 12, 1, lambda _n: lease(scene, agreement, key="k", queries=1)["lease"]
    )
    assert len(leases) == 12
    assert len(set(leases)) == 1
    assert counted(agreement)["queries"] == (0, 1)


def in_parallel(app, workers: int, each: int, call) -> list:
    """Results, or codes of refusals, of calls on as many sessions at once."""
    start, results = threading.Barrier(workers), []

    def work(number: int) -> None:
        with app.flask_app.test_request_context():
            start.wait(30)
            for n in range(each):
                try:
                    results.append(call(number * each + n))
                except tk.ValidationError as error:
                    results.append(error.error_dict["code"][0])
            model.Session.remove()

    threads = [threading.Thread(target=work, args=[number]) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return results


def test_a_lease_waits_for_a_renewal_that_is_under_way(bare):
    scene = Scene()
    with bare.flask_app.test_request_context():
        agreement = held(scene, queries_per_day=100)
    outcome: list[str] = []
    asking = threading.Thread(
        target=lambda: outcome.extend(
            in_parallel(bare, 1, 1, lambda _n: lease(scene, agreement, queries=1)["lease"])
        )
    )
    with model.meta.engine.begin() as renewal:
        table = Agreement.__table__
        renewal.execute(table.update().where(table.c.id == agreement).values(state="superseded"))
        asking.start()
        asking.join(1)
    asking.join(60)
    assert outcome == ["agreement_not_active"]


def test_case_04_of_320_parallel_calls_a_quota_of_100_lets_100_pass(bare):
    scene = Scene()
    with bare.flask_app.test_request_context():
        agreement = held(scene, queries_per_day=100)

    def answer(number: int) -> str:
        given = lease(scene, agreement, queries=1)
        # Every fourth answer fails before it used anything, and gives its query back.
        settle(scene, given["lease"], queries=0 if number % 4 == 0 else 1)
        return "given back" if number % 4 == 0 else "answered"

    outcomes = Counter(in_parallel(bare, 10, 32, answer))
    assert sum(outcomes.values()) == 320
    assert outcomes["answered"] <= 100
    assert counted(agreement)["queries"] == (outcomes["answered"], 0)
    assert outcomes["quota_exceeded"] == 320 - outcomes["answered"] - outcomes["given back"]
    with bare.flask_app.test_request_context():
        left = 100 - outcomes["answered"]
        assert lease(scene, agreement, queries=left)["granted"] == {"queries": left} or left == 0
        assert refusal(
            "hanoiic_usage_lease", scene.gateway, agreement=agreement, key="more",
            want={"queries": 1},
        ) == "quota_exceeded"  # fmt: skip


@portal
def test_case_05_a_gateway_that_died_is_settled_once(monkeypatch):
    scene, clock = Scene(), Clock(monkeypatch)
    agreement = held(scene, queries_per_day=10, rows_per_month=1000, bytes_per_month=10**6)
    given = lease(scene, agreement, queries=4, rows=500, bytes=5000)
    settle(scene, given["lease"], final=False, queries=1, rows=120, bytes=900)
    clock.pass_(seconds=59)
    assert usage.settle_expired(clock.time) == 0
    clock.pass_(seconds=1)
    assert [usage.settle_expired(clock.time) for _ in "12"] == [1, 0]
    model.Session.commit()
    once = {"queries": (4, 0), "rows": (120, 0), "bytes": (900, 0)}
    assert counted(agreement) == once
    told = settle(scene, given["lease"], queries=2, rows=120, bytes=900)
    assert (told["settled"], told["used"]["rows"]) == (True, 120)
    assert counted(agreement) == once
    # It was cut off only: what it had sent until then counts, once, and nothing is leased by it.
    for _ in "12":
        told = settle(scene, given["lease"], queries=2, rows=500, bytes=800)
        assert (told["settled"], told["used"]["rows"]) == (True, 500)
        assert counted(agreement) == once | {"rows": (500, 0)}
    # The next one who asks settles what is due, without the portal's jobs.
    late = lease(scene, agreement, queries=2)
    clock.pass_(seconds=61)
    lease(scene, agreement, queries=4)
    assert counted(agreement)["queries"] == (6, 4)
    assert settle(scene, late["lease"], queries=1)["used"]["queries"] == 2


@portal
def test_an_agreement_without_access_leases_nothing():
    scene = Scene()
    agreement = held(scene, queries_per_day=10)
    act("hanoiic_agreement_suspend", scene.officer, id=agreement, reason="r")
    asked = {"agreement": agreement, "key": "k", "want": {"queries": 1}}
    with pytest.raises(tk.ValidationError) as refused:
        act("hanoiic_usage_lease", scene.gateway, **asked)
    told = refused.value.error_dict
    assert (told["code"], told["state"]) == (["agreement_not_active"], ["suspended"])
    code = refusal("hanoiic_usage_settle", scene.gateway, lease="nothing", used={})
    assert code == "lease_unknown"
    for user in (scene.sysadmin, scene.founder, scene.officer):
        with pytest.raises(tk.NotAuthorized):
            act("hanoiic_usage_lease", user, **asked)
    for wrong in (
        {"want": {"queries": -1}},
        {"want": {"hugs": 1}},
        {"want": 1},
        {"key": "k" * 201},
    ):
        with pytest.raises(tk.ValidationError):
            act("hanoiic_usage_lease", scene.gateway, **asked | wrong)


@portal
def test_a_renewal_takes_over_what_was_used():
    scene = Scene()
    agreement = held(scene, queries_per_day=10)
    settle(scene, lease(scene, agreement, queries=3)["lease"], queries=3)
    open_ = lease(scene, agreement, queries=2, rows=50)["lease"]
    row = model.Session.get(Agreement, agreement)
    act("package_patch", scene.sysadmin, id=row.dataset_id, license_id="ODbL-1.0")
    new = act("hanoiic_agreement_accept", scene.founder, dataset=row.dataset_id)
    assert new["renews"] == agreement
    assert counted(new["id"]) == {"queries": (3, 2), "rows": (0, 50)}
    # What a gateway had leased is settled there: only what was used of it counts.
    settle(scene, open_, final=False, queries=1, rows=10)
    settle(scene, open_, queries=1, rows=20)
    assert counted(new["id"]) == {"queries": (4, 0), "rows": (20, 0)}
    assert counted(agreement) == {"queries": (3, 0), "rows": (0, 0)}


@portal
def test_a_lease_of_the_month_before_is_settled_after_a_renewal(monkeypatch):
    clock = Clock(monkeypatch, datetime(2026, 12, 31, 16, 59, 50, tzinfo=UTC))
    scene = Scene()
    agreement = held(scene, rows_per_month=100)
    open_ = lease(scene, agreement, queries=2, rows=50)["lease"]
    clock.pass_(seconds=20)
    row = model.Session.get(Agreement, agreement)
    act("package_patch", scene.sysadmin, id=row.dataset_id, license_id="ODbL-1.0")
    new = act("hanoiic_agreement_accept", scene.founder, dataset=row.dataset_id)["id"]
    settle(scene, open_, final=False, queries=1, rows=10)
    settle(scene, open_, queries=1, rows=20)
    assert counted(new) == {"queries": (1, 0), "rows": (20, 0)}
    assert act("hanoiic_agreement_show", scene.founder, id=new)["usage"]["rows"]["used"] == 0


STEP = st.tuples(
    st.sampled_from(["lease", "report", "settle", "die"]),
    st.integers(0, 5),
    st.integers(0, 6),
    st.integers(0, 40),
)


def test_random_leases_never_pass_the_quota_and_every_amount_is_somewhere(empty, monkeypatch):
    scene, clock = Scene(), Clock(monkeypatch)
    number = iter(range(1000))
    limit = {"queries_per_day": 20, "rows_per_month": 100}

    @settings(
        max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(st.lists(STEP, max_size=25))
    def walk(steps):
        agreement, open_, used = held(scene, f"t{next(number)}", **limit), [], Counter()
        for what, which, queries, rows in steps:
            if what == "lease":
                try:
                    given = lease(scene, agreement, queries=queries, rows=rows)
                except tk.ValidationError:
                    continue
                open_.append((given["lease"], given["granted"], Counter()))
            elif open_:
                id_, granted, told = open_[which % len(open_)]
                if what == "die":
                    clock.pass_(seconds=61)
                    usage.settle_expired(clock.time)
                    model.Session.commit()
                    for _, dead, reported in open_:
                        used += Counter(queries=dead["queries"], rows=reported["rows"])
                    open_ = []
                else:
                    told["queries"] = max(told["queries"], min(queries, granted["queries"]))
                    told["rows"] = max(told["rows"], min(rows, granted["rows"]))
                    settle(scene, id_, final=what == "settle", **told)
                    if what == "settle":
                        used += told
                        open_ = [one for one in open_ if one[0] != id_]
            now = counted(agreement)
            for measure, most in (("queries", 20), ("rows", 100)):
                in_use, leased = now.get(measure, (0, 0))
                running = sum(told[measure] for _, _, told in open_)
                granted_now = sum(granted[measure] for _, granted, _ in open_)
                assert in_use == used[measure] + running
                assert leased == granted_now - running
                assert in_use + leased <= most

    walk()


def event(scene: Scene, **fields) -> dict:
    return {
        "id": str(uuid4()),
        "at": "2026-03-01T18:30:00+00:00",
        "request_id": "r",
        "door": "sql",
        "action": "query",
        "token_id": None,
        "client_id": None,
        "sub": user_id(scene.founder),
        "organization_id": scene.startup["id"],
        "outcome": "answered",
        "reason": None,
        "tables": [{"name": "t", "version": 1, "edition": None, "agreement": None}],
        "rows": 7,
        "bytes": 70,
        "duration_s": 0.5,
        "receipt": None,
    } | fields


def record(scene: Scene, *events: dict) -> int:
    return act("hanoiic_usage_record", scene.gateway, events=list(events))["recorded"]


@portal
def test_events_count_once_are_summed_up_and_audited():
    scene = Scene()
    dataset = scene.dataset("click", "t")
    scene.dataset("open", "t_open")
    of_open = {"tables": [{"name": "t_open", "version": 1}]}
    answered = event(scene, receipt="r-1")
    refused = event(scene, outcome="refused", reason="scope_missing", rows=0, bytes=0)
    events = [
        answered,
        event(scene),
        refused,
        event(scene, outcome="failed", reason="query_timeout"),
        event(scene, outcome="broken_off", reason="agreement_revoked", rows=3),
        event(scene, **of_open, sub=None, organization_id=None),
        event(scene, **of_open, outcome="refused", reason="rate_limited"),
    ]
    assert record(scene, *events, answered) == 7
    assert record(scene, *events) == 0
    days = {
        (row.table_name, row.organization_id): row for row in model.Session.query(UsageDay).all()
    }
    day = days["t", scene.startup["id"]]
    # 18:30 UTC is the next day in Hanoi.
    assert day.day.isoformat() == "2026-03-02"
    assert (day.answers, day.refusals, day.failures, day.broken_off) == (2, 1, 1, 1)
    assert (day.row_count, day.duration_s) == (24, 2.5)
    assert days["t_open", ""].answers == 1
    audited = model.Session.query(Audit).filter(Audit.subject_id.in_([one["id"] for one in events]))
    assert Counter((row.event, row.dataset_id == dataset["id"]) for row in audited) == {
        ("data_answered", True): 2,
        ("data_refused", True): 1,
        ("data_failed", True): 1,
        ("data_broken_off", True): 1,
        ("data_refused", False): 1,
    }
    listed = act("hanoiic_receipt_list", scene.developer)
    assert [(one["id"], one["tables"][0]["name"]) for one in listed] == [("r-1", "t")]
    assert act("hanoiic_receipt_list", scene.loner) == []
    usage_events.forget(datetime.now(UTC))
    assert model.Session.query(UsageEvent).count() == 0
    model.Session.rollback()


@portal
def test_officers_see_who_used_what():
    scene = Scene()
    dataset = scene.dataset("click", "t")["id"]
    at = datetime.now(UTC).isoformat()
    record(scene, event(scene, at=at), event(scene, at=at, door="file", bytes=5))
    rows = act("hanoiic_usage_report", scene.officer, dataset=dataset)
    assert [(row["door"], row["organization"], row["byte_count"]) for row in rows] == [
        ("file", scene.startup["title"], 5),
        ("sql", scene.startup["title"], 70),
    ]
    for stranger in (scene.founder, scene.clerk, scene.loner):
        with pytest.raises(tk.NotAuthorized):
            act("hanoiic_usage_report", stranger, dataset=dataset)


@portal
def test_a_token_without_an_organisation_counts_for_who_holds_the_agreement():
    scene = Scene()
    dataset = scene.dataset("click", "t")["id"]
    now, told = {"at": datetime.now(UTC).isoformat(), "organization_id": None}, []
    for user in (scene.founder, scene.loner):
        agreement = act("hanoiic_agreement_accept", user, dataset=dataset)["id"]
        tables = [{"name": "t", "version": 1, "agreement": agreement}]
        told.append(event(scene, tables=tables, **now))
    record(scene, *told, event(scene, **now))
    rows = act("hanoiic_usage_report", scene.officer, dataset=dataset)
    assert {(row["organization_id"], row["organization"]) for row in rows} == {
        (scene.startup["id"], scene.startup["title"]),
        (None, model.User.get(scene.loner).fullname),
        (None, None),
    }


@portal
@pytest.mark.parametrize(
    "wrong",
    [
        {"id": None}, {"at": "yesterday"}, {"outcome": "unclear"}, {"tables": [1]},
        {"rows": -1}, {"rows": "many"}, {"tables": [{}]}, {"door": 5}, {"rows": True},
    ],
)  # fmt: skip
def test_an_event_that_is_none_is_refused(wrong):
    scene = Scene()
    with pytest.raises(tk.ValidationError):
        record(scene, event(scene) | wrong)
    with pytest.raises(tk.NotAuthorized):
        act("hanoiic_usage_record", scene.sysadmin, events=[])
