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
def department(with_plugins, clean_db):
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
    assert claim(now + lease - timedelta(seconds=1)) == []
    # Nobody began it: that may repeat for as long as the queue is full.
    for _again in range(claims.LOSSES_ALLOWED + 2):
        now += lease + timedelta(seconds=1)
        assert [id for id, _trigger in claim(now)] == [run]
    call_action("hanoiic_run_update", {"user": HARVESTER}, id=run, state="running")
    for _loss in range(claims.LOSSES_ALLOWED):
        now += lease + timedelta(seconds=1)
        assert [id for id, _trigger in claim(now)] == [run]
    assert claim(now + lease + timedelta(seconds=1)) == []
    shown = call_action("hanoiic_run_show", id=run)
    assert (shown["state"], shown["error"]["code"]) == ("failed", "worker_lost")


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
