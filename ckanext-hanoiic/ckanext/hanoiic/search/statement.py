"""The statement that finds what matches: how many rows, their facets, and what comes of the page.

A page that needs no score, or one that lies in the row, comes with it. Where two rankings are
needed (``ranked_page``), the numbers of the first rows come instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .facets import Facet
from .first_rank import lies_in_the_row
from .match import Matcher
from .rank import Ranker
from .rarity import Rarity
from .request import Request
from .some_words import Steps
from .sorting import SCORE, Order
from .sql import Match, Sql, all_of, sql_of
from .tree import Everything, Scored

SCORE_OF_ALL = 1.0

MATCHED = (
    "WITH matched AS {kept_how}MATERIALIZED (SELECT e.number{kept} FROM hanoiic_search.entry e"
    " WHERE {condition})"
)
SCORED = (
    "WITH matched AS MATERIALIZED (SELECT e.number{kept} FROM ("
    "SELECT e.*, e.headline AS lexemes FROM (SELECT {columns} FROM hanoiic_search.entry e"
    " WHERE {condition} OFFSET 0) e) e)"
)
ANSWER = " SELECT count(*), {rows}{facets} FROM matched m"
PAGE = (
    "(SELECT coalesce(json_agg(json_build_array(p.number, p.score)), '[]') FROM"
    " (SELECT m.number, m.score FROM matched m ORDER BY {order} LIMIT %s OFFSET %s) p)"
)
NUMBERS = "(array_agg(m.number))[:%s]"


@dataclass(frozen=True)
class Question:
    """What is asked of the rows: which match, what each is worth, in which order they come.

    ``filtered``: what the filters match. ``score``: of a row, by what lies in it; None where two
    rankings are needed. ``same_score``: all rows are worth the same.
    """

    request: Request
    order: Order
    match: Match
    filtered: Match
    condition: Sql
    score: Sql | None
    same_score: bool = False


def question_of(
    request: Request,
    order: Order,
    matcher: Matcher,
    rarity: Rarity,
    steps: Steps | None = None,
) -> Question:
    """``steps``: the query asks for fewer of its words, as it finds too little."""
    if steps:
        request, order = replace(request, query=steps.query), steps.order(order)
    filtered = all_of([matcher.match(each) for each in request.filters])
    match = all_of([matcher.match(request.query), filtered])
    condition = steps.condition(sql_of(match)) if steps else sql_of(match)
    unscored = SCORE not in request.fields and not order.by_score
    if unscored or isinstance(request.query, Everything):
        score = Sql("%s::float8", (SCORE_OF_ALL,))
        return Question(request, order, match, filtered, condition, score, same_score=True)
    score = None
    if lies_in_the_row(request.query, matcher.schema):
        score = Ranker(matcher, rarity).score(request.query)
    elif isinstance(request.query, Scored):
        Ranker(matcher, rarity).score(request.query)  # mistakes in its functions are told always
    return Question(request, order, match, filtered, condition, score)


def statement_of(question: Question, facets: Sequence[Facet], most_numbers: int) -> Sql:
    """Its answer: the count; the page as a JSON list of (row, score), or at most ``most_numbers``
    of the rows; what each facet needs."""
    kept: list[Sql] = []
    for i, facet in enumerate(facets):
        column = facet.column()
        kept.append(Sql(f", {column.text} AS f{i}", column.parameters))
    if question.score:
        rows = Sql(
            PAGE.format(order=question.order.text),
            (question.request.rows, question.request.start),
        )
        score = question.score
        kept.append(Sql(f", ({score.text})::float8 AS score", score.parameters))
        kept += [
            Sql(f", {k.text} AS k{i}", k.parameters) for i, k in enumerate(question.order.keys)
        ]
    else:
        rows = Sql(NUMBERS, (most_numbers,))
    template = SCORED if question.score and not question.same_score else MATCHED
    text = template.format(
        kept_how="NOT " if _is_read_anew(question, facets) else "",
        kept="".join(part.text for part in kept),
        columns=_columns(facets),
        condition=question.condition.text,
    )
    of_facets = [answer for i, facet in enumerate(facets) for answer in facet.answers(i)]
    text += ANSWER.format(rows=rows.text, facets="".join(f", {part.text}" for part in of_facets))
    kept_parameters = [p for part in kept for p in part.parameters]
    facet_parameters = [p for part in of_facets for p in part.parameters]
    return Sql(
        text,
        (*kept_parameters, *question.condition.parameters, *rows.parameters, *facet_parameters),
    )


def _is_read_anew(question: Question, facets: Sequence[Facet]) -> bool:
    """Whether reading the rows twice, for the page and for the facets, is cheaper than keeping."""
    read_once_or_found_fast = question.score is None or not isinstance(question.match, Sql)
    return read_once_or_found_fast and all(facet.stored for facet in facets)


def _columns(facets: Sequence[Facet]) -> str:
    names = ["number", "headline", "sorts", "infix", "exact"]
    names += [facet.stored for facet in facets if facet.stored]
    return ", ".join(f"e.{name}" for name in names)
