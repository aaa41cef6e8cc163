"""The corpus of attacks against the running gateway: nothing leaks, nothing is written, no query
outlives its limit, and who asks beside a bomb hardly notices."""

from __future__ import annotations

import os
import re
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.api_gateway import gateway as gateways
from tests.api_gateway.hostile import Attack, Scene, attacks
from tests.api_gateway.portal import STARTUP
from tests.api_gateway.reading import metrics_of
from tests.servers import free_port, wait_for

REFUSALS = {
    400: {"bad_parameters", "bad_request", "function_not_allowed", "query_invalid",
          "query_too_complex", "sql_syntax", "statement_not_allowed"},
    403: {"access_denied"},
    404: {"table_not_found"},
    413: {"request_too_large"},
}  # fmt: skip
# How a query may end that asks for too much.
STOPPED = {
    422: {"query_crashed", "query_failed"},
    504: {"query_timeout"},
    507: {"query_memory_exceeded"},
}
LIMIT_S = 1.0
# A part of the bombs shows what all do; `make test-hostile` tries each.
EVERY = 1 if os.environ.get("HANOIIC_ALL_BOMBS") else 4
KINDS = sorted({attack.kind for attack in attacks() if not attack.kind.startswith("bomb")})
BOMBS = sorted({attack.kind for attack in attacks() if attack.kind.startswith("bomb")})


@pytest.fixture(scope="module")
def scene(folder, lake) -> Scene:
    return Scene(folder / "aims", lake).lay_out()


def told(attack: Attack, answer: requests.Response, scene: Scene) -> str | None:
    """What is wrong with an answer to an attack."""
    text = answer.text
    if leaks := scene.leaks(attack, text):
        return f"shows {leaks}: {text[:500]}"
    if answer.status_code == 200:
        return None if attack.expect == "harmless" else f"answered: {text[:500]}"
    allowed = REFUSALS | (STOPPED if attack.expect == "harmless" else {})
    code = answer.json()["code"]
    return None if code in allowed.get(answer.status_code, ()) else f"{answer.status_code} {text}"


def failures_of(
    found: list[Attack], ask: Callable[[Attack], str | None], at_once: int
) -> dict[str, str]:
    with ThreadPoolExecutor(at_once) as threads:
        said = zip(found, threads.map(ask, found), strict=True)
    return {attack.sql[:200]: wrong for attack, wrong in said if wrong}


@pytest.mark.parametrize("kind", KINDS)
def test_attacks_are_refused_show_nothing_and_write_nothing(gateway, scene, kind):
    before = scene.written()

    def ask(attack: Attack) -> str | None:
        answer = gateway.sql(attack.sql, params=attack.parameters or None, timeout_s=5)
        return told(attack, answer, scene)

    mine = [attack for attack in attacks(scene.names) if attack.kind == kind]
    assert not failures_of(mine, ask, at_once=4)
    assert scene.written() == before
    assert gateway.sql("SELECT count(*) AS n FROM bus_stops").json()["rows"] == [{"n": 3}]


@pytest.fixture(scope="module")
def bombed(folder, settings):
    """A gateway that tells how long its processes lived."""
    own = settings | {"GATEWAY_METRICS_PORT": free_port(), "GATEWAY_SPILL_DIR": folder / "bombed"}
    with gateways.running(folder, own) as gateway:
        gateway.metrics_url = f"http://127.0.0.1:{own['GATEWAY_METRICS_PORT']}/metrics"
        yield gateway


@pytest.mark.alone
@pytest.mark.parametrize("kind", BOMBS)
def test_no_bomb_outlives_its_limit(bombed, portal, scene, kind):
    before, gateway = scene.written(), bombed

    def ask(attack: Attack) -> str | None:
        begun = time.monotonic()
        with gateway.sql(attack.sql, timeout_s=LIMIT_S, format="csv", stream=True) as answer:
            if answer.status_code == 200:
                return _drained(answer, begun)
            wrong = told(attack, answer, scene)
        taken_s = time.monotonic() - begun
        return wrong or (f"took {taken_s:.1f} s" if taken_s > LIMIT_S + 1 + SLACK_S else None)

    mine = [attack for attack in attacks(scene.names) if attack.kind == kind][::EVERY]
    # What else the machine does may hold up the end of one: then each is tried again by itself.
    for at_once in (2, 1):
        late = _late(gateway)
        assert not failures_of(mine, ask, at_once)
        wait_for(lambda: gateway.get("/v1/health").json()["workers"]["busy"] == 0, "idle", 5)
        assert scene.written() == before
        for pool in POOLS:
            print(f"{kind}: past the limit in {pool} processes: {_past_limit(gateway, pool)}")
        if _late(gateway) == late:
            return
    pytest.fail(f"lived longer than a second past the limit, twice: {late} → {_late(gateway)}")


POOLS = ("query", "gate")
# Of the caller: it waits for the gate, for a free process, and for the answer.
SLACK_S = 3.0


def _late(gateway) -> dict[str, float]:
    """How many processes of each pool lived longer than a second past their query's limit."""
    counts = {pool: _past_limit(gateway, pool) for pool in POOLS}
    return {pool: of.get("+Inf", 0) - of.get("1.0", 0) for pool, of in counts.items()}


def _past_limit(gateway, pool: str) -> dict[str, float]:
    """How many processes lived at most so many seconds past their query's limit."""
    name = re.compile(
        rf'hanoiic_gateway_past_limit_seconds_bucket{{le="(.+)",pool="{pool}"}}'.replace("{", r"\{")
    )
    matches = ((name.fullmatch(key), count) for key, count in metrics_of(gateway).items())
    return {match[1]: count for match, count in matches if match}


def _drained(answer: requests.Response, begun: float) -> str | None:
    """Reads 64 MB at most of an answer that streams: the rest is the reader's own time."""
    received = 0
    try:
        for chunk in answer.iter_content(1 << 20):
            received += len(chunk)
            if received > 64 << 20:
                return None
    except requests.RequestException:
        pass
    taken_s = time.monotonic() - begun
    return f"streamed for {taken_s:.1f} s" if taken_s > LIMIT_S + 1 + SLACK_S else None


@pytest.mark.alone
def test_who_asks_beside_bombs_hardly_notices(gateway):
    def light() -> float:
        begun = time.perf_counter()
        answer = gateway.sql("SELECT count(*) AS n FROM wards", STARTUP)
        assert answer.status_code == 200, answer.text
        return time.perf_counter() - begun

    for _ in range(10):
        light()
    quiet = sorted(light() for _ in range(60))
    over = threading.Event()

    def bomb(sql: str) -> None:
        while not over.is_set():
            gateway.sql(sql, timeout_s=3)

    bombs = [attack.sql for attack in attacks() if attack.kind == "bomb: cpu"][:3]
    threads = [threading.Thread(target=bomb, args=[sql]) for sql in bombs]
    for thread in threads:
        thread.start()
    try:
        # What is known to take long has half of the processes at most, and one party not all of
        # those: which bombs are known by then depends on the tests before.
        wait_for(lambda: gateway.get("/v1/health").json()["workers"]["busy"] >= 1, "the bombs")
        loud = sorted(light() for _ in range(60))
    finally:
        over.set()
        for thread in threads:
            thread.join()
    # `benchmarks/gateway.py` measures this exactly, on a machine that does nothing else.
    assert statistics.median(loud) <= 3 * quiet[-1] + 0.05
