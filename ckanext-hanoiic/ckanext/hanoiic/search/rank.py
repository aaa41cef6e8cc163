"""Tree → the score of a row, as SQL over the same columns as the condition.

A leaf scores 1 where it matches and ``EXACT`` more where it matches as written: ``đường`` before
``dương`` for a reader who typed the tone, ``floods`` before ``flood``. A DisMax clause counts as
its best field (the weights of ``qf``), more where it is rare; clauses add up. Neighbouring words
found side by side add ``NEAR`` of their weight, and all words found where some would do add as
much as a word in the best field. ``tie`` is accepted and not used: the catch-all field holds the
words of the other fields too, so it would add the same everywhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Protocol

from . import functions
from .at_least import at_least
from .lexemes import spoken
from .match import Matcher
from .sql import Match, Sql, Words, any_of, sql_of
from .tree import Best, Bool, Boost, Node, Nothing, Phrase, Qualifier, Scored, Term

EXACT = 0.5
NEAR = 0.5
QUALIFIER = 0.5


class Weights(Protocol):
    """How much finding something says (see ``rarity``)."""

    def of(self, tsquery: str) -> float: ...


class Ranker:
    def __init__(self, matcher: Matcher, weights: Weights | None = None) -> None:
        self.matcher = matcher
        self.weights = weights
        # With the nodes: their id stays their own.
        self.tried: dict[int, tuple[Node, list[tuple[float, Match]]]] = {}

    def score(self, node: Node) -> Sql:
        """The score of a matching row: a number that grows with the fit."""
        match node:
            case Nothing():
                return Sql("0.0")
            case Boost(inner, factor):
                return _times(self.score(inner), factor)
            case Scored():
                return self._scored(node)
            case Qualifier(nodes):
                return _times(_sum([self.score(child) for child in nodes]), QUALIFIER)
            case Best(nodes, _):
                return _times(self._best(nodes), self._rarity(node))
            case Bool():
                parts = [self.score(child) for child in (*node.must, *node.should)]
                parts += [_times(self._near(child), NEAR) for child in node.nearness]
                parts += self._completeness(node)
                return _sum(parts) if parts else Sql("1.0")
        return self._best((node,))

    def _scored(self, node: Scored) -> Sql:
        """Solr's ``bf`` and ``boost``: (score + functions) × functions."""

        def numbers(wanted: tuple[functions.Function, ...]) -> list[Sql]:
            matcher = self.matcher
            return [functions.value(function, matcher.field, matcher.now) for function in wanted]

        found = _sum([self.score(node.node), *numbers(node.added)])
        for factor in numbers(node.factors):
            found = Sql(f"{found.text} * ({factor.text})", (*found.parameters, *factor.parameters))
        return found

    def _completeness(self, node: Bool) -> list[Sql]:
        if node.at_least is None or not 0 < node.at_least < len(node.should):
            return []
        asked = [self.matcher.match(child) for child in node.should]
        complete = sql_of(at_least(len(asked), asked))
        highest = max(_heaviest(child) for child in node.should)
        return [
            Sql(
                f"CASE WHEN {complete.text} THEN %s::float8 ELSE 0.0 END",
                (*complete.parameters, highest),
            )
        ]

    def _near(self, node: Node) -> Sql:
        # Not by rarity: counting the rows of a phrase costs more than it tells.
        return self._best(node.nodes) if isinstance(node, Best) else self.score(node)

    def _rarity(self, node: Best) -> float:
        found = self.matcher.match(node)
        return self.weights.of(found.tsquery) if self.weights and isinstance(found, Words) else 1.0

    def _best(self, nodes: tuple[Node, ...]) -> Sql:
        """The highest value that holds: tried from the best downwards, so most rows try few."""
        steps = [(value, sql_of(match)) for value, match in self._steps(nodes)]
        if not steps:
            return Sql("0.0")
        return Sql(
            "CASE "
            + " ".join(f"WHEN {match.text} THEN %s::float8" for _, match in steps)
            + " ELSE 0.0 END",
            tuple(p for value, match in steps for p in (*match.parameters, value)),
        )

    def _steps(self, nodes: tuple[Node, ...]) -> list[tuple[float, Match]]:
        """What finding any of the nodes is worth, and when it is: the highest value first."""
        tries: dict[float, list[Match]] = defaultdict(list)
        for node in nodes:
            weight = 1.0
            while isinstance(node, Boost):
                weight *= node.factor
                node = node.node
            for value, match in self._tries(node):
                tries[weight * value].append(match)
        return [
            (value, any_of(matches))
            for value, matches in sorted(tries.items(), reverse=True)
            if any(match is not False for match in matches)
        ]

    def _tries(self, node: Node) -> list[tuple[float, Match]]:
        """What finding a leaf is worth; a node of several clauses is tried once."""
        if id(node) not in self.tried:
            self.tried[id(node)] = node, self._tried(node)
        return self.tried[id(node)][1]

    def _tried(self, node: Node) -> list[tuple[float, Match]]:
        broad = self.matcher.match(node)
        if isinstance(node, Term | Phrase) and isinstance(broad, Words):
            field = self.matcher.field(node.field)
            if field.is_words:
                slop = node.slop if isinstance(node, Phrase) else 0
                exact = spoken(field, node.text, slop, exactly=True)
                if exact != broad:
                    return [(1 + EXACT, exact), (1.0, broad)]
        return [(1.0, broad)]


def clauses_of(node: Node) -> Iterator[Best]:
    """The clauses of a query that count more where they are rare."""
    match node:
        case Boost(inner, _) | Scored(inner):
            yield from clauses_of(inner)
        case Best():
            yield node
        case Qualifier(nodes):
            for child in nodes:
                yield from clauses_of(child)
        case Bool():
            for child in (*node.must, *node.should):
                yield from clauses_of(child)


def _heaviest(node: Node) -> float:
    factor = 1.0
    while isinstance(node, Boost):
        factor *= node.factor
        node = node.node
    if isinstance(node, Best):
        return factor * max(map(_heaviest, node.nodes), default=0.0)
    if isinstance(node, Qualifier):
        return factor * QUALIFIER * max(map(_heaviest, node.nodes))
    return factor


def _times(score: Sql, factor: float) -> Sql:
    return Sql(f"%s::float8 * ({score.text})", (factor, *score.parameters))


def _sum(parts: list[Sql]) -> Sql:
    return Sql(
        "(" + " + ".join(part.text for part in parts) + ")",
        tuple(parameter for part in parts for parameter in part.parameters),
    )
