"""Rates, slots, quotas, events and receipts, each alone on real Valkey and a portal over HTTP."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import jwt
import pytest
import redis
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from pytest_httpserver import HTTPServer
from redis.backoff import NoBackoff
from redis.retry import Retry

from api_gateway import quota
from api_gateway.content import Content
from api_gateway.errors import (
    AnswerTooLarge,
    DecisionUnavailable,
    QuotaExceeded,
    RateLimited,
    ReceiptNotFound,
    TooManyQueries,
)
from api_gateway.events import Events
from api_gateway.introspection import Decision
from api_gateway.meter import Metered
from api_gateway.portal import PortalActions
from api_gateway.quota import Ledger
from api_gateway.rates import Rates
from api_gateway.receipts import Receipts, described
from api_gateway.slots import Slots
from api_gateway.visit import Visit
from tests.api_gateway.quota_office import QuotaOffice
from tests.servers import free_port, wait_for


@pytest.fixture
def client(valkey: str) -> redis.Redis:
    return redis.Redis.from_url(valkey)


@pytest.fixture
def office(portal_server: HTTPServer) -> QuotaOffice:
    portal_server.clear()
    return QuotaOffice(portal_server)


@pytest.fixture
def actions(portal_server: HTTPServer) -> PortalActions:
    return PortalActions(portal_server.url_for(""), "credential")


@pytest.fixture
def nowhere() -> redis.Redis:
    return redis.Redis(port=free_port(), socket_connect_timeout=0.2, retry=Retry(NoBackoff(), 0))


# Rates


def test_a_minute_has_so_many_requests_for_all_gateways_together(client):
    one, other = Rates(client), Rates(client)
    allowances = [rates.count("caller-a", 4) for rates in (one, other, one, other)]
    assert [each.left for each in allowances] == [3, 2, 1, 0]
    assert allowances[0].headers["RateLimit-Policy"] == '"minute";q=4;w=60'
    with pytest.raises(RateLimited) as refusal:
        one.count("caller-a", 4)
    assert 1 <= int(refusal.value.headers["Retry-After"]) <= 60
    assert refusal.value.headers["RateLimit"].startswith('"minute";r=0;t=')
    assert one.count("caller-b", 4).left == 3
    assert one.count("caller-a", 0) is None


def test_without_valkey_a_gateway_counts_alone(nowhere):
    rates = Rates(nowhere)
    with pytest.raises(RateLimited):
        # Not the second already: a minute may end between them.
        list(map(rates.count, ["caller-c"] * 6, [2] * 6))


# Slots


def test_queries_at_once_are_counted_over_all_gateways(client):
    one, other = Slots(client, wait_s=0.1), Slots(client, wait_s=1)
    held = [one.take("org-a", 2), other.take("org-a", 2)]
    with pytest.raises(TooManyQueries):
        one.take("org-a", 2)
    assert one.take("org-b", 2)
    held[0].free()
    assert other.take("org-a", 2)


def test_a_slot_is_waited_for(client):
    slots = Slots(client, wait_s=5)
    first = slots.take("org-w", 1)
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(slots.take, "org-w", 1)
        time.sleep(0.2)
        assert not second.done()
        first.free()
        assert second.result(timeout=10)


def test_slots_of_a_caller_go_to_who_waited_longest(client):
    slots, order = Slots(client, wait_s=5), []
    first = slots.take("org-f", 1)

    def run(number: int) -> None:
        slot = slots.take("org-f", 1)
        order.append(number)
        slot.free()

    def in_turn() -> int:
        # One asks Valkey, the others wait for their turn.
        return slots._turns.held + slots._turns.waiting

    with ThreadPoolExecutor(4) as pool:
        for number in range(4):
            pool.submit(run, number)
            wait_for(lambda count=number + 1: in_turn() == count, "its place in the queue")
        first.free()
    assert order == [0, 1, 2, 3]


def test_the_slot_of_a_dead_gateway_comes_free(client, valkey):
    killed = f"""
import os, signal, redis
from api_gateway import slots
slots.LEASE_S = 0.5
assert slots.Slots(redis.Redis.from_url({valkey!r}), wait_s=1).take("org-d", 1)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", killed], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert Slots(client, wait_s=5).take("org-d", 1)


def test_the_slot_of_a_query_that_sends_nothing_stays_taken(client, monkeypatch):
    monkeypatch.setattr("api_gateway.slots.LEASE_S", 1.2)
    one, other = Slots(client, wait_s=0.1), Slots(client, wait_s=0.1)
    held = one.take("org-q", 1)
    # Longer than Valkey keeps what is not renewed.
    time.sleep(3.6)
    with pytest.raises(TooManyQueries):
        other.take("org-q", 1)
    held.free()
    wait_for(lambda: not client.exists("hanoiic:slots:org-q"), "the slot to be given back", 5)


