"""The page of a query: its rows in order.

The rows that come first are ranked again, exactly, and in that order; a page behind them keeps the
first order. Both are the same for every page of a query.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .candidates import TOO_FEW, Kinds, chosen, kinds_of
from .first_rank import FirstRanker, lies_in_the_row
from .match import Matcher
from .rank import Ranker
from .rarity import Rarity
from .request import Request
from .some_words import Steps
from .sorting import SCORE, Order
from .sql import Match, Sql, all_of, sql_of
from .tree import Scored

RANKED_AGAIN = 200  # rows

# Sets are read only where there is something to choose: more rows than are ranked again.
WORTH_OF_SETS = (
    " LEFT JOIN (SELECT number, sum(worth) AS worth FROM ({sets}) sets"
    " WHERE (SELECT count(*) FROM matched) > %s GROUP BY number) w ON w.number = m.number"
)
SET = (
    "SELECT e.number, %s::float8 AS worth FROM hanoiic_search.entry e"
    " WHERE e.lexemes @@ %s::tsquery"
)
NO_SETS = " CROSS JOIN (SELECT 0.0::float8 AS worth) w"
SCORED = (
    ", scored AS (SELECT m.number, m.score + coalesce(w.worth, 0.0) AS score{keys}"
    " FROM {rows} m{sets})"
)
# Of the rows that are chosen, each looked up: by the lexemes in the row.
IN_THE_ROW = (
    ", in_row AS MATERIALIZED (SELECT e.number, {score}::float8 AS score{keys} FROM chosen c"
    " CROSS JOIN LATERAL (SELECT e.number, e.sorts, e.exact, e.infix, e.headline AS lexemes"
    " FROM hanoiic_search.entry e WHERE e.number = c.number OFFSET 0) e)"
)
RANKED = (
    ", first AS MATERIALIZED (SELECT m.* FROM scored m ORDER BY {order} LIMIT %s)"
    ", ranked AS MATERIALIZED (SELECT e.number, {score}::float8 AS score{keys} FROM ("
    # Ranking reads the lexemes often: unpacked once a row instead of at every reading.
    "SELECT e.number{keys_of_first}, e.exact, e.infix, e.headline,"
    " e.lexemes || ''::tsvector AS lexemes"
    " FROM first m JOIN hanoiic_search.entry e ON e.number = m.number OFFSET 0) e)"
)
PAGE = ", page AS (SELECT m.number, m.score FROM {rows} m ORDER BY {order} LIMIT %s OFFSET %s)"
PAGE_BEHIND = (
    "(SELECT 0 AS part, r.* FROM ranked r"
    " UNION ALL SELECT 1, s.* FROM scored s WHERE s.number NOT IN (SELECT number FROM first)"
    "{not_chosen})"
)
NOT_CHOSEN = (
    " UNION ALL SELECT 2, m.number, m.score{keys} FROM matched m"
    " WHERE m.number NOT IN (SELECT number FROM chosen)"
)


@dataclass(frozen=True)
class Ranking:
    """``score``: of a matched row; ``page``: the SQL from ``matched`` to ``page``."""

    score: Sql
    page: Sql
    scored: bool = True
    sorts_later: bool = False  # the page reads the keys of the sort itself


def ranking_of(
    request: Request,
    match: Match,
    order: Order,
    matcher: Matcher,
    rarity: Rarity,
    steps: Steps | None,
) -> Ranking:
    """How the rows of a request, which ``match``, are ranked, and its page found."""
    query = request.query
    if SCORE not in request.fields and not order.by_score:
        return Ranking(Sql("0.0"), _page("matched", order, request), scored=False)
    exact = Ranker(matcher, rarity).score(query)
    # Where the row holds all that the score reads, the first ranking is exact.
    if lies_in_the_row(query, matcher.schema):
        return Ranking(exact, _page("matched", order, request))
    first = FirstRanker(matcher, rarity)
    score, sets = first.score(query), first.sets(query)
    if not sets and score == exact:
        return Ranking(exact, _page("matched", order, request))
    found = Kinds()
    # Functions, or another order, may put any row first.
    if order.begins_with_score and not isinstance(query, Scored):
        found = kinds_of(query, first)
    if found.conditions:
        conditions = [sql_of(all_of([kind, match])) for kind in found.conditions]
        if steps:
            conditions = [steps.condition(condition) for condition in conditions]
        parts = [chosen(conditions, RANKED_AGAIN), _scored_in_row(score, sets, found, order)]
        score = Sql("0.0")
    else:
        parts = [_scored("matched", [_set(*one) for one in sets], order)]
    parts += [_ranked(exact, order), _again(request, order, bool(found.conditions))]
    texts = "".join(part.text for part in parts)
    page = Sql(texts, tuple(p for part in parts for p in part.parameters))
    return Ranking(score, page, sorts_later=bool(found.conditions) and not _is_behind(request))


def _keys(order: Order, alias: str) -> str:
    return "".join(f", {alias}.k{i}" for i in range(len(order.keys)))


def _set(worth: float, tsquery: str) -> Sql:
    return Sql(SET, (worth, tsquery))


def _scored(rows: str, sets: list[Sql], order: Order) -> Sql:
    joined = " UNION ALL ".join(found.text for found in sets)
    text = WORTH_OF_SETS.format(sets=joined) if sets else NO_SETS
    return Sql(
        SCORED.format(rows=rows, keys=_keys(order, "m"), sets=text),
        (*(p for found in sets for p in found.parameters), *([RANKED_AGAIN] if sets else [])),
    )


def _scored_in_row(score: Sql, sets: list[tuple[float, str]], kinds: Kinds, order: Order) -> Sql:
    keys = "".join(f", {key.text} AS k{i}" for i, key in enumerate(order.keys))
    of_keys = (p for key in order.keys for p in key.parameters)
    in_row = IN_THE_ROW.format(score=f"({score.text})", keys=keys)
    read = []
    for worth, tsquery in sets:
        found = _set(worth, tsquery)
        if tsquery == kinds.complete:
            # Rows of such a kind are all worth that.
            narrower = "".join(TOO_FEW.format(i=i) for i in range(kinds.all_complete))
            enough = [RANKED_AGAIN] * kinds.all_complete
            found = Sql(f"{found.text}{narrower}", (*found.parameters, *enough))
        read.append(found)
    scored = _scored("in_row", read, order)
    return Sql(in_row + scored.text, (*score.parameters, *of_keys, *scored.parameters))


def _ranked(score: Sql, order: Order) -> Sql:
    text = RANKED.format(
        order=order.text,
        score=f"({score.text})",
        keys=_keys(order, "e"),
        keys_of_first=_keys(order, "m"),
    )
    return Sql(text, (RANKED_AGAIN, *score.parameters))


def _again(request: Request, order: Order, is_chosen: bool) -> Sql:
    if not _is_behind(request):
        return _page("ranked", order, request)
    not_chosen = NOT_CHOSEN.format(keys=_keys(order, "m")) if is_chosen else ""
    rows = PAGE_BEHIND.format(not_chosen=not_chosen)
    return _page(rows, replace(order, text=f"m.part, {order.text}"), request)


def _is_behind(request: Request) -> bool:
    """Whether its page holds rows that are not ranked again."""
    return request.start + request.rows > RANKED_AGAIN


def _page(rows: str, order: Order, request: Request) -> Sql:
    return Sql(PAGE.format(rows=rows, order=order.text), (request.rows, request.start))
