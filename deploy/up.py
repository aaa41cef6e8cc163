"""The whole start, step by step: what must stand before what.

home → PostgreSQL → Valkey → CKAN prepared → portal → gateway → harvest worker → demo
"""

from __future__ import annotations

import fcntl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests

from deploy import own_servers, ports, preparation, room_settings
from deploy.errors import AlreadyRunning, NotReady
from deploy.home import Home
from deploy.postgres import EmbeddedPostgres
from deploy.programs import Plan
from deploy.supervision import Supervisor, end, wait_until
from deploy.valkey import EmbeddedValkey

if TYPE_CHECKING:
    from deploy.settings import Settings

READY_TIMEOUT_S = 300.0
TRIES_TO_START = 3
Say = Callable[[str], None]


@dataclass(frozen=True)
class Started:
    """A portal that is ready: its supervisor's process and what the demo made."""

    process: subprocess.Popen[bytes]
    plan: Plan
    demo: dict[str, object] | None


def start(
    settings: Settings,
    say: Say,
    with_demo: bool = True,
    handed_on: Mapping[str, Mapping[str, str]] | None = None,
) -> Started:
    """Bring the whole portal up and return when it is ready to use.

    ``handed_on``: settings of the rooms, as ``deploy.settings.handed_on`` tells them. When a step
    fails, everything that was started is stopped again.

    Raises:
        DeployError: with one sentence that says what is wrong and what to do.
        BadSetting: a room does not take what is handed on to it.
    """
    home = Home(settings.home.resolve())
    home.create()
    supervisor = Supervisor(home)
    with only_one_start(home):
        if supervisor.is_running():
            raise AlreadyRunning(
                f"The portal of {home.root} runs already; `hanoiic status` shows where, "
                "`hanoiic down` stops it."
            )
        if ended := supervisor.clear_leftovers():
            say(f"  ✓ {ended} processes of a supervisor that was killed are ended")
        ports.demand_free(settings.portal_host, settings.portal_port, "PORTAL")
        ports.demand_free(settings.gateway_host, settings.gateway_port, "GATEWAY")
        plan = make_plan(settings, home, with_demo, handed_on or {})
        room_settings.demand(plan)
        own_servers.demand(settings)
        if plan.postgres:
            with step(say, "PostgreSQL's data folder"):
                plan.postgres.prepare(home)
        if plan.valkey:
            plan.valkey.prepare()
        plan.write_room_settings()
        home.keep_addresses(settings)
        process = supervisor.start(plan.programs())
        try:
            made = bring_up(plan, supervisor, say)
        except BaseException:
            end(process)
            raise
    return Started(process, plan, made)


def make_plan(
    settings: Settings, home: Home, with_demo: bool, handed_on: Mapping[str, Mapping[str, str]]
) -> Plan:
    kept = ports.kept_ports(
        home.etc / "ports.json", public=(settings.portal_port, settings.gateway_port)
    )
    return Plan(
        settings=settings,
        home=home,
        ports=kept,
        postgres=None if settings.database_url else EmbeddedPostgres.at(home, kept["postgres"]),
        valkey=None if settings.redis_url else EmbeddedValkey.at(home, kept["valkey"]),
        demo=with_demo,
        handed_on=handed_on,
    )


def bring_up(plan: Plan, supervisor: Supervisor, say: Say) -> dict[str, object] | None:
    home = plan.home
    start_and_wait = {
        "postgres": plan.postgres and plan.postgres.answers,
        "valkey": plan.valkey and plan.valkey.answers,
    }
    for name, answers in start_and_wait.items():
        if answers:
            with step(say, f"{name} starts"):
                supervisor.start_program(name)
                wait_for_answer(name, answers, supervisor, home)
    if plan.postgres:
        plan.postgres.ensure_roles(home.secret("database_portal"), home.secret("database_harvest"))
    preparation.write_configuration(plan)
    if preparation.needed(plan):
        with step(say, "CKAN's tables, users, translations and assets"):
            preparation.run(plan)
    servers = {
        "portal": f"{plan.portal_internal_url}/api/3/action/status_show",
        "gateway": f"{plan.gateway_internal_url}/v1/health",
        "departments": f"{plan.departments_url}/sources.json" if plan.demo else None,
    }
    with step(say, "portal, gateway and demo departments" if plan.demo else "portal and gateway"):
        running = [name for name, url in servers.items() if url]
        for name in running:
            supervisor.start_program(name)
        for name in running:
            url = servers[name]
            wait_for_answer(name, lambda url=url: answers_ok(url), supervisor, home)
    with step(say, "background jobs, Flight SQL and harvest worker"):
        for name in ("portal-jobs", "flight", "harvest"):
            supervisor.start_program(name)
            wait_for_answer(name, lambda name=name: is_up(supervisor, name), supervisor, home)
    if not plan.demo:
        return None
    # It loads CKAN's client, and that CKAN: seconds which no other start should take.
    from deploy import demo

    return demo.ensure(plan, say)


def answers_ok(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def is_up(supervisor: Supervisor, name: str) -> bool:
    states = {row["name"]: row["state"] for row in supervisor.programs()}
    return states[name] == "running"


def wait_for_answer(
    name: str, answers: Callable[[], bool], supervisor: Supervisor, home: Home
) -> None:
    """Wait until a program answers; say why when it keeps dying instead."""
    pids: set[int] = set()

    def keeps_dying() -> bool:
        pids.update(row["pid"] for row in supervisor.programs() if row["name"] == name)
        return len(pids - {None}) > TRIES_TO_START

    log = home.logs / f"{name}.log"
    wait_until(answers, f"{name} did not become ready", log, READY_TIMEOUT_S, keeps_dying)


@contextmanager
def only_one_start(home: Home) -> Iterator[None]:
    with (home.run / "start.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(
                f"Another `hanoiic up` is starting the portal of {home.root} right now."
            ) from error
        yield


@contextmanager
def step(say: Say, name: str) -> Iterator[None]:
    """One line when a step begins to take time, one mark when it is done."""
    began = time.monotonic()
    try:
        yield
    except NotReady:
        say(f"  ✗ {name}")
        raise
    say(f"  ✓ {name} ({time.monotonic() - began:.1f} s)")
