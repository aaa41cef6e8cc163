"""Search, add and delete: the index as one object over PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from . import one_dataset, synonyms
from .asking import Asking
from .document import LARGE_FIELDS, row_of
from .everything import asks_everything, note_write, page_of, writes_seen
from .facets import Facet, facets_of
from .gathering import put, settle
from .lexemes import lexeme, quoted
from .match import Matcher
from .rarity import Rarity
from .request import Request, parse, request_of
from .solr_schema import SolrSchema, ckan_schema
from .some_words import ALL, FEW, FOUND_WORDS, SOME, steps_of
from .sorting import BY_NUMBER, SCORE, order_by
from .sql import Match, sql_of
from .store import Store
from .telex import as_meant
from .vocabulary import StoredVocabulary


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
        asked = one_dataset.asked_for(q, parameters)
        if asked:
            with self.store.transaction("AUTOCOMMIT") as connection:
                documents = one_dataset.found(connection, asked)
            if len(documents) < 2:
                return _answer(len(documents), 0, documents, {})
        facets = facets_of(parameters, self.schema)
        with self.store.transaction("REPEATABLE READ") as connection:
            vocabulary = StoredVocabulary(connection)
            if q and parameters.get("defType") == "dismax":
                q = as_meant(q, synonyms.current(), vocabulary.known)
            request = request_of(q, parameters)
            order = order_by(request.sort, self.schema)
            matcher = Matcher(self.schema, vocabulary)
            rarity = Rarity(connection, self.store.counts)
            asking = Asking(connection, matcher, rarity, self.store.values)
            match = matcher.match(request.filtered)
            if asks_everything(request, match):
                everything = page_of(request, match, order)
                page = connection.exec_driver_sql(everything.text, everything.parameters).all()
                count, *counted = self._counts(asking, request, match, facets)
                with_all = count
            else:
                found = asking.found(request, order, facets)
                with_all = found.count
                steps = None
                if with_all < FEW:
                    steps = steps_of(request, matcher, connection, found.numbers)
                if steps:
                    found = asking.found(request, order, facets, steps)
                count, counted = found.count, asking.counts(facets, found)
                page = asking.page(found)
            documents = self._documents(connection, request, page)
        fields = {
            facet.field: [part for pair in pairs for part in pair]
            for facet, pairs in zip(facets, counted, strict=True)
        }
        if count > with_all:
            fields[FOUND_WORDS] = [ALL, with_all, SOME, count - with_all]
        return _answer(count, request.start, documents, fields)

    def _counts(
        self, asking: Asking, request: Request, match: Match, facets: Sequence[Facet]
    ) -> Sequence[Any]:
        """The rows and each facet's values of a request for everything, counted once a write."""
        writes = writes_seen(asking.connection)
        question = (match, *facets)
        counts = self.store.remembered.get(writes, question)
        if counts is None:
            uncounted = replace(request, rows=0, fields=())
            found = asking.found(uncounted, BY_NUMBER, facets)
            counts = (found.count, *asking.counts(facets, found))
            self.store.remembered.keep(writes, question, counts)
        return counts

    def _documents(
        self, connection: sa.Connection, request: Request, page: Sequence[Sequence[Any]]
    ) -> list[dict[str, Any]]:
        named, wants = request.named, request.wants
        stored = "stored"
        if named:
            pairs = ", ".join(["%s::text, stored -> %s::text"] * len(named))
            stored = f"jsonb_strip_nulls(jsonb_build_object({pairs}))"
        columns = [name if wants(name) else "NULL" for name in LARGE_FIELDS]
        found = connection.exec_driver_sql(
            f"SELECT number, {stored}, {', '.join(columns)} FROM hanoiic_search.body"  # noqa: S608
            " WHERE number = ANY(%s)",
            (*(name for name in named for _ in "kv"), [number for number, _ in page]),
        ).all()
        bodies = {}
        for number, document, *large in found:
            if not named:
                document = {name: v for name, v in document.items() if wants(name)}
            document |= {k: v for k, v in zip(LARGE_FIELDS, large, strict=True) if v is not None}
            bodies[number] = document
        if SCORE in request.fields:
            for number, score in page:
                bodies[number][SCORE] = score
        return [bodies[number] for number, _ in page if number in bodies]

    def add(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """Add documents, or replace those with the same ``index_id``: all of them or none."""
        rows = [row_of(dict(document), self.schema) for document in documents]
        put(self.store, rows)

    def modified(self, site_id: str) -> dict[str, str]:
        """When each dataset of a site was last changed, as the index has it: id → date."""
        with self.store.transaction() as connection:
            found = connection.exec_driver_sql(
                "SELECT exact -> 'id' ->> 0, coalesce(sorts ->> 'metadata_modified', '')"
                " FROM hanoiic_search.entry WHERE lexemes @@ %s::tsquery",
                (quoted(lexeme("site_id", "=", site_id)),),
            )
            return dict(found.tuples().all())

    def delete(self, q: str) -> int:
        """Delete what a query in Lucene's syntax matches; returns how many."""
        node = parse(q, {}, is_filter=True)
        settle(self.store)
        with self.store.transaction() as connection:
            matcher = Matcher(self.schema, StoredVocabulary(connection))
            condition = sql_of(matcher.match(node))
            deleted = connection.exec_driver_sql(
                f"DELETE FROM hanoiic_search.entry e WHERE {condition.text}",  # noqa: S608
                condition.parameters,
            ).rowcount
            note_write(connection)
        self.store.counts.forget()
        return deleted


def _answer(
    count: int, start: int, documents: list[dict[str, Any]], fields: dict[str, Any]
) -> dict[str, Any]:
    return {
        "responseHeader": {"status": 0},
        "response": {"numFound": count, "start": start, "docs": documents},
        "facet_counts": {"facet_fields": fields},
    }
