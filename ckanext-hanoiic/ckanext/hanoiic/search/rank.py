"""Tree → the score of a row, as SQL over the same columns as the condition.

A leaf scores 1 where it matches and ``EXACT`` more where it matches as written: ``đường`` before
``dương`` for a reader who typed the tone, ``floods`` before ``flood``. A DisMax clause counts as
its best field (the weights of ``qf``), clauses add up, and neighbouring words found side by side
add ``NEAR`` of their weight. ``tie`` is accepted and not used: the catch-all field holds the words
of the other fields too, so it would add the same everywhere.
"""

from __future__ import annotations

from .lexemes import spoken
from .match import Matcher
from .sql import Match, Sql, Words, sql_of
from .tree import Best, Bool, Boost, Node, Nothing, Phrase, Term

EXACT = 0.5
NEAR = 0.5


class Ranker:
    def __init__(self, matcher: Matcher) -> None:
        self.matcher = matcher

    def score(self, node: Node) -> Sql:
        """The score of a matching row: a number that grows with the fit."""
        match node:
            case Nothing():
                return Sql("0.0")
            case Boost(inner, factor):
                return _times(self.score(inner), factor)
            case Best(nodes, _):
                return self._best(nodes)
            case Bool():
                parts = [self.score(child) for child in (*node.must, *node.should)]
                parts += [_times(self.score(child), NEAR) for child in node.nearness]
                return _sum(parts) if parts else Sql("1.0")
        return self._best((node,))

    def _best(self, nodes: tuple[Node, ...]) -> Sql:
        """The highest value that holds: tried from the best downwards, so most rows try few."""
        tries: list[tuple[float, Sql]] = []
        for node in nodes:
            weight = 1.0
            while isinstance(node, Boost):
                weight *= node.factor
                node = node.node
            tries += [
                (weight * value, sql_of(match)) for value, match in self._tries(node) if match
            ]
        tries.sort(key=lambda pair: -pair[0])
        if not tries:
            return Sql("0.0")
        return Sql(
            "CASE "
            + " ".join(f"WHEN {match.text} THEN %s::float8" for _, match in tries)
            + " ELSE 0.0 END",
            tuple(p for value, match in tries for p in (*match.parameters, value)),
        )

    def _tries(self, node: Node) -> list[tuple[float, Match]]:
        broad = self.matcher.match(node)
        if isinstance(node, Term | Phrase) and isinstance(broad, Words):
            field = self.matcher.field(node.field)
            if field.is_words:
                slop = node.slop if isinstance(node, Phrase) else 0
                exact = spoken(field, node.text, slop, exactly=True)
                if exact != broad:
                    return [(1 + EXACT, exact), (1.0, broad)]
        return [(1.0, broad)]


def _times(score: Sql, factor: float) -> Sql:
    return Sql(f"%s::float8 * ({score.text})", (factor, *score.parameters))


def _sum(parts: list[Sql]) -> Sql:
    return Sql(
        "(" + " + ".join(part.text for part in parts) + ")",
        tuple(parameter for part in parts for parameter in part.parameters),
    )
