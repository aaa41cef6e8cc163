"""How many queries a caller may run at once, counted over Valkey for every gateway together."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from uuid import uuid4

import redis

from api_gateway.errors import TooManyQueries
from lake import logs

log = logging.getLogger(__name__)

_KEY = "hanoiic:slots:"
# A gateway that died gives its slots back after so long; a running one renews them.
LEASE_S = 60.0
_POLL_S = 0.05
# Takes a slot if fewer than ARGV[1] are held; members are held until their score.
_TAKE = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[2])
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 1
"""


class Slot:
    """One place among a caller's running queries, until `free`; safe to repeat."""

    def __init__(self, renew: Callable[[], None], free: Callable[[], None]) -> None:
        self._renew, self._free, self._renewed_at = renew, free, time.monotonic()

    def renew(self) -> None:
        """To be called now and then while the query runs."""
        if time.monotonic() - self._renewed_at > LEASE_S / 3:
            self._renewed_at = time.monotonic()
            self._renew()

    def free(self) -> None:
        self._free()


class Slots:
    """Running queries by caller. Valkey away: nothing is counted, the pool still bounds all."""

    def __init__(self, client: redis.Redis, wait_s: float) -> None:
        self._client, self._wait_s = client, wait_s
        self._take = client.register_script(_TAKE)

    def take(self, who: str, most: int) -> Slot | None:
        """A slot of `who`, waited for up to `wait_s`; 0 means no limit. Raises TooManyQueries."""
        if not most:
            return None
        deadline, member = time.monotonic() + self._wait_s, uuid4().hex
        try:
            while not self._taken(who, most, member):
                if time.monotonic() >= deadline:
                    raise TooManyQueries(
                        f"at most {most} queries at once",
                        headers={"Retry-After": "2"},
                        limit_concurrent=most,
                    )
                time.sleep(_POLL_S)
        except redis.RedisError as error:
            log.warning("slots_not_counted", extra=logs.facts(error=type(error).__qualname__))
            return None
        return Slot(
            lambda: self._quietly("zadd", _KEY + who, {member: time.time() + LEASE_S}),
            lambda: self._quietly("zrem", _KEY + who, member),
        )

    def _taken(self, who: str, most: int, member: str) -> bool:
        now = time.time()
        arguments: list[str | float] = [most, now, now + LEASE_S, member, int(LEASE_S * 2000)]
        return bool(self._take(keys=[_KEY + who], args=arguments))

    def _quietly(self, command: str, *arguments: object) -> None:
        try:
            getattr(self._client, command)(*arguments)
        except redis.RedisError as error:
            # The slot ends by itself after LEASE_S.
            log.warning("slot_not_told", extra=logs.facts(error=type(error).__qualname__))
