"""One lake, one Valkey, one portal and one gateway for the session: all real but the portal."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from decimal import Decimal as D
from pathlib import Path

import pyarrow as pa
import pytest
import redis
from pytest_httpserver import HTTPServer

from lake import Lake, Provenance
from tests import servers
from tests.api_gateway import gateway as gateways
from tests.api_gateway.gateway import Gateway
from tests.api_gateway.portal import CREDENTIAL, STARTUP, FakePortal, deny, permit
from tests.api_gateway.quota_office import QuotaOffice
from tests.servers import free_port, wait_for

STOPS = pa.table(
    {
        "mã": pa.array([1, 2, 3], pa.int64()),
        "tên": ["Bến xe Mỹ Đình", "Hồ Gươm", "Đống Đa"],
        "phường": ["Từ Liêm", "Hoàn Kiếm", "Đống Đa"],
    }
)
WARDS = pa.table({"phường": ["Hoàn Kiếm", "Đống Đa"], "dân số": pa.array([1, 2], pa.int64())})
SECRET = pa.table({"bí mật": ["SECRET-VALUE-7411"]})
TYPED = pa.table(
    {
        "int64": pa.array([2**63 - 1, -(2**53) - 1, 7, None], pa.int64()),
        "decimal": pa.array(
            [D("12345678901234567890.123456789"), D("-0.000000001"), D(0), None],
            pa.decimal128(38, 9),
        ),
        "price": pa.array([D("1234.50"), D("-0.10"), D("0.00"), None], pa.decimal128(9, 2)),
        "float64": pa.array([0.1, 1e300, -0.0, None], pa.float64()),
        "boolean": pa.array([True, False, True, None]),
        "date": pa.array(
            [dt.date(2026, 2, 28), dt.date(1010, 10, 10), dt.date(9999, 12, 31), None]
        ),
        "timestamp": pa.array(
            [
                dt.datetime(2026, 1, 1, 7, 0, 0, 123456, dt.timezone(dt.timedelta(hours=7))),
                dt.datetime(1954, 10, 10, tzinfo=dt.UTC),
                dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
                None,
            ],
            pa.timestamp("us", "UTC"),
        ),
        "time": pa.array([dt.time(23, 59, 59, 999999), dt.time(0), dt.time(6, 30), None],
                         pa.time64("us")),
        "string": pa.array(["Đống Đa “ươ” \"x\", \n\\", "", "=1+1", None]),
        "binary": pa.array([b"\x00\xff", b"", b"abc", None], pa.binary()),
        "list": pa.array([["ạ", None], [], ["b,c"], None], pa.list_(pa.string())),
    }
)  # fmt: skip


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    # Not pytest's own: query processes run as another user, which must be able to pass through.
    with tempfile.TemporaryDirectory(prefix="hanoiic-gateway-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.fixture(scope="session")
def lake(folder: Path) -> Lake:
    lake = Lake(folder / "lake")
    for name, versions in {
        "bus_stops": [STOPS.slice(0, 2), STOPS],
        "wards": [WARDS],
        "secret": [SECRET],
        "hidden": [SECRET],
        "requested": [SECRET],
        "typed": [TYPED],
        "empty": [STOPS.slice(0, 0)],
    }.items():
        for rows in versions:
            lake.table(name).publish(rows.to_batches(), Provenance(), schema=rows.schema)
    return lake


@pytest.fixture(scope="session")
def valkey() -> Iterator[str]:
    with servers.temporary_home() as home, servers.valkey(home) as server:
        yield server.url


@pytest.fixture(scope="session")
def portal_server() -> Iterator[HTTPServer]:
    with HTTPServer(threaded=True) as server:
        yield server


@pytest.fixture(scope="session")
def settings(folder: Path, lake: Lake, valkey: str, portal_server: HTTPServer) -> dict:
    secrets = {"REDIS_URL_FILE": valkey, "GATEWAY_CREDENTIAL_FILE": CREDENTIAL}
    for name, value in secrets.items():
        file = folder / name
        file.touch(mode=0o600)
        file.write_text(value)
        secrets[name] = str(file)
    return {
        "LAKE_ROOT": lake.root,
        "PORTAL_URL": portal_server.url_for("").rstrip("/"),
        "GATEWAY_SPILL_DIR": str(folder / "spill"),
        "GATEWAY_CACHE_DIR": str(folder / "cache"),
        "EXPORTS_DIR": str(folder / "exports"),
        "GATEWAY_MEMORY_MB": 256,
        "GATEWAY_WORKERS": 4,
        "GATEWAY_EVENTS_DIR": str(folder / "events"),
        "GATEWAY_REQUESTS_PER_MINUTE": 0,
        "GATEWAY_ANONYMOUS_REQUESTS_PER_MINUTE": 0,
        "GATEWAY_CONCURRENT_QUERIES": 0,
        "GATEWAY_ANONYMOUS_CONCURRENT_QUERIES": 0,
        **secrets,
    }


@pytest.fixture(scope="session")
def running_gateway(folder: Path, settings: dict) -> Iterator[Gateway]:
    with gateways.running(folder, settings) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def flight_server(folder: Path, settings: dict) -> Iterator[str]:
    port = free_port()
    log = folder / "flight.log"
    told = settings | {"FLIGHT_PORT": port, "GATEWAY_WORKERS": 2}
    environ = {"PATH": os.environ["PATH"]}
    environ |= {f"HANOIIC_{name}": str(value) for name, value in told.items()}
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "api_gateway.flight"], stdout=output, stderr=output, env=environ
        )

    def listens() -> bool:
        assert child.poll() is None, log.read_text()
        return "listening" in log.read_text()

    wait_for(listens, "the Flight SQL server", 60)
    yield f"grpc://127.0.0.1:{port}"
    child.terminate()
    assert child.wait(20) == 0


@pytest.fixture
def portal(portal_server: HTTPServer, valkey: str) -> FakePortal:
    """Fresh for every test, with its own epoch: nothing a gateway remembers is left."""
    portal_server.clear()
    client = redis.Redis.from_url(valkey)
    portal = FakePortal(portal_server, client, QuotaOffice(portal_server))
    everyone = {name: permit(title="Điểm dừng xe buýt") for name in
                ("bus_stops", "wards", "typed", "empty", "big")}  # fmt: skip
    portal.tables = {
        None: everyone | {
            "secret": deny("sign_in_required"),
            "requested": deny("sign_in_required", "request"),
        },
        STARTUP: everyone | {
            "secret": permit("click"),
            "requested": deny("request_needed", "request"),
        },
    }  # fmt: skip
    portal.change()
    return portal


@pytest.fixture
def gateway(running_gateway: Gateway, portal: FakePortal) -> Gateway:
    return running_gateway


@pytest.fixture(scope="session")
def is_root() -> bool:
    return os.geteuid() == 0
