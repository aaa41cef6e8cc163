"""Exports: made while nobody waits, kept for a day, fetched by who may still read their tables."""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
import requests

from api_gateway.errors import Busy, ExportsFull, TooManyExports
from api_gateway.exports import KEPT_S, MOST_OF_STRANGERS, MOST_UNFINISHED, Exports
from lake import Provenance, edition
from tests.api_gateway import gateway as gateways
from tests.api_gateway.portal import STARTUP, deny, permit
from tests.servers import wait_for

ENDLESS = "FROM secret, range(1000000000000)"
LONG = "SELECT sum(a.i * b.i) AS n FROM range(3000000) a(i), range(3000000) b(i)"


def ask(gateway, sql: str, token: str | None = STARTUP, **more) -> dict:
    answer = gateway.request("POST", "/v1/exports", token, json={"sql": sql, **more})
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == answer.json()["url"]
    return answer.json()


def state(gateway, export: dict, token: str | None = STARTUP) -> dict:
    return gateway.get(f"/v1/exports/{export['id']}", token).json()


def finished(gateway, export: dict, token: str | None = STARTUP) -> dict:
    wait_for(lambda: state(gateway, export, token)["finished_at"], "the export")
    return state(gateway, export, token)


def fetch(gateway, export: dict, token: str | None = STARTUP, **headers) -> requests.Response:
    return gateway.get(export["result_url"].removeprefix(gateway.url), token, headers=headers)


@pytest.fixture(autouse=True)
def tidy(gateway):
    yield
    for each in gateway.get("/v1/exports", STARTUP).json()["exports"]:
        gateway.request("DELETE", f"/v1/exports/{each['id']}", STARTUP)


def test_an_export_is_made_and_fetched_in_parts(gateway):
    export = finished(gateway, ask(gateway, "SELECT * FROM secret", format="csv"))
    assert (export["state"], export["error"]) == ("ready", None)
    assert export["versions"] == {"secret": 1}
    assert export["progress"]["rows"] == 1
    whole = fetch(gateway, export)
    assert "SECRET-VALUE-7411" in whole.text
    assert len(whole.content) == export["progress"]["bytes"]
    assert whole.headers["Hanoiic-Table-Versions"] == "secret=1"
    part = fetch(gateway, export, Range="bytes=3-", **{"If-Range": whole.headers["ETag"]})
    assert (part.status_code, part.content) == (206, whole.content[3:])
    other = fetch(gateway, export, Range="bytes=3-", **{"If-Match": '"x"'})
    assert (other.status_code, other.json()["code"]) == (412, "precondition_failed")
    listed = gateway.get("/v1/exports", STARTUP).json()["exports"]
    assert [each["id"] for each in listed] == [export["id"]]
    assert gateway.get("/v1/exports").json()["exports"] == []


def test_a_right_that_ended_ends_the_download(gateway, portal):
    export = finished(gateway, ask(gateway, "SELECT * FROM secret"))
    assert fetch(gateway, export, None).status_code == 404
    portal.tables[STARTUP]["secret"] = deny("agreement_revoked")
    portal.change()
    refused = fetch(gateway, export)
    assert (refused.status_code, refused.json()["reason"]) == (403, "agreement_revoked")
    portal.tables[STARTUP]["secret"] = permit("click") | {"edition": "e1"}
    portal.change()
    assert fetch(gateway, export).status_code in (403, 503)


@pytest.fixture
def masked(lake, portal) -> str:
    """A table of which the startup reads the edition `emasked`; its name."""
    if not lake.table("salaries").exists():
        rows = pa.table({"id": [1], "salary": ["SALARY-5521"]})
        lake.table("salaries").publish(rows.to_batches(), Provenance(), schema=rows.schema)
        edition.write(lake, "salaries", 1, "emasked", {"columns": ["id"]})
    portal.tables[STARTUP]["salaries"] = permit("click", edition="emasked")
    portal.change()
    return "salaries"


