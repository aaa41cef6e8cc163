"""The search without any word, as for the catalogue's first page: everything that a reader may see.

Its rows are read in order until a page is full. Counting all rows and their facets takes longer
than any other search, and gives the same result until the index is written to. So each process
remembers the counts, under the question (with the labels of who asks) and the last writes that its
transaction sees: it notices by itself when they are old.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from typing import Any

import sqlalchemy as sa

from .layout import LINES_OF_WRITES
from .request import Request
from .sorting import Order
from .sql import Match, Sql, Words, sql_in_row
from .statement import SCORE_OF_ALL
from .tree import Everything

MOST_REMEMBERED = 200  # questions

WRITES_SEEN = "SELECT sum(done)::bigint FROM hanoiic_search.writes"
# Writers that end at the same time rarely wait for each other's line, and the sum tells of each.
NOTE_WRITE = (
    "UPDATE hanoiic_search.writes SET done = done + 1"  # noqa: S608 (made of a number)
    f" WHERE line = mod(pg_backend_pid(), {LINES_OF_WRITES})"
)
PAGE = (
    "SELECT m.number, %s::float8 FROM (SELECT e.number{keys} FROM hanoiic_search.entry e"
    " WHERE {condition}) m ORDER BY {order} LIMIT %s OFFSET %s"
)


class Remembered:
    """Counts of questions, all as of the same writes."""

    def __init__(self) -> None:
        self._writes = -1
        self._counts: OrderedDict[Hashable, Sequence[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, writes: int, question: Hashable) -> Sequence[Any] | None:
        with self._lock:
            return self._counts.get(question) if writes == self._writes else None

    def keep(self, writes: int, question: Hashable, counts: Sequence[Any]) -> None:
        with self._lock:
            if writes != self._writes:
                self._counts.clear()
                self._writes = writes
            self._counts[question] = counts
            while len(self._counts) > MOST_REMEMBERED:
                self._counts.popitem(last=False)


def asks_everything(request: Request, match: Match) -> bool:
    """Whether nothing is asked but filters that lie in the row, such as those of every search."""
    lies_in_row = isinstance(match, Words) and match.in_row
    return isinstance(request.query, Everything) and (lies_in_row or match is True)


def writes_seen(connection: sa.Connection) -> int:
    return int(connection.exec_driver_sql(WRITES_SEEN).scalar_one())


def note_write(connection: sa.Connection) -> None:
    """Note a write. This must be the last statement of its transaction, as others may wait for
    it."""
    connection.exec_driver_sql(NOTE_WRITE)


def page_of(request: Request, match: Match, order: Order) -> Sql:
    """The rows of the page: number and score. All are as good as one another."""
    condition = sql_in_row(match)
    keys = order.columns
    return Sql(
        PAGE.format(keys=keys.text, condition=condition.text, order=order.without_score),
        (
            SCORE_OF_ALL,
            *keys.parameters,
            *condition.parameters,
            request.rows,
            request.start,
        ),
    )
