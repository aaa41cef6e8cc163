"""How fast a decision is, and how fast a revocation bites: a real portal, Valkey and PostgreSQL.

.venv/bin/python benchmarks/decision.py            (starts its own servers; about a minute)

Prints, with the bars that they are held to: a warm decision (the gateway remembers it and reads the
epoch), a cold one (the portal is asked over HTTP), the time from a revocation's answer to the first
refusal, and how many audited changes a second the chain takes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import ckanapi
import psycopg
import redis

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from api_gateway.decisions import Decisions, ValkeyEpoch  # noqa: E402
from api_gateway.introspection import CkanPortal  # noqa: E402
from api_gateway.portal import PortalActions  # noqa: E402
from deploy.home import Home  # noqa: E402
from deploy.postgres import PORTAL_ROLE, EmbeddedPostgres  # noqa: E402
from tests import portal_server  # noqa: E402
from tests.servers import postgres, temporary_home, valkey  # noqa: E402

TABLE = "benchmark_table"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cold", type=int, default=400, help="decisions asked of the portal")
    parser.add_argument("--warm", type=int, default=20_000, help="remembered decisions")
    parser.add_argument("--revocations", type=int, default=20)
    asked = parser.parse_args()
    with temporary_home() as home, postgres(home) as database, valkey(home) as cache:
        url = database.url(PORTAL_ROLE, home.secret("database_portal"))
        with portal_server.running(home, url, cache.url) as portal:
            measure(home, portal.url, cache.url, asked)
        audit(database, home)


def measure(home: Home, url: str, redis_url: str, asked: argparse.Namespace) -> None:
    operator = ckanapi.RemoteCKAN(url, apikey=home.secret("operator_credential"))
    founder, officer = scene(url, operator)
    token = founder.action.hanoiic_token_create(name="benchmark")["token"]
    actions = PortalActions(url, home.secret("gateway_credential"))
    ckan = CkanPortal(actions)
    decisions = Decisions(ckan, ValkeyEpoch(redis.Redis.from_url(redis_url)))
    for _ in range(30):
        ckan.introspect(token, (TABLE,), "query")
    told = durations_ms(lambda: ckan.introspect(token, (TABLE,), "query"), asked.cold)
    report("cold decision", told, 25)
    decisions.decide(token, (TABLE,), "query")
    told = durations_ms(lambda: decisions.decide(token, (TABLE,), "query"), asked.warm)
    # One in five seconds is cold: what is remembered is asked again.
    report("warm decision", told, 1)
    held = officer.action.hanoiic_agreement_list(box="inbox")[0]["id"]
    bites = [revocation_ms(decisions, officer, token, held) for _ in range(asked.revocations)]
    report("revocation, from its answer", bites, 1000)


def scene(url: str, operator: ckanapi.RemoteCKAN) -> tuple[ckanapi.RemoteCKAN, ckanapi.RemoteCKAN]:
    """A startup's founder with an agreement, and the department's officer."""
    people = []
    for name in ("founder", "officer"):
        operator.action.user_create(
            name=name, email=f"{name}@portal.invalid", password=os.urandom(12).hex()
        )
        key = operator.action.api_token_create(user=name, name="benchmark")["token"]
        people.append(ckanapi.RemoteCKAN(url, apikey=key))
    for name, member, role in (("startup", "founder", "admin"), ("office", "officer", "editor")):
        operator.action.organization_create(
            name=name, title=name, users=[{"name": member, "capacity": role}]
        )
    operator.action.package_create(
        name="benchmark", title="Benchmark", owner_org="office", access_tier="click",
        license_id="CC-BY-4.0", notes="Benchmark",
        resources=[{"url": "http://127.0.0.1:9/t.csv", "lake_table": TABLE, "name": "t"}],
    )  # fmt: skip
    people[0].action.hanoiic_agreement_accept(dataset="benchmark")
    return people[0], people[1]


def revocation_ms(
    decisions: Decisions, officer: ckanapi.RemoteCKAN, token: str, agreement: str
) -> float:
    """From the answer to a suspension to the first refusal; the agreement is then resumed."""
    if not decisions.decide(token, (TABLE,), "query").of(TABLE).permitted:
        raise SystemExit("the agreement gives no access")
    officer.action.hanoiic_agreement_suspend(id=agreement, reason="benchmark")
    begun = time.perf_counter()
    while decisions.decide(token, (TABLE,), "query").of(TABLE).permitted:
        time.sleep(0.001)
    taken = (time.perf_counter() - begun) * 1000
    officer.action.hanoiic_agreement_resume(id=agreement)
    return taken


def audit(database: EmbeddedPostgres, home: Home, writers: int = 8, each: int = 200) -> None:
    """Changes a second by as many writers at once: plain rows, and rows of the chain."""
    url = database.url(PORTAL_ROLE, home.secret("database_portal"))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE benchmark_plain (event text, facts jsonb)")
    rates = {}
    for name, table in (("plain rows", "benchmark_plain"), ("audit", "hanoiic_audit.intake")):

        def write(table: str = table) -> None:
            with psycopg.connect(url, autocommit=True) as connection:
                for _ in range(each):
                    connection.execute(
                        f"INSERT INTO {table} (event, facts) VALUES ('benchmark', '{{\"a\": 1}}')"
                    )

        threads = [threading.Thread(target=write) for _ in range(writers)]
        begun = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rates[name] = writers * each / (time.perf_counter() - begun)
    share = rates["audit"] / rates["plain rows"]
    print(
        f"audit: {rates['audit']:.0f} committed entries/s by {writers} writers, "
        f"{share:.2f} of plain rows ({rates['plain rows']:.0f}/s)"
    )


def durations_ms(call: Callable[[], object], times: int) -> list[float]:
    told = []
    for _ in range(times):
        begun = time.perf_counter()
        call()
        told.append((time.perf_counter() - begun) * 1000)
    return told


def report(what: str, told_ms: list[float], bar_ms: float) -> None:
    p99 = statistics.quantiles(told_ms, n=100)[98]
    verdict = "ok" if p99 <= bar_ms else "MISSED"
    print(
        f"{what}: p50 {statistics.median(told_ms):.2f} ms, p99 {p99:.2f} ms "
        f"(bar {bar_ms:g} ms: {verdict})",
        flush=True,
    )


if __name__ == "__main__":
    main()
