"""A query that misbehaves dies alone; a gateway that ends leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
import requests

from tests.api_gateway import gateway as gateways
from tests.api_gateway.portal import STARTUP
from tests.servers import wait_for

SLOW = "SELECT count(*) FROM range(100000000000) t(i) WHERE i % 7 = 3"


def busy(gateway) -> int:
    return gateway.get("/v1/health").json()["workers"]["busy"]


@pytest.mark.alone
@pytest.mark.parametrize(
    "sql",
    [
        SLOW,
        "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range + b.range = -1",
        "WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r) SELECT max(i) FROM r",
        # Does not look up when it is interrupted: killed a little later.
        "SELECT levenshtein(repeat('a', 200000), repeat('b', 200000))",
    ],
)
def test_query_over_its_time_is_stopped(gateway, sql):
    begun = time.monotonic()
    answer = gateway.sql(sql, timeout_s=0.5)
    assert (answer.status_code, answer.json()["code"]) == (504, "query_timeout"), answer.text
    assert answer.json()["timeout_s"] == 0.5
    assert time.monotonic() - begun < 6
    assert gateway.sql("FROM bus_stops").status_code == 200


@pytest.mark.alone
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT length(repeat('x', 2000000000) || repeat('y', 2000000000))",
        "SELECT list(i) FROM range(1000000000) t(i)",
        "SELECT len(generate_series(1, 1000000000))",
        "SELECT string_agg(repeat('x', 1000000), '') FROM range(100000)",
        "SELECT lpad('', 2000000000, 'x')",
        "SELECT count(*) FROM (SELECT DISTINCT random() FROM range(2000000000))",
    ],
)
def test_memory_bomb_dies_alone_while_another_query_answers(gateway, sql):
    answers, most = [], 0.0
    bomb = threading.Thread(target=lambda: answers.append(gateway.sql(sql, timeout_s=5)))
    bomb.start()
    while bomb.is_alive():
        assert gateway.sql("SELECT count(*) AS n FROM wards").json()["rows"] == [{"n": 2}]
        most = max(most, largest_mb(gateway))
    bomb.join()
    assert answers[0].json()["code"] in {
        "query_memory_exceeded", "query_crashed", "query_failed", "query_timeout"
    }, answers[0].text  # fmt: skip
    assert most < 1024


def largest_mb(gateway) -> float:
    """The resident memory of the largest process of the gateway."""
    sizes = [0.0]
    for process in gateway.descendants():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
            sizes.append(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
    return max(sizes)


def test_deep_value_that_overflows_the_stack_dies_alone(gateway):
    gateway.sql("SELECT json_structure(repeat('[', 100000) || repeat(']', 100000))")
    gateway.sql("SELECT from_json(repeat('[', 100000) || repeat(']', 100000), '[\"JSON\"]')")
    assert gateway.sql("FROM bus_stops").status_code == 200


def test_caller_that_hangs_up_frees_its_process_and_is_no_error(gateway):
    wait_for(lambda: busy(gateway) == 0, "an idle gateway")
    before = len(gateway.log.read_text())
    host, port = gateway.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as caller:
        query = SLOW.replace(" ", "%20")
        caller.sendall(f"GET /v1/sql?q={query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        wait_for(lambda: busy(gateway) == 1, "the query's start")
    wait_for(lambda: busy(gateway) == 0, "the query's end", timeout_s=5)
    wait_for(lambda: '"client_gone"' in gateway.log.read_text()[before:], "the log")
    assert "unexpected_error" not in gateway.log.read_text()[before:]


def test_caller_that_hangs_up_in_the_middle_frees_its_process(gateway):
    answer = gateway.sql("SELECT i FROM range(1000000000) t(i)", format="csv", stream=True)
    chunks = answer.iter_content(1024)
    next(chunks)
    assert busy(gateway) == 1
    answer.close()
    wait_for(lambda: busy(gateway) == 0, "the query's end", timeout_s=5)


def test_failure_after_the_first_bytes_is_no_complete_answer(gateway):
    sql = "SELECT CASE WHEN i > 1500000 THEN error_free(i) ELSE i END AS x FROM range(2000000) t(i)"
    sql = sql.replace("error_free(i)", "(i::VARCHAR || 'x')::BIGINT")
    answer = gateway.sql(sql, format="csv", stream=True)
    assert answer.status_code == 200
    with pytest.raises(Exception, match=r"(?i)ended prematurely|broken|incomplete"):
        for _ in answer.iter_content(65536):
            pass


def test_too_many_queries_wait_and_are_then_refused(gateway):
    answers = []
    threads = [
        # Not known to take long, as a query is that did before.
        threading.Thread(target=lambda sql: answers.append(gateway.sql(sql, timeout_s=8)),
                         args=[SLOW.replace("= 3", f"= {place}")])
        for place in range(4, 8)
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    # One of them goes on in a place for such queries.
    wait_for(lambda: busy(gateway) == 4, "a party with all its places")
    refused = gateway.sql("FROM wards")
    assert (refused.status_code, refused.json()["code"]) == (503, "busy")
    assert refused.headers["Retry-After"]
    assert gateway.sql("FROM wards", STARTUP).status_code == 200
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {504}
    assert gateway.sql("FROM wards").status_code == 200


def test_killed_processes_are_replaced(gateway):
    gateway.sql("FROM wards")
    zygote = gateway.descendants(gateway.web)[0]
    victims = gateway.descendants(zygote)
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    wait_for(lambda: not any(map(_lives, victims)), "the processes' end")
    assert gateway.sql("FROM wards").status_code == 200
    family = [zygote, *gateway.descendants(zygote)]
    os.kill(zygote, signal.SIGKILL)
    wait_for(lambda: not any(map(_lives, family)), "the family's end")
    assert gateway.sql("FROM wards, bus_stops").status_code == 200
    assert gateway.sql("FROM secret", STARTUP).status_code == 200


def facts_of(process: int) -> dict[str, str]:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def query_processes(gateway) -> list[int]:
    """Those that have begun: a new spare needs a moment to lock itself in."""
    gateway.sql("FROM wards")
    zygote = gateway.descendants(gateway.web)[0]
    wait_for(
        lambda: all(facts_of(each)["Seccomp"] == "2" for each in gateway.descendants(zygote)),
        "the locks of every query process",
    )
    return gateway.descendants(zygote)


def test_query_process_has_no_rights_and_no_environment(gateway, is_root):
    processes = query_processes(gateway)
    assert processes
    for process in processes:
        facts = facts_of(process)
        assert facts["NoNewPrivs"] == "1"
        assert facts["Seccomp"] == "2"
        assert int(facts["CapEff"], 16) == int(facts["CapPrm"], 16) == 0
        if is_root:
            assert set(facts["Uid"].split()) == {"65534"}
        environ = Path(f"/proc/{process}/environ").read_bytes()
        assert b"HANOIIC" not in environ
        assert b"HOME" not in environ
        assert b"credential" not in Path(f"/proc/{process}/cmdline").read_bytes()


def test_superuser_whose_lake_nobody_else_may_read_still_gives_its_rights_up(
    folder, settings, portal, lake, is_root
):
    if not is_root:
        pytest.skip("only the superuser has rights to give up")
    private = folder / "private"
    shutil.copytree(lake.root, private / "lake")
    private.chmod(0o700)
    own = settings | {"LAKE_ROOT": private / "lake", "GATEWAY_SPILL_DIR": private / "spill"}
    with gateways.running(folder, own) as gateway:
        health = gateway.get("/v1/health").json()
        assert health["status"] == "ok"
        assert health["sandbox"]["unprivileged"] is False
        assert gateway.sql("FROM secret", STARTUP).status_code == 200
        for process in query_processes(gateway):
            facts = facts_of(process)
            assert set(facts["Uid"].split()) == {"0"}
            assert int(facts["CapEff"], 16) == int(facts["CapPrm"], 16) == 0


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_gateway_that_ends_leaves_no_process_and_no_file(folder, settings, portal, end):
    spill = folder / f"spill-{end}"
    own = settings | {"GATEWAY_SPILL_DIR": spill}
    with gateways.running(folder, own) as gateway:
        gateway.sql("FROM wards")
        thread = threading.Thread(target=lambda: _ignoring(gateway, SLOW))
        thread.start()
        wait_for(lambda: busy(gateway) == 1, "the query's start")
        family = [gateway.master, *gateway.descendants()]
        assert len(family) >= 5
        for process in family[:2] if end == signal.SIGKILL else family[:1]:
            os.kill(process, end)
        wait_for(lambda: not any(map(_lives, family[1:])), "the family's end", timeout_s=45)
        thread.join()
    wait_for(lambda: not list(spill.glob("*")), "an empty spill folder", timeout_s=5)


def _ignoring(gateway, sql: str) -> None:
    try:
        gateway.sql(sql, timeout_s=3)
    except requests.RequestException:
        return


def _lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
