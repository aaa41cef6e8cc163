"""Chooses, of very many matching rows, those that must come first; only they are ranked.

A common word finds a good part of the catalogue, and ranking each row takes longer than the reader
waits. A row with every word in its title comes before one that has them in its texts, so where
enough rows are of the first kind, the others need no score. The index finds each kind by itself;
what is asked for is widened until there are enough.
"""

from __future__ import annotations

from dataclasses import dataclass

from .at_least import at_least
from .first_rank import FirstRanker
from .sql import Words, all_of, any_of, loosely
from .tree import Best, Bool, Node, Qualifier


@dataclass(frozen=True)
class Kind:
    """Rows by a condition; ``complete``: each has all words of the query, and matches it."""

    condition: Words
    complete: bool = False


def kinds_of(node: Node, ranker: FirstRanker) -> list[Kind]:
    """Ever wider kinds of the rows that a query finds, the one that comes first first.

    None where words don't decide.
    """
    clauses = (*node.must, *node.should) if isinstance(node, Bool) else (node,)
    if not all(isinstance(clause, Best | Qualifier) for clause in clauses):
        return []
    steps = [ranker.steps(clause) for clause in clauses if isinstance(clause, Best)]
    if not steps or not all(steps):
        return []
    in_front = [any_of([found for _, found in words]) for words in steps]
    half = at_least((len(steps) + 1) // 2, in_front)
    complete = ranker.complete(node) or False
    asked = [
        all_of([words[0][1] for words in steps]),
        all_of(in_front),
        half,
        any_of([half, complete]),
        any_of([*in_front, complete]),
    ]
    words_alone = len(steps) == len(clauses) and not (isinstance(node, Bool) and node.must_not)
    kinds = dict.fromkeys(Words(loosely(m.tsquery)) for m in asked if isinstance(m, Words))
    have_all = {Words(loosely(m.tsquery)) for m in asked[:2] if isinstance(m, Words)}
    return [Kind(kind, words_alone and kind in have_all) for kind in kinds]
