"""Every child of the portal may die: it is back within seconds, and nothing committed is lost."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
import requests

from deploy.home import Home
from deploy.processes import process_lives
from deploy.supervision import Supervisor
from tests.e2e.conftest import Stack
from tests.servers import wait_for

pytestmark = pytest.mark.e2e
PROGRAMS = (
    *("postgres", "valkey", "portal", "portal-jobs", "gateway", "flight", "departments", "harvest"),
)


def programs(stack: Stack) -> dict[str, dict]:
    return {row["name"]: row for row in Supervisor(Home(stack.home)).programs()}


def works(stack: Stack, table: str, rows: int) -> bool:
    """The catalogue answers a search and the gateway a query, as a user would ask them."""
    try:
        found = requests.get(
            f"{stack.portal_url}/api/3/action/package_search", params={"q": "*:*"}, timeout=10
        )
        counted = stack.sql(f"SELECT count(*) AS n FROM {table}")
    except requests.RequestException:
        return False
    if not (found.ok and counted.ok and found.json()["result"]["count"] > 0):
        return False
    return bool(counted.json()["rows"][0]["n"] == rows)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_killed_child_is_back_and_the_portal_works(stack, program):
    table = stack.table(tier="open")
    rows = stack.sql(f"SELECT count(*) AS n FROM {table}").json()["rows"][0]["n"]
    before = programs(stack)[program]["pid"]
    os.kill(before, signal.SIGKILL)

    def is_back() -> bool:
        now = programs(stack)[program]
        return now["state"] == "running" and now["pid"] != before

    wait_for(is_back, f"a new {program}", timeout_s=20)
    wait_for(lambda: works(stack, table, rows), "a working portal", timeout_s=40)


def test_no_secret_travels_in_a_childs_environment_or_command_line(stack):
    secrets = [
        path.read_text("utf-8").strip()
        for path in (stack.home / "secrets").iterdir()
        if path.is_file()
    ]
    assert len(secrets) >= 8
    for row in programs(stack).values():
        for name in ("cmdline", "environ"):
            text = process_text(Path(f"/proc/{row['pid']}"), name)
            assert not [secret for secret in secrets if secret in text], row["name"]


def test_no_secret_is_in_a_log(stack):
    secrets = {
        path.name: path.read_text("utf-8").strip()
        for path in (stack.home / "secrets").iterdir()
        if path.is_file()
    }
    tokens = {role: user["gateway_token"] for role, user in stack.demo["users"].items()}
    for log in (stack.home / "logs").iterdir():
        text = log.read_text("utf-8", "replace")
        leaked = [name for name, value in {**secrets, **tokens}.items() if value in text]
        assert not leaked, f"{log.name}: {leaked}"


def test_ctrl_c_stops_every_child_and_a_second_start_is_quick(stack):
    """Nothing is left; the second start takes 25 s at most, or longer by as much as the machine
    has more to do than it has processors."""
    if stack.foreground is None:
        pytest.skip("somebody else started this portal")
    pids = [row["pid"] for row in programs(stack).values()]
    os.killpg(stack.foreground.pid, signal.SIGINT)
    said, _ = stack.foreground.communicate(timeout=120)
    assert stack.foreground.returncode == 0, said
    assert not any(process_lives(pid) for pid in pids)
    assert not processes_of(str(stack.home))
    began = time.monotonic()
    done = stack.hanoiic("up", "--detach")
    took_s = time.monotonic() - began
    assert done.returncode == 0, done.stdout + done.stderr
    assert took_s <= 25 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)), done.stdout


def processes_of(text: str) -> list[str]:
    """Every process whose command line or environment names this home."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        try:
            known = process_text(process, "cmdline") + process_text(process, "environ")
        except OSError:  # it ended meanwhile
            continue
        if text in known:
            found.append(process.name)
    return found


def process_text(process: Path, name: str) -> str:
    return (process / name).read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
