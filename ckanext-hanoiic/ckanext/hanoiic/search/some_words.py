"""Too few rows have all the words of a query: then rows with some of them, below those with all.

Each step asks for fewer words and is taken where all steps before it found fewer than ``FEW`` rows,
so the answer holds no more rows than it takes, and what the steps decide is the same for every page
of a query.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from .match import Matcher
from .request import Request
from .sorting import Order
from .sql import Sql, sql_of
from .tree import Bool, Node, Scored

FEW = 3  # rows
# What an answer says of it, among its facets: how many rows have all the words, how many some.
FOUND_WORDS = "found_words"
ALL, SOME = "all", "some"

FOUND = "SELECT e.number FROM hanoiic_search.entry e WHERE {condition} LIMIT %s"


@dataclass(frozen=True)
class Steps:
    """The last step that is taken, and the rows of each step before it (fewer than ``FEW``)."""

    query: Node
    before: tuple[tuple[int, ...], ...]

    def condition(self, query: Sql) -> Sql:
        """Rows of any step; ``query``: the condition of the last one."""
        found = [number for numbers in self.before for number in numbers]
        if not found:
            return query
        return Sql(f"({query.text} OR e.number = ANY(%s))", (*query.parameters, found))

    def order(self, order: Order) -> Order:
        """``order`` within each step, the rows of an earlier step first."""
        steps = [(step, list(numbers)) for step, numbers in enumerate(self.before) if numbers]
        if not steps:
            return order
        whens = " ".join(f"WHEN e.number = ANY(%s) THEN {step}" for step, _ in steps)
        key = Sql(
            f"CASE {whens} ELSE {len(self.before)} END", tuple(numbers for _, numbers in steps)
        )
        return replace(order, keys=(*order.keys, key), text=f"m.k{len(order.keys)}, {order.text}")


def weaker(query: Node) -> list[Node]:
    """The query asking for fewer and fewer of its words; none where the reader chose them."""
    match query:
        case Scored(inner):
            return [replace(query, node=node) for node in weaker(inner)]
        case Bool():
            return list(query.weaker)
    return []


def steps_of(
    request: Request, matcher: Matcher, connection: sa.Connection, first: Sequence[int] | None
) -> Steps | None:
    """The steps that a request takes whose words find too few rows; None: there are none.

    ``first``: those rows, where they are known.
    """
    queries = [request.query, *weaker(request.query)]
    before = [] if first is None else [tuple(first)]
    for query in queries[len(before) : -1]:
        condition = sql_of(matcher.match(replace(request, query=query).filtered))
        found = connection.exec_driver_sql(
            FOUND.format(condition=condition.text), (*condition.parameters, FEW)
        )
        numbers = tuple(found.scalars())
        if len(numbers) == FEW:
            return Steps(query, tuple(before))
        before.append(numbers)
    return Steps(queries[-1], tuple(before)) if len(queries) > 1 else None
