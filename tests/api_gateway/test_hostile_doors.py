"""The corpus of attacks at the doors beside `POST /v1/sql`: whatever takes SQL or an expression."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import adbc_driver_flightsql.dbapi as flightsql
import pytest
import requests
from adbc_driver_manager import Error

from tests.api_gateway.hostile import Attack, Scene, attacks
from tests.api_gateway.portal import STARTUP
from tests.api_gateway.test_hostile_sql import REFUSALS
from tests.servers import wait_for

# A part of the corpus shows what all of it does; `make test-hostile` tries each.
EVERY = 1 if os.environ.get("HANOIIC_ALL_BOMBS") else 9
SHARED = "/v1/share/shares/hanoi/schemas/default/tables/bus_stops/query"


@pytest.fixture(scope="module")
def scene(folder, lake) -> Scene:
    return Scene(folder / "aims", lake).lay_out()


@pytest.fixture
def mine(scene) -> list[Attack]:
    """Attacks that every door must refuse, as a text can carry them."""
    refused = [each for each in attacks(scene.names) if each.expect == "refused"]
    return [each for each in refused if not _halves(each.sql)][::EVERY]


def _halves(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def all_of(found: list[Attack], ask: Callable[[Attack], str | None]) -> dict[str, str]:
    """What is wrong, by attack."""
    with ThreadPoolExecutor(4) as threads:
        said = zip(found, threads.map(ask, found), strict=True)
    return {attack.sql[:200]: wrong for attack, wrong in said if wrong}


def refused(answer: requests.Response, attack: Attack, scene: Scene) -> str | None:
    if leaks := scene.leaks(attack, answer.text):
        return f"shows {leaks}: {answer.text[:300]}"
    if answer.status_code < 300:
        return f"answered: {answer.text[:300]}"
    known = answer.json()["code"] in REFUSALS.get(answer.status_code, ())
    return None if known else f"{answer.status_code} {answer.text[:300]}"


def harmless(answer: requests.Response, attack: Attack, scene: Scene) -> str | None:
    """The text is a value or a name: an answer is well, a crash is not."""
    if leaks := scene.leaks(attack, answer.text):
        return f"shows {leaks}: {answer.text[:300]}"
    return None if answer.status_code < 500 else f"{answer.status_code} {answer.text[:300]}"


@pytest.mark.parametrize("door", ["dry run", "address"])
def test_doors_of_sql_refuse_attacks(gateway, scene, mine, door):
    before = scene.written()

    def ask(attack: Attack) -> str | None:
        if door == "address":
            answer = gateway.get("/v1/sql", params={"q": attack.sql})
        else:
            params = attack.parameters or None
            answer = gateway.sql(attack.sql, params=params, dry_run=True)
        return refused(answer, attack, scene)

    assert not all_of([each for each in mine if len(each.sql) < 4000], ask)
    assert scene.written() == before


def test_exports_refuse_attacks_at_once_or_fail(gateway, scene, mine):
    before, wrong = scene.written(), {}
    # The startup may read the table `secret`.
    for attack in [each for each in mine if "secret" not in each.sql.casefold()]:
        asked = {"sql": attack.sql, "params": attack.parameters or None}
        answer = gateway.request("POST", "/v1/exports", STARTUP, json=asked)
        if answer.status_code != 202:
            found = refused(answer, attack, scene)
        else:
            found = _failed(gateway, answer.json()["url"].removeprefix(gateway.url))
        if found:
            wrong[attack.sql[:200]] = found
    assert not wrong
    assert scene.written() == before


def _failed(gateway, path: str) -> str | None:
    """What is wrong with an export that was queued: it should fail as a query does."""

    def state() -> dict:
        return gateway.get(path, STARTUP).json()

    wait_for(lambda: state()["state"] in ("failed", "ready"), "the export's end", 30)
    ended = state()
    gateway.request("DELETE", path, STARTUP)
    known = {code for codes in REFUSALS.values() for code in codes}
    return None if ended["error"] and ended["error"]["code"] in known else str(ended)


@pytest.mark.parametrize(
    "make",
    [
        lambda sql: {"mã": f"eq.{sql}"},
        lambda sql: {"tên": f"in.({sql})"},
        lambda sql: {"tên": f"like.{sql}"},
        lambda sql: {"or": f"(mã.eq.1,tên.eq.{sql})"},
        lambda sql: {"order": sql},
        lambda sql: {"select": sql},
        lambda sql: {sql or "x": "eq.1"},
        lambda sql: {"limit": sql},
        lambda sql: {"after": sql},
    ],
    ids=["eq", "in", "like", "or", "order", "select", "column", "limit", "after"],
)
def test_rows_take_attacks_as_values_or_refuse_them(gateway, scene, mine, make):
    before = scene.written()

    def ask(attack: Attack) -> str | None:
        answer = gateway.get("/v1/tables/bus_stops/rows", params=make(attack.sql))
        return harmless(answer, attack, scene)

    assert not all_of([each for each in mine if len(each.sql) < 2000][::3], ask)
    assert scene.written() == before


def test_a_shares_hints_are_hints(gateway, scene, mine):
    whole = _files(gateway.request("POST", SHARED, None, json={}))

    def ask(attack: Attack) -> str | None:
        name = {"op": "column", "name": attack.sql, "valueType": "string"}
        value = {"op": "literal", "value": attack.sql, "valueType": "string"}
        hints = {
            "predicateHints": [attack.sql],
            "jsonPredicateHints": json.dumps({"op": "equal", "children": [name, value]}),
        }
        answer = gateway.request("POST", SHARED, None, json=hints)
        wrong = harmless(answer, attack, scene)
        return wrong or (None if _files(answer) == whole else f"other files: {answer.text[:300]}")

    assert not all_of(mine[::2], ask)


def _files(answer: requests.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    lines = [json.loads(line) for line in answer.content.splitlines()]
    return [line["file"]["id"] for line in lines if "file" in line]


def test_flight_sql_refuses_attacks(flight_server, portal, scene, mine):
    before, wrong = scene.written(), {}
    known = {code for codes in REFUSALS.values() for code in codes}
    with flightsql.connect(flight_server) as connected:
        # The driver takes C strings, and refuses an empty one itself.
        for attack in [each for each in mine if each.sql and "\x00" not in each.sql]:
            with connected.cursor() as cursor:
                try:
                    cursor.execute(attack.sql)
                    wrong[attack.sql[:200]] = f"answered {cursor.fetchall()[:2]}"
                except Error as error:
                    said = str(error)
                    if scene.leaks(attack, said) or not any(code in said for code in known):
                        wrong[attack.sql[:200]] = said[:300]
    assert not wrong
    assert scene.written() == before
