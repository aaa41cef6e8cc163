"""Connections to Valkey that do not make every request wait for a server that hangs.

One answer asks Valkey several times. After a timeout nothing is sent for a moment: whoever asks is
told at once that it is away, and goes on without it as it can.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
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


class Lookup:
    """One command that is asked all the time, without what a client does around every command,
    which takes longer than the server. Thread-safe."""

    def __init__(self, client: redis.Redis, *command: str) -> None:
        pool: Any = client.connection_pool
        self._connect: Callable[[], Any] = pool.make_connection
        self._packed = self._connect().pack_command(*command)
        self._free: deque[Any] = deque()

    def ask(self) -> Any:
        """The server's answer. Raises redis.RedisError."""
        try:
            return self._ask(self._free.pop())
        except (IndexError, redis.ConnectionError):
            # None is free, or the server closed it meanwhile.
            return self._ask(self._connect())

    def _ask(self, connection: Any) -> Any:
        connection.connect()
        connection.send_packed_command(self._packed, check_health=False)
        answer = connection.read_response()
        self._free.append(connection)
        return answer
