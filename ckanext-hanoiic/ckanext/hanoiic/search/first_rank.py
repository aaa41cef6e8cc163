"""The first of two rankings: of all matching rows, by what is read cheaply.

A common word finds thousands of rows, and reading all their lexemes takes longer than the reader
waits. So all are ranked by the lexemes of the ``HEADLINE`` fields, which lie in the row, and by
sets of rows that the index names without reading a row: those with all words, and those with
neighbouring words side by side anywhere. The best of them are then ranked exactly (``rank``).
"""

from __future__ import annotations

from collections.abc import Iterator

from .layout import HEADLINE
from .rank import NEAR, Ranker, _heaviest
from .sql import Match, Sql, Words, all_of, loosely
from .tree import Bool, Boost, Node

MOST_SETS = 12  # a query of many words has many neighbours; the first ones decide


class FirstRanker(Ranker):
    """The same score with what lies in the row only: ``e.lexemes`` is the headline's here."""

    def _tries(self, node: Node) -> list[tuple[float, Match]]:
        field = self.matcher.schema.field(getattr(node, "field", ""))
        if field is None or not (field.name in HEADLINE or field.kind == "infix"):
            return []
        tries = super()._tries(node)
        return [
            (value, match)
            for value, match in tries
            if isinstance(match, Words) or field.kind == "infix"
        ]

    def _completeness(self, _node: Bool) -> list[Sql]:
        return []  # a set of rows, below

    def sets(self, node: Node) -> list[tuple[float, str]]:
        """Sets of rows that are worth more: how much more, and their tsquery."""
        return list(self._sets(node))[:MOST_SETS]

    def _sets(self, node: Node) -> Iterator[tuple[float, str]]:
        if isinstance(node, Boost):
            for value, tsquery in self._sets(node.node):
                yield value * node.factor, tsquery
        if not isinstance(node, Bool):
            return
        if node.at_least is not None and 0 < node.at_least < len(node.should):
            complete = all_of([self.matcher.match(child) for child in node.should])
            if isinstance(complete, Words):
                highest = max(_heaviest(child) for child in node.should)
                yield highest, loosely(complete.tsquery)
        for child in node.nearness:
            near = self.matcher.match(child)
            if isinstance(near, Words):
                yield NEAR, loosely(near.tsquery)
        for child in (*node.must, *node.should):
            yield from self._sets(child)
