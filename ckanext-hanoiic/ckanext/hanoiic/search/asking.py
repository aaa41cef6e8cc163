"""One search on one connection: what matches is found and counted, then its page is ranked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from .facets import Facet
from .match import Matcher
from .ranked_page import RankedPage, Row, most_numbers
from .rarity import Rarity
from .request import Request
from .some_words import Steps
from .sorting import Order
from .statement import Question, question_of, statement_of
from .values import Values

Pairs = Sequence[tuple[str, int]]  # the values of a facet with their counts


@dataclass(frozen=True)
class Found:
    """The rows that match; ``rows``: their page or, for one that is still to be ranked, numbers."""

    question: Question
    steps: Steps | None
    count: int
    rows: list[Any]
    of_facets: Sequence[Sequence[Any]]  # the columns that each of the facets asked for

    @property
    def numbers(self) -> Sequence[int] | None:
        """The rows, at most ``most_numbers``; None where only their page is known."""
        return None if self.question.score else self.rows


@dataclass(frozen=True)
class Asking:
    connection: sa.Connection
    matcher: Matcher
    rarity: Rarity
    values: Values

    def found(
        self,
        request: Request,
        order: Order,
        facets: Sequence[Facet],
        steps: Steps | None = None,
    ) -> Found:
        question = question_of(request, order, self.matcher, self.rarity, steps)
        statement = statement_of(question, facets, most_numbers())
        answer = self.connection.exec_driver_sql(statement.text, statement.parameters).one()
        count, rows, *columns = answer
        rest = iter(columns)
        of_facets = [[next(rest) for _ in facet.answers(0)] for facet in facets]
        return Found(question, steps, count, rows or [], of_facets)

    def page(self, found: Found) -> Sequence[Row]:
        if found.question.score:
            return found.rows
        ranked = RankedPage(found.question, found.steps, self.matcher, self.rarity, self.connection)
        return ranked.rows(found.count, found.rows)

    def counts(self, facets: Sequence[Facet], found: Found) -> list[Pairs]:
        """The values of each facet: those that lie in the rows as numbers are looked up at once."""
        candidates = [
            facet.candidates(columns) if facet.stored else {}
            for facet, columns in zip(facets, found.of_facets, strict=True)
        ]
        texts = self.values.of(self.connection, (number for each in candidates for number in each))
        return [
            facet.first(numbers, texts) if facet.stored else columns[0]
            for facet, numbers, columns in zip(facets, candidates, found.of_facets, strict=True)
        ]