def test_a_token_that_ended_tells_nothing_of_its_exports(gateway, portal):
    export = finished(gateway, ask(gateway, "SELECT * FROM secret"))
    known = portal.tables.pop(STARTUP)
    portal.change()
    page = f"/v1/exports/{export['id']}"
    asked = [("GET", "/v1/exports"), ("GET", page), ("DELETE", page)]
    assert [gateway.request(*each, STARTUP).status_code for each in asked] == [401, 401, 401]
    portal.tables[STARTUP] = known
    portal.change()
    assert state(gateway, export)["state"] == "ready"


def test_a_result_of_an_edition_is_for_who_reads_that_edition_today(gateway, portal, masked):
    def grant(name: str | None) -> None:
        portal.tables[STARTUP][masked] = permit("click", edition=name)
        portal.change()

    first = ask(gateway, LONG)
    export = ask(gateway, f"FROM {masked}", format="csv")
    # Raised while it waits, and lowered again before the download.
    grant(None)
    gateway.request("DELETE", f"/v1/exports/{first['id']}", STARTUP)
    export = finished(gateway, export)
    assert "SALARY-5521" in fetch(gateway, export).text
    grant("emasked")
    refused = fetch(gateway, export)
    assert (refused.status_code, refused.json()["reason"]) == (403, "edition_changed")
    again = finished(gateway, ask(gateway, f"FROM {masked}", format="csv"))
    assert fetch(gateway, again).text == '"id"\n1\n'


def test_a_result_that_does_not_say_what_it_was_made_of_is_kept_back(gateway, folder):
    export = finished(gateway, ask(gateway, "SELECT * FROM secret"))
    file = folder / "exports" / export["id"] / "export.json"
    said = json.loads(file.read_text())
    del said["read_editions"]
    # As an older gateway wrote it.
    file.write_text(json.dumps(said | {"editions": {"secret": None}}))
    assert fetch(gateway, export).status_code == 403


def test_what_may_not_be_read_or_is_wrong_is_refused_at_once(gateway):
    def status(body, token=None):
        return gateway.request("POST", "/v1/exports", token, json=body).status_code

    assert status({"sql": "SELECT * FROM secret"}) == 403
    assert status({"sql": "SELEC"}) == 400
    assert status({"sql": "SELECT 1", "dry_run": True}) == 400
    assert gateway.get("/v1/exports/0").json()["code"] == "export_not_found"


@pytest.mark.parametrize(("limit", "told"), [(1, "true"), (3, "false"), (None, None)])
def test_rows_that_a_limit_cut_off_are_told(gateway, limit, told):
    waiting = ask(gateway, "FROM bus_stops", format="csv", limit=limit)
    assert waiting["truncated"] is None
    export = finished(gateway, waiting)
    assert export["truncated"] is (told == "true")
    assert export["progress"]["rows"] == (limit or 3)
    assert fetch(gateway, export).headers.get("Hanoiic-Truncated") == told


def test_an_error_of_the_query_is_told(gateway):
    export = finished(gateway, ask(gateway, "SELECT x FROM wards"))
    assert (export["state"], export["error"]["code"]) == ("failed", "query_invalid")
    answer = gateway.get(f"/v1/exports/{export['id']}/x", STARTUP)
    assert (answer.status_code, answer.json()["code"]) == (409, "export_not_ready")


def test_an_export_that_breaks_off_tells_why(gateway, portal):
    late = "SELECT CASE range WHEN 3000000 THEN ('x' || range)::INT END FROM range(4000000)"
    export = finished(gateway, ask(gateway, late, format="csv"))
    assert (export["state"], export["error"]["code"]) == ("failed", "query_failed")
    export = ask(gateway, ENDLESS, format="csv")
    wait_for(lambda: state(gateway, export)["state"] == "running", "its start")
    portal.tables[STARTUP]["secret"] = deny("agreement_revoked")
    portal.change()
    error = finished(gateway, export)["error"]
    assert (error["code"], error["reason"]) == ("access_denied", "agreement_revoked")


