"""Real parts for the harvesters' tests: HTTP servers on loopback, a lake, PostgreSQL."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pytest_httpserver import HTTPServer

from harvesters import database
from harvesters.errors import HarvestError
from harvesters.fetch import Client, FetchLimits
from harvesters.pipeline import harvest
from harvesters.politeness import Hosts
from harvesters.portal import Portal
from harvesters.presence import Presence
from harvesters.receipts import Receipts
from harvesters.report import Report
from harvesters.room import Room
from harvesters.source import Source
from lake.store import Lake
from tests import servers
from tests.harvesters.fake_portal import TOKEN, FakePortal
from tests.harvesters.taking import Taking

QUICK = FetchLimits(
    max_bytes=4 << 20, connect_timeout_s=2, read_timeout_s=2, total_s=20, retries=1, backoff_s=0.01
)
GATEWAY_URL = "https://gateway.example"


@pytest.fixture(scope="session")
def data() -> Path:
    default = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("HANOIIC_TEST_DATA") or default)
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set HANOIIC_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    """A database of the room's own role, whose search path is the schema `harvest`."""
    with servers.temporary_home() as home, servers.postgres(home) as server:
        url = server.url("hanoiic_harvest", home.secret("database_harvest"))
        database.migrate(database.address(url))
        yield url


@pytest.fixture(autouse=True)
def unburdened_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No host remembers what another test asked of it."""
    monkeypatch.setattr("harvesters.fetch.HOSTS", Hosts())


@pytest.fixture
def portal() -> Iterator[FakePortal]:
    portal = FakePortal()
    yield portal
    portal.close()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def client(tmp_path: Path, httpserver: HTTPServer) -> Iterator[Client]:
    client = Client(tmp_path / "raw", [f"localhost:{httpserver.port}"], QUICK)
    yield client
    client.close()


@pytest.fixture
def room(client: Client, lake: Lake, portal: FakePortal, database_url: str) -> Room:
    remote = Portal(portal.url, TOKEN)
    address = database.address(database_url)
    return Room(client, lake, remote, Receipts(address), Presence(address), GATEWAY_URL)


@pytest.fixture
def settings_home(tmp_path, portal, database_url, httpserver) -> Path:
    """A home as the launcher makes it: settings in a file, secrets in files of their own."""
    home = tmp_path / "home"
    (home / "etc").mkdir(parents=True)
    for name, secret in (("database", database_url), ("token", TOKEN)):
        path = home / name
        path.write_text(secret)
        path.chmod(0o600)
    lines = {
        "LAKE_ROOT": tmp_path / "lake",
        "PORTAL_URL": portal.url,
        "GATEWAY_URL": "https://gateway.example",
        "HARVEST_DATABASE_URL_FILE": home / "database",
        "HARVEST_CREDENTIAL_FILE": home / "token",
        "HARVEST_RAW_DIR": tmp_path / "raw",
        "HARVEST_ALLOWED_HOSTS": f"localhost:{httpserver.port}",
    }
    text = "".join(f"HANOIIC_{name}={value}\n" for name, value in lines.items())
    (home / "etc" / "harvest.env").write_text(text)
    return home


@pytest.fixture
def empty_queue(database_url) -> None:
    with psycopg.connect(database.address(database_url)) as connection:
        connection.execute(
            "TRUNCATE procrastinate_jobs, procrastinate_workers, receipts, datasets_seen, tries "
            "CASCADE"
        )


class Ran:
    """A finished run: its report, and the error that ended it."""

    def __init__(self, report: Report, error: HarvestError | None) -> None:
        self.report = report
        self.error = error

    @property
    def state(self) -> str:
        return self.report.outcome

    def stage(self, name: str) -> Any:
        return self.report.stages[name]


@pytest.fixture
def run(room: Room, portal: FakePortal) -> Callable[..., Ran]:
    """Harvest a source of the portal, as the worker does."""
    numbers = iter(range(1, 1000))

    def run(source: dict[str, Any]) -> Ran:
        report, error = Report(), None
        try:
            harvest(Source.of(source), room, report, f"run-{next(numbers)}")
        except HarvestError as caught:
            error = caught
        return Ran(report, error)

    return run


@contextmanager
def small_disk() -> Iterator[None]:
    """No file may be larger than 64 KiB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def serve(httpserver: HTTPServer) -> Callable[..., str]:
    """Serve bytes at a path; the URL."""

    def serve(content: bytes | str, path: str = "/data.csv", **headers: str) -> str:
        body = content.encode() if isinstance(content, str) else content
        httpserver.expect_request(path).respond_with_data(body, headers=headers)
        return httpserver.url_for(path)

    return serve


@pytest.fixture
def taken(client: Client, serve: Callable[..., str], lake: Lake) -> Taking:
    return Taking(client, serve, lake)


def rows(lake: Lake, table: str) -> list[dict[str, Any]]:
    """All rows of a table's latest version."""
    found = lake.table(table)
    number = found.resolve().number
    return [row for batch in found.batches(number) for row in batch.to_pylist()]


def types(lake: Lake, table: str) -> dict[str, str]:
    found = lake.table(table)
    return {column.name: column.type for column in found.columns(found.resolve().number)}
