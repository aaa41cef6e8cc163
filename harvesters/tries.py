"""Counts how often a run was begun. The queue's own count won't do: it also grows while a run waits
for its lane."""

from __future__ import annotations

import psycopg

SCHEMA = """
CREATE TABLE IF NOT EXISTS tries (
    run_id text PRIMARY KEY,
    begun integer NOT NULL,
    last_begun_at timestamptz NOT NULL DEFAULT now()
)
"""
# A run that long ago is over, however it ended.
FORGOTTEN_AFTER_DAYS = 7


class Tries:
    """The begun attempts of the runs that are not over."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url

    def migrate(self) -> None:
        with psycopg.connect(self._database_url, connect_timeout=10) as connection:
            connection.execute("SELECT pg_advisory_xact_lock(hashtext('hanoiic.tries'))")
            connection.execute(SCHEMA)

    def begin(self, run_id: str) -> int:
        """Count one more attempt; which one it is, from 1."""
        return self._write(
            "INSERT INTO tries (run_id, begun) VALUES (%s, 1) ON CONFLICT (run_id) DO UPDATE "
            "SET begun = tries.begun + 1, last_begun_at = now() RETURNING begun",
            run_id,
        )

    def count(self, run_id: str) -> int:
        return self._write("SELECT begun FROM tries WHERE run_id = %s", run_id)

    def take_back(self, run_id: str) -> None:
        """Take an attempt back that was broken off because the worker was stopped: it does not
        count."""
        self._write("UPDATE tries SET begun = begun - 1 WHERE run_id = %s", run_id)

    def forget(self, run_id: str) -> None:
        """The run is over; so are those of long ago that nobody said the end of."""
        self._write("DELETE FROM tries WHERE run_id = %s", run_id)
        self._write(
            "DELETE FROM tries WHERE last_begun_at < now() - make_interval(days => %s)",
            FORGOTTEN_AFTER_DAYS,
        )

    def _write(self, statement: str, value: str | int) -> int:
        with psycopg.connect(self._database_url, connect_timeout=10) as connection:
            cursor = connection.execute(statement.encode(), (value,))
            row = cursor.fetchone() if cursor.description else None
            return int(row[0]) if row else 0