def test_an_export_that_the_portal_left_alone_is_tried_again(gateway, portal):
    export = ask(gateway, ENDLESS, format="csv")
    wait_for(lambda: state(gateway, export)["progress"]["bytes"], "its first bytes")
    portal.away = True
    portal.change()
    wait_for(lambda: state(gateway, export)["state"] == "queued", "its end for now")
    portal.away = False
    portal.change()
    wait_for(lambda: state(gateway, export)["state"] == "running", "its next try")


def test_a_disk_that_is_full_ends_an_export(gateway, folder):
    first = ask(gateway, LONG)
    export = ask(gateway, "FROM bus_stops", format="csv")
    (folder / "exports" / export["id"] / "result.part").symlink_to("/dev/full")
    gateway.request("DELETE", f"/v1/exports/{first['id']}", STARTUP)
    export = finished(gateway, export)
    assert (export["state"], export["error"]["code"]) == ("failed", "exports_full")


def test_an_open_export_needs_no_token(gateway):
    export = finished(gateway, ask(gateway, "FROM bus_stops", None, format="xlsx"), None)
    assert fetch(gateway, export, None).content[:2] == b"PK"
    assert gateway.request("DELETE", f"/v1/exports/{export['id']}", None).status_code == 204
    assert gateway.get(f"/v1/exports/{export['id']}").status_code == 404


def test_a_running_export_stops_at_its_cancellation(gateway, folder):
    export = ask(gateway, LONG)
    wait_for(lambda: state(gateway, export)["state"] == "running", "its start")
    path = f"/v1/exports/{export['id']}"
    assert gateway.request("DELETE", path, None).status_code == 404
    assert gateway.request("DELETE", path, STARTUP).status_code == 204
    assert gateway.get(path, STARTUP).status_code == 404
    wait_for(lambda: not (folder / "exports" / export["id"]).exists(), "its folder to go", 5)


def test_an_export_outlives_its_gateway(folder, settings, portal, gateway):
    mine = settings | {"EXPORTS_DIR": str(folder / "exports-restart")}
    slow = "SELECT sum(a.i + b.i) AS n FROM range(10000) a(i), range(10000) b(i)"
    with gateways.running(folder, mine) as first:
        export = ask(first, slow)
        wait_for(lambda: state(first, export)["state"] == "running", "its start")
        for process in (first.master, first.web):
            os.kill(process, signal.SIGKILL)
    written = json.loads((folder / "exports-restart" / export["id"] / "export.json").read_text())
    assert STARTUP not in json.dumps(written)
    with gateways.running(folder, mine) as second:
        found = finished(second, export)
        assert found["state"] == "ready", found
        url = f"/v1/exports/{found['id']}/{found['result_url'].rpartition('/')[2]}"
        assert second.get(url, STARTUP).json()["row_count"] == 1


@pytest.fixture
def exports(tmp_path: Path) -> Exports:
    return Exports(tmp_path / "exports", "secret", 1000)


def added(exports: Exports, **more):
    facts = {
        "owner": "a", "body": {}, "tables": (), "file_name": "x.json",
        "reached_at": "", "address": None, "request_id": None,
    }  # fmt: skip
    return exports.add("hic_token", **{**facts, **more})


def test_bounds_of_a_caller_and_of_the_disk(exports):
    for _ in range(MOST_UNFINISHED):
        export = added(exports)
    with pytest.raises(TooManyExports):
        added(exports)
    assert added(exports, owner="b").owner == "b"
    (exports.path(export.id) / "result").write_bytes(b"x" * 1000)
    with pytest.raises(ExportsFull):
        added(exports, owner="c")
    assert exports.token(export) == "hic_token"
    assert "hic_token" not in (exports.path(export.id) / "export.json").read_text()


def test_an_export_that_the_disk_has_no_room_for_leaves_nothing(exports, monkeypatch):
    def full(export):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(exports, "save", full)
    with pytest.raises(ExportsFull):
        added(exports)
    assert [each.name for each in exports.folder.iterdir()] == ["adding"]


