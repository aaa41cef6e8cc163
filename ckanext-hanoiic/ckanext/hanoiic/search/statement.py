"""One statement answers a query: it matches once, and ranks, pages and counts what matched.

``matched`` holds of each matching row no more than that takes: the first score, the keys of the
sort and the values of the facets. Where nothing is scored, reading the rows twice, for the page and
for the facets, takes less time than keeping them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .facets import Facet, Together
from .match import Matcher
from .ranked_page import ranking_of
from .rarity import Rarity
from .request import Request
from .some_words import Steps
from .sorting import Order
from .sql import Sql, sql_of

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
    ranking = ranking_of(request, match, order, matcher, rarity, steps)
    kept = [Sql(f", {facet.column('e')} AS f{i}", facet.named) for i, facet in enumerate(facets)]
    keys = () if ranking.sorts_later else order.keys
    kept += [Sql(f", {key.text} AS k{i}", key.parameters) for i, key in enumerate(keys)]
    all_together = len(together.columns) == len(facets)
    read_twice = not ranking.scored and not isinstance(match, Sql) and all_together
    texts = [
        (FILTERED if read_twice else MATCHED).format(
            score=f"({ranking.score.text})",
            kept="".join(part.text for part in kept),
            columns=_columns(facets),
            condition=condition.text,
        )
    ]
    parameters = list(ranking.score.parameters)
    parameters += [p for part in kept for p in part.parameters]
    parameters += condition.parameters
    texts.append(ranking.page.text)
    parameters += ranking.page.parameters
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
