"""A machine whose kernel lacks a lock: open tables with a warning, licensed ones only if the
operator says so."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.api_gateway import gateway as gateways
from tests.api_gateway.portal import STARTUP


@pytest.fixture(params=["landlock", "seccomp"])
def lock(request) -> str:
    return request.param


@pytest.fixture
def weak(folder, settings, lock):
    """A gateway on such a machine; called with settings."""

    def start(**own):
        prefix = [sys.executable, str(Path(__file__).with_name("without.py")), lock]
        own = settings | {"GATEWAY_WORKERS": 2, "GATEWAY_SPILL_DIR": folder / f"weak-{lock}"} | own
        return gateways.running(folder, own, prefix=prefix)

    return start


def warnings_in(log: Path) -> list[dict]:
    said = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [line for line in said if line["event"] == "sandbox_incomplete"]


def test_without_a_lock_open_tables_are_served_with_a_warning_and_licensed_ones_are_not(
    weak, lock, portal
):
    with weak() as gateway:
        ready = gateway.get("/v1/ready")
        assert ready.status_code == 200
        assert ready.json()["warnings"] == [f"without {lock}: serves open tables only"]
        health = gateway.get("/v1/health").json()
        assert (health["status"], health["sandbox"]["missing"]) == ("degraded", [lock])
        assert [line["missing"] for line in warnings_in(gateway.log)] == [[lock]]
        assert gateway.sql("SELECT count(*) AS n FROM bus_stops").json()["rows"] == [{"n": 3}]
        for refused in (
            gateway.sql("FROM secret", STARTUP),
            gateway.sql("FROM bus_stops, secret", STARTUP),
            gateway.sql("FROM secret", STARTUP, dry_run=True),
            gateway.get("/v1/tables/secret/rows", STARTUP),
            gateway.get("/v1/tables/secret/download.csv", STARTUP),
            gateway.request("POST", "/v1/exports", STARTUP, json={"sql": "FROM secret"}),
        ):
            assert (refused.status_code, refused.json()["code"]) == (503, "sandbox_incomplete")
            assert "SECRET" not in refused.text


def test_an_operator_who_allows_it_serves_licensed_tables_with_a_warning(weak, lock, portal):
    with weak(ALLOW_WEAK_SANDBOX="1") as gateway:
        assert gateway.get("/v1/ready").json()["warnings"] == [f"without {lock}: serves all"]
        assert gateway.sql("FROM secret", STARTUP).status_code == 200
        assert warnings_in(gateway.log)