def test_a_slot_that_was_forgotten_comes_free(client, monkeypatch):
    monkeypatch.setattr("api_gateway.slots.LEASE_S", 0.5)
    Slots(client, wait_s=1).take("org-g", 1)
    assert Slots(client, wait_s=5).take("org-g", 1)


def test_without_valkey_nothing_is_counted(nowhere):
    assert Slots(nowhere, wait_s=0.1).take("org-x", 1) is None


# Quotas


def test_a_hundred_queries_for_320_parallel_calls_on_two_gateways(office, actions):
    office.quota["a"] = {"queries": 100}
    ledgers = [Ledger(actions), Ledger(actions)]

    def ask(number: int) -> bool:
        try:
            ledgers[number % 2].begin("a").end()
        except QuotaExceeded:
            return False
        return True

    with ThreadPoolExecutor(32) as pool:
        answered = sum(pool.map(ask, range(320)))
    for ledger in ledgers:
        ledger.close()
    assert 90 <= answered <= 100
    assert office.used["a"]["queries"] == answered == office.taken("a", "queries")


def test_blocks_save_questions_and_go_back(office, actions):
    office.quota["a"] = {"queries": 1000}
    ledger = Ledger(actions)
    for _ in range(50):
        ledger.begin("a").end()
    assert office.lease_calls < 10
    wait_for(lambda: office.taken("a", "queries") == 50, "the rest of the block", 10)
    ledger.close()


def test_rows_beyond_the_quota_are_refused_before_they_go_out(office, actions, monkeypatch):
    monkeypatch.setattr(quota, "ROWS_BLOCK", 10)
    office.quota["a"] = {"rows": 25}
    ledger = Ledger(actions)
    spending = ledger.begin("a")
    for _ in range(5):
        spending.spend(5, 1_000_000_000)
    with pytest.raises(QuotaExceeded) as refusal:
        spending.spend(1, 0)
    assert refusal.value.facts == {"quota": "rows", "resets_at": 1800000000}
    spending.end()
    ledger.close()
    assert office.used["a"]["rows"] == 25


def test_one_key_and_eleven_retries_are_charged_once(office, actions, monkeypatch):
    monkeypatch.setattr(quota, "ROWS_BLOCK", 10)
    office.quota["a"] = {"queries": 100, "rows": 1000}
    ledgers = [Ledger(actions), Ledger(actions)]
    for number in range(12):
        spending = ledgers[number % 2].begin("a", "key-1")
        spending.spend(34, 0)
        spending.end()
    for ledger in ledgers:
        ledger.close()
    assert office.used["a"] == {"queries": 1, "rows": 34, "bytes": 0}


def test_a_block_in_steady_use_is_told_and_given_back(office, actions, monkeypatch):
    """Without a quota of queries a block has no end of its own."""
    monkeypatch.setattr(quota, "_TOLD_S", 0.5)
    monkeypatch.setattr(quota, "_TAKEN_S", 2.0)
    office.quota["a"] = {"rows": 1_000_000}
    ledger = Ledger(actions)
    begun_at, sent = time.monotonic(), 0
    while time.monotonic() - begun_at < 4.5:
        spending = ledger.begin("a")
        spending.spend(100, 0)
        spending.end()
        sent += 100
        time.sleep(0.1)
    assert len(office.leases) in (2, 3)
    told = sum(lease.get("told", {"rows": 0})["rows"] for lease in office.leases.values())
    assert sent / 2 < told <= sent
    ledger.close()
    assert office.used["a"]["rows"] == sent


def test_what_was_used_is_told_once_the_portal_is_back(office, actions):
    office.quota["a"] = {"rows": 1000}
    ledger = Ledger(actions)
    spending = ledger.begin("a")
    spending.spend(30, 0)
    office.away = True
    spending.end()
    time.sleep(4)
    office.away = False
    wait_for(lambda: office.used.get("a", {}).get("rows") == 30, "the settlement", 10)
    ledger.close()
    assert office.used["a"] == {"queries": 1, "rows": 30, "bytes": 0}


def test_a_portal_that_is_away_counts_nothing(office, actions):
    office.quota["a"] = {"queries": 5}
    ledger = Ledger(actions)
    office.away = True
    with pytest.raises(DecisionUnavailable):
        ledger.begin("a")
    ledger.close()


# Events


def test_events_arrive_once_also_after_the_portal_was_away(office, actions, tmp_path):
    events = Events(actions, tmp_path)
    office.away = True
    events.record({"id": "1"})
    time.sleep(1.2)
    assert office.events == []
    office.away = False
    events.record({"id": "2"})
    wait_for(lambda: len(office.events) == 2, "the events", 5)
    events.close()
    assert [each["id"] for each in office.events] == ["1", "2"]
    assert (tmp_path / f"events-{os.getpid()}.jsonl").read_text() == ""


