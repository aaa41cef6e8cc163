"""Handing out runs: schedules, leases, and many workers at once."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from ckan import model
from ckan.plugins import toolkit as tk
from ckan.tests import factories
from ckan.tests.helpers import call_action
from ckanext.hanoiic.console import claims, schedule, states
from ckanext.hanoiic.console.errors import ConsoleError, ScheduleInvalid
from ckanext.hanoiic.console.model import Run, Source
from hypothesis import given
from hypothesis import strategies as st

HARVESTER = "hanoiic-harvester"


def at(*parts):
    return datetime(*parts, tzinfo=UTC)


# --- pure rules -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cron", "after", "due"),
    [
        ("0 19 * * *", at(2026, 1, 31, 18, 59), at(2026, 1, 31, 19)),
        ("0 19 * * *", at(2026, 1, 31, 19), at(2026, 2, 1, 19)),
        ("5 * * * *", at(2026, 12, 31, 23, 30), at(2027, 1, 1, 0, 5)),
        ("0 19 * * 0", at(2026, 1, 1), at(2026, 1, 4, 19)),
        ("0 0 29 2 *", at(2026, 1, 1), at(2028, 2, 29)),
        ("", at(2026, 1, 1), None),
    ],
)
def test_next_due(cron, after, due):
    assert schedule.next_due(cron, after) == due


@pytest.mark.parametrize(
    "cron", ["* * * *", "0 0 0 1 1 *", "61 * * * *", "x", "0 0 30 2 *", "@daily"]
)
def test_what_is_no_schedule_is_refused(cron):
    with pytest.raises(ScheduleInvalid):
        schedule.check(cron)


@pytest.mark.parametrize("preset", schedule.PRESETS)
def test_every_preset_is_a_schedule(preset):
    cron = schedule.check(schedule.PRESETS[preset])
    assert schedule.preset_of(cron) == preset


@pytest.mark.parametrize(
    ("cron", "rhythm"),
    [
        ("5 * * * *", schedule.Rhythm("hour", 5)),
        ("0 19 * * *", schedule.Rhythm("day", 0, 2)),
        ("30 10 * * *", schedule.Rhythm("day", 30, 17)),
        ("0 19 * * 6", schedule.Rhythm("week", 0, 2, 0)),
        ("0 1 15 * *", schedule.Rhythm("month", 0, 8, 15)),
        ("0 19 1 * *", schedule.Rhythm("month", 0, 2, 2)),
        ("0 19 28 * *", None),
        ("*/5 * * * *", None),
        ("0 0 1 1 *", None),
        ("0 0 1 * 1", None),
        ("* * * * *", None),
    ],
)
def test_rhythm_is_told_by_hanois_clock(cron, rhythm):
    assert schedule.rhythm(cron) == rhythm


@pytest.mark.parametrize(
    ("cron", "unchanged", "due"),
    [
        ("0 19 * * *", 2, at(2026, 1, 1, 19)),
        ("0 19 * * *", 3, at(2026, 1, 2, 19)),
        ("0 19 * * *", 6, at(2026, 1, 4, 19)),
        ("0 19 * * *", 90, at(2026, 1, 7, 19)),
        ("5 * * * *", 90, at(2026, 1, 1, 6, 5)),
        # Once a week at least, and what is rarer keeps to its schedule.
        ("0 19 1-31/3 * *", 90, at(2026, 1, 7, 19)),
        ("0 19 1 * *", 90, at(2026, 1, 1, 19)),
        ("", 90, None),
    ],
)
def test_unchanged_sources_come_due_less_often(cron, unchanged, due):
    assert schedule.next_due(cron, at(2026, 1, 1), unchanged) == due


STATE = st.sampled_from(sorted(states.TRANSITIONS))


@given(start=STATE, wishes=st.lists(STATE, max_size=8))
def test_ended_runs_never_reopen_whatever_is_asked(start, wishes):
    state = start
    for wish in wishes:
        try:
            state = states.move(state, wish)
        except ConsoleError:
            assert wish != state
            assert wish not in states.TRANSITIONS[state]
        if start in states.FINISHED:
            assert state == start


# --- on the database ------------------------------------------------------------------------------


@pytest.fixture
def department(stage, clean_db):
    factories.User(name=HARVESTER)
    return factories.Organization()


@pytest.fixture
def source(department):
    def source(name="bus-stops", **changes):
        url = f"https://example.vn/{name}.csv"
        values = {"title": name, "owner_org": department["id"], "kind": "csv", "url": url}
        return call_action("hanoiic_source_create", name=name, **{**values, **changes})

    return source


def claim(now, limit=10):
    runs = [(run.id, run.trigger) for run in claims.claim("w", limit, now)]
    model.Session.commit()
    return runs


def due_at(source_id):
    return model.Session.get(Source, source_id).next_due_at


def test_missed_times_collapse_into_one_run(source):
    made = source(schedule="0 19 * * *")
    first = due_at(made["id"])
    assert claim(first - timedelta(seconds=1)) == []
    late = first + timedelta(days=5, hours=3)
    ((run_id, trigger),) = claim(late)
    assert trigger == "schedule"
    assert due_at(made["id"]) == first + timedelta(days=6)
    call_action("hanoiic_run_update", {"user": HARVESTER}, id=run_id, state="failed")
    assert claim(late + timedelta(minutes=1)) == []


def test_due_source_waits_for_its_unfinished_run(source):
    made = source(schedule="0 19 * * *")
    manual = call_action("hanoiic_source_run", id=made["id"])
    moment = due_at(made["id"]) + timedelta(minutes=1)
    assert claim(moment) == [(manual["id"], "manual")]
    call_action("hanoiic_run_update", {"user": HARVESTER}, id=manual["id"], state="running")
    call_action("hanoiic_run_update", {"user": HARVESTER}, id=manual["id"], state="unchanged")
    assert [trigger for _id, trigger in claim(moment)] == ["schedule"]


def test_paused_and_deleted_sources_never_come_due(source):
    paused = source("paused", schedule="0 19 * * *", state="paused")
    deleted = source("deleted", schedule="0 19 * * *")
    call_action("hanoiic_source_delete", id=deleted["id"])
    assert due_at(paused["id"]) is None
    assert claim(datetime.now(UTC) + timedelta(days=400)) == []
    call_action("hanoiic_source_update", id=paused["id"], state="active")
    assert due_at(paused["id"]) > datetime.now(UTC)


def test_run_of_a_lost_worker_is_handed_out_again_and_given_up_at_last(source):
    run = call_action("hanoiic_source_run", id=source()["id"])["id"]
    now = datetime.now(UTC)
    lease = timedelta(minutes=tk.config["hanoiic.run_lease_minutes"])
    assert [id for id, _trigger in claim(now)] == [run]
    assert claim(now + claims.QUEUED_WITHIN - timedelta(seconds=1)) == []
    # Nobody queued it: that may repeat.
    for _again in range(claims.LOSSES_ALLOWED + 2):
        now += claims.QUEUED_WITHIN + timedelta(seconds=1)
        assert [id for id, _trigger in claim(now)] == [run]
    # Its worker says that it is in the queue; then it may wait there.
    call_action("hanoiic_run_update", {"user": HARVESTER}, id=run)
    assert claim(datetime.now(UTC) + lease - timedelta(minutes=1)) == []
    now = max(now, datetime.now(UTC))
    call_action("hanoiic_run_update", {"user": HARVESTER}, id=run, state="running")
    for _loss in range(claims.LOSSES_ALLOWED):
        now += lease + timedelta(seconds=1)
        assert [id for id, _trigger in claim(now)] == [run]
    assert claim(now + lease + timedelta(seconds=1)) == []
    shown = call_action("hanoiic_run_show", id=run)
    assert (shown["state"], shown["error"]["code"]) == ("failed", "worker_lost")


def test_what_officers_wait_for_is_handed_out_first(source):
    made = [source(name, schedule="0 19 * * *") for name in ("plan", "asked", "approved")]
    moment = due_at(made[0]["id"]) + timedelta(minutes=1)
    runs = {}
    for one, trigger in zip(made[1:], ("manual", "release"), strict=True):
        run = Run(source_id=one["id"], state="requested", trigger=trigger, requested_at=moment)
        model.Session.add(run)
        runs[trigger] = run
    model.Session.commit()
    assert [trigger for _id, trigger in claim(moment)] == ["release", "manual", "schedule"]


def harvested(moment, state):
    ((run, _trigger),) = claim(moment)
    call_action("hanoiic_run_update", {"user": HARVESTER}, id=run, state="running")
    call_action("hanoiic_run_update", {"user": HARVESTER}, id=run, state=state)


def test_a_source_without_news_is_asked_less_often_until_something_changes(source):
    made = source(schedule="0 19 * * *")
    pauses, shown = [], []
    for state in ["unchanged"] * 7 + ["published", "unchanged"]:
        due = due_at(made["id"])
        harvested(due, state)
        pauses.append((due_at(made["id"]) - due).days)
        shown.append(call_action("hanoiic_source_show", id=made["id"])["every_nth"])
    assert pauses[:7] == [1, 1, 2, 2, 2, 4, 4]
    assert shown == [1, 1, 2, 2, 2, 4, 4, 1, 1]
    # From now on, not from the far due time of this test: the next time of the schedule.
    assert due_at(made["id"]) < datetime.now(UTC) + timedelta(days=2)


def test_a_source_may_keep_to_its_schedule(source):
    made = source(schedule="0 19 * * *", options={"adaptive": False})
    for _ in range(5):
        due = due_at(made["id"])
        harvested(due, "unchanged")
        assert (due_at(made["id"]) - due).days == 1


def test_report_renews_the_lease(source):
    run = call_action("hanoiic_source_run", id=source()["id"])["id"]
    claim(datetime.now(UTC) - timedelta(days=1))
    before = model.Session.get(Run, run).lease_until
    call_action("hanoiic_run_update", {"user": HARVESTER}, id=run, state="running")
    after = model.Session.get(Run, run).lease_until
    assert after - before > timedelta(hours=23)


def in_threads(count, work):
    """Run ``work(number)`` in threads that begin together; each has its own database session."""
    start = threading.Barrier(count)
    results, errors = {}, []

    def thread(number):
        try:
            start.wait()
            results[number] = work(number)
        except Exception as error:
            errors.append(error)
        finally:
            model.Session.remove()

    threads = [threading.Thread(target=thread, args=(number,)) for number in range(count)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert errors == []
    return [results[number] for number in range(count)]


def test_workers_at_once_never_get_the_same_run(source):
    names = [f"source-{number}" for number in range(12)]
    asked = {call_action("hanoiic_source_run", id=source(name)["id"])["id"] for name in names[:8]}
    scheduled = [source(f"{name}-due", schedule="0 19 * * *") for name in names[8:]]
    model.Session.remove()
    later = datetime.now(UTC) + timedelta(days=2)

    def work(number):
        got = []
        for _turn in range(6):
            got += [run.id for run in claims.claim(f"w{number}", 3, later)]
            model.Session.commit()
        return got

    claimed = [run for got in in_threads(4, work) for run in got]
    assert len(claimed) == len(set(claimed)) == len(asked) + len(scheduled)
    assert asked < set(claimed)


def test_pressed_by_many_at_once_makes_one_run(source):
    made = source()
    model.Session.remove()
    runs = in_threads(4, lambda _number: call_action("hanoiic_source_run", id=made["id"]))
    assert len({run["id"] for run in runs}) == 1
    assert sum(run["created"] for run in runs) == 1
