"""The one place where the index meets CKAN.

CKAN makes every connection to its index by ``pysolr.Solr(solr_url, …)`` and reads the schema's
version over HTTP at start-up. Both names are replaced once, when the plugin is imported, and never
put back: a test that unloads plugins still has the same index. ``solr_url = postgresql://…``
chooses PostgreSQL, any other URL is real Solr, untouched. A third, ``lib.search.rebuild``, is
replaced for speed alone.
"""

from __future__ import annotations

from typing import Any

import ckan.lib.search as ckan_search
import pysolr
import requests
from ckan.common import config

from .client import PostgresSolr
from .rebuild import rebuild
from .solr_schema import SCHEMA_FILE

SCHEMES = ("postgresql://", "postgresql+psycopg://", "postgresql+psycopg2://", "postgres://")

_solr = pysolr.Solr
_schema_from_solr = ckan_search._get_schema_from_solr


def connect(url: str, *arguments: Any, **settings: Any) -> Any:
    """A connection to the index that ``url`` names."""
    if url.startswith(SCHEMES):
        return PostgresSolr(url.replace("postgres://", "postgresql://", 1), *arguments, **settings)
    return _solr(url, *arguments, **settings)


def schema_from_index(file_offset: str) -> requests.Response:
    """The index's schema: for PostgreSQL the one that CKAN ships, which the index reads too."""
    if not config["solr_url"].startswith(SCHEMES):
        return _schema_from_solr(file_offset)
    answer = requests.Response()
    answer.status_code = 200
    answer.encoding = "utf-8"
    answer._content = SCHEMA_FILE.read_bytes()
    return answer


def install() -> None:
    """Idempotent."""
    pysolr.Solr = connect
    ckan_search._get_schema_from_solr = schema_from_index
    ckan_search.rebuild = rebuild
