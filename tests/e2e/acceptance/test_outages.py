"""Acceptance case about parts that are away: the licensed is refused, the open is served."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from tests.e2e.acceptance.court import Court
from tests.servers import wait_for

pytestmark = pytest.mark.e2e

ROWS = pa.table({"id": pa.array([1, 2, 3], pa.int64())})
AWAY_S = 5.0


def family(pid: int) -> list[int]:
    """A process and all below it."""
    found, waiting = [pid], [pid]
    while waiting:
        for task in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
            children = [int(one) for one in task.read_text().split()]
            found += children
            waiting += children
    return found


@contextmanager
def frozen(court: Court, program: str) -> Iterator[None]:
    """A program that is there and answers nothing: worse than one that refuses."""
    told = court.stack.hanoiic("status", "--json", timeout_s=30).stdout
    pid = next(one["pid"] for one in json.loads(told)["programs"] if one["name"] == program)
    stopped: list[int] = []
    try:
        for one in family(pid):
            os.kill(one, signal.SIGSTOP)
            stopped.append(one)
        yield
    finally:
        for one in reversed(stopped):
            os.kill(one, signal.SIGCONT)


@pytest.fixture(scope="module")
def tables(court: Court) -> tuple[str, str, str]:
    """A licensed table, an open one, and a token that may read both."""
    court.accepted(court.dataset("click", {"guarded": ROWS}))
    court.dataset("open", {"public": ROWS})
    return court.name("guarded"), court.name("public"), court.token()


@pytest.mark.parametrize("program", ["portal", "postgres", "valkey"])
def test_case_20_policy_service_down(court: Court, tables: tuple, program: str) -> None:
    """After 5 s 503 for the licensed table, and the open one is served, quickly."""
    licensed, free, token = tables
    wait_for(lambda: court.reason(licensed, token) is None, "a working portal", 30)
    assert court.reason(free, None) is None
    assert court.reason(free, token) is None
    with frozen(court, program):
        time.sleep(AWAY_S + 0.5)
        assert court.reason(licensed, token) == "decision_unavailable"
        assert court.http("GET", f"/v1/tables/{licensed}/rows", token)[0] == 503
        begun = time.monotonic()
        assert court.reason(free, None) is None
        assert court.reason(free, token) is None
        assert time.monotonic() - begun < AWAY_S
    wait_for(lambda: court.reason(licensed, token) is None, "a working portal", 30)
