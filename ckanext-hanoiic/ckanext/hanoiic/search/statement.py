"""One statement answers a query: it matches once, and ranks, pages and counts what matched.

``matched`` holds of each matching row no more than that takes: the first score, the keys of the
sort and the values of the facets. Where nothing is scored, reading the rows twice, for the page and
for the facets, takes less time than keeping them. The rows that come first are ranked again,
exactly, and in that order; a page behind them keeps the first order. Both are the same for every
page of a query.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .facets import Facet, Together
from .first_rank import FirstRanker, lies_in_the_row
from .match import Matcher
from .rank import Ranker
from .rarity import Rarity
from .request import Request
from .some_words import Steps
from .sorting import SCORE, Order
from .sql import Sql, sql_of

RANKED_AGAIN = 200  # rows

FILTERED = (
    "WITH matched AS NOT MATERIALIZED (SELECT e.number, 0.0::float8 AS score{kept}"
    " FROM hanoiic_search.entry e WHERE {condition})"
)
MATCHED = (
    "WITH matched AS MATERIALIZED"
    " (SELECT e.number, {score}::float8 AS score{kept} FROM ("
    "SELECT e.*, e.headline AS lexemes FROM (SELECT {columns} FROM hanoiic_search.entry e"
    " WHERE {condition} OFFSET 0) e) e)"
)
# Sets are read only where there is something to choose: more rows than are ranked again.
SCORED = (
    ", scored AS (SELECT m.number, m.score + coalesce(w.worth, 0.0) AS score{keys}"
    " FROM matched m LEFT JOIN (SELECT number, sum(worth) AS worth FROM ({sets}) sets"
    " WHERE (SELECT count(*) FROM matched) > %s GROUP BY number) w ON w.number = m.number)"
)
UNCHANGED = ", scored AS (SELECT m.number, m.score{keys} FROM matched m)"
SET = (
    "SELECT e.number, %s::float8 AS worth FROM hanoiic_search.entry e"
    " WHERE e.lexemes @@ %s::tsquery"
)
RANKED = (
    ", first AS MATERIALIZED (SELECT m.* FROM scored m ORDER BY {order} LIMIT %s)"
    ", ranked AS MATERIALIZED (SELECT e.number, {score}::float8 AS score{keys} FROM ("
    # Ranking reads the lexemes often: unpacked once a row instead of at every reading.
    "SELECT e.number{keys_of_first}, e.exact, e.infix, e.headline,"
    " e.lexemes || ''::tsvector AS lexemes"
    " FROM first m JOIN hanoiic_search.entry e ON e.number = m.number OFFSET 0) e)"
)
PAGE_OF_RANKED = (
    ", page AS (SELECT m.number, m.score FROM ranked m ORDER BY {order} LIMIT %s OFFSET %s)"
)
PAGE_BEHIND = (
    ", page AS (SELECT m.number, m.score FROM (SELECT 0 AS part, r.* FROM ranked r"
    " UNION ALL SELECT 1, s.* FROM scored s WHERE s.number NOT IN (SELECT number FROM first)) m"
    " ORDER BY m.part, {order} LIMIT %s OFFSET %s)"
)
PAGE_OF_MATCHED = (
    ", page AS (SELECT m.number, m.score FROM matched m ORDER BY {order} LIMIT %s OFFSET %s)"
)
ANSWER = (
    " SELECT {rows}, (SELECT coalesce(json_agg(json_build_array(number, score)), '[]') FROM page)"
)


def statement_of(
    request: Request,
    facets: Sequence[Facet],
    order: Order,
    matcher: Matcher,
    rarity: Rarity,
    steps: Steps | None = None,
) -> Sql:
    """Its answer: the count, the page as a JSON list of (row, score), and each facet's values.

    ``steps``: the query asks for fewer of its words, as it finds too little.
    """
    if steps:
        request = replace(request, query=steps.query)
    match = matcher.match(request.filtered)
    condition = sql_of(match)
    if steps:
        condition, order = steps.condition(condition), steps.order(order)
    together = Together.of(facets)
    scored = SCORE in request.fields or order.by_score
    ranker, first = Ranker(matcher, rarity), FirstRanker(matcher, rarity)
    in_row = lies_in_the_row(request.query, matcher.schema)
    score = (ranker if in_row else first).score(request.query) if scored else Sql("0.0")
    kept = [Sql(f", {facet.column('e')} AS f{i}", facet.named) for i, facet in enumerate(facets)]
    kept += [Sql(f", {key.text} AS k{i}", key.parameters) for i, key in enumerate(order.keys)]
    read_twice = not scored and not isinstance(match, Sql) and len(together.columns) == len(facets)
    texts = [
        (FILTERED if read_twice else MATCHED).format(
            score=f"({score.text})",
            kept="".join(part.text for part in kept),
            columns=_columns(facets),
            condition=condition.text,
        )
    ]
    parameters = list(score.parameters)
    parameters += [p for part in kept for p in part.parameters]
    parameters += condition.parameters
    exact = ranker.score(request.query) if scored and not in_row else score
    sets = first.sets(request.query) if scored and not in_row else []
    # Where the row holds all that the score reads, the first ranking is exact.
    if sets or exact != score:
        for part in (
            _scored(sets, order),
            _ranked(exact, order),
            _page(request, order),
        ):
            texts.append(part.text)
            parameters += part.parameters
    else:
        texts.append(PAGE_OF_MATCHED.format(order=order.text))
        parameters += [request.rows, request.start]
    texts.append(together.text)
    texts.append(ANSWER.format(rows=together.rows or "(SELECT count(*) FROM matched)"))
    for i, facet in enumerate(facets):
        counted = facet.sql(f"f{i}", together.mask(f"f{i}"))
        texts.append(f", {counted.text}")
        parameters += counted.parameters
    return Sql("".join(texts), tuple(parameters))


def _columns(facets: Sequence[Facet]) -> str:
    names = ["number", "headline", "sorts", "infix", "exact"]
    names += [facet.stored for facet in facets if facet.stored]
    return ", ".join(f"e.{name}" for name in names)


def _keys(order: Order, alias: str) -> str:
    return "".join(f", {alias}.k{i}" for i in range(len(order.keys)))


def _scored(sets: list[tuple[float, str]], order: Order) -> Sql:
    keys = _keys(order, "m")
    if not sets:
        return Sql(UNCHANGED.format(keys=keys))
    return Sql(
        SCORED.format(keys=keys, sets=" UNION ALL ".join([SET] * len(sets))),
        (*(part for pair in sets for part in pair), RANKED_AGAIN),
    )


def _ranked(score: Sql, order: Order) -> Sql:
    text = RANKED.format(
        order=order.text,
        score=f"({score.text})",
        keys=_keys(order, "e"),
        keys_of_first=_keys(order, "m"),
    )
    return Sql(text, (RANKED_AGAIN, *score.parameters))


def _page(request: Request, order: Order) -> Sql:
    within = request.start + request.rows <= RANKED_AGAIN
    text = PAGE_OF_RANKED if within else PAGE_BEHIND
    return Sql(text.format(order=order.text), (request.rows, request.start))