def test_the_events_of_a_killed_gateway_are_sent_by_the_next(office, actions, tmp_path):
    killed = f"""
import os, signal
from pathlib import Path
from api_gateway.events import Events
from api_gateway.portal import PortalActions
events = Events(PortalActions("http://127.0.0.1:{free_port()}", "x"), Path({str(tmp_path)!r}))
events.record({{"id": "before the kill"}})
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", killed], check=False, timeout=60)
    (left,) = tmp_path.glob("events-*.jsonl")
    with left.open("a") as journal:
        journal.write('{"id": "cut off')
    Events(actions, tmp_path).close()
    assert office.events == [{"id": "before the kill"}]
    Events(actions, tmp_path).close()
    assert len(office.events) == 1


def test_a_full_disk_is_told_and_cuts_no_event_off(actions, tmp_path):
    full = f"""
import json, os, resource, signal
from pathlib import Path
from api_gateway.events import Events
from api_gateway.portal import PortalActions
events = Events(PortalActions("http://127.0.0.1:{free_port()}", "x"), Path({str(tmp_path)!r}))
def room(count):
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, resource.RLIM_INFINITY))
events.record({{"id": "1"}})
room(20)
try:
    events.record({{"id": "2" * 50}})
except OSError:
    room(resource.RLIM_INFINITY)
    events.record({{"id": "3"}})
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", full], check=False, timeout=60)
    (journal,) = tmp_path.glob("events-*.jsonl")
    found = [json.loads(line)["id"] for line in journal.read_text().splitlines()]
    assert found == ["1", "2" * 50, "3"]


# Bytes


@pytest.mark.parametrize(("decoded", "sent"), [(1, 0), (0, 1), (-5, 1)])
def test_a_query_process_cannot_make_an_answer_cheaper_than_what_is_sent(decoded, sent):
    visit = Visit("sql", "query", None, None, Decision(True, {}), (), (), "", "", "")
    metered = Metered(SimpleNamespace(receipts=None), visit, {"bytes_per_answer": 10}, None, [])
    metered.sending(10, 10)
    with pytest.raises(AnswerTooLarge):
        metered.sending(decoded, sent)


# Receipts


def new_key(file: Path) -> Path:
    file.write_bytes(
        Ed25519PrivateKey.generate().private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
    )
    return file


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return new_key(tmp_path / "receipt.key")


def test_a_receipts_number_is_the_same_for_the_same_facts_and_key(client, key_file, tmp_path):
    facts, once = {"sub": "startup", "tables": [{"name": "bus_stops"}]}, "file of hour 1"
    mine, other = Receipts(key_file, client), Receipts(new_key(tmp_path / "other.key"), client)
    number = mine.begin(facts, once).jti
    assert UUID(number)
    assert number == Receipts(key_file, client).begin(facts, once).jti
    changed = [(other, facts, once), (mine, {**facts, "sub": "b"}, once), (mine, facts, "hour 2")]
    assert number not in {keeper.begin(*made_of).jti for keeper, *made_of in changed}


def test_an_answers_number_cannot_be_computed_without_the_key(client, key_file, tmp_path):
    """The receipts of two gateways with other keys, for the same request."""
    visit = Visit(
        "file", "download", None, "192.0.2.1", Decision(True, {}), (), (), "", "", "", "1"
    )

    def numbers(key: Path, **more: bool) -> set[str]:
        meter = SimpleNamespace(receipts=Receipts(key, client))
        made = [Metered(meter, visit, {}, None, [], **more) for _ in range(2)]
        return {each.receipt.jti for each in made}

    mine, other = numbers(key_file), numbers(new_key(tmp_path / "other.key"))
    assert (len(mine), len(other), mine & other) == (1, 1, set())
    # Of an answer that is made anew, each repetition has its own.
    assert len(numbers(key_file, made_anew=True) - mine) == 2


def test_a_receipt_is_signed_over_the_answers_bytes(client, key_file):
    receipts = Receipts(key_file, client)
    receipt = receipts.begin({"sub": "startup", "tables": [{"name": "bus_stops", "version": 2}]})
    content = Content(None, digested=True)
    content.sent([b'{"rows": ', b"[]}"])
    result = described(content.told["sha256"], content.told["bytes"], 0, "application/json")
    with pytest.raises(ReceiptNotFound):
        receipts.get(receipt.jti)
    receipts.complete(receipt, "https://gateway.test", result)
    signed = receipts.get(receipt.jti)
    keys = jwt.PyJWKSet.from_dict(json.loads(json.dumps(receipts.keys)))
    key = keys[jwt.get_unverified_header(signed)["kid"]]
    told = jwt.decode(signed, key.key, algorithms=["EdDSA"])
    assert told["jti"] == receipt.jti
    assert told["result"] == {
        "sha256": hashlib.sha256(b'{"rows": []}').hexdigest(),
        "bytes": 12,
        "rows": 0,
        "media_type": "application/json",
    }
    forged = signed[:-4] + ("AAAA" if signed[-4:] != "AAAA" else "BBBB")
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(forged, key.key, algorithms=["EdDSA"])
