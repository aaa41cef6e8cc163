"""What an operator sees and does: metrics, readiness, the slow-query log, a reload under load."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import requests

from lake import Provenance
from tests.api_gateway import gateway as gateways
from tests.api_gateway.portal import STARTUP, permit
from tests.api_gateway.reading import metrics_of
from tests.servers import free_port, wait_for

ROOT = Path(__file__).parents[2]
SLOW_S = 0.1


@pytest.fixture(scope="module")
def measured(folder, settings):
    port = free_port()
    counts = folder / "metrics"
    counts.mkdir()
    own = settings | {
        "GATEWAY_METRICS_PORT": port,
        "GATEWAY_SLOW_QUERY_S": SLOW_S,
        "GATEWAY_SPILL_DIR": folder / "spill-measured",
    }
    with gateways.running(folder, own, {"PROMETHEUS_MULTIPROC_DIR": str(counts)}) as gateway:
        gateway.metrics_url = f"http://127.0.0.1:{port}/metrics"
        yield gateway


def test_metrics_count_what_happens_and_the_public_port_has_none(measured, portal):
    assert measured.get("/metrics").status_code == 404
    for limit in (1, 2):
        assert measured.sql("FROM bus_stops", limit=limit).ok
    assert measured.sql("SELEC").status_code == 400
    measured.sql("SELECT count(*) FROM range(100000000000) t(i) WHERE i % 7 = 3", timeout_s=0.3)
    found = metrics_of(measured)
    assert found['hanoiic_gateway_request_seconds_count{door="sql",status="200"}'] == 2
    assert found['hanoiic_gateway_problems_total{code="sql_syntax"}'] == 1
    assert found['hanoiic_gateway_cache_total{cache="process",result="hit"}'] >= 1
    assert found['hanoiic_gateway_answer_bytes_total{door="sql"}'] > 100
    ended = [name for name in found if name.startswith("hanoiic_gateway_processes_ended_total")]
    assert any('pool="query"' in name and "query_timeout" in name for name in ended)
    assert not any("bus_stops" in name for name in found)


def test_files_are_measured_and_logged_as_far_as_they_are_sent(measured, portal):
    path = "/v1/tables/wards/download.parquet"
    made = measured.request("POST", "/v1/exports", None, json={"sql": "FROM wards"}).json()
    address = f"/v1/exports/{made['id']}"
    wait_for(lambda: measured.get(address).json()["state"] == "ready", "the export")
    result = measured.get(address).json()["result_url"].removeprefix(measured.url)
    base = "/v1/share/shares/hanoi/schemas/default/tables/wards/query"
    told = measured.request("POST", base, None, json={}).content.splitlines()[2]
    shared = json.loads(told)["file"]["url"].removeprefix(measured.url)
    before = metrics_of(measured)

    def gained(name: str) -> float:
        return metrics_of(measured).get(name, 0) - before.get(name, 0)

    asked = []
    for page, door, file in (
        ("downloads", "file", path),
        ("exports", "export", result),
        ("share", "share", shared),
    ):
        answers = [
            measured.get(file, headers=headers)
            for headers in ({}, {"Range": "bytes=4-9"}, {"If-Match": '"x"'})
        ]
        asked += [(each.headers["X-Request-Id"], each.status_code) for each in answers]
        assert [each.status_code for each in answers] == [200, 206, 412]
        sent = f'hanoiic_gateway_answer_bytes_total{{door="{door}"}}'
        size = len(answers[0].content) + 6
        wait_for(lambda sent=sent, size=size: gained(sent) == size, sent, 5)
        for status in (200, 206, 412):
            name = f'hanoiic_gateway_request_seconds_count{{door="{page}",status="{status}"}}'
            wait_for(lambda name=name: gained(name) >= 1, name, 5)

    def answered() -> dict[str, int]:
        lines = [line for line in measured.log.read_text().splitlines() if '"answered"' in line]
        return {told["request_id"]: told["status"] for told in map(json.loads, lines)}

    wait_for(lambda: dict(asked).items() <= answered().items(), "the log", 5)


def test_a_broken_off_file_counts_what_was_sent(measured, portal, lake):
    schema = pa.schema([("x", pa.int64())])
    noise = pa.array(np.random.default_rng(7).integers(0, 2**62, 4_000_000))
    batch = pa.RecordBatch.from_arrays([noise], schema=schema)
    lake.table("unread").publish([batch], Provenance(), schema=schema)
    portal.tables[None]["unread"] = permit()
    portal.change()
    name = 'hanoiic_gateway_answer_bytes_total{door="file"}'
    before = metrics_of(measured).get(name, 0)
    path = "/v1/tables/unread/download.parquet"
    with requests.get(measured.url + path, stream=True, timeout=30) as answer:
        size = int(answer.headers["Content-Length"])
        answer.raw.read(100)
    wait_for(lambda: metrics_of(measured).get(name, 0) > before, "its end", 5)
    assert 100 <= metrics_of(measured)[name] - before < size


def test_dashboard_asks_only_for_metrics_there_are(measured):
    board = json.loads((ROOT / "deploy/grafana/gateway.json").read_text(encoding="utf-8"))
    asked = set(re.findall(r"hanoiic_gateway_\w+", json.dumps(board)))
    known = {name.partition("{")[0] for name in metrics_of(measured)}
    declared = set(re.findall(r"^\| `(\w+)`", (ROOT / "docs/metrics.md").read_text(), re.M))
    plain = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in asked}
    assert plain <= declared
    assert asked & known


def test_slow_query_is_logged_by_its_fingerprint_alone(measured, portal):
    measured.sql("SELECT max(sin(i)) AS telltale FROM range(30000000) t(i)", timeout_s=25)

    def told() -> list[str]:
        return [line for line in measured.log.read_text().splitlines() if "slow_q" in line]

    wait_for(lambda: bool(told()), "the log", 10)
    lines = [json.loads(line) for line in told()]
    assert re.fullmatch(r"[0-9a-f]{16}", lines[-1]["query"])
    assert lines[-1]["duration_s"] >= SLOW_S
    assert "telltale" not in measured.log.read_text()


def test_ready_and_health(gateway):
    ready = gateway.get("/v1/ready")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "warnings": []})
    assert gateway.get("/v1/health").json()["workers"]["waiting"] == 0


def test_reload_under_load_loses_no_request_of_several_web_processes(folder, settings, portal):
    own = settings | {"GATEWAY_SPILL_DIR": folder / "spill-reload", "GATEWAY_WORKERS": 2}
    with gateways.running(folder, own, workers=2) as gateway:
        before, over, wrong = set(gateway.webs), threading.Event(), []
        assert len(before) == 2

        def ask() -> None:
            while not over.is_set():
                try:
                    answer = requests.get(
                        f"{gateway.url}/v1/sql?q=FROM wards", timeout=30,
                        headers={"Authorization": f"Bearer {STARTUP}"},
                    )  # fmt: skip
                    if answer.status_code != 200:
                        wrong.append(answer.text)
                except requests.RequestException as error:
                    wrong.append(repr(error))

        slow = threading.Thread(target=lambda: wrong.extend(_streamed(gateway)))
        threads = [*(threading.Thread(target=ask) for _ in range(3)), slow]
        for thread in threads:
            thread.start()
        os.kill(gateway.master, signal.SIGHUP)
        wait_for(lambda: len(set(gateway.webs) - before) == 2, "the new processes", 60)
        wait_for(lambda: not before & set(gateway.webs), "the old ones' end", 60)
        over.set()
        for thread in threads:
            thread.join()
        assert not wrong


def _streamed(gateway) -> list[str]:
    """What is wrong with a long answer that a reload overtakes."""
    url = f"{gateway.url}/v1/sql?format=csv&q=SELECT i FROM range(5000000) t(i)"
    with requests.get(url, stream=True, timeout=60) as answer:
        lines = sum(chunk.count(b"\n") for chunk in answer.iter_content(1 << 16))
    return [] if lines == 5_000_001 else [f"{lines} lines"]
