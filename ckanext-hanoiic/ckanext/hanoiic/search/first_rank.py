"""The first of two rankings: of all matching rows, by what is read cheaply.

A common word finds thousands of rows, and reading all their lexemes takes longer than the reader
waits. So all are ranked by the lexemes of the ``HEADLINE`` fields, which lie in the row, and by
sets of rows that the index names without reading a row: those with all words, and those with
neighbouring words side by side anywhere. The best of them are then ranked exactly (``rank``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from .at_least import at_least
from .layout import HEADLINE
from .rank import NEAR, QUALIFIER, Ranker, _heaviest
from .solr_schema import Field, SolrSchema
from .sql import Match, Sql, Words, loosely
from .tree import Best, Bool, Boost, Node, Phrase, Qualifier, Scored, leaves

MOST_SETS = 12  # a query of many words has many neighbours; the first ones decide


def lies_in_the_row(node: Node, schema: SolrSchema) -> bool:
    """Whether a query asks of nothing but what lies in the row: then one ranking is enough."""
    fields = (schema.field(getattr(leaf, "field", "")) for leaf in leaves(node))
    return all(field is not None and _lies_in_the_row(field) for field in fields)


def _lies_in_the_row(field: Field) -> bool:
    return field.name in HEADLINE or field.kind == "infix"


class FirstRanker(Ranker):
    """The same score with what lies in the row only: ``e.lexemes`` is the headline's here."""

    def __init__(self, exact: Ranker) -> None:
        super().__init__(exact.matcher, exact.weights)
        self.tried = exact.tried
        # With the nodes: their id stays their own.
        self._known: dict[int, tuple[tuple[Node, ...], list[tuple[float, Match]]]] = {}

    def _tries(self, node: Node) -> list[tuple[float, Match]]:
        if _is_other_name(node):
            return []  # a set of rows, below
        field = self.matcher.schema.field(getattr(node, "field", ""))
        if field is None or not _lies_in_the_row(field):
            return []
        tries = super()._tries(node)
        return [
            (value, match)
            for value, match in tries
            if isinstance(match, Words) or field.kind == "infix"
        ]

    def _steps(self, nodes: tuple[Node, ...]) -> list[tuple[float, Match]]:
        """Asked for twice of a clause: for its score, and for what comes first."""
        known = self._known.get(id(nodes))
        if known is None:
            known = self._known[id(nodes)] = nodes, super()._steps(nodes)
        return known[1]

    def steps(self, node: Best) -> list[tuple[float, Match]]:
        """What the fields in the row are worth where they have a word of the query, best first."""
        return self._steps(node.nodes)

    def _completeness(self, _node: Bool) -> list[Sql]:
        return []  # a set of rows, below

    def complete(self, node: Node) -> Match | None:
        """The rows with all words of a query where some would do."""
        if isinstance(node, Bool) and node.at_least and node.at_least < len(node.should):
            asked = [self.matcher.match(child) for child in node.should]
            return at_least(len(asked), asked)
        return None

    def sets(self, node: Node, complete: bool) -> list[tuple[float, str]]:
        """Sets of rows that are worth more: how much more, and their tsquery.

        ``complete``: of rows that all have all words, so the set of those tells nothing.
        """
        worth: dict[str, float] = defaultdict(float)
        known = self.complete(node) if complete else None
        for value, found in self._sets(node):
            if known is not None and found == known:
                continue
            if isinstance(found, Words):
                worth[loosely(found.tsquery)] += value
        return [(value, tsquery) for tsquery, value in islice(worth.items(), MOST_SETS)]

    def _sets(self, node: Node) -> Iterator[tuple[float, Match]]:
        match node:
            case Boost(inner, factor):
                yield from ((value * factor, found) for value, found in self._sets(inner))
            case Scored(inner):
                yield from self._sets(inner)
            case Qualifier(nodes):
                for child in nodes:
                    yield from ((value * QUALIFIER, found) for value, found in self._sets(child))
            case Best():
                # Another name of several words, wherever it stands: what it would be in a title.
                others = [child for child in node.nodes if _is_other_name(child)]
                if others:
                    found = self.matcher.match(replace(node, nodes=tuple(others)))
                    yield self._rarity(node) * max(map(_heaviest, others)), found
            case Bool():
                if (complete := self.complete(node)) is not None:
                    yield max(_heaviest(child) for child in node.should), complete
                for child in node.nearness:
                    yield NEAR, self.matcher.match(child)
                for child in (*node.must, *node.should):
                    yield from self._sets(child)


def _is_other_name(node: Node) -> bool:
    while isinstance(node, Boost):
        node = node.node
    return isinstance(node, Phrase) and node.roughly and " " in node.text.strip()
