"""What can go wrong in the index; every error is a ``pysolr.SolrError``, which CKAN handles.

CKAN looks at the beginning of the message: a sort it can't determine becomes ``SearchQueryError``
(400), a failed connection ``SolrConnectionError``, everything else ``SearchError`` (409 in the API,
the search page with an error in the browser).
"""

from __future__ import annotations

import pysolr


class SearchFailed(pysolr.SolrError):
    """Base of the search room's errors."""

    code = "search_failed"
    opening = ""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{self.opening}{reason}")
        self.reason = reason


class SyntaxRefused(SearchFailed):
    """The query string can't be parsed."""

    code = "search_syntax"
    opening = "Cannot parse the query: "


class ValueRefused(SearchFailed):
    """A date, number or parameter in the query is none."""

    code = "search_value"
    opening = "Invalid value: "


class SortRefused(SearchFailed):
    """The ``sort`` parameter names no field with a direction."""

    code = "search_sort"
    opening = "Can't determine a Sort Order (asc or desc) in sort spec: "


class FeatureUnsupported(SearchFailed):
    """Solr could do it, this index can't."""

    code = "search_unsupported"
    opening = "Not supported by the PostgreSQL index: "


class QueryTooComplex(SearchFailed):
    """The query has too many clauses, or one of its patterns matches too many words."""

    code = "search_too_complex"
    opening = "The query is too complex: "


class QueryTooSlow(SearchFailed):
    """PostgreSQL stopped the query at its time limit."""

    code = "search_timeout"
    opening = "The query was stopped: "


class DocumentRefused(SearchFailed):
    """A document can't be indexed as it is."""

    code = "search_document"
    opening = "Cannot index the document: "


class IndexUnreachable(SearchFailed):
    """PostgreSQL doesn't answer."""

    code = "search_unreachable"
    opening = "Failed to connect to server: "


class LayoutTooNew(SearchFailed):
    """The tables of the index were made by a newer release."""

    code = "search_layout_too_new"


class IndexingStopped(SearchFailed):
    """A process that indexed many datasets was ended from outside."""

    code = "search_indexing_stopped"
