"""A worker that was only frozen: another takes its run over, and it works on when it wakes."""

from __future__ import annotations

import signal

import pytest

from tests.harvesters.fake_portal import FINISHED
from tests.harvesters.test_kills import HASTY, Watched
from tests.servers import wait_for

CSV = "mã,tên\n00004,Ba Đình\n"


def ended(portal, run) -> bool:
    return portal.runs[run["id"]]["state"] in FINISHED


@pytest.mark.usefixtures("empty_queue")
def test_a_frozen_worker_wakes_to_a_run_that_is_over_and_works_on(
    settings_home, portal, serve, lake
):
    reached, frozen, other = [], Watched(settings_home, HASTY), None

    def freeze(_) -> None:
        if not reached:
            reached.append(frozen.child.send_signal(signal.SIGSTOP))

    source = portal.add_source(name="a", kind="csv", url=serve(CSV), dataset={"table": "wards"})
    try:
        assert frozen.wait_for("worker_started", 0, 60)
        portal.before["package_create"] = freeze
        run = portal.ask_for_run(source)
        wait_for(lambda: bool(reached), "the worker at its last stage")
        other = Watched(settings_home, HASTY)
        assert other.wait_for("run_rescued", 0, 60)
        # It holds the source while it lives, so nobody works beside it.
        assert not ended(portal, run)
        frozen.child.send_signal(signal.SIGCONT)
        wait_for(lambda: ended(portal, run), "the run's end")
        other.kill()
        serve(CSV + "00008,Ngọc Hà\n")
        again = portal.ask_for_run(source)
        wait_for(lambda: ended(portal, again), "the next run of the one that was frozen", 60)
    finally:
        frozen.kill()
        if other:
            other.kill()
    assert portal.runs[run["id"]]["state"] == "published"
    assert len(portal.datasets) == 1
