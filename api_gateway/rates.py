"""How often a caller may ask: requests a minute, counted over Valkey for every gateway together.

The headers are those of the IETF's draft "RateLimit header fields for HTTP".
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass

import redis
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import RateLimiter, SlidingWindowCounterRateLimiter

from api_gateway.errors import RateLimited
from lake import logs

log = logging.getLogger(__name__)

_WINDOW_S = 60


@dataclass(frozen=True)
class Allowance:
    """What is left of a caller's minute."""

    per_minute: int
    left: int
    resets_in_s: int

    @property
    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Policy": f'"minute";q={self.per_minute};w={_WINDOW_S}',
            "RateLimit": f'"minute";r={self.left};t={self.resets_in_s}',
        }


class Rates:
    """Counts requests. While Valkey is away each gateway process counts its own."""

    def __init__(self, client: redis.Redis) -> None:
        # The address is not used where the connections are given.
        shared = RedisStorage("redis://", connection_pool=client.connection_pool)
        self._shared = SlidingWindowCounterRateLimiter(shared)
        self._own = SlidingWindowCounterRateLimiter(MemoryStorage())

    def count(self, who: str, per_minute: int) -> Allowance | None:
        """Count one request of `who`; 0 a minute means no limit. Raises RateLimited."""
        if not per_minute:
            return None
        item = RateLimitItemPerMinute(per_minute)
        try:
            return _count(self._shared, item, who)
        except redis.RedisError as error:
            log.warning("rates_not_shared", extra=logs.facts(error=type(error).__qualname__))
            return _count(self._own, item, who)


def _count(limiter: RateLimiter, item: RateLimitItemPerMinute, who: str) -> Allowance:
    within = limiter.hit(item, "rate", who)
    resets_at, left = limiter.get_window_stats(item, "rate", who)
    resets_in_s = max(1, math.ceil(resets_at - time.time()))
    allowance = Allowance(item.amount, max(0, left), resets_in_s)
    if not within:
        raise RateLimited(
            f"at most {item.amount} requests a minute",
            headers={"Retry-After": str(resets_in_s), **allowance.headers},
            limit_per_minute=item.amount,
        )
    return allowance
