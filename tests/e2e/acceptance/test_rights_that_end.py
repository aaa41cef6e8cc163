"""Acceptance cases about rights that end: revoked, expired, withdrawn, left, deleted, leaked."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest
import requests

from api_gateway.decisions import Decisions, ValkeyEpoch
from api_gateway.introspection import CkanPortal
from api_gateway.portal import PortalActions
from tests.e2e.acceptance.court import DOORS, OBEYED_WITHIN_S, SHARE, Court, logs_of, seconds_since
from tests.servers import wait_for

pytestmark = pytest.mark.e2e

ROWS = pa.table({"id": pa.array([1, 2, 3], pa.int64()), "name": ["một", "hai", "ba"]})
LONG_ROWS = 3_000_000


def test_case_01_revoked_mid_stream(court: Court) -> None:
    """The stream breaks off with an error within 5 s, and what was sent is settled."""
    table = court.name("long")
    rows = pa.table({"id": np.arange(LONG_ROWS), "x": np.random.default_rng(1).random(LONG_ROWS)})
    dataset = court.dataset("click", {"long": rows})
    court.offer(dataset, "click", quota={"rows_per_month": 10 * LONG_ROWS})
    agreement = court.accepted(dataset)
    asked = {"sql": f"SELECT id, x FROM {table}", "format": "ndjson"}
    answer = court.stack.gateway("POST", "/v1/sql", court.token(), json=asked, stream=True)
    parts = answer.iter_content(64 * 1024)
    assert next(parts)
    court.act("officer", "hanoiic_agreement_revoke", id=agreement["id"], reason="Case 1")
    begun = time.monotonic()
    said = "SELECT reason FROM hanoiic_usage_event WHERE outcome = 'broken_off' AND tables @> %s"
    of = (json.dumps([{"name": table}]),)
    # Nothing is read meanwhile: an answer ends whether or not its reader goes on.
    wait_for(lambda: court.database.execute(said, of).fetchone() is not None, "the event", 10)
    assert court.database.execute(said, of).fetchone() == ("agreement_revoked",)
    assert seconds_since(begun) < OBEYED_WITHIN_S + 2  # events are told within two seconds
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        list(parts)
    settled = (
        "SELECT count(*) FILTER (WHERE settled_at IS NULL), sum(used_rows) "
        "FROM hanoiic_usage_lease WHERE agreement_id = %s"
    )

    def is_settled() -> bool:
        open_leases, used = court.database.execute(settled, (agreement["id"],)).fetchone()
        return open_leases == 0 and 0 < used < LONG_ROWS

    wait_for(is_settled, "usage that is settled", 15)


def test_case_02_second_file_of_a_share_after_revocation(court: Court) -> None:
    dataset = court.dataset("click", {"share_a": ROWS, "share_b": ROWS})
    agreement, token = court.accepted(dataset), court.token()
    urls = []
    for name in ("share_a", "share_b"):
        path = f"{SHARE}/{court.department}/tables/{court.name(name)}/query"
        lines = court.stack.gateway("POST", path, token, json={}).text.splitlines()
        urls += [json.loads(line)["file"]["url"] for line in lines if '"file"' in line]
    first, second = urls
    assert requests.get(first, timeout=30).content[:4] == b"PAR1"
    court.act("officer", "hanoiic_agreement_revoke", id=agreement["id"], reason="Case 2")
    time.sleep(1)
    for url in (second, first):
        refused = requests.get(url, timeout=30)
        assert (refused.status_code, refused.json()["reason"]) == (403, "agreement_revoked")


@pytest.fixture(scope="module")
def lent(court: Court):
    """A dataset whose agreements a test lets end; the table's name and the dataset."""
    return court.name("lent"), court.dataset("click", {"lent": ROWS})


def ends_in(court: Court, agreement: str, seconds: float) -> float:
    """Let an agreement end so soon, by the database's clock; the moment since 1970."""
    (end,) = court.database.execute(
        "UPDATE hanoiic_agreement SET valid_until = "
        "to_timestamp(ceil(extract(epoch FROM now()) + %s)) WHERE id = %s "
        "RETURNING extract(epoch FROM valid_until)::float",
        (seconds, agreement),
    ).fetchone()
    # As docs/architecture.md asks of whoever changes rows by SQL.
    court.valkey.incr("hanoiic:epoch")
    return float(end)


def test_case_03_valid_to_is_obeyed_to_the_second_despite_a_warm_cache(court: Court, lent) -> None:
    table, dataset = lent
    token, agreement = court.token(), court.accepted(dataset)["id"]
    assert court.reason(table, token) is None
    end, last, first = ends_in(court, agreement, 2), 0.0, 0.0
    while not first:
        asked_at = time.time()
        reason = court.reason(table, token)
        assert reason in (None, "agreement_expired")
        last, first = (asked_at, 0.0) if reason is None else (last, time.time())
        assert asked_at < end + 5, "the agreement did not end"
    assert 0 < last < end < first


@pytest.mark.parametrize("skew_s", [-600, 600])
def test_case_21_client_clocks_ten_minutes_off(court: Court, lent, skew_s: float) -> None:
    """Neither a client's nor a gateway's clock lengthens or shortens a right by a second."""
    table, dataset = lent
    token, end = court.token(), ends_in(court, court.accepted(dataset)["id"], 2)
    actions = PortalActions(court.portal_url, court.secret("gateway_credential"))
    gateway_elsewhere = Decisions(
        CkanPortal(actions), ValkeyEpoch(court.valkey), now=lambda: time.time() + skew_s
    )
    client_says = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + skew_s))
    headers = {"Date": client_says, "If-Modified-Since": client_says}
    path, ended = f"/v1/tables/{table}/rows?limit=1", False
    while not ended:
        asked_at = time.time()
        answer = court.stack.gateway("GET", path, token, headers=headers)
        decided = gateway_elsewhere.decide(token, (table,), "query").of(table)
        if asked_at >= end:
            assert (answer.status_code, decided.reason) == (403, "agreement_expired")
            ended = True
        elif time.time() < end:
            assert (answer.status_code, decided.permitted) == (200, True)


