"""Too few rows have all the words of a query: then rows with some of them, below those with all.

Each step asks for fewer words and is taken where all steps before it found fewer than ``FEW`` rows,
so the answer holds no more rows than it takes. The steps are one statement, and what they decide is
the same for every page of a query.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .match import Matcher
from .sorting import Order
from .sql import Sql, sql_of
from .tree import Bool, Node, Scored

FEW = 3  # rows
# What an answer says of it, among its facets: how many rows have all the words, how many some.
FOUND_WORDS = "found_words"
ALL, SOME = "all", "some"

STEP = "some_{step} AS MATERIALIZED (SELECT e.number FROM hanoiic_search.entry e WHERE {condition}"
WHERE_FEW = " AND (SELECT count(*) FROM some_{step}) < %s"
NUMBERS = "SELECT number FROM some_{step}"


def weaker(query: Node) -> list[Node]:
    """The query asking for fewer and fewer of its words; none where the reader chose them."""
    match query:
        case Scored(inner):
            return [replace(query, node=node) for node in weaker(inner)]
        case Bool():
            return list(query.weaker)
    return []


def steps_of(filtered: Sequence[Node], matcher: Matcher) -> Sql:
    """The rows of each step, as common table expressions ``some_0``, ``some_1`` …"""
    texts, parameters = [], []
    for step, node in enumerate(filtered):
        condition = sql_of(matcher.match(node))
        before = "".join(WHERE_FEW.format(step=earlier) for earlier in range(step))
        texts.append(f"{STEP.format(step=step, condition=f'({condition.text})')}{before}), ")
        parameters += [*condition.parameters, *[FEW] * step]
    return Sql("".join(texts), tuple(parameters))


def condition_of(steps: int) -> Sql:
    """Whether a row belongs to any step."""
    numbers = " UNION ALL ".join(NUMBERS.format(step=step) for step in range(steps))
    return Sql(f"e.number IN ({numbers})")


def order_of(order: Order, steps: int) -> Order:
    """``order`` within each step, the rows of an earlier step first."""
    whens = " ".join(
        f"WHEN e.number IN ({NUMBERS.format(step=step)}) THEN {step}" for step in range(steps - 1)
    )
    key = Sql(f"CASE {whens} ELSE {steps - 1} END")
    return replace(order, keys=(*order.keys, key), text=f"m.k{len(order.keys)}, {order.text}")
