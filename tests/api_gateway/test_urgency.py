"""Who comes first for the CPU."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path

from api_gateway import urgency
from api_gateway.urgency import BEHIND
from tests.servers import wait_for

# Run apart: what it does is for good where a process may not undo it.
_TURNS = """
import os
from api_gateway import urgency
before = os.getpriority(os.PRIO_PROCESS, 0)
may = urgency.allow_turns()
usual = urgency.own_nice()
urgency.give_way(usual)
gave_way = urgency.own_nice()
took = urgency.take_turn(usual)
print(usual - before, gave_way - usual, may, took, urgency.own_nice() - usual)
"""

# What an answer is made of comes in short turns of the engine.
_BITS = """
import time
from api_gateway import urgency
from api_gateway.settings import SLOW_S
from api_gateway.stopwatch import Stopwatch
urgency.allow_turns()
watch, usual = Stopwatch(), urgency.own_nice()
watch.start(10, lambda: None)
enough = time.process_time() + 2 * SLOW_S
while time.process_time() < enough:
    with watch.running():
        until = time.process_time() + 0.002
        while time.process_time() < until:
            pass
print(urgency.own_nice() - usual)
"""


def test_a_query_process_gives_way_to_others_and_takes_its_turn_where_it_may():
    command = [sys.executable, "-c", _TURNS]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    changed, behind, may, took, left = said.stdout.split()
    assert (int(changed), int(behind)) == (0, BEHIND)
    # Whoever may not undo it stays where it is, and is told so.
    assert took == "True" or (may, int(left)) == ("False", BEHIND)
    assert int(left) == (0 if took == "True" else BEHIND)


def test_an_answer_of_many_short_turns_of_the_engine_gives_way_as_one_of_a_long_turn():
    command = [sys.executable, "-c", _BITS]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert int(said.stdout) == BEHIND


def nice_of(process: int) -> int | None:
    with contextlib.suppress(ProcessLookupError):
        return os.getpriority(os.PRIO_PROCESS, process)
    return None


def nices(gateway) -> list[int]:
    """Of the processes below the web process."""
    found = map(nice_of, gateway.descendants(gateway.web))
    return [nice for nice in found if nice is not None]


def threads_of(process: int) -> list[int]:
    return [int(each.name) for each in Path(f"/proc/{process}/task").iterdir()]


def test_the_cpu_time_of_another_process_is_known():
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    wait_for(lambda: urgency.cpu_s(busy.pid) > 0.05, "some use of the CPU")
    busy.kill()
    busy.wait()
    assert urgency.cpu_s(busy.pid) == 0.0


def test_a_query_that_takes_long_runs_behind_all_others(gateway):
    own = os.getpriority(os.PRIO_PROCESS, gateway.web)
    # The one session they share with it: the kernel may weigh nice within a session only.
    assert {os.getsid(each) for each in gateway.descendants(gateway.web)} == {
        os.getsid(gateway.web)
    }
    long = "SELECT count(*) FROM range(3000000000) t(i) WHERE i % 7 = 3"
    asking = threading.Thread(target=gateway.sql, args=(long,), kwargs={"timeout_s": 2})
    asking.start()
    wait_for(lambda: own + BEHIND in nices(gateway), "a process that gave way")
    behind = [each for each in gateway.descendants(gateway.web) if nice_of(each) == own + BEHIND]

    def threads() -> list[int | None]:
        return sorted(nice_of(each) or 0 for each in threads_of(behind[0]))

    # All its threads but the one that watches over its time.
    wait_for(lambda: threads()[:2] == [own, own + BEHIND], "threads that wait")
    asking.join()
    assert min(nices(gateway)) == own


def test_threads_share_what_their_process_has(gateway):
    processes = gateway.descendants(gateway.web)
    assert processes
    for process in processes:
        # The one that watches over the time of those that gave way has its turn.
        _, *others = sorted(nice_of(thread) or 0 for thread in threads_of(process))
        assert len(set(others)) <= 1
