"""Connections to Valkey that do not make every request wait for a server that hangs.

One answer asks Valkey several times. After a timeout nothing is sent for a moment: whoever asks is
told at once that it is away, and goes on without it as it can.
"""

from __future__ import annotations

import time
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool, parse_url
from redis.retry import Retry

TIMEOUT_S = 1.0
REST_S = 1.0


class _Rest:
    until = float("-inf")


def impatient(url: str) -> redis.Redis:
    """A client of the server at `url` that waits a second, and not again for a second."""
    rest = _Rest()
    told = parse_url(url)  # type: ignore[no-untyped-call]
    base: type[redis.Connection] = told.get("connection_class", redis.Connection)

    class Impatient(base):  # type: ignore[valid-type, misc]
        # The pool connects before each use; one that is connected already has nothing to do.
        def connect(self, *args: Any, **more: Any) -> Any:
            if time.monotonic() < rest.until:
                raise redis.ConnectionError("it did not answer a moment ago")
            return super().connect(*args, **more)

        def read_response(self, *args: Any, **more: Any) -> Any:
            try:
                return super().read_response(*args, **more)
            except redis.TimeoutError:
                rest.until = time.monotonic() + REST_S
                raise

    pool = ConnectionPool.from_url(
        url,
        connection_class=Impatient,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        health_check_interval=30,
        # A connection that was lost is made anew at once; a server that is away is told so soon.
        retry=Retry(NoBackoff(), 1),
    )
    return redis.Redis.from_pool(pool)
