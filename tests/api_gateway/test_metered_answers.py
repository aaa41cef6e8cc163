"""Limits, quotas, receipts and events on answers of two real gateways that share one Valkey."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jwt
import numpy as np
import pyarrow as pa
import pytest
import requests
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from lake import Provenance
from tests.api_gateway import gateway as gateways
from tests.api_gateway.gateway import Gateway
from tests.api_gateway.portal import STARTUP, permit
from tests.servers import wait_for

LONG_ROWS = 3_000_000


@pytest.fixture(scope="module")
def pair(folder: Path, settings: dict, lake) -> Iterator[tuple[Gateway, Gateway]]:
    key = folder / "receipt.key"
    private = Ed25519PrivateKey.generate()
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    lake.table("long").publish(
        [pa.record_batch({"id": pa.array(np.arange(LONG_ROWS)), "x": np.random.rand(LONG_ROWS)})],
        Provenance(),
    )
    told = settings | {"RECEIPT_KEY_FILE": key, "GATEWAY_WORKERS": 3}
    with gateways.running(folder, told) as one, gateways.running(folder, told) as other:
        yield one, other


def metered(agreement: str, **limits: float) -> dict:
    """A permit under an agreement whose quota is counted."""
    told = {"agreement": agreement, "metered": True, "limits": limits}
    return permit("click") | {"reason": "agreement"} | told


@pytest.fixture
def agreed(portal, pair):
    """Give the startup its tables under these terms."""

    def give(terms: dict, *tables: str) -> None:
        for table in tables:
            portal.tables[STARTUP][table] = terms
        portal.change()

    return give


def test_rows_over_the_quota_are_refused_and_never_sent(pair, portal, agreed):
    portal.office.quota["rows"] = {"rows": 2}
    agreed(metered("rows"), "bus_stops")
    asked = pair[0].sql("FROM bus_stops", STARTUP)
    assert (asked.status_code, asked.json()["code"]) == (403, "quota_exceeded")
    assert asked.json()["resets_at"] == 1800000000
    assert pair[0].sql("FROM bus_stops LIMIT 2", STARTUP).status_code == 200


def test_a_long_answer_breaks_off_where_its_quota_ends(pair, portal, agreed):
    portal.office.quota["long"] = {"rows": 1_000_000}
    agreed(metered("long"), "long")
    answer = pair[0].sql("SELECT id FROM long", STARTUP, format="ndjson", stream=True)
    received: list[bytes] = []
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        received.extend(answer.iter_content(1 << 20))
    lines = sum(chunk.count(b"\n") for chunk in received)
    assert 0 < lines <= 1_000_000
    wait_for(lambda: portal.office.taken("long", "rows") >= lines, "settlement", 10)
    assert portal.office.taken("long", "rows") <= 1_000_000


def test_ranges_of_a_file_are_one_download(pair, portal, agreed):
    portal.office.quota["file"] = {"queries": 10}
    agreed(metered("file"), "bus_stops")
    for start in (0, 100, 200):
        part = pair[0].get(
            "/v1/tables/bus_stops/download.parquet",
            STARTUP,
            headers={"Range": f"bytes={start}-{start + 99}"},
        )
        assert part.status_code == 206
    wait_for(lambda: portal.office.used.get("file", {}).get("queries") == 1, "settlement", 10)

    def told() -> list[int]:
        events = [each for each in portal.office.events if each["door"] == "file"]
        return [each["bytes"] for each in events if each["tables"][0]["agreement"] == "file"]

    # What is told is what was sent, not the file three times.
    wait_for(lambda: told() == [100] * 3, "three parts", 10)


def test_what_is_not_sent_is_not_charged_and_what_is_has_a_quota(pair, portal, agreed):
    path = "/v1/tables/bus_stops/download.parquet"
    whole = pair[0].get(path, STARTUP)
    portal.office.quota["unsent"] = {"queries": 1}
    agreed(metered("unsent"), "bus_stops")
    for headers in ({"If-Match": '"x"'}, {"If-None-Match": whole.headers["ETag"]}):
        answer = pair[0].get(path, STARTUP, headers=headers)
        assert answer.status_code in (304, 412)
        assert b"PAR1" not in answer.content
    for made in ("parquet", "csv", "csv?limit=1"):
        head = pair[0].request("HEAD", f"/v1/tables/bus_stops/download.{made}", STARTUP)
        assert head.ok, head.headers
        assert "Hanoiic-Truncated" not in head.headers
    assert pair[0].sql("FROM bus_stops", STARTUP).ok
    # The only question is spent: the file is refused however it is asked for.
    for headers in ({}, {"Range": "bytes=0-3"}, {"If-Match": whole.headers["ETag"]}):
        answer = pair[0].get(path, STARTUP, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "quota_exceeded")


def test_head_of_rows_is_answered_with_their_count_and_charges_none(pair, portal, agreed):
    portal.office.quota["head"] = {"rows": 2}
    agreed(metered("head"), "bus_stops")
    path, counted = "/v1/rest/bus_stops", {"Prefer": "count=exact"}
    asked = ((path, counted, "0-2/3"), (f"{path}?limit=1", counted, "0-0/3"), (path, {}, None))
    numbers = []
    for address, headers, told in asked:
        head = pair[0].request("HEAD", address, STARTUP, headers=headers)
        assert (head.ok, head.headers.get("Content-Range"), head.content) == (True, told, b"")
        assert "Hanoiic-Receipt" not in head.headers
        numbers.append(head.headers["X-Request-Id"])

    def events() -> list:
        return [each for each in portal.office.events if each["request_id"] in numbers]

    wait_for(lambda: len(events()) == 2, "the events", 5)
    assert {(each["outcome"], each["rows"]) for each in events()} == {("answered", 0)}
    assert pair[0].get(f"{path}?limit=2", STARTUP).ok


def test_limits_of_the_terms_hold(pair, agreed):
    agreed(permit("click") | {"agreement": "l", "limits": {"rows_per_answer": 2}}, "bus_stops")
    asked = pair[0].sql("FROM bus_stops", STARTUP)
    assert (asked.status_code, asked.json()["code"]) == (403, "answer_too_large")
    assert asked.json()["limit_rows"] == 2
    agreed(permit("click") | {"agreement": "m", "limits": {"timeout_s": 0.3}}, "bus_stops")
    slow = pair[0].sql("SELECT count(*) FROM bus_stops, range(100000000000) WHERE range % 7 = 3",
                       STARTUP)  # fmt: skip
    assert (slow.status_code, slow.json()["timeout_s"]) == (504, 0.3)
    large = "SELECT len(list(range)) AS n FROM bus_stops, range(2000000)"
    agreed(permit("click") | {"agreement": "m2"}, "bus_stops")
    assert pair[0].sql(large, STARTUP).json()["rows"] == [{"n": 6_000_000}]
    agreed(permit("click") | {"agreement": "m2", "limits": {"memory_mb": 64}}, "bus_stops")
    refused = pair[0].sql(large, STARTUP)
    assert (refused.status_code, refused.json()["code"]) == (507, "query_memory_exceeded")
    assert refused.json()["memory_mb"] == 64
    assert pair[0].sql("FROM bus_stops", STARTUP).status_code == 200
    agreed(permit("click") | {"agreement": "n", "limits": {"requests_per_minute": 2}}, "bus_stops")
    said = [pair[n % 2].sql("FROM bus_stops", STARTUP).status_code for n in range(3)]
    assert said == [200, 200, 429]


def test_queries_at_once_are_bounded_over_both_gateways(pair, agreed):
    agreed(permit("click") | {"agreement": "c", "limits": {"concurrent_queries": 1}}, "bus_stops")
    slow = "SELECT count(*) FROM bus_stops, range(100000000000) WHERE range % 7 = 3"
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(pair[0].sql, slow, STARTUP, timeout_s=8)
        wait_for(lambda: pair[0].get("/v1/health").json()["workers"]["busy"] == 1, "the first one")
        refused = pair[1].sql("FROM bus_stops", STARTUP)
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_queries")
        assert first.result().status_code == 504
    assert pair[1].sql("FROM bus_stops", STARTUP).status_code == 200


def test_an_answer_has_a_receipt_over_its_bytes(pair, agreed):
    agreed(permit("click") | {"agreement": "r"}, "bus_stops")
    answer = pair[0].sql("FROM bus_stops", STARTUP, format="csv")
    # Kept in Valkey: the other gateway knows it too.
    receipt = pair[1].get(f"/v1/receipts/{answer.headers['Hanoiic-Receipt']}")
    assert receipt.headers["Content-Type"] == "application/jose"
    told = verified(receipt.text, pair[0])
    assert told["result"] == {
        "sha256": hashlib.sha256(answer.content).hexdigest(),
        "bytes": len(answer.content),
        "rows": 3,
        "media_type": "text/csv; charset=utf-8",
    }
    (table,) = told["tables"]
    assert (table["name"], table["version"], table["agreement"]) == ("bus_stops", 2, "r")
    assert table["licence"]["id"] == "CC-BY-4.0"
    assert pair[0].get("/v1/receipts/nothing").json()["code"] == "receipt_not_found"


def test_a_repeated_request_is_charged_once_and_each_answer_has_its_receipt(pair, portal, agreed):
    portal.office.quota["again"] = {"queries": 10}
    agreed(metered("again"), "bus_stops")
    key = {"Idempotency-Key": "again-1"}
    answers = [each.sql("FROM bus_stops", STARTUP, headers=dict(key)) for each in pair]
    for answer in answers:
        told = pair[0].get(f"/v1/receipts/{answer.headers['Hanoiic-Receipt']}").text
        digest = hashlib.sha256(answer.content).hexdigest()
        assert verified(told, pair[0])["result"]["sha256"] == digest
    wait_for(lambda: portal.office.used.get("again", {}).get("queries") == 1, "settlement", 10)


@pytest.mark.parametrize("encoding", ["identity", "gzip", "zstd"])
@pytest.mark.parametrize("most", [3, 200_000])
def test_a_receipt_is_over_what_the_caller_has_whatever_it_was_sent_in(
    pair, portal, agreed, encoding, most
):
    agreed(permit("click") | {"agreement": "c"}, "long")
    sql = f"SELECT id, id % 10 AS d FROM long WHERE id < {most}"
    answer = pair[0].sql(sql, STARTUP, format="csv", headers={"Accept-Encoding": encoding})
    assert answer.headers.get("Content-Encoding", "identity") == encoding
    content = answer.content
    if encoding == "zstd":
        # Which `requests` leaves as it is.
        content = zstandard.ZstdDecompressor().decompressobj().decompress(content)
    assert content.count(b"\n") == most + 1
    told = verified(pair[0].get(f"/v1/receipts/{answer.headers['Hanoiic-Receipt']}").text, pair[0])
    assert told["result"] == {
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "rows": most,
        "media_type": "text/csv; charset=utf-8",
    }
    number = answer.headers["X-Request-Id"]

    def charged() -> list[int]:
        return [each["bytes"] for each in portal.office.events if each["request_id"] == number]

    wait_for(charged, "the event", 5)
    # For the same, or for what was sent where that is a little more.
    assert len(content) <= charged()[0] <= len(content) + 30


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_the_bytes_of_an_answer_are_limited_as_they_are_decoded(pair, agreed, encoding):
    agreed(permit("click") | {"agreement": "b", "limits": {"bytes_per_answer": 1_000_000}}, "long")
    sql, headers = "SELECT 'the same' AS text FROM long", {"Accept-Encoding": encoding}
    answer = pair[0].sql(sql, STARTUP, format="csv", stream=True, headers=headers)
    received: list[bytes] = []
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        received.extend(answer.iter_content(1 << 20))
    assert 0 < sum(map(len, received)) <= 1_000_000


def test_a_file_has_a_receipt_too(pair):
    answer = pair[0].get("/v1/tables/bus_stops/download.parquet")
    number = answer.headers["Hanoiic-Receipt"]
    wait_for(lambda: pair[0].get(f"/v1/receipts/{number}").ok, "the receipt", 5)
    told = verified(pair[0].get(f"/v1/receipts/{number}").text, pair[0])
    assert told["result"]["sha256"] == hashlib.sha256(answer.content).hexdigest()
    assert told["sub"] == "startup" or told["sub"] == "anonymous"


def verified(receipt: str, gateway: Gateway) -> dict:
    keys = jwt.PyJWKSet.from_dict(gateway.get("/v1/receipts/keys").json())
    kid = jwt.get_unverified_header(receipt)["kid"]
    return jwt.decode(receipt, keys[kid].key, algorithms=["EdDSA"])


def test_the_portal_is_told_of_answers_failures_and_refusals(pair, portal):
    answered = pair[0].sql("FROM bus_stops", STARTUP)
    refused = pair[0].sql("FROM requested", STARTUP)
    failed = pair[0].sql("SELECT CAST(tên AS INTEGER) FROM bus_stops", STARTUP)
    numbers = [each.headers["X-Request-Id"] for each in (answered, refused, failed)]

    def told() -> list[dict]:
        events = {each["request_id"]: each for each in portal.office.events}
        return [events[number] for number in numbers if number in events]

    wait_for(lambda: len(told()) == 3, "the events", 5)
    assert [(each["outcome"], each["door"], each.get("reason"), each.get("rows"))
            for each in told()] == [
        ("answered", "sql", "", 3),
        ("refused", "sql", "request_needed", None),
        ("failed", "sql", "query_failed", 0),
    ]  # fmt: skip
    assert told()[0]["receipt"] == answered.headers["Hanoiic-Receipt"]
    assert told()[0]["tables"] == [
        {"name": "bus_stops", "version": 2, "edition": None, "agreement": None,
         "licence": "CC-BY-4.0@1"}
    ]  # fmt: skip
    assert told()[1]["tables"][0]["name"] == "requested"


@pytest.mark.parametrize("door", ["sql", "file"])
def test_case_01_revoked_while_an_answer_is_being_sent_slowly(pair, portal, agreed, door):
    agreed(permit("click") | {"agreement": "slow"}, "long")
    if door == "sql":
        answer = pair[0].sql("FROM long", STARTUP, format="csv", stream=True)
    else:
        answer = pair[0].get("/v1/tables/long/download.parquet", STARTUP, stream=True)
    parts = answer.iter_content(1000)
    next(parts)
    portal.tables[STARTUP]["long"] = {**permit("click"), "decision": "deny",
                                      "reason": "agreement_revoked"}  # fmt: skip
    portal.change()
    # A reader that takes nothing for a while: what lies in buffers is all that it still gets.
    time.sleep(3)
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        list(parts)

    def broken_off() -> list:
        return [each for each in portal.office.events if each["outcome"] == "broken_off"]

    wait_for(lambda: len(broken_off()) == 1, "the event", 5)
    assert broken_off()[0]["reason"] == "agreement_revoked"


def test_a_token_is_bound_to_its_networks(pair, portal):
    portal.networks = ["192.0.2.0/24"]
    portal.change()
    refused = pair[0].sql("FROM bus_stops", STARTUP)
    assert (refused.status_code, refused.json()["reason"]) == (403, "network_not_allowed")
    # Nor to learn what its owner may know of.
    for page in (
        "/v1/tables",
        "/v1/tables/secret",
        "/v1/exports",
        "/v1/share/shares/hanoi/schemas",
    ):
        refused = pair[0].get(page, STARTUP)
        assert (refused.status_code, refused.json()["reason"]) == (403, "network_not_allowed")
    portal.networks = ["127.0.0.0/8"]
    portal.change()
    assert pair[0].sql("FROM bus_stops", STARTUP).status_code == 200


def test_requests_a_minute_are_told_and_refused(folder, settings, portal):
    told = settings | {"GATEWAY_ANONYMOUS_REQUESTS_PER_MINUTE": 3, "GATEWAY_WORKERS": 2}
    with gateways.running(folder, told) as gateway:
        answers = [gateway.get("/v1/tables") for _ in range(4)]
        assert [each.status_code for each in answers] == [200, 200, 200, 429]
        assert answers[0].headers["RateLimit-Policy"] == '"minute";q=3;w=60'
        assert answers[3].json()["code"] == "rate_limited"
        assert int(answers[3].headers["Retry-After"]) > 0
        assert gateway.get("/v1/health").ok
        assert gateway.get("/v1/tables", STARTUP).ok


def test_who_makes_tokens_up_is_counted_by_the_address(folder, settings, portal):
    told = settings | {"GATEWAY_ANONYMOUS_REQUESTS_PER_MINUTE": 4, "GATEWAY_WORKERS": 2}
    with gateways.running(folder, told) as gateway:
        assert gateway.get("/v1/tables", STARTUP).ok
        portal.asked.clear()
        made_up = [gateway.get("/v1/tables", f"hic_{number}") for number in range(5)]
        assert [each.status_code for each in made_up] == [401, 401, 401, 429, 429]
        assert len(portal.asked) == 3
        # One that is known to be valid stays; so does who has none.
        assert gateway.get("/v1/tables", STARTUP).ok
        assert gateway.get("/v1/tables").ok
