"""Workers killed with -9 at every stage of runs of the real portal: lake and catalogue are those of
a source that nobody disturbed.

`HANOIIC_TEST_KILLS_STACK` is how many rounds (`make kill-workers` has 16); without it none.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pytest_httpserver import HTTPServer

from deploy.home import Home
from deploy.supervision import Supervisor
from harvesters import opening
from harvesters.pipeline import harvest
from harvesters.portal import Portal
from harvesters.report import Report
from harvesters.room import Room
from harvesters.settings import read
from harvesters.source import Source
from lake import rejected
from tests.e2e.conftest import Stack
from tests.harvesters.test_kills import MOMENTS, SEED, WITHIN_S, Department, Workers, disturb

ROUNDS = int(os.environ.get("HANOIIC_TEST_KILLS_STACK", "0"))
# What differs from dataset to dataset and from moment to moment.
OF_ITS_OWN = {
    *("id", "package_id", "created", "last_modified", "metadata_created", "metadata_modified"),
    *("lake_version_at", "harvest_source", "metadata_harvested_at", "missing_since"),
}

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not ROUNDS, reason="long: HANOIIC_TEST_KILLS_STACK says how many rounds"),
    pytest.mark.timeout(300 + 60 * ROUNDS),
]


class Runs:
    """The portal's runs, as an operator asks for them and looks at them."""

    def __init__(self, operator: Portal) -> None:
        self._operator = operator
        self.runs = self

    def ask_for_run(self, source: dict[str, Any]) -> dict[str, Any]:
        return dict(self._operator.call("hanoiic_source_run", id=source["id"]))

    def __getitem__(self, run_id: str) -> dict[str, Any]:
        return dict(self._operator.call("hanoiic_run_show", id=run_id))


@pytest.fixture
def home(stack: Stack, httpserver: HTTPServer, tmp_path: Path) -> Iterator[Path]:
    """Settings of workers that may fetch from the test's server; the stack's own worker rests."""
    said = (stack.home / "etc" / "harvest.env").read_text().splitlines()
    kept = [line for line in said if not line.startswith("HANOIIC_HARVEST_ALLOWED_HOSTS=")]
    kept.append(f"HANOIIC_HARVEST_ALLOWED_HOSTS=localhost:{httpserver.port}")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "harvest.env").write_text("\n".join(kept) + "\n")
    supervisor = Supervisor(Home(stack.home))
    supervisor.stop_program("harvest")
    yield tmp_path
    supervisor.start_program("harvest")


@pytest.fixture
def room(home: Path) -> Iterator[Room]:
    room = opening.room(read({"HANOIIC_HOME": str(home)}))
    yield room
    room.client.close()


def made(operator: Portal, name: str, url: str) -> dict[str, Any]:
    source = operator.call(
        "hanoiic_source_create",
        name=name,
        title="Danh mục thử",
        owner_org=operator.call("organization_list")[0],
        kind="ckan",
        url=url,
        dataset={"table": name.replace("-", "_"), "access_tier": "open"},
        options={"max_missing_share": 0.5, "archive_runs": 2, "archive_days": 0},
    )
    return dict(operator.call("hanoiic_source_show", id=source["id"]))


def state_of(room: Room, source: dict[str, Any], database_url: str) -> Any:
    """Tables, datasets and memory of a source, without its name, identifiers and moments."""
    table = source["name"].replace("-", "_")
    tables = {
        name: [
            (one.number, one.row_count, one.content_hash, one.source_hash,
             [asdict(row) for row in rejected.read(room.lake, name, one.run_id)])
            for one in room.lake.table(name).versions()
        ]
        for name in room.lake.tables() if name.startswith(table)
    }  # fmt: skip
    found = room.portal.call(
        "package_search", fq=f'harvest_source:"{source["id"]}"', include_private=True, rows=100
    )["results"]
    datasets = {one["name"]: plain(room.portal.call("package_show", id=one["id"])) for one in found}
    names = {one["id"]: one["name"] for one in found}
    with psycopg.connect(database_url) as connection:
        receipts = connection.execute(
            "SELECT url, sha256, dataset_id, tables FROM receipts "
            "WHERE source_id = %s ORDER BY url",
            (source["id"],),
        ).fetchall()
        seen = connection.execute(
            "SELECT identifier, dataset_id, state, missing_runs FROM datasets_seen "
            "WHERE source_id = %s ORDER BY identifier",
            (source["id"],),
        ).fetchall()
    whole = {
        "tables": tables,
        "datasets": datasets,
        "receipts": [(url, sha256, names[id_], rows) for url, sha256, id_, rows in receipts],
        "seen": [(identifier, names[id_], *rest) for identifier, id_, *rest in seen],
    }
    said = json.dumps(whole, sort_keys=True, default=str)
    return json.loads(said.replace(source["name"], "X").replace(table, "X"))


def plain(thing: Any) -> Any:
    if isinstance(thing, dict):
        return {key: plain(value) for key, value in thing.items() if key not in OF_ITS_OWN}
    return [plain(each) for each in thing] if isinstance(thing, list) else thing


def test_a_killed_worker_changes_nothing_in_the_real_portal(
    stack: Stack, home: Path, room: Room, httpserver: HTTPServer
) -> None:
    chance = random.Random(SEED)
    department = Department(httpserver)
    operator = Portal(stack.portal_url, stack.user("operator")["ckan_token"])
    disturbed = made(operator, "giet-bo", httpserver.url_for("/"))
    calm = made(operator, "giet-ho", httpserver.url_for("/"))
    database_url = opening.conninfo(read({"HANOIIC_HOME": str(home)}))
    workers, recoveries = Workers(home), []
    try:
        for number in range(ROUNDS):
            department.round = number
            workers.fill()
            moment = MOMENTS[number % len(MOMENTS)]
            recoveries.append(disturb(Runs(operator), disturbed, workers, moment, chance))
            harvest(Source.of(calm), room, Report(), f"calm-{number}")
            assert state_of(room, disturbed, database_url) == state_of(room, calm, database_url), (
                f"round {number}, killed at {moment}, seed {SEED}"
            )
    finally:
        workers.stop()
    killed = [took_s for took_s in recoveries if took_s is not None]
    print(f"{len(killed)} of {ROUNDS} rounds killed; longest until the end {max(killed):.1f} s")
    assert len(killed) >= ROUNDS * 0.7
    assert max(killed) < WITHIN_S