def test_case_09_dataset_turned_private_is_404_at_every_door(court: Court) -> None:
    table = court.name("gone")
    dataset = court.dataset("click", {"gone": ROWS})
    court.accepted(dataset)
    token = court.token()
    link = court.stack.gateway("POST", f"/v1/tables/{table}/links", token, json={}).json()["url"]
    page = f"{court.portal_url}/dataset/{dataset['name']}"
    assert {name: court.door(name, table, token)[0] for name in DOORS} == dict.fromkeys(DOORS, 200)
    assert requests.get(page, timeout=30).ok
    court.operator.action.package_patch(id=dataset["id"], private=True)
    begun = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        asked = {name: pool.submit(court.door, name, table, token) for name in DOORS}
        found = {name: answer.result()[0] for name, answer in asked.items()}
    assert found == dict.fromkeys(DOORS, 404)
    assert court.http("GET", f"/v1/tables/{table}", token)[0] == 404
    assert requests.get(link, timeout=30).status_code == 404
    assert table not in court.http("GET", "/v1/tables", token)[2]
    for end in ("", ".ttl", ".jsonld"):
        assert requests.get(f"{page}{end}", timeout=30).status_code == 404, end
    shown = f"{court.portal_url}/api/3/action/package_show?id={dataset['id']}"
    assert requests.get(shown, timeout=30).status_code in (403, 404)
    assert seconds_since(begun) < OBEYED_WITHIN_S + 5  # fifteen doors, asked after one another


def test_case_12_leaked_token_is_rotated_and_is_nowhere_in_plain(court: Court, lent) -> None:
    table, _ = lent
    leaked = court.token(networks=["127.0.0.0/8"])
    assert court.reason(table, leaked) != "token_invalid"
    held = court.act("founder", "hanoiic_token_list")
    row = next(one for one in held if leaked.startswith(one["prefix"]))
    made = court.act("founder", "hanoiic_token_rotate", id=row["id"], overlap_hours=0)["token"]
    time.sleep(1)
    assert court.reason(table, leaked) == "token_invalid"
    assert court.reason(table, made) != "token_invalid"
    logs = logs_of(court.home)
    assert "hanoiic_token_rotate" in logs
    tables = court.readable_tables()
    for secret in (leaked, made):
        assert secret not in logs
        for name in tables:
            held = court.database.execute(
                f"SELECT 1 FROM {name} AS one WHERE position(%s IN one::text) > 0 LIMIT 1",
                (secret,),
            )
            assert held.fetchone() is None, name


def test_case_13_wrong_scope_or_audience_is_403_at_every_door(court: Court) -> None:
    table = court.name("scoped")
    court.accepted(court.dataset("click", {"scoped": ROWS}))
    needs = {"share": "share", "link": "download", "download csv": "download",
             "download parquet": "download"}  # fmt: skip
    for scope in ("query", "download", "share"):
        token = court.token(scopes=[scope])
        for name in DOORS:
            allowed = needs.get(name, "query") == scope
            status, problem, text = court.door(name, table, token)
            assert status == (200 if allowed else 403), (scope, name, text[:200])
            assert allowed or problem.get("reason", "scope_missing") == "scope_missing"
    token = court.token()
    # No other audience is given out yet: one of another service is what the database holds.
    court.database.execute(
        "UPDATE hanoiic_token SET audience = '{elsewhere}' WHERE prefix = %s", (token[:10],)
    )
    court.valkey.incr("hanoiic:epoch")
    for name in DOORS:
        status, problem, _ = court.door(name, table, token)
        assert (status, problem.get("reason", "audience_mismatch")) == (403, "audience_mismatch")


def test_case_22_forwarded_link_is_audited_and_refused_when_altered_or_late(court: Court) -> None:
    table = court.name("linked")
    court.accepted(court.dataset("click", {"linked": ROWS}))
    token = court.token()
    url = court.stack.gateway("POST", f"/v1/tables/{table}/links", token, json={}).json()["url"]
    # Another client, without any right of its own.
    forwarded = requests.get(url, timeout=30, headers={"X-Request-Id": f"forwarded-{court.mark}"})
    assert forwarded.content[:4] == b"PAR1"
    at = url.index("hic_l_") + 20
    altered = url[:at] + ("A" if url[at] != "A" else "B") + url[at + 1 :]
    made = court.act(
        "gateway", "hanoiic_link_create", token=token, table=table, action="download",
        claims={"version": 1, "format": "parquet"}, lifetime_s=1,
    )["token"]  # fmt: skip
    late = f"{court.stack.gateway_url}/v1/files/{made}/{table}_v1.parquet"
    time.sleep(2)
    for bad in (altered, late):
        refused = requests.get(bad, timeout=30)
        assert (refused.status_code, refused.json()["code"]) == (403, "link_invalid")

    def is_audited() -> bool:
        found = court.database.execute(
            "SELECT facts FROM hanoiic_audit.entry WHERE event = 'data_answered' "
            "AND facts ->> 'request_id' = %s",
            (f"forwarded-{court.mark}",),
        ).fetchall()
        return len(found) == 1

    wait_for(is_audited, "the audit's entry", 10)
