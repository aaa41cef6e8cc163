"""Search, add and delete: the index as one object over PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from .document import LARGE_FIELDS, Row, row_of
from .facets import Facet, facets_of
from .lexemes import lexeme, quoted
from .match import Matcher
from .rank import Ranker
from .rarity import Rarity
from .request import Request, parse, request_of
from .solr_schema import SolrSchema, ckan_schema
from .sorting import SCORE, order_by
from .sql import Sql, sql_of
from .store import Store
from .vocabulary import StoredVocabulary

# Rows are matched once; counting, paging and every facet read the same matched set, which holds
# no more of a row than they need.
MATCHED = (
    "WITH matched AS MATERIALIZED"
    " (SELECT e.number, {kept} AS exact, {score}::float8 AS score FROM ("
    "SELECT e.number, e.exact, e.infix, {lexemes} AS lexemes FROM hanoiic_search.entry e"
    " WHERE {condition} OFFSET 0) e),"
    " page AS (SELECT m.number, m.score FROM matched m ORDER BY {order} LIMIT %s OFFSET %s)"
    " SELECT (SELECT count(*) FROM matched),"
    " (SELECT coalesce(json_agg(json_build_array(number, score)), '[]') FROM page)"
)
KEPT = "%s::text, e.exact -> %s::text"
WRITE_ENTRY = (
    "INSERT INTO hanoiic_search.entry (index_id, exact, lexemes, infix)"
    " VALUES (%s, %s::jsonb, %s::tsvector, %s)"
    " ON CONFLICT (index_id) DO UPDATE SET exact = excluded.exact, lexemes = excluded.lexemes,"
    " infix = excluded.infix RETURNING number"
)
WRITE_BODY = (
    "INSERT INTO hanoiic_search.body VALUES (%s, %s::jsonb, %s, %s)"
    " ON CONFLICT (number) DO UPDATE SET"
    " stored = excluded.stored, data_dict = excluded.data_dict,"
    " validated_data_dict = excluded.validated_data_dict"
)
# In one order everywhere, so that two writers never wait for each other in a circle.
WRITE_VOCABULARY = (
    "INSERT INTO hanoiic_search.vocabulary (field, word)"
    " SELECT n.field, n.word FROM unnest(%s::text[], %s::text[]) AS n(field, word)"
    ' WHERE NOT EXISTS (SELECT FROM hanoiic_search.vocabulary v WHERE v.field = n.field COLLATE "C"'
    ' AND v.word = n.word COLLATE "C")'
    ' ORDER BY n.field COLLATE "C", n.word COLLATE "C" ON CONFLICT DO NOTHING'
)


class SearchIndex:
    """CKAN's search index in PostgreSQL.

    Every method raises ``SearchFailed`` (a ``pysolr.SolrError``) and nothing else for what a
    query, a document or the database does.
    """

    def __init__(self, store: Store, schema: SolrSchema | None = None) -> None:
        self.store = store
        self.schema = schema or ckan_schema()

    def search(self, q: str | None, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Solr's JSON answer to a query, as Python objects."""
        request = request_of(q, parameters)
        facets = facets_of(parameters, self.schema)
        order = order_by(request.sort, self.schema)
        with self.store.transaction("REPEATABLE READ") as connection:
            statement = self._statement(connection, request, facets, order)
            count, page, *counted = connection.exec_driver_sql(
                statement.text, statement.parameters
            ).one()
            documents = self._documents(connection, request, page)
        return {
            "responseHeader": {"status": 0},
            "response": {"numFound": count, "start": request.start, "docs": documents},
            "facet_counts": {
                "facet_fields": {
                    facet.field: [part for pair in pairs for part in pair]
                    for facet, pairs in zip(facets, counted, strict=True)
                }
            },
        }

    def _statement(
        self, connection: sa.Connection, request: Request, facets: Sequence[Facet], order: Sql
    ) -> Sql:
        matcher = Matcher(self.schema, StoredVocabulary(connection))
        condition = sql_of(matcher.match(request.filtered))
        scored = "m.score" in order.text or SCORE in request.fields
        ranker = Ranker(matcher, Rarity(connection, self.store.counts))
        score = ranker.score(request.query) if scored else Sql("0.0")
        # The parameters of an order are the names of its fields.
        kept = list(dict.fromkeys([*(facet.field for facet in facets), *order.parameters]))
        text = MATCHED.format(
            kept=f"jsonb_strip_nulls(jsonb_build_object({', '.join([KEPT] * len(kept))}))",
            score=f"({score.text})",
            # Ranking reads the lexemes often: unpacked once a row instead of at every reading.
            lexemes="e.lexemes || ''::tsvector" if scored else "e.lexemes",
            condition=condition.text,
            order=order.text,
        )
        parts = [facet.sql() for facet in facets]
        return Sql(
            "".join([text, *(f", {part.text}" for part in parts)]),
            (
                *(name for name in kept for _ in range(2)),
                *score.parameters,
                *condition.parameters,
                *order.parameters,
                request.rows,
                request.start,
                *(parameter for part in parts for parameter in part.parameters),
            ),
        )

    def _documents(
        self, connection: sa.Connection, request: Request, page: list[list[Any]]
    ) -> list[dict[str, Any]]:
        wanted = request.fields
        columns = [name if not wanted or name in wanted else "NULL" for name in LARGE_FIELDS]
        found = connection.exec_driver_sql(
            f"SELECT number, stored, {', '.join(columns)} FROM hanoiic_search.body"  # noqa: S608
            " WHERE number = ANY(%s)",
            ([number for number, _ in page],),
        )
        bodies = {}
        for number, stored, *large in found:
            document = stored if not wanted else {k: v for k, v in stored.items() if k in wanted}
            document |= {k: v for k, v in zip(LARGE_FIELDS, large, strict=True) if v is not None}
            bodies[number] = document
        if SCORE in wanted:
            for number, score in page:
                bodies[number][SCORE] = score
        return [bodies[number] for number, _ in page if number in bodies]

    def add(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """Add documents, or replace those with the same ``index_id``: all of them or none."""
        rows = [row_of(dict(document), self.schema) for document in documents]
        with self.store.transaction() as connection:
            for row in sorted(rows, key=lambda row: row.index_id):
                _write(connection, row)
            words = sorted({pair for row in rows for pair in row.vocabulary})
            connection.exec_driver_sql(
                WRITE_VOCABULARY, ([field for field, _ in words], [word for _, word in words])
            )
        self.store.counts.forget()

    def modified(self, site_id: str) -> dict[str, str]:
        """When each dataset of a site was last changed, as the index has it: id → date."""
        with self.store.transaction() as connection:
            found = connection.exec_driver_sql(
                "SELECT exact -> 'id' ->> 0, coalesce(exact -> 'metadata_modified' ->> 0, '')"
                " FROM hanoiic_search.entry WHERE lexemes @@ %s::tsquery",
                (quoted(lexeme("site_id", "=", site_id)),),
            )
            return dict(found.tuples().all())

    def delete(self, q: str) -> int:
        """Delete what a query in Lucene's syntax matches; returns how many."""
        node = parse(q, {}, is_filter=True)
        with self.store.transaction() as connection:
            matcher = Matcher(self.schema, StoredVocabulary(connection))
            condition = sql_of(matcher.match(node))
            deleted = connection.exec_driver_sql(
                f"DELETE FROM hanoiic_search.entry e WHERE {condition.text}",  # noqa: S608
                condition.parameters,
            ).rowcount
        self.store.counts.forget()
        return deleted


def _write(connection: sa.Connection, row: Row) -> None:
    number = connection.exec_driver_sql(
        WRITE_ENTRY,
        (row.index_id, json.dumps(row.exact), row.tsvector(), "\n".join(row.infix)),
    ).scalar_one()
    connection.exec_driver_sql(
        WRITE_BODY,
        (number, json.dumps(row.stored), *(row.large.get(name) for name in LARGE_FIELDS)),
    )
