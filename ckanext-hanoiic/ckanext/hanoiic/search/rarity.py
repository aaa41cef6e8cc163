"""How rare a word is in the index: a rare word of a query says more than a common one."""

from __future__ import annotations

import math
import threading
import time

import sqlalchemy as sa

from .sql import loosely

REMEMBERED_S = 300
MOST_REMEMBERED = 10_000
COUNTED_SHARE = 0.1  # of all rows; a word in more of them is simply common
COUNTED_AT_LEAST = 1000  # rows
# Counting all rows of a large index takes long; PostgreSQL's own estimate will do there.
ALL_ROWS = (
    "SELECT CASE WHEN reltuples > 10000 THEN reltuples::bigint"
    " ELSE (SELECT count(*) FROM hanoiic_search.entry) END"
    " FROM pg_class WHERE oid = 'hanoiic_search.entry'::regclass"
)


class Counts:
    """Rows by condition, remembered for a while: ranking needs no exact number."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._since = 0.0
        self._lock = threading.Lock()

    def forget(self) -> None:
        """After a write of this process; those of others are noticed within REMEMBERED_S."""
        with self._lock:
            self._counts.clear()

    def rows(self, connection: sa.Connection, tsquery: str | None) -> int:
        """How many rows match (None: all rows there are), counted up to ``COUNTED_SHARE``.

        Words side by side are counted wherever they stand: that takes the index alone.
        """
        if tsquery is not None:
            tsquery = loosely(tsquery)
        with self._lock:
            if time.monotonic() - self._since > REMEMBERED_S or len(self._counts) > MOST_REMEMBERED:
                self._counts.clear()
                self._since = time.monotonic()
            known = self._counts.get(tsquery or "")
        if known is not None:
            return known
        if tsquery is None:
            found = connection.exec_driver_sql(ALL_ROWS)
        else:
            most = max(COUNTED_AT_LEAST, int(COUNTED_SHARE * self.rows(connection, None)))
            found = connection.exec_driver_sql(
                "SELECT count(*) FROM (SELECT FROM hanoiic_search.entry"
                " WHERE lexemes @@ %s::tsquery LIMIT %s) counted",
                (tsquery, most),
            )
        counted = int(found.scalar_one())
        with self._lock:
            self._counts[tsquery or ""] = counted
        return counted


class Rarity:
    """The weight of words, by the rows that one connection sees."""

    def __init__(self, connection: sa.Connection, counts: Counts) -> None:
        self.connection = connection
        self.counts = counts

    def of(self, tsquery: str) -> float:
        """From 1 for what every row has to 2 for what hardly any has (an idf on that scale)."""
        everything = self.counts.rows(self.connection, None)
        having = self.counts.rows(self.connection, tsquery)
        if everything < 1:
            return 1.0
        return 1 + math.log((everything + 1) / (min(having, everything) + 1)) / math.log(
            everything + 1
        )
