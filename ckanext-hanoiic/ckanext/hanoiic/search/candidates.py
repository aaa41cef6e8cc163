"""Which of very many matching rows are ranked: those that must come first.

A common word finds a good part of the catalogue, and reading the lexemes of each row takes longer
than the reader waits. A row with every word in its title comes before one that has them in its
texts, so where enough rows are of the first kind, the others need no score. The index finds each
kind by itself; what is asked for is widened until there are enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .at_least import at_least
from .first_rank import FirstRanker
from .sql import Sql, Words, all_of, any_of, loosely
from .tree import Best, Bool, Node, Qualifier

WORTH_CHOOSING = 5  # times as many rows as are needed; fewer are scored sooner than chosen from

# Rows of the kind ``{i}``, read where the narrower kinds are too few, and there is a choice.
SIZE = ", size AS MATERIALIZED (SELECT count(*) AS n FROM matched)"
KIND = (
    ", kind{i} AS MATERIALIZED (SELECT e.number FROM hanoiic_search.entry e"
    " WHERE {condition} AND (SELECT n FROM size) > %s{narrower})"
)
TOO_FEW = " AND (SELECT count(*) FROM kind{i}) < %s"
CHOSEN = (
    ", chosen AS MATERIALIZED (SELECT number FROM matched WHERE TRUE{too_few}"
    " UNION ALL SELECT number FROM ({kinds}) kinds)"
)
ENOUGH = "SELECT number FROM kind{i} WHERE (SELECT count(*) FROM kind{i}) >= %s"


@dataclass(frozen=True)
class Kinds:
    """``conditions``: ever wider kinds of rows, the one that comes first first.

    ``complete``: the tsquery of rows with all words; the first ``all_complete`` kinds are of those.
    """

    conditions: tuple[Words, ...] = ()
    complete: str | None = None
    all_complete: int = 0


def kinds_of(node: Node, ranker: FirstRanker) -> Kinds:
    """The kinds of rows that a query finds; none where words don't decide."""
    clauses = (*node.must, *node.should) if isinstance(node, Bool) else (node,)
    if not all(isinstance(clause, Best | Qualifier) for clause in clauses):
        return Kinds()
    steps = [ranker.steps(clause) for clause in clauses if isinstance(clause, Best)]
    if not steps or not all(steps):
        return Kinds()
    in_front = [any_of([found for _, found in words]) for words in steps]
    half = at_least((len(steps) + 1) // 2, in_front)
    complete = ranker.complete(node) or False
    asked = [all_of([words[0][1] for words in steps]), all_of(in_front), half]
    asked.append(any_of([half, complete]))
    words = [Words(loosely(match.tsquery)) for match in asked if isinstance(match, Words)]
    return Kinds(
        tuple(dict.fromkeys(words)),
        loosely(complete.tsquery) if isinstance(complete, Words) else None,
        len(dict.fromkeys(words[:2])),
    )


def chosen(conditions: Sequence[Sql], enough: int) -> Sql:
    """``chosen``: the numbers of the narrowest kind with ``enough`` rows, else of all matched."""
    texts = [SIZE]
    parameters: list[object] = []
    too_few = ""
    for i, condition in enumerate(conditions):
        texts.append(KIND.format(i=i, condition=condition.text, narrower=too_few))
        parameters += [*condition.parameters, WORTH_CHOOSING * enough, *[enough] * i]
        too_few += TOO_FEW.format(i=i)
    enough_rows = " UNION ALL ".join(ENOUGH.format(i=i) for i in range(len(conditions)))
    texts.append(CHOSEN.format(too_few=too_few, kinds=enough_rows))
    parameters += [enough] * (2 * len(conditions))
    return Sql("".join(texts), tuple(parameters))
