"""Connections to Valkey that don't let every request wait when the server hangs.

One answer asks Valkey several times. After a timeout nothing is sent to it for a moment: callers
are told at once that it is away, and go on without it if they can.
"""

from __future__ import annotations

import contextlib
import logging
import select
import threading
import time
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool, parse_url
from redis.retry import Retry

log = logging.getLogger(__name__)

TIMEOUT_S = 1.0
REST_S = 1.0
# A server that hangs tells of no change: a watched key is read anew after so long.
WATCHED_S = 0.5
_NEVER = float("-inf")


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


class Watched:
    """The value of one key, read all the time and asked for only after it changed: the server tells
    a connection that read a key of its next change ("client-side caching"). Thread-safe."""

    def __init__(self, client: redis.Redis, key: str) -> None:
        pool: Any = client.connection_pool
        self._connection: Any = pool.make_connection()
        self._connection.register_connect_callback(self._watch)
        self._asking = self._connection.pack_command("GET", key)
        self._lock = threading.Lock()
        # The key's value and when it was asked for.
        self._known: tuple[Any, float] = None, _NEVER
        self._is_told = False

    def read(self) -> Any:
        """The key's value. Raises redis.RedisError."""
        if fresh := self._fresh():
            return fresh[0]
        with self._lock:
            if fresh := self._fresh():
                return fresh[0]
            asked_at = time.monotonic()
            try:
                value = self._ask()
            except redis.ConnectionError:
                # The server closed it meanwhile.
                value = self._ask()
            # What came with the answer lies in the connection's own buffer, where nobody looks.
            with contextlib.suppress(redis.RedisError):
                if self._is_told and not self._connection.can_read():
                    self._known = value, asked_at
            return value

    def _fresh(self) -> tuple[Any, float] | None:
        """What is known, if the server said nothing since. Not under the lock, which would be held
        while others compute: who takes the server's word from the connection forgets what is known
        before, and here it is looked for in the opposite order."""
        connection = self._connection._sock
        if connection is None or (descriptor := connection.fileno()) < 0:
            return None
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if poll.poll(0):
            return None
        known = self._known
        return known if time.monotonic() - known[1] < WATCHED_S else None

    def _ask(self) -> Any:
        # From here to the answer nothing is known.
        self._known = None, _NEVER
        self._connection.connect()
        self._connection.send_packed_command(self._asking, check_health=False)
        return self._connection.read_response()

    def _watch(self, connection: Any) -> None:
        """Have the server tell a new connection; one that cannot is asked every time."""
        self._is_told = False
        if connection.get_protocol() not in (3, "3"):
            return
        connection.send_command("CLIENT", "TRACKING", "ON", check_health=False)
        try:
            self._is_told = connection.read_response() == b"OK"
        except redis.ResponseError:
            log.info("valkey_tells_no_changes")
