"""The face of ``pysolr.Solr`` over the PostgreSQL index: what CKAN calls, and nothing more."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pysolr

from .errors import FeatureUnsupported
from .index import SearchIndex
from .store import store_for

DEFAULT_TIMEOUT_S = 60


class PostgresSolr:
    """A connection to the index; cheap to make, as CKAN makes one a query."""

    def __init__(
        self,
        url: str,
        decoder: json.JSONDecoder | None = None,
        timeout: float | None = DEFAULT_TIMEOUT_S,
        results_cls: Any = pysolr.Results,
        **_ignored: Any,
    ) -> None:
        self.index = SearchIndex(store_for(url, float(timeout or DEFAULT_TIMEOUT_S)))
        self.url = "postgresql:"  # CKAN writes it into messages: no password there
        self.decoder = decoder
        self.results_cls = results_cls

    def search(self, q: str | None = None, search_handler: str | None = None, **kwargs: Any) -> Any:
        if search_handler not in (None, "select"):
            raise FeatureUnsupported(f"the request handler {search_handler!r}")
        answer = self.index.search(q, kwargs)
        if self.decoder is not None:
            answer = self.decoder.decode(json.dumps(answer))
        return self.results_cls(answer)

    def add(self, docs: Mapping[str, Any] | Sequence[Mapping[str, Any]], **_ignored: Any) -> None:
        """Add documents; each is found by the next query, whatever ``commit`` says."""
        self.index.add([docs] if isinstance(docs, Mapping) else docs)

    def delete(
        self, id: str | Sequence[str] | None = None, q: str | None = None, **_ignored: Any
    ) -> None:
        if (id is None) == (q is None):
            raise ValueError("Name either `id` or `q`.")
        if q is None:
            names = [id] if isinstance(id, str) else list(id or [])
            quoted = " ".join(json.dumps(str(name), ensure_ascii=False) for name in names)
            q = f"index_id:({quoted})" if names else "(*:* NOT *:*)"
        self.index.delete(q)

    def commit(self, **_ignored: Any) -> None:
        """Nothing to do: every write commits itself."""

    def optimize(self, **_ignored: Any) -> None:
        """Nothing to do: PostgreSQL's autovacuum keeps the tables."""

    def ping(self, **_ignored: Any) -> str:
        self.index.search("*:*", {"rows": 0})
        return '{"status": "OK"}'
