"""Which datasets of a catalogue were there when it was last asked, and which were missing since
when. Lies in the harvest database; the portal shows the state, this remembers how it came to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import class_row

PRESENT, MISSING, ARCHIVED = "present", "missing", "archived"

SCHEMA = """
CREATE TABLE IF NOT EXISTS datasets_seen (
    source_id text NOT NULL,
    identifier text NOT NULL,
    dataset_id text NOT NULL,
    name text NOT NULL,
    state text NOT NULL DEFAULT 'present',
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    missing_since timestamptz,
    missing_runs integer NOT NULL DEFAULT 0,
    missed_by text,
    let_go boolean NOT NULL DEFAULT false,
    PRIMARY KEY (source_id, identifier)
)
"""


@dataclass(frozen=True)
class Known:
    """A dataset that a source had. `missing_runs` counts the runs that missed it, the last one of
    them `missed_by`; `let_go`: an officer agreed that it may go."""

    identifier: str
    dataset_id: str
    name: str
    state: str
    missing_since: datetime | None
    missing_runs: int
    missed_by: str | None
    let_go: bool

    def runs_missing(self, run_id: str) -> int:
        """How many runs missed it, `run_id` being one of them; a repeated run counts once."""
        return self.missing_runs + (self.missed_by != run_id)

    def time_missing(self, now: datetime) -> timedelta:
        return now - (self.missing_since or now)


class Presence:
    """The memory of all sources' datasets."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self._database_url, connect_timeout=10) as connection:
            yield connection

    def migrate(self) -> None:
        with self._connected() as connection:
            # Two workers may start at once, and IF NOT EXISTS alone does not keep them apart.
            connection.execute("SELECT pg_advisory_xact_lock(hashtext('hanoiic.presence'))")
            connection.execute(SCHEMA)

    def known(self, source_id: str) -> list[Known]:
        """Every dataset that the source ever had, by identifier."""
        with (
            self._connected() as connection,
            connection.cursor(row_factory=class_row(Known)) as cursor,
        ):
            cursor.execute(
                "SELECT identifier, dataset_id, name, state, missing_since, missing_runs, "
                "missed_by, let_go FROM datasets_seen WHERE source_id = %s ORDER BY identifier",
                (source_id,),
            )
            return cursor.fetchall()

    def saw(self, source_id: str, datasets: Iterable[tuple[str, str, str]]) -> None:
        """These are there: (identifier, dataset id, name)."""
        columns = [list(column) for column in zip(*datasets, strict=True)] or [[], [], []]
        with self._connected() as connection:
            connection.execute(
                "INSERT INTO datasets_seen (source_id, identifier, dataset_id, name) "
                "SELECT %s, * FROM unnest(%s::text[], %s::text[], %s::text[]) "
                "ON CONFLICT (source_id, identifier) DO UPDATE SET "
                "dataset_id = excluded.dataset_id, name = excluded.name, state = 'present', "
                "last_seen_at = now(), missing_since = NULL, missing_runs = 0, missed_by = NULL, "
                "let_go = false",
                (source_id, *columns),
            )

    def missed(
        self, source_id: str, missing: Iterable[str], archived: Iterable[str], run_id: str
    ) -> None:
        """These were not there in a run. `archived` are those whose time was up."""
        with self._connected() as connection:
            for state, identifiers in ((MISSING, missing), (ARCHIVED, archived)):
                connection.execute(
                    "UPDATE datasets_seen SET state = %s, "
                    "missing_since = coalesce(missing_since, %s), "
                    "missing_runs = missing_runs + (missed_by IS DISTINCT FROM %s)::integer, "
                    "missed_by = %s WHERE source_id = %s AND identifier = ANY(%s)",
                    (state, datetime.now(UTC), run_id, run_id, source_id, list(identifiers)),
                )

    def let_go(self, source_id: str, identifiers: Iterable[str]) -> None:
        """An officer agreed that these go; nobody is asked about them again."""
        with self._connected() as connection:
            connection.execute(
                "UPDATE datasets_seen SET let_go = true "
                "WHERE source_id = %s AND identifier = ANY(%s)",
                (source_id, list(identifiers)),
            )
