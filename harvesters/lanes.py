"""Keeps runs apart, over all workers: one at a time on a source, a few at a time at a host.

Both are PostgreSQL's advisory locks, on a connection that lives as long as the run. A killed worker
loses its connection at once, and with it the locks; when its whole machine is gone, this takes half
a minute. The address of the database must not lead through a transaction pooler.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg

# The server asks whether the worker's machine is still there.
_KEEPALIVE = {"tcp_keepalives_idle": 15, "tcp_keepalives_interval": 5, "tcp_keepalives_count": 3}


class LaneBusy(Exception):
    """Another run works on the source, or enough work at its host: try again a little later."""


class Lanes:
    """`host_runs` is how many runs may be at one host at once."""

    def __init__(self, database_url: str, host_runs: int = 2) -> None:
        self._database_url = database_url
        self._host_runs = host_runs

    @contextmanager
    def taken(self, source_id: str, url: str) -> Iterator[None]:
        """Hold the source, and a place at the host of its address. Raises LaneBusy."""
        with psycopg.connect(self._database_url, autocommit=True, connect_timeout=10) as connection:
            for name, value in _KEEPALIVE.items():
                connection.execute("SELECT set_config(%s, %s, false)", (name, str(value)))
            if not _try(connection, f"source {source_id}"):
                raise LaneBusy
            host = host_of(url)
            places = range(self._host_runs) if host else ()
            if host and not any(_try(connection, f"host {host} {place}") for place in places):
                raise LaneBusy
            yield


def host_of(url: str) -> str | None:
    """The host that an address burdens; None for one that is no web address."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _try(connection: psycopg.Connection, name: str) -> bool:
    row = connection.execute(
        "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (f"hanoiic {name}",)
    ).fetchone()
    return bool(row and row[0])
