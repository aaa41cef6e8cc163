"""A key that is read all the time: known to have changed at once, asked for only then."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import pytest
import redis

from api_gateway.valkey import WATCHED_S, Watched, impatient
from tests import servers
from tests.servers import wait_for


class Key:
    """A key of a real server, changed by somebody else, and how often it was asked for."""

    def __init__(self, url: str) -> None:
        self.name = f"key:{uuid.uuid4().hex}"
        self.url, self.other = url, redis.Redis.from_url(url)

    def watched(self, url: str | None = None) -> Watched:
        return Watched(impatient(url or self.url), self.name)

    def times_asked(self) -> int:
        return self.other.info("commandstats").get("cmdstat_get", {}).get("calls", 0)


@pytest.fixture(scope="module")
def own_valkey() -> Iterator[str]:
    """A server that nobody else asks."""
    with servers.temporary_home() as home, servers.valkey(home) as server:
        yield server.url


@pytest.fixture
def key(own_valkey) -> Key:
    return Key(own_valkey)


def test_changes_are_seen_and_between_them_nothing_is_asked(key):
    watched = key.watched()
    assert watched.read() is None
    begun = time.monotonic()
    for number in range(20):
        key.other.set(key.name, number)
        wait_for(lambda number=number: watched.read() == b"%d" % number, "the change")
    # Without a word from the server each would be seen when its time is over.
    assert time.monotonic() - begun < 20 * WATCHED_S / 2
    before, begun = key.times_asked(), time.monotonic()
    for _ in range(200):
        assert watched.read() == b"19"
    assert key.times_asked() - before <= 1 + (time.monotonic() - begun) / WATCHED_S


def test_a_lost_key_and_a_lost_connection_are_seen(key):
    watched = key.watched()
    key.other.set(key.name, 1)
    assert watched.read() == b"1"
    key.other.client_kill_filter(_type="normal", skipme=True)
    key.other.set(key.name, 2)
    wait_for(lambda: watched.read() == b"2", "the change")
    key.other.delete(key.name)
    wait_for(lambda: watched.read() is None, "the loss")


def test_a_server_that_tells_nothing_is_asked_every_time(key):
    watched = key.watched(f"{key.url}?protocol=2")
    before = key.times_asked()
    for _ in range(5):
        watched.read()
    assert key.times_asked() - before == 5


def test_a_value_is_asked_for_again_after_a_while(key, monkeypatch):
    watched = key.watched()
    watched.read()
    before = key.times_asked()
    monkeypatch.setattr("api_gateway.valkey.WATCHED_S", 0.0)
    watched.read()
    assert key.times_asked() - before == 1
    assert WATCHED_S <= 1
