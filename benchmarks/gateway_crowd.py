"""A hundred clients at once."""

from __future__ import annotations

import http.client
import random
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks.gateway_scene import (
    HEAVY,
    LIGHT,
    ORGANIZATIONS,
    Ask,
    Scene,
    asks_in_process,
    at,
    line,
    rate,
    timed,
)


@dataclass
class Crowd:
    """What a hundred clients met: durations of light answers in ms, answers by organisation and
    kind, and what went wrong."""

    light_ms: list[float]
    counts: dict[tuple[str, bool], int]
    wrong: list[str]


def hundred(new: Callable[[str], Ask], seconds: float, *, pauses: bool) -> Crowd:
    """A hundred clients of ten organisations at once. Of ten clients one asks for heavy things, one
    after the other, and nine look up a row: about once a second each, as pages and programs do, or
    without `pauses`."""
    until = time.perf_counter() + seconds
    durations: list[float] = []
    wrong: list[str] = []
    counts: defaultdict[tuple[str, bool], int] = defaultdict(int)

    def run(number: int) -> None:
        token, heavy = ORGANIZATIONS[number // 10], number % 10 == 0
        ask, pause = new(token), random.Random(number)
        while time.perf_counter() < until:
            if pauses and not heavy:
                time.sleep(pause.uniform(0.5, 1.5))
            begun = time.perf_counter()
            try:
                ask(HEAVY if heavy else LIGHT)
            except (AssertionError, OSError, http.client.HTTPException) as error:
                wrong.append(str(error)[:200])
                ask = new(token)
                continue
            counts[token, heavy] += 1
            if not heavy:
                durations.append((time.perf_counter() - begun) * 1000)

    with ThreadPoolExecutor(100) as threads:
        list(threads.map(run, range(100)))
    return Crowd(sorted(durations), counts, wrong)


def mixed(scene: Scene, seconds: float = 60.0) -> None:
    """Clients that pause, beside DuckDB alone with the same clients inside its process."""
    single = scene.client(ORGANIZATIONS[0])
    quiet = at(timed(lambda: single.ask(LIGHT), 300), 0.99)
    raw = hundred(lambda _: asks_in_process(scene.raw), min(seconds, 20), pauses=True)
    crowd = hundred(lambda token: scene.client(token).ask, seconds, pauses=True)
    print("100 clients, 10 of them heavy without a pause, 90 light about once a second:")
    _met(crowd, seconds)
    loud, beside = at(crowd.light_ms, 0.99), at(raw.light_ms, 0.99)
    line(
        "  light p99", f"{loud:.0f} ms", f"quiet {quiet:.0f} ms, raw so {beside:.0f} ms",
        "≤ 5 × quiet p99", holds=loud <= 5 * quiet,
    )  # fmt: skip


def stress(scene: Scene, seconds: float = 60.0) -> None:
    """Clients without any pause: 90 light ones are never answered sooner than this machine answers
    90 light queries."""
    clients = [scene.client(token).ask for token in ORGANIZATIONS for _ in range(4)]
    most = rate(clients, LIGHT)
    crowd = hundred(lambda token: scene.client(token).ask, seconds, pauses=False)
    print("100 clients without a pause, 10 heavy, 90 light:")
    _met(crowd, seconds)
    line(
        "  light p50, p99",
        f"{at(crowd.light_ms, 0.5):.0f} ms, {at(crowd.light_ms, 0.99):.0f} ms",
        f"limit: 90 at {most:.0f}/s, {90e3 / most:.0f} ms", "", holds=not crowd.wrong,
    )  # fmt: skip


def _met(crowd: Crowd, seconds: float) -> None:
    line("  errors", str(len(crowd.wrong)), "", "0", holds=not crowd.wrong)
    print("".join(f"    {each}\n" for each in sorted(set(crowd.wrong))[:5]), end="")
    for kind, heavy in (("light", False), ("heavy", True)):
        done = [crowd.counts[token, heavy] for token in ORGANIZATIONS]
        line(
            f"  fair: {kind} answers of an organisation", f"{min(done)} … {max(done)}",
            f"{sum(done) / seconds:.1f} a second", "most ≤ 1.5 × fewest",
            holds=max(done) <= 1.5 * max(1, min(done)),
        )  # fmt: skip
