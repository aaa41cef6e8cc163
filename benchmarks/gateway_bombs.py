"""What a caller notices while another one sends bombs: p99 of light queries, quiet and beside each
class of bombs in the hostile corpus, as ratios of one run.

    .venv/bin/python benchmarks/gateway_bombs.py                 # every class, some minutes
    .venv/bin/python benchmarks/gateway_bombs.py cpu memory

The bombs come from an address without a token, as many at once as that caller may run; the light
queries carry a token. The portal is a small one; gateway, Valkey and lake are the real ones.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import multiprocessing
import os
import platform
import statistics
import sys
import threading
import time
from pathlib import Path
from typing import Any

import requests

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.gateway_scene import LIGHT, TABLE, Client, Scene, at, line, scene, timed
from tests.api_gateway.hostile import attacks
from tests.api_gateway.portal import STARTUP, permit

BAR = 2.0
LIMIT_S = 3.0
_BOMBERS = 6
_PREFIX = "bomb: "


def bombs() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for attack in attacks():
        if attack.kind.startswith(_PREFIX):
            sql = attack.sql.replace("bus_stops", TABLE).replace("mã", "id").replace("tên", "ward")
            found.setdefault(attack.kind.removeprefix(_PREFIX), []).append(sql)
    return found


class Caller(Client):
    """One with a token, whose answers are never its own last ones."""

    def ask(self, sql: str, **more: object) -> bytes:
        self._connection.request(
            "POST", "/v1/sql", f'{{"sql": "{sql}"}}',
            {"Content-Type": "application/json", "Authorization": f"Bearer {STARTUP}"},
        )  # fmt: skip
        return self._read()


class Bombers:
    """Callers that send bombs, one after the other, until `over`: a program of their own, as a
    stranger's is, which shares no interpreter with the caller whose time is taken."""

    def __init__(self, url: str, sent: list[str]) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._over, self._ended = spawn.Event(), spawn.Value("i", 0)
        self._process = spawn.Process(target=_bomb, args=(url, sent, self._over, self._ended))

    @property
    def ended(self) -> int:
        return int(self._ended.value)

    def __enter__(self) -> Bombers:
        self._process.start()
        while not self.ended:
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._process.join()


def _bomb(url: str, sent: list[str], over: Any, ended: Any) -> None:
    bombs = itertools.cycle(sent)
    turn = threading.Lock()

    def send() -> None:
        with requests.Session() as session:
            session.trust_env = False
            while not over.is_set():
                with turn:
                    sql = next(bombs)
                try:
                    # Streams are read, as fast as they come.
                    with session.post(
                        f"{url}/v1/sql", json={"sql": sql, "timeout_s": LIMIT_S},
                        stream=True, timeout=60,
                    ) as answer:  # fmt: skip
                        for _ in answer.iter_content(1 << 20):
                            if over.is_set():
                                break
                except (requests.RequestException, http.client.HTTPException):
                    # Broken off, as a stream that takes too long is.
                    pass
                with ended.get_lock():
                    ended.value += 1

    threads = [threading.Thread(target=send) for _ in range(_BOMBERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def measure(made: Scene, kind: str, sent: list[str], times: int) -> None:
    caller = Caller(made.gateway.url)
    quiet = timed(lambda: caller.ask(LIGHT), times)
    with Bombers(made.gateway.url, sent) as bombers:
        timed(lambda: caller.ask(LIGHT), 20)
        loud = timed(lambda: caller.ask(LIGHT), times)
    ratio = at(loud, 0.99) / at(quiet, 0.99)
    figure = f"p99 {at(loud, 0.99):.1f} ms ({ratio:.2f} ×)"
    middle = statistics.median(loud)
    beside = f"quiet {at(quiet, 0.99):.1f}; p50 {middle:.1f} and {statistics.median(quiet):.1f} ms"
    line(f"light beside {bombers.ended} bombs: {kind}", figure, beside, "≤ 2 × quiet p99",
         holds=ratio <= BAR)  # fmt: skip


def main() -> None:
    known = bombs()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kinds", nargs="*", choices=[*known, []], help="of bombs: all")
    parser.add_argument("--times", type=int, default=1500, help="light queries of one figure")
    asked = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, "
          f"{asked.times} light queries, {_BOMBERS} bombers")  # fmt: skip
    with scene(100_000, None) as made:
        made.portal.tables[STARTUP] = {TABLE: permit()}
        made.portal.change()
        for kind in asked.kinds or known:
            measure(made, kind, known[kind], asked.times)


if __name__ == "__main__":
    main()