def test_callers_without_a_token_are_counted_by_their_address(exports):
    for address in ("192.0.2.1", "2001:db8::1"):
        for _ in range(MOST_UNFINISHED):
            added(exports, owner="", address=address)
    for counted in ("192.0.2.1", "2001:db8::2"):
        with pytest.raises(TooManyExports):
            added(exports, owner="", address=counted)
    assert added(exports, owner="", address="192.0.2.2")


def test_strangers_take_no_more_than_their_part_and_come_last(exports):
    for number in range(MOST_OF_STRANGERS):
        added(exports, owner="", address=f"192.0.2.{number}")
    with pytest.raises(Busy):
        added(exports, owner="", address="198.51.100.1")
    for owner in ("a", "a", "b"):
        added(exports, owner=owner)
    turns = [each.owner for each in exports.in_turn()]
    assert turns == ["a", "b", *[""] * MOST_OF_STRANGERS, "a"]
    later, other, *_ = exports.in_turn()
    exports.change(later, not_before=time.time() + 60)
    exports.change(other, state="ready", finished_at=time.time())
    assert [each.owner for each in exports.in_turn()] == ["a", *[""] * MOST_OF_STRANGERS]
    assert later.id not in {each.id for each in exports.in_turn()}


def test_what_many_add_at_once_is_counted(exports, tmp_path):
    others = Exports(tmp_path / "exports", "secret", 1000)

    def add(number: int) -> str:
        try:
            return added((exports, others)[number % 2], owner="many").id
        except TooManyExports:
            return "refused"

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(add, range(16)))
    assert found.count("refused") == 16 - MOST_UNFINISHED
    with ThreadPoolExecutor(8) as pool:
        same = pool.map(lambda _: added(others, owner="one", key="k").id, range(16))
    assert len(set(same)) == 1


def test_a_repeated_request_is_the_same_export(gateway, portal):
    portal.office.quota["once"] = {"queries": 10}
    terms = permit("click") | {"agreement": "once", "metered": True}
    portal.tables[STARTUP]["secret"] = terms
    portal.tables["hic_other"] = {"secret": terms}
    portal.change()

    def post(sql: str = "FROM secret", token: str = STARTUP, key: str = "k1") -> requests.Response:
        body, headers = {"sql": sql, "format": "csv"}, {"Idempotency-Key": key}
        return gateway.request("POST", "/v1/exports", token, json=body, headers=headers)

    first = post()
    assert first.status_code == 202
    ready = finished(gateway, first.json())
    again = post()
    assert (again.status_code, again.json()) == (200, ready)
    wait_for(lambda: portal.office.used.get("once", {}).get("queries") == 1, "settlement", 10)
    reused = post("SELECT 1 AS x FROM secret")
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")
    assert post("SELECT 1 AS x FROM secret", key="k2").status_code == 202
    other = post(token="hic_other").json()
    assert other["id"] != ready["id"]
    gateway.request("DELETE", f"/v1/exports/{other['id']}", "hic_other")
    gateway.request("DELETE", f"/v1/exports/{ready['id']}", STARTUP)
    # One that was deleted does not come back.
    assert post().json()["id"] != ready["id"]


def test_one_process_at_a_time_has_an_export(exports):
    export = added(exports)
    with exports.held(export.id) as mine, exports.held(export.id) as other:
        assert (mine, other) == (True, False)
        exports.cancel(export)
        assert exports.is_cancelled(export.id)
    exports.cancel(export)
    assert not exports.path(export.id).exists()
    assert export not in exports.all()


def test_results_go_after_a_day(gateway, folder):
    export = finished(gateway, ask(gateway, "SELECT 1 AS x"))
    file = folder / "exports" / export["id"] / "export.json"
    said = json.loads(file.read_text())
    said["finished_at"] = time.time() - KEPT_S - 1
    file.write_text(json.dumps(said))
    wait_for(lambda: not file.exists(), "the result to go", 5)
