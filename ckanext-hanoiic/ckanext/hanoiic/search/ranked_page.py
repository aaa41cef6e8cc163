"""The page of a query that takes two rankings.

All rows, or those among very many that must come first (``candidates``), are ranked by what is read
cheaply (``first_rank``); the best of them are ranked again, exactly, and come in that order. A page
behind them keeps the first order. All that is the same for every page of a query.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from .candidates import Kind, kinds_of
from .first_rank import FirstRanker
from .match import Matcher
from .rank import Ranker, clauses_of
from .rarity import Rarity
from .some_words import Steps
from .sorting import Order
from .sql import Sql, Words, all_of, sql_of
from .statement import Question
from .tree import Scored

RANKED_AGAIN = 100  # rows
WORTH_CHOOSING = 15  # times as many; fewer are all ranked sooner than chosen from

KIND = "SELECT array_agg(e.number) FROM hanoiic_search.entry e WHERE {condition}"
NEXT = (
    "SELECT ARRAY(SELECT m.number FROM (SELECT e.number{keys} FROM hanoiic_search.entry e"
    " WHERE {condition} OFFSET 0) m ORDER BY {order} LIMIT %s)"
)
# Each row by the lexemes that lie in it.
FIRST = (
    "SELECT m.number, m.score FROM"
    " (SELECT r.*, r.in_row + coalesce(w.worth, 0.0) AS score FROM"
    " (SELECT e.number, ({score})::float8 AS in_row{keys} FROM"
    " (SELECT e.number, e.sorts, e.exact, e.infix, e.headline AS lexemes"
    " FROM hanoiic_search.entry e WHERE {condition} OFFSET 0) e) r"
    " LEFT JOIN ({sets}) w ON w.number = r.number) m ORDER BY {order} LIMIT %s OFFSET %s"
)
SETS = "SELECT number, sum(worth) AS worth FROM ({sets}) sets GROUP BY number"
SET = (
    "SELECT e.number, %s::float8 AS worth FROM hanoiic_search.entry e"
    " WHERE e.lexemes @@ %s::tsquery"
)
NO_SETS = "SELECT NULL::bigint AS number, 0.0::float8 AS worth"
# Ranking reads the lexemes often: unpacked once a row instead of at every reading.
EXACT = (
    "SELECT m.number, m.score FROM (SELECT e.number, ({score})::float8 AS score{keys} FROM"
    " (SELECT e.number, e.sorts, e.exact, e.infix, e.headline,"
    " e.lexemes || ''::tsvector AS lexemes FROM hanoiic_search.entry e"
    " WHERE e.number = ANY(%s::bigint[]) OFFSET 0) e) m ORDER BY {order}"
)

Row = tuple[int, float]  # its number, and what it is worth


def most_numbers() -> int:
    """How many rows are all ranked, where no more match."""
    return WORTH_CHOOSING * RANKED_AGAIN


class RankedPage:
    """The page of one question; ``connection``: where it was answered how many rows match."""

    def __init__(
        self,
        question: Question,
        steps: Steps | None,
        matcher: Matcher,
        rarity: Rarity,
        connection: sa.Connection,
    ) -> None:
        self.question = question
        self.order: Order = question.order
        self.steps = steps
        self.connection = connection
        words = map(matcher.match, clauses_of(question.request.query))
        rarity.learn(found.tsquery for found in words if isinstance(found, Words))
        self.ranker = Ranker(matcher, rarity)
        self.first_ranker = FirstRanker(self.ranker)

    def rows(self, count: int, numbers: Sequence[int]) -> list[Row]:
        """``count``: how many rows match; ``numbers``: all of them, or the first of many."""
        if not count:
            return []
        best = numbers if count <= RANKED_AGAIN else self._best(count, numbers)
        ranked = self._exactly(best)
        start = self.question.request.start
        end = start + self.question.request.rows
        page = ranked[start:end]
        behind = end - max(start, len(ranked))
        if behind > 0 and count > len(ranked):
            page += self._first(self._without(best), behind, max(0, start - len(ranked)))
        return page

    def _best(self, count: int, numbers: Sequence[int]) -> list[int]:
        """The rows that are ranked again: the first ones in the first order."""
        kinds = [] if count <= len(numbers) else self._kinds()
        among, complete = self.question.condition, False
        if kinds:
            numbers, complete = self._chosen(kinds)
        if kinds or count <= len(numbers):
            among = Sql("e.number = ANY(%s::bigint[])", (_array(numbers),))
        return [number for number, _ in self._first(among, RANKED_AGAIN, complete=complete)]

    def _kinds(self) -> list[Kind]:
        # Functions, or another order, may put any row first.
        query = self.question.request.query
        if isinstance(query, Scored) or not self.order.begins_with_score:
            return []
        return kinds_of(query, self.first_ranker)

    def _chosen(self, kinds: Sequence[Kind]) -> tuple[list[int], bool]:
        """The rows of the narrowest kind with enough of them, and whether all have all words."""
        found: list[int] = []
        for kind in kinds:
            asked = self.question.filtered if kind.complete else self.question.match
            condition = sql_of(all_of([kind.condition, asked]))
            if self.steps:
                condition = self.steps.condition(condition)
            found = self._numbers(KIND.format(condition=condition.text), condition.parameters)
            if len(found) >= RANKED_AGAIN:
                return found, kind.complete
        # All others are worth as much as one another.
        keys, condition = self.order.columns, self.question.condition
        text = NEXT.format(keys=keys.text, condition=condition.text, order=self.order.without_score)
        others = self._numbers(text, (*keys.parameters, *condition.parameters, RANKED_AGAIN))
        return list(dict.fromkeys([*found, *others])), False

    def _without(self, ranked: Sequence[int]) -> Sql:
        condition = self.question.condition
        return Sql(
            f"({condition.text}) AND e.number <> ALL(%s::bigint[])",
            (*condition.parameters, _array(ranked)),
        )

    def _first(
        self, condition: Sql, limit: int, offset: int = 0, complete: bool = False
    ) -> list[Row]:
        """The rows of a condition in the first order; ``complete``: all of them have all words."""
        score, keys, sets = self._first_score, self.order.columns, self._sets(complete)
        text = FIRST.format(
            score=score.text,
            keys=keys.text,
            condition=condition.text,
            sets=sets.text,
            order=self.order.text,
        )
        parameters = (*score.parameters, *keys.parameters, *condition.parameters)
        return self._asked(text, (*parameters, *sets.parameters, limit, offset))

    @cached_property
    def _first_score(self) -> Sql:
        return self.first_ranker.score(self.question.request.query)

    def _sets(self, complete: bool) -> Sql:
        sets = self.first_ranker.sets(self.question.request.query, complete)
        if not sets:
            return Sql(NO_SETS)
        return Sql(
            SETS.format(sets=" UNION ALL ".join([SET] * len(sets))),
            tuple(part for worth_and_tsquery in sets for part in worth_and_tsquery),
        )

    def _exactly(self, numbers: Sequence[int]) -> list[Row]:
        score, keys = self.ranker.score(self.question.request.query), self.order.columns
        text = EXACT.format(score=score.text, keys=keys.text, order=self.order.text)
        return self._asked(text, (*score.parameters, *keys.parameters, _array(numbers)))

    def _asked(self, text: str, parameters: tuple[Any, ...]) -> list[Row]:
        return list(self.connection.exec_driver_sql(text, parameters).tuples().all())

    def _numbers(self, text: str, parameters: tuple[Any, ...]) -> list[int]:
        return list(self.connection.exec_driver_sql(text, parameters).scalar() or ())


def _array(numbers: Sequence[int]) -> str:
    """As PostgreSQL reads it: several times faster than each number by itself."""
    return f"{{{','.join(map(str, numbers))}}}"
