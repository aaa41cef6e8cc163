"""How rare a word is in the index: a rare word of a query says more than a common one."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from .sql import loosely

REMEMBERED_S = 300
MOST_REMEMBERED = 10_000
COUNTED_AT_MOST = 1000  # rows; where there are no more, every word is counted
COMMON = 0.02  # a word in so many of the rows is common: PostgreSQL's own estimate will do
ALL = ""  # the tsquery of all rows, so to speak
ALL_ROWS = (
    "SELECT CASE WHEN reltuples > 10000 THEN reltuples::bigint"
    " ELSE (SELECT count(*) FROM hanoiic_search.entry) END"
    " FROM pg_class WHERE oid = 'hanoiic_search.entry'::regclass"
)
ESTIMATE = "EXPLAIN (FORMAT JSON) {selects}"
ESTIMATED = "SELECT FROM hanoiic_search.entry WHERE lexemes @@ %s::tsquery"
COUNTED = (
    "(SELECT count(*) FROM (SELECT FROM hanoiic_search.entry"
    " WHERE lexemes @@ %s::tsquery LIMIT %s) counted)"
)


class Counts:
    """Rows by condition, remembered for a while: ranking needs no exact number."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._since = 0.0
        self._lock = threading.Lock()

    def forget(self) -> None:
        """After a write of this process; those of others are noticed within REMEMBERED_S.

        One dataset more changes nothing in a large index.
        """
        with self._lock:
            if self._counts.get(ALL, 0) <= COUNTED_AT_MOST:
                self._counts.clear()

    def rows(self, connection: sa.Connection, tsqueries: Iterable[str]) -> dict[str, int]:
        """How many rows each condition matches, about; ``ALL``: all rows there are.

        Words side by side are counted wherever they stand: that takes the index alone.
        """
        wanted = [loosely(tsquery) for tsquery in (ALL, *tsqueries)]
        with self._lock:
            if time.monotonic() - self._since > REMEMBERED_S or len(self._counts) > MOST_REMEMBERED:
                self._counts.clear()
                self._since = time.monotonic()
            known = {
                tsquery: self._counts[tsquery] for tsquery in wanted if tsquery in self._counts
            }
        unknown = [tsquery for tsquery in dict.fromkeys(wanted) if tsquery not in known]
        if unknown:
            found = _found(connection, unknown, known.get(ALL))
            with self._lock:
                self._counts |= found
            known |= found
        return known


def _found(
    connection: sa.Connection, tsqueries: Sequence[str], everything: int | None
) -> dict[str, int]:
    found = {}
    if everything is None:
        everything = int(connection.exec_driver_sql(ALL_ROWS).scalar_one())
        found[ALL] = everything
    words = [tsquery for tsquery in tsqueries if tsquery != ALL]
    if words and everything > COUNTED_AT_MOST:
        estimates = zip(words, _estimated(connection, words), strict=True)
        found |= {word: rows for word, rows in estimates if rows > COMMON * everything}
    rare = [word for word in words if word not in found]
    if rare:
        statement = f"SELECT {', '.join([COUNTED] * len(rare))}"
        limits = (part for word in rare for part in (word, COUNTED_AT_MOST))
        counted = connection.exec_driver_sql(statement, tuple(limits)).one()
        found |= zip(rare, map(int, counted), strict=True)
    return found


def _estimated(connection: sa.Connection, words: Sequence[str]) -> list[int]:
    """The rows that PostgreSQL's planner expects, by what it knows of the commonest words."""
    selects = " UNION ALL ".join([ESTIMATED] * len(words))
    asked = connection.exec_driver_sql(ESTIMATE.format(selects=selects), tuple(words))
    plan = asked.scalar_one()[0]["Plan"]
    plans = plan["Plans"] if plan["Node Type"] == "Append" else [plan]
    return [int(part["Plan Rows"]) for part in plans]


class Rarity:
    """The weight of words, by the rows that one connection sees."""

    def __init__(self, connection: sa.Connection, counts: Counts) -> None:
        self.connection = connection
        self.counts = counts
        self._rows: dict[str, int] = {}

    def learn(self, tsqueries: Iterable[str]) -> None:
        """Ask for all that a query will need at once."""
        self._rows |= self.counts.rows(self.connection, tsqueries)

    def of(self, tsquery: str) -> float:
        """From 1 for what every row has to 2 for what hardly any has (an idf on that scale)."""
        tsquery = loosely(tsquery)
        if tsquery not in self._rows:
            self.learn([tsquery])
        everything = self._rows[ALL]
        if everything < 1:
            return 1.0
        having = min(self._rows[tsquery], everything)
        return 1 + math.log((everything + 1) / (having + 1)) / math.log(everything + 1)
