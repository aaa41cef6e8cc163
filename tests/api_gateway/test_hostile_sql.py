"""Attacks: all refused at the door; those on files again with the door left open."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from api_gateway import frames
from api_gateway.engine import Source
from api_gateway.pool import Pool
from api_gateway.processes import Nursery
from api_gateway.settings import Settings

ATTACKS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data/hostile_sql.jsonl").read_text().splitlines()
]
REFUSALS = {400: {"sql_syntax", "statement_not_allowed", "function_not_allowed"},
            403: {"access_denied"}, 404: {"table_not_found"}}  # fmt: skip
# Row values, files and folders that no answer may show.
MARKS = ("SECRET-VALUE-7411", "root:x:0", "/tmp/hanoiic-gateway-", "PATH=")


def sql_of(attack: dict, lake) -> str:
    paths = {
        "{lake}": lake.root,
        "{secret_file}": lake.table("secret").files(1)[0],
        "{bus_file}": lake.table("bus_stops").files(2)[0],
    }
    sql = attack["sql"]
    for mark, path in paths.items():
        sql = sql.replace(mark, path)
    return sql


def identity(attack: dict) -> str:
    return f"{attack['kind']}: {attack['sql'][:60]}"


@pytest.mark.parametrize("attack", ATTACKS, ids=identity)
def test_attack_is_refused_and_nothing_leaks(gateway, lake, attack):
    sql = sql_of(attack, lake)
    params = {"file": "/etc/passwd"} if "$file" in sql else None
    answer = gateway.sql(sql, params=params)
    assert answer.json()["code"] in REFUSALS.get(answer.status_code, ()), answer.text
    # What the caller itself wrote may come back; nothing more.
    shown = answer.text.replace(json.dumps(sql, ensure_ascii=False)[1:-1], "")
    assert not any(mark in shown for mark in MARKS if mark not in sql), answer.text


def test_lake_is_untouched_by_the_attacks(gateway, lake):
    assert gateway.sql("SELECT count(*) AS n FROM bus_stops").json()["rows"] == [{"n": 3}]
    assert not list(Path("/tmp").glob("hanoiic-hostile*"))


@pytest.fixture(scope="module")
def pool(folder: Path, settings: dict, portal_server: HTTPServer):
    nursery = Nursery(
        Settings(
            lake_root=Path(settings["LAKE_ROOT"]),
            portal_url="http://127.0.0.1:1",
            redis_url_file=folder,
            gateway_credential_file=folder,
            gateway_spill_dir=folder / "spill-without-gate",
            gateway_memory_mb=256,
        )
    )
    yield Pool(nursery, 2, 5, spare=False, share=2)
    nursery.close()


def run_without_gate(pool: Pool, lake, sql: str, key: str = "attack") -> tuple[bytes, bytes]:
    """The last frame's kind and everything a process says to SQL that no gate has seen."""
    source = Source("bus_stops", tuple(lake.table("bus_stops").files(2)))
    job = {
        "kind": "query",
        "sql": sql,
        "params": {"file": "/etc/passwd"} if "$file" in sql else [],
        "format": "json",
        "limit": None,
        "csv_safe": False,
        "timeout_s": 5,
        "envelope": {},
    }
    with pool.process(key, [source]) as lease:
        lease.process.ask(job)
        said = b""
        while True:
            kind, payload = lease.process.receive(10)
            said += payload
            if kind == frames.END or (kind == frames.FAILED and b"crash" not in payload):
                lease.finish()
            if kind in (frames.END, frames.FAILED):
                return kind, said


FILE_ATTACKS = [each for each in ATTACKS if each["kind"] in ("read file", "path in a CTE", "write")]


@pytest.mark.parametrize("attack", FILE_ATTACKS, ids=identity)
def test_engine_and_system_hold_without_the_gate(pool, lake, attack):
    sql = sql_of(attack, lake)
    before = {file: Path(file).read_bytes() for file in lake.table("bus_stops").files(2)}
    _, said = run_without_gate(pool, lake, sql)
    assert not any(mark.encode() in said for mark in MARKS[:2])
    assert all(Path(file).read_bytes() == content for file, content in before.items())
    assert not list(Path("/tmp").glob("hanoiic-hostile*"))


def test_without_the_gate_the_granted_table_still_answers(pool, lake):
    kind, said = run_without_gate(pool, lake, "SELECT count(*) AS n FROM bus_stops", key="new")
    assert kind == frames.END
    assert b'"n":3' in said
